"""The one auth hook of profiles: puts credentials into requests, and renews what an answer refuses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from ..auth import basic
from ..errors import AuthenticationException
from ..interfaces import AuthHookInterface, AuthRetryStrategyInterface
from ..models import HttpRequest, HttpResponse, RequestContext, TokenData, iter_params, random_uuid
from ..redact import REDACTOR
from ..tokens.pipeline import Pipeline
from .definition import InjectTable, InvalidateTable, WhenTable
from .predicate import answer_matches
from .scope import Scope, outputs_of
from .template import parse, references

_USED = "login_used"
_UUID = "login_uuid"


@dataclass(frozen=True)
class Login:
    """How a profile logs in: the steps, where their tokens go, and which answers refuse them.

    `targets` are the steps that `inject` refers to. `rules` is None for the default alone: a 401
    forgets the targets.
    """

    pipeline: Pipeline
    inject: tuple[InjectTable, ...]
    targets: tuple[str, ...]
    rules: tuple[InvalidateTable, ...] | None
    exclude: tuple[str, ...]
    scope: Scope

    @property
    def renewable(self) -> bool:
        """Whether a refused credential can be had anew."""
        return any(step.stored for step in self.pipeline.steps.values())


class Once(AuthRetryStrategyInterface):
    """Look at every answer, and send at most once more."""

    @property
    def max_retries(self) -> int:
        return 1

    def should_retry(self, response: HttpResponse, attempt: int) -> bool:
        return attempt < 1

    def get_delay(self, attempt: int) -> float:
        return 0.0

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401


class LoginHook(AuthHookInterface):
    """Obtains what a request needs, injects it, and forgets what an answer refuses.

    What the caller states explicitly, a header, parameter or cookie of the same name, is left alone.
    """

    def __init__(self, login: Login, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.login = login
        self._now = now
        self._retry_strategy = Once()
        rules = [rule.when for rule in login.rules or ()]
        self.reads_body = any(when.body for when in rules)

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        base = urlsplit(self.login.scope.base_url).path.rstrip("/")
        path = urlsplit(request.url).path if "://" in request.url else "/" + request.url.partition("?")[0].lstrip("/")
        whole = path if "://" in request.url else base + path
        return not any(fnmatchcase(path, p) or fnmatchcase(whole, p) for p in self.login.exclude)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        context.metadata.pop(_USED, None)
        entries = [entry for entry in self.login.inject if not stated(entry, request)]
        if not entries:
            return request
        scope = dataclasses.replace(
            self.login.scope,
            steps=self.outputs(targets(entries, self.login.pipeline.steps), context),
            now=self._now().timestamp(),
            uuid=context.metadata.setdefault(_UUID, random_uuid()),
        )
        return injected(request, entries, lambda entry: (scope.text(entry.name or ""), scope.text(str(entry.value or ""))))

    def outputs(self, names: Sequence[str], context: RequestContext) -> Mapping[str, Mapping[str, Any]]:
        """The outputs of these steps; what is missing is obtained."""
        tokens = self.login.pipeline.obtain(names, context.deadline)
        context.metadata[_USED] = self.login.pipeline.identities(tokens)
        return {name: outputs_of(token) for name, token in tokens.items()}

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        """Forget the steps of the first rule that the answer matches; True when there is something to renew."""
        used = context.metadata.get(_USED)
        if used is None:
            return False
        names = self._refused(response)
        stored = [name for name in names if self._renewable(name)]
        if stored:
            self.login.pipeline.forget(names, used)
        return bool(stored)

    def is_auth_error(self, response: HttpResponse) -> bool:
        return bool(self._refused(response))

    def refresh_auth(self) -> bool:
        self.login.pipeline.renew(self.login.targets)
        return self.login.renewable

    def invalidate_auth(self) -> None:
        self.login.pipeline.forget(self.login.targets)

    def get_token(self) -> TokenData:
        if not self.login.targets:
            raise AuthenticationException("this login has no step that yields a token")
        return self.login.pipeline.obtain(self.login.targets)[self.login.targets[0]]

    def _refused(self, response: HttpResponse) -> Sequence[str]:
        if self.login.rules == ():
            return ()
        default = InvalidateTable(when=WhenTable(status=401), steps=self.login.targets)
        for rule in (*(self.login.rules or ()), default):
            if answer_matches(rule.when, response.status_code, response.headers, lambda: _json(response)):
                return rule.steps
        return ()

    def _renewable(self, name: str) -> bool:
        """A value that is computed from a secret is the same the next time."""
        steps = self.login.pipeline.steps
        return any(steps[n].stored for n in self.login.pipeline.closure([name]) if n in steps)


def injected(
    request: HttpRequest, entries: Sequence[InjectTable], value_of: Callable[[InjectTable], tuple[str, str]]
) -> HttpRequest:
    """The request with each entry's name and value in its place; a later entry replaces an earlier one."""
    headers, cookies = dict(request.headers or {}), dict(request.cookies or {})
    params = list(iter_params(request.params))
    for entry in entries:
        name, value = value_of(entry)
        if entry.in_ == "header":
            headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: value}
        elif entry.in_ == "basic":
            headers["Authorization"] = basic(name, value)
            REDACTOR.add(headers["Authorization"].partition(" ")[2])
        elif entry.in_ == "cookie":
            cookies[name] = value
        else:
            params = [pair for pair in params if pair[0] != name] + [(name, value)]
    return dataclasses.replace(request, headers=headers or None, cookies=cookies or None, params=params or None)


def targets(inject: Sequence[InjectTable] | None, steps: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps that `inject` refers to; without it, the only step that no other needs."""
    if inject is None:
        needed = {name for step in steps.values() for name in step.needs}
        return tuple(name for name in steps if name not in needed)
    found = references([[entry.name or "", entry.value] for entry in inject])
    return tuple(dict.fromkeys(ref[1] for ref in found if ref[0] == "steps"))


def stated(entry: InjectTable, request: HttpRequest) -> bool:
    """Whether the caller gave a value for this place himself."""
    name = "authorization" if entry.in_ == "basic" else (parse(entry.name or "").literal or "")
    if entry.in_ in ("header", "basic"):
        return any(key.lower() == name.lower() for key in request.headers or ()) or (
            name.lower() == "authorization" and request.auth is not None
        )
    if entry.in_ == "cookie":
        return name in (request.cookies or {})
    return any(key == name for key, _ in iter_params(request.params))


def _json(response: HttpResponse) -> Any:
    try:
        return json.loads(response.text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
