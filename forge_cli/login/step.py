"""A step of a profile as the engine runs it: its place in the order, its cache key, its work."""

from __future__ import annotations

import dataclasses
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from ..errors import HttpClientException, MaxRetryException
from ..models import Deadline, HttpRequest, HttpResponse, TokenData, random_uuid
from .definition import StepTable
from .expiry import duration
from .scope import Scope, outputs_of
from .template import Reference, references, required
from .work import Result, StepKind, Work

_STANDARD = ("token", "token_type", "refresh_token", "scope")


class Wire(Protocol):
    """How a step's request is sent: with the profile's transport settings, and nothing else of it."""

    def send(
        self, step: str, request: HttpRequest, redirects: int, *, repeat: bool, deadline: Deadline | None
    ) -> HttpResponse:
        """Send. With `repeat`, also a POST is retried; without, only when nothing was sent."""
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
        digest: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.table = table
        self._kind: StepKind = table
        self.key = f"{digest}:{name}"
        self.needs: Sequence[str] = needs(table)
        self.unbound = frozenset(table.unbound)
        self.skew = None if table.skew is None else duration(table.skew)
        self.stored: bool = getattr(table, "stored", True)
        self.refresh_needs = frozenset(_steps(references(_plain(getattr(table, "refresh", None)))))
        self._scope = scope
        self._wire = wire
        self._now = now

    def preflight(self, *, refreshing: bool = False) -> None:
        """Look at every secret and variable that the step will use; only prompts wait until it runs."""
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
        plain = _plain(self.table)
        return plain.get("refresh") if refreshing else {**plain, "refresh": None}

    def refreshable(self, current: TokenData) -> bool:
        table = getattr(self.table, "refresh", None)
        if table is None:
            return False
        wanted = {reference[1] for reference in references(_plain(table)) if reference[0] == "self"}
        return wanted <= outputs_of(current).keys()

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        result = self._kind.run(self._work(given, None, deadline, repeat=True))
        return self._token(result, None)

    def refresh(
        self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
    ) -> TokenData | None:
        # A refresh token that may have been spent must not be sent again.
        spends = any(r == ("self", "refresh_token") for r in references(_plain(self.table.refresh)))
        result = self._kind.renew(self._work(given, current, deadline, repeat=not spends))
        return None if result is None else self._token(result, current)

    def _work(
        self, given: Mapping[str, TokenData], current: TokenData | None, deadline: Deadline | None, *, repeat: bool
    ) -> Work:
        now = self._now()
        scope = dataclasses.replace(
            self._scope,
            steps={name: outputs_of(token) for name, token in given.items()},
            own={} if current is None else outputs_of(current),
            now=now.timestamp(),
            uuid=random_uuid(),
        )

        def send(request: HttpRequest, redirects: int) -> HttpResponse:
            try:
                return self._wire.send(self.name, request, redirects, repeat=repeat, deadline=deadline)
            except MaxRetryException as exc:
                raise _unwrapped(exc, self.name) from exc

        return Work(self.name, scope, now, send)

    def _token(self, result: Result, current: TokenData | None) -> TokenData:
        old = {} if current is None else outputs_of(current)
        found = {**old, **result.outputs}
        return TokenData(
            access_token=str(found["token"]),
            token_type=str(found.get("token_type") or "Bearer"),
            expires_at=result.end.at,
            refresh_token=found.get("refresh_token"),
            scope=found.get("scope"),
            extra={name: value for name, value in found.items() if name not in _STANDARD},
            issued_at=self._now(),
            meta={"never": True} if result.end.known and result.end.at is None else {},
        )


def needs(table: StepTable) -> tuple[str, ...]:
    """The steps that a table refers to or names, each once."""
    return tuple(dict.fromkeys([*table.needs, *_steps(references(_plain(table)))]))


def digest(key: bytes, profile: str, name: str, table: StepTable, scope: Scope, parents: Mapping[str, str]) -> str:
    """What tells a step's tokens from those of another definition, user, client or host.

    A keyed digest of the definition, of the values it refers to, and of its parents' digests; of
    secrets only where they come from. Nothing can be guessed from it without the key.
    """
    plain = _plain(table)
    used = {".".join(ref): _known(ref, scope) for ref in references(plain) if ref[0] in ("vars", "env", "secrets")}
    material = [profile, name, plain, scope.base_url, used, dict(parents)]
    text = json.dumps(material, sort_keys=True, default=str)
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:24]


def _known(reference: Reference, scope: Scope) -> Any:
    if reference[0] == "secrets":
        return scope.secrets.reference(reference[1])
    return scope.environ.get(reference[1]) if reference[0] == "env" else scope.vars.get(reference[1])


def _plain(table: Any) -> Any:
    """A table as plain values, for a walk over its texts."""
    if dataclasses.is_dataclass(table) and not isinstance(table, type):
        return {f.name: _plain(getattr(table, f.name)) for f in dataclasses.fields(table)}
    if isinstance(table, Mapping):
        return {key: _plain(value) for key, value in table.items()}
    return [_plain(value) for value in table] if isinstance(table, list | tuple) else table


def _steps(found: Sequence[Reference]) -> list[str]:
    return list(dict.fromkeys(reference[1] for reference in found if reference[0] == "steps"))


def _unwrapped(exc: MaxRetryException, step: str) -> Exception:
    """What stopped the request; a client's own wrapping says nothing more."""
    cause = exc.original_exception
    if not isinstance(cause, HttpClientException):
        return exc
    cause.context["step"] = step
    return cause
