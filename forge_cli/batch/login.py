"""A login whose credential is worked out once for many requests, where it is the same for each of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..encode import build_url
from ..interfaces import AuthHookInterface
from ..login.definition import InjectTable
from ..login.hook import Attempt, LoginHook
from ..login.inject import counts
from ..login.login import Login
from ..login.step import plain
from ..login.template import parse, references
from ..models import HttpRequest, HttpResponse, RequestContext

# Seconds after which the store is looked at again: another process may have renewed, or forgotten, a token.
_FRESH = 0.1
_SAME = frozenset({"base_url", "env", "secrets", "steps", "vars"})


class _Known(NamedTuple):
    """What a request was given, and until when others are given the same."""

    until: float
    attempt: Attempt
    headers: Mapping[str, str]


def steady(hook: AuthHookInterface | None, clock: Callable[[], float] = time.monotonic) -> AuthHookInterface | None:
    """A hook that does what this one does, at less cost for each request if that can be."""
    return SteadyHook(hook.login, clock) if type(hook) is LoginHook and _is_steady(hook.login) else hook


class SteadyHook(LoginHook):
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
            return False
        try:
            return super().recover(response, context)
        finally:
            self._forget()

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
