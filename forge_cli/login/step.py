"""A step of a profile as the engine runs it: its place in the order, its cache key, its work."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import HttpClientException, MaxRetryException, NeedsPerson, ProfileError, StepFailed
from ..models import Deadline, HttpRequest, HttpResponse, TokenData, random_uuid
from ..registry import Registry
from ..tokens.step import Cache, forgotten
from ..tokens.unbroken import requested
from .blame import blamed
from .definition import ConditionTable, InvalidateTable, RefreshTable, RequestTable, StepTable
from .expiry import duration
from .predicate import answer_matches, condition_holds
from .scope import Scope, outputs_of
from .template import Reference, UndefinedReference, references, required
from .work import COLON, COLON_HINT, Person, Result, StepKind, Work

if TYPE_CHECKING:
    from .jar import Jar

_JARS = Registry("cookie jar", {"jar": "forge_cli.login.jar:Jar"})
"""Loaded when there are cookies: most logins have none."""
_STANDARD = ("token", "token_type", "refresh_token", "scope")


class Wire(Protocol):
    """How a step's request is sent: with the profile's transport settings, and nothing else of it."""

    def send(
        self,
        step: str,
        table: RequestTable,
        request: HttpRequest,
        scope: Scope,
        *,
        repeat: bool,
        deadline: Deadline | None,
    ) -> HttpResponse:
        """Send, signed and with the certificate that the table names; `scope` is what these are made from.

        With `repeat`, also a POST is retried; without, only when nothing was sent.
        """
        ...


class World(Protocol):
    """What a step needs beside the wire."""

    @property
    def person(self) -> Person | None:
        """Whoever can be asked; None when there is nobody."""
        ...

    def command(self, argv: Sequence[str], env: Sequence[str]) -> str:
        """Run a program of the profile's; see `work.Command`."""
        ...

    def sleep(self, seconds: float) -> None: ...

    def nonce(self) -> int:
        """A number greater than all before it, in this process and others."""
        ...


