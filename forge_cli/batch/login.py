"""A login for many requests: what is the same for all is worked out once, and a refusal is taken for an answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..auth import CompositeAuthHook
from ..encode import build_url
from ..errors import (
    AuthenticationException,
    ForgeError,
    LockTimeout,
    MissingSecret,
    ProfileError,
    StepFailed,
    StorageError,
)
from ..interfaces import AuthHookInterface
from ..login.definition import InjectTable
from ..login.hook import Attempt, LoginHook, Once
from ..login.inject import counts
from ..login.login import Login
from ..login.step import plain
from ..login.template import parse, references
from ..models import HttpRequest, HttpResponse, RequestContext, TokenData
from .results import cause_of

# Seconds after which the store is looked at again: another process may have renewed, or forgotten, a token.
_FRESH = 0.1
_SAME = frozenset({"base_url", "env", "secrets", "steps", "vars"})
# Statuses that do not say whether a server has looked at the token at all.
_SILENT = frozenset({401, 407, 408, 429})
# A token is renewed after so many refusals in a row at the latest: as many lines as one worker reads ahead.
_MOST_IN_A_ROW = 32
# So many tokens are remembered: whoever was given an older one is long answered.
_MOST_TOKENS = 16
UNDECIDED = "login_undecided"
_PUT, _CAUSED = "login_put", "login_caused"
_Key = frozenset[tuple[str, str]]


def hopeless(error: ForgeError) -> bool:
    """Whether every further request would fail the same way, and ask a login that has said no."""
    cause = cause_of(error)
    if isinstance(cause, StepFailed):
        return cause.status is not None and cause.status < 500 and cause.status not in (408, 429)
    if isinstance(cause, StorageError):
        return not isinstance(cause, LockTimeout)
    return isinstance(cause, MissingSecret | ProfileError | AuthenticationException)


@dataclass(eq=False, slots=True)
class _Token:
    """What is known of a token. `renewed`: it came of a refusal. Moments are numbers of requests."""

    renewed: bool
    accepted: int = -1
    refused: int = -1
    in_a_row: int = 0
    given_up: bool = False


class Refusals:
    """Tells a token that is no longer good from a request that is refused whatever the token.

    A refused token is renewed, but for one that came of a refusal itself and was never accepted since. Each renewal
    after which the same request is refused again doubles how many requests must be refused in a row, with none
    accepted in between, before the next one: 1, 2, 4 and so on to 32.
    """

    def __init__(self) -> None:
        self._count = itertools.count()
        self._tokens: dict[_Key, _Token] = {}
        self._needed = 1
        self._due = False
        self._lock = threading.Lock()

    def put(self) -> int:
        """A request is about to get its token; the moment."""
        return next(self._count)

    def accepted(self, key: _Key, put: int) -> None:
        """A request that got this token at that moment was answered."""
        known = self._tokens.get(key)
        if known is None or known.in_a_row or put > known.accepted:
            with self._lock:
                known = self._known(key)
                known.accepted = max(known.accepted, put)
                if put > known.refused:
                    known.in_a_row = 0

    def refused(self, key: _Key) -> Undecided | bool:
        """A request was refused: whether its token is to be renewed, or what will tell later."""
        with self._lock:
            known = self._known(key)
            if known.given_up:
                return True
            if known.renewed and known.accepted < 0:
                return False
            known.in_a_row += 1
            known.refused = next(self._count)
            if known.in_a_row < self._needed:
                return Undecided(self, key, known.refused)
            known.given_up = self._due = True
            return True

    def again(self, key: _Key, *, in_vain: bool) -> Undecided | None:
        """A request was refused again, with the token that came of its refusal: what will tell later, if anything will.

        `in_vain`: it was renewed for this request.
        """
        with self._lock:
            known = self._known(key)
            if in_vain and not known.given_up:
                self._needed = min(2 * self._needed, _MOST_IN_A_ROW)
            if known.accepted < 0:
                return None
            # It is not as new as that: it was good for others, and may have ended since.
            return Undecided(self, key, next(self._count))

    def give_up(self, key: _Key, refused: int) -> None:
        """Renew the token that was refused at that moment, unless it was accepted since."""
        with self._lock:
            known = self._known(key)
            if known.accepted < refused and not known.given_up:
                known.given_up = self._due = True

    def is_given_up(self, key: _Key) -> bool:
        """Whether the token is to be renewed, or was."""
        known = self._tokens.get(key)
        return known is not None and known.given_up

    def verdict(self, key: _Key, refused: int) -> bool | None:
        """Whether a request that was refused at that moment is to be sent again; None: it is not known yet."""
        known = self._tokens.get(key)
        if known is None or known.given_up:
            return True
        # What got the token only after the refusal was accepted with it.
        return False if known.accepted > refused else None

    def _known(self, key: _Key) -> _Token:
        if key not in self._tokens:
            self._tokens[key] = _Token(self._due)
            self._due = False
            while len(self._tokens) > _MOST_TOKENS:
                del self._tokens[next(iter(self._tokens))]
        return self._tokens[key]


class Undecided(NamedTuple):
    """A refusal of which only other requests can tell whether the token is the reason."""

    refusals: Refusals
    key: _Key
    refused: int

    @property
    def verdict(self) -> bool | None:
        """Whether the request is to be sent again; None: it is not known yet."""
        return self.refusals.verdict(self.key, self.refused)

    def give_up(self) -> None:
        """Nothing more will tell: the token is taken to be no longer good."""
        self.refusals.give_up(self.key, self.refused)


class _Known(NamedTuple):
    """What a request was given, and until when others are given the same."""

    until: float
    attempt: Attempt
    headers: Mapping[str, str]


def steady(hook: AuthHookInterface | None, clock: Callable[[], float] = time.monotonic) -> AuthHookInterface | None:
    """A hook that does what this one does for many requests: with no more logins than it takes, and at less cost."""
    if type(hook) is CompositeAuthHook:
        return hook.of(lambda part: steady(part, clock) or part)
    if type(hook) is not LoginHook:
        return hook
    return SteadyHook(hook.login, clock) if _is_steady(hook.login) else CarefulHook(hook.login)


class CarefulHook(LoginHook):
    """The hook of a login that is asked no more once it has said no, and not renewed for each answer that is a 401."""

    def __init__(self, login: Login) -> None:
        super().__init__(login)
        self._most = self._retry_strategy.max_retries
        # What comes after the last renewal is looked at as well.
        self._retry_strategy = Once(self._most + 1)
        self._refusals = Refusals()
        self._one = threading.RLock()
        self._refusal: ForgeError | None = None

    def outputs(
        self, login: Login, names: Sequence[str], context: RequestContext
    ) -> Mapping[str, TokenData | Mapping[str, Any]]:
        # One at a time: of those who wait for a login that says no, none may ask it again.
        deadline = context.deadline
        held = self._one.acquire(timeout=-1 if deadline is None else max(0.0, deadline.remaining()))
        try:
            if self._refusal is not None:
                raise self._refusal
            context.metadata[_PUT] = self._refusals.put()
            return super().outputs(login, names, context)
        except ForgeError as exc:
            if hopeless(exc):
                self._refusal = exc
            raise
        finally:
            if held:
                self._one.release()

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        attempt: Attempt | None = context.metadata.get(self._attempt_of)
        if attempt is None:
            return False
        self._judge(attempt, response, context)
        return not self._is_last(context) and super().recover(response, context)

    def _is_last(self, context: RequestContext) -> bool:
        """Whether the request was sent anew as often as it may be."""
        tries: int = context.metadata.get("auth_retry", 0)
        return tries >= self._most

    def _judge(self, attempt: Attempt, response: HttpResponse, context: RequestContext) -> None:
        """See to it that a token which may well be good is not renewed."""
        if not attempt.used:
            return
        metadata, key = context.metadata, frozenset(attempt.used.items())
        metadata.pop(UNDECIDED, None)
        if not self.is_auth_error(response):
            if response.status_code < 500 and response.status_code not in _SILENT:
                self._refusals.accepted(key, metadata.get(_PUT, -1))
        elif metadata.get(self._renewed) or self._is_last(context):
            found = self._refusals.again(key, in_vain=metadata.pop(_CAUSED, False))
            if found is not None:
                metadata[UNDECIDED] = found
        else:
            first = not self._refusals.is_given_up(key)
            verdict = self._refusals.refused(key)
            metadata[_CAUSED] = first and verdict is True
            if verdict is not True:
                # So that it is not renewed; what the server asks for beside that is still answered.
                metadata[self._renewed] = True
            if isinstance(verdict, Undecided):
                metadata[UNDECIDED] = verdict


class SteadyHook(CarefulHook):
    """The hook of a login that puts tokens into headers, does not sign, and has no other rule than that of the 401."""

    # There is nothing to sign, and no certificate.
    finish = AuthHookInterface.finish

    def __init__(self, login: Login, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(login)
        self._clock = clock
        self._everywhere = all(each.methods is each.paths is each.hosts is None for each in login.inject)
        self._known: dict[tuple[int, ...], _Known] = {}
        self._changes = 0
        self._guard = threading.Lock()

    def should_authenticate(self, request: HttpRequest) -> bool:
        return not self.login.exclude or super().should_authenticate(request)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        # Whoever renewed a token sees what is stored, and nothing older.
        if context.metadata.get(self._renewed):
            return super().before_request(request, context)
        url = "" if self._everywhere else build_url(self.login.scope.base_url, request.url)
        key = tuple(n for n, entry in enumerate(self.login.inject) if counts(entry, request, url))
        known = self._taken(key)
        if known is not None:
            context.metadata[self._attempt_of] = known.attempt
            context.metadata[_PUT] = self._refusals.put()
            return request.with_headers(known.headers)
        changes, until = self._changes, self._clock() + _FRESH
        made = super().before_request(request, context)
        attempt: Attempt | None = context.metadata.get(self._attempt_of)
        if attempt is not None:
            old = request.headers or {}
            headers = {name: value for name, value in (made.headers or {}).items() if name not in old}
            with self._guard:
                # What was forgotten meanwhile must not come back.
                if changes == self._changes:
                    self._known[key] = _Known(until, attempt, headers)
        return made

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401 and super().is_auth_error(response)

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        if response.status_code != 401:
            attempt: Attempt | None = context.metadata.get(self._attempt_of)
            if attempt is not None:
                self._judge(attempt, response, context)
            return False
        renewed = super().recover(response, context)
        if renewed:
            self._forget()
        return renewed

    def refresh_auth(self) -> bool:
        try:
            return super().refresh_auth()
        finally:
            self._forget()

    def invalidate_auth(self) -> None:
        super().invalidate_auth()
        self._forget()

    def _taken(self, key: tuple[int, ...]) -> _Known | None:
        """What is known; None to whoever is to find it out anew, one at a time."""
        known = self._known.get(key)
        if known is None:
            return None
        now = self._clock()
        if now >= known.until:
            with self._guard:
                if self._known.get(key) is known:
                    self._known[key] = known._replace(until=now + _FRESH)
                    return None
        steps, moment = self.login.steps, self.login.now()
        fresh = all(token.fresh(moment, steps[name].skew) for name, token in known.attempt.tokens.items())
        return known if fresh else None

    def _forget(self) -> None:
        with self._guard:
            self._changes += 1
            self._known.clear()


def _is_steady(login: Login) -> bool:
    """Whether every request of the same kind gets the same, as long as the tokens are the same."""
    return (
        login.sign is None
        and login.challenges is None
        and login.rules is None
        and all(step.stored for step in login.steps.values())
        and all(map(_is_steady_entry, login.inject))
    )


def _is_steady_entry(entry: InjectTable) -> bool:
    if entry.in_ not in ("header", "basic"):
        return False
    named = entry.in_ == "basic" or bool(parse(entry.name or "").literal)
    return named and all(reference[0] in _SAME for reference in references(plain(entry)))