class LoginStep:
    """One step of a profile's login; see `tokens.pipeline.Step` for what each member promises."""

    ends_with_parents = True
    fingerprint = None

    def __init__(
        self,
        name: str,
        table: Any,
        *,
        scope: Scope,
        wire: Wire,
        world: World,
        digest: str | Callable[[], str],
        parents: Sequence[str] | None = None,
        rules: Sequence[InvalidateTable] | None = None,
        notice: Callable[[str], None] = lambda text: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.table = table
        self._kind: StepKind = table
        self.needs: Sequence[str] = needs(table) if parents is None else parents
        self.unbound = frozenset(table.unbound)
        self.skew = None if table.skew is None else duration(table.skew)
        usual: Cache = getattr(table, "usual_cache", "store")
        self.cache: Cache = table.cache or usual
        self.stored = self.cache in ("store", "memory")
        self.conditional: bool = table.when is not None
        self.jars = uses_jar(table, sending=True)
        self.heads = frozenset(reference[0] for reference in references(plain(table)))
        self.challenge_names, self.challenge_required = _of_challenges(table, self.heads)
        self.interactive: bool = getattr(table, "interactive", False)
        self.side_effect: bool = table.side_effect
        self.refresh_needs = frozenset(_steps(references(plain(getattr(table, "refresh", None)))))
        self._scope = scope
        self._wire = wire
        self._world = world
        self._digest = digest
        self._rules = rules
        self._notice = notice
        self._now = now

    @cached_property
    def key(self) -> str:
        """Where its token is stored. What that is made from may be in the store itself, and is asked for late."""
        digest = self._digest if isinstance(self._digest, str) else self._digest()
        return _key(digest, self.name, self.table.scope, self._scope)

    def challenged(self, challenge: Mapping[str, str]) -> LoginStep:
        """This step as it is for the parameters of one challenge: with a cache of its own for each scope."""
        scope = dataclasses.replace(self._scope, challenge=challenge)
        return LoginStep(
            self.name,
            self.table,
            scope=scope,
            wire=self._wire,
            world=self._world,
            digest=self._digest,
            parents=self.needs,
            rules=self._rules,
            notice=self._notice,
            now=self._now,
        )

    @property
    def asked(self) -> str:
        """What tells this step's token from those for other challenges, in words; empty when nothing does."""
        if self.table.scope is None or not self._scope.challenge:
            return ""
        try:
            return " ".join(self._scope.text(self.table.scope).split())
        except UndefinedReference:
            return ""

    def applies(self, given: Mapping[str, TokenData]) -> bool:
        """Whether the step's condition holds; without one it does."""
        condition: ConditionTable | None = self.table.when
        if condition is None:
            return True
        scope = self._work(given, None, None, repeat=True).scope
        try:
            return condition_holds(condition, scope.fill(condition.value), True)
        except UndefinedReference:
            return condition_holds(condition, None, False)

    def preflight(self, *, refreshing: bool = False) -> None:
        """Look at every secret and variable that the step will use; only prompts wait until it runs.

        NeedsPerson when it waits for a person, and there is none.
        """
        if self.interactive and not refreshing and self._world.person is None:
            raise NeedsPerson(
                f"step '{self.name}' needs a person, and there is no terminal, or input is off",
                service_name=self.name,
                hint="run `forge token login` on a terminal",
            )
        for reference in required(self._used(refreshing)):
            if reference[0] == "secrets":
                self._scope.secrets.check(reference[1])
            elif reference[0] in ("env", "vars"):
                self._scope.resolve(reference)

    def ask(self) -> None:
        """Ask for the secrets that a person types."""
        for reference in references(self._used(refreshing=False)):
            if reference[0] == "secrets" and self._scope.secrets.source(reference[1])[0] == "prompt":
                self._scope.secrets.get(reference[1])

    def _used(self, refreshing: bool) -> Any:
        """What a refresh, or else a login, is made from."""
        whole = plain(self.table)
        return whole.get("refresh") if refreshing else {**whole, "refresh": None, "revoke": None}

    def refreshable(self, current: TokenData) -> bool:
        table: RefreshTable | None = getattr(self.table, "refresh", None)
        if table is None:
            return False
        now, until = self._now(), current.meta.get("until")
        if until is not None and datetime.fromisoformat(until) <= now:
            return False
        if table.renew and (forgotten(current) or not current.fresh(now, 0.0)):
            return False
        wanted = {reference[1] for reference in references(plain(table)) if reference[0] == "self"}
        return wanted <= outputs_of(current).keys()

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        # What has a side effect may have had it, although no answer came.
        work = self._work(given, None, deadline, repeat=not self.side_effect)
        try:
            with self._blamed_here():
                return self._token(self._kind.run(work), None, work)
        except StepFailed as exc:
            exc.blames, exc.answer = self._blamed(exc.answer), None
            raise

    def _blamed(self, response: HttpResponse | None) -> Sequence[str]:
        """The steps before this one whose tokens its answer refuses, by the rules for the API's own answers.

        A 401 that no rule knows refuses those that this step needs, unless it may be about a secret of the step.
        """
        if response is None or self._rules == ():
            return ()
        for rule in self._rules or ():
            if answer_matches(rule.when, response.status_code, response.headers, lambda: json_of(response)):
                return rule.steps
        return self.needs if response.status_code == 401 and "secrets" not in self.heads else ()

    def refresh(
        self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
    ) -> TokenData | None:
        # A refresh token that may have been spent must not be sent again.
        spends = any(r == ("self", "refresh_token") for r in references(plain(self.table.refresh)))
        work = self._work(given, current, deadline, repeat=not spends)
        with self._blamed_here():
            result = self._kind.renew(work)
        return None if result is None else self._token(result, current, work)

    def revoke(self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None) -> bool:
        """Give the token back to the server; False when the profile does not say how. StepFailed when it refuses."""
        if getattr(self.table, "revoke", None) is None:
            return False
        with self._blamed_here():
            self.table.give_back(self._work(given, current, deadline, repeat=True))
        return True

    def _blamed_here(self) -> AbstractContextManager[None]:
        return blamed(f"step '{self.name}'", plain(self.table))

    def _work(
        self, given: Mapping[str, TokenData], current: TokenData | None, deadline: Deadline | None, *, repeat: bool
    ) -> Work:
        now = self._now()
        jars = {}
        for token in (*given.values(), *(() if current is None else (current,))):
            jars.update({name: stored_jar(kept) for name, kept in token.meta.get("jars", {}).items()})
        scope = dataclasses.replace(
            self._scope,
            steps={name: outputs_of(token) for name, token in given.items()},
            own={} if current is None else outputs_of(current),
            values=getattr(self.table, "values", {}),
            cookies={name: jar.values for name, jar in jars.items()},
            now=now.timestamp() + clock_of(given.values()),
            uuid=random_uuid(),
            nonce=cache(self._world.nonce),
        )

        def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
            if request.auth is not None and ":" in request.auth[0]:
                raise ProfileError(f"step '{self.name}': the user in `basic` {COLON}", hint=COLON_HINT)
            requested()
            try:
                return self._wire.send(self.name, table, request, scope, repeat=repeat, deadline=deadline)
            except MaxRetryException as exc:
                raise _unwrapped(exc, self.name) from exc

        world = self._world
        return Work(self.name, scope, now, send, world.command, world.sleep, jars, world.person, deadline)

    def _token(self, result: Result, current: TokenData | None, work: Work) -> TokenData:
        old = {} if current is None else outputs_of(current)
        found = {**old, **result.outputs}
        if result.end.odd is not None:
            self._notice(f"step '{self.name}': what is at '{result.end.odd}' is no time: expiry unknown")
            # Once is enough for who asks an API all day.
            self._notice = lambda text: None
        return TokenData(
            access_token=str(found["token"]),
            token_type=str(found.get("token_type") or "Bearer"),
            expires_at=result.end.at,
            refresh_token=found.get("refresh_token"),
            # Who says nothing of the scope grants the one that was asked for (RFC 6749, section 5.1).
            scope=found.get("scope") or (self._scope.challenge.get("scope") if self.challenge_names else None),
            extra={name: value for name, value in found.items() if name not in _STANDARD},
            issued_at=self._now(),
            meta=self._meta(result, current, work),
        )

    def _meta(self, result: Result, current: TokenData | None, work: Work) -> dict[str, Any]:
        """What is noted beside the token: that it never ends, when its refresh token does, clock and cookies."""
        meta: dict[str, Any] = {}
        if result.end.known and result.end.at is None:
            meta["never"] = True
        until = result.until.isoformat() if result.until is not None else None
        # A refresh token that stays keeps its end.
        if until is None and current is not None and "refresh_token" not in result.outputs:
            until = current.meta.get("until")
        if until is not None:
            meta["until"] = until
        clock = result.clock if result.clock is not None or current is None else current.meta.get("clock")
        if clock is not None:
            meta["clock"] = clock
        jars = {name: work.jars[name].plain() for name in self.jars if name in work.jars}
        if jars:
            meta["jars"] = jars
        return meta


def json_of(response: HttpResponse) -> Any:
    """The body as JSON. ValueError: it is none."""
    try:
        return json.loads(response.text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def stored_jar(cookies: Iterable[Mapping[str, Any]]) -> Jar:
    """A cookie jar as it is stored with a token."""
    jar: Jar = _JARS.load("jar").of(cookies)
    return jar


def clock_of(tokens: Iterable[TokenData]) -> float:
    """How far the clock is ahead that one of these steps has read, in seconds."""
    ahead = next((token.meta["clock"] for token in tokens if "clock" in token.meta), 0.0)
    # In a file that somebody has edited there may be anything.
    return float(ahead) if isinstance(ahead, int | float) and math.isfinite(ahead) else 0.0


def uses_jar(table: Any, *, sending: bool = False) -> frozenset[str]:
    """The cookie jars that a step's requests send, and the answers to them change; also those it only reads."""
    refresh = getattr(table, "refresh", None)
    requests = [getattr(table, "request", None), getattr(refresh, "request", None)]
    found = {request.cookies for request in requests if request is not None and request.cookies is not None}
    if not sending:
        found |= {reference[1] for reference in references(plain(table)) if reference[0] == "cookies"}
    return frozenset(found)


def _key(digest: str, name: str, template: str | None, scope: Scope) -> str:
    """Where a step's token is stored. What its scope says is not readable in it."""
    if template is None:
        return f"{digest}:{name}"
    try:
        text = scope.text(template)
    except UndefinedReference:  # of a challenge that has not come yet
        text = ""
    return f"{digest}:{name}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def needs(table: StepTable) -> tuple[str, ...]:
    """The steps that a table refers to or names, each once."""
    return tuple(dict.fromkeys([*table.needs, *_steps(references(plain(table)))]))


def digest(key: bytes, profile: str, name: str, table: StepTable, scope: Scope, parents: Mapping[str, str]) -> str:
    """What tells a step's tokens from those of another definition, user, client or host.

    A keyed digest of the definition, of the values it refers to, and of its parents' digests; of
    secrets only where they come from. Nothing can be guessed from it without the key.
    """
    whole = plain(table)
    used = {".".join(ref): _known(ref, scope) for ref in references(whole) if ref[0] in ("vars", "env", "secrets")}
    material = [profile, name, whole, scope.base_url, used, dict(parents)]
    return keyed_digest(key, json.dumps(material, sort_keys=True, default=str))


def keyed_digest(key: bytes, text: str) -> str:
    """A digest from which nobody without the key can guess the text."""
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:24]


def _known(reference: Reference, scope: Scope) -> Any:
    if reference[0] == "secrets":
        return scope.secrets.reference(reference[1])
    return scope.environ.get(reference[1]) if reference[0] == "env" else scope.vars.get(reference[1])


def plain(table: Any) -> Any:
    """A table as plain values, for a walk over its texts."""
    if dataclasses.is_dataclass(table) and not isinstance(table, type):
        return {f.name: plain(getattr(table, f.name)) for f in dataclasses.fields(table)}
    if isinstance(table, Mapping):
        return {key: plain(value) for key, value in table.items()}
    return [plain(value) for value in table] if isinstance(table, list | tuple) else table


def _of_challenges(table: Any, heads: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The parameters of a challenge that a step refers to, and of these the ones that its login cannot do without."""
    if "challenge" not in heads:
        return frozenset(), frozenset()
    whole = plain(table)
    # A condition may ask for what is absent.
    login = {**whole, "when": None, "refresh": None, "revoke": None}
    needed = () if whole.get("when") is not None else required(login)
    return _challenge_params(references(whole)), _challenge_params(needed)


def _challenge_params(found: Iterable[Reference]) -> frozenset[str]:
    return frozenset(reference[1].lower() for reference in found if reference[0] == "challenge")


def _steps(found: Sequence[Reference]) -> list[str]:
    return list(dict.fromkeys(reference[1] for reference in found if reference[0] == "steps"))


def _unwrapped(exc: MaxRetryException, step: str) -> Exception:
    """What stopped the request; a client's own wrapping says nothing more."""
    cause = exc.original_exception
    if not isinstance(cause, HttpClientException):
        return exc
    cause.context["step"] = step
    return cause
