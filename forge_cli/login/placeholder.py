"""Hooks that log nobody in: they put into a request what stands for its credentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..curl import Slots
from ..encode import build_url
from ..errors import ForgeError
from ..models import HttpRequest, PreparedRequest, RequestContext, TokenData
from .definition import InjectTable
from .hook import LoginHook
from .inject import Placed, counts, injected
from .login import Login
from .template import Reference, parse, references

REDACTED = "<redacted>"


class OfflineHook(LoginHook):
    """Uses the tokens that are there; an absent one is shown as ``<token:STEP>``."""

    def outputs(
        self, login: Login, names: Sequence[str], context: RequestContext
    ) -> Mapping[str, TokenData | Mapping[str, Any]]:
        return {name: self._at_hand(login, name) for name in names}

    def recover(self, response: Any, context: RequestContext) -> bool:
        return False

    def _at_hand(self, login: Login, name: str) -> TokenData | Mapping[str, Any]:
        step = login.steps[name]
        if step.stored:
            return login.pipeline.peek(name) or _Absent(name)
        if step.cache != "computed":
            return _Absent(name)
        known = {needed: login.pipeline.peek(needed) for needed in step.needs}
        given = {needed: token for needed, token in known.items() if token is not None}
        try:
            return step.login(given, None)
        except ForgeError:  # a secret that is not there, or that somebody would have to type
            return _Absent(name)


class _Absent(dict[str, Any]):
    """The outputs of a step that has none yet: each is the same placeholder."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._text = f"<token:{step}>"

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return self._text


class ExportHook(LoginHook):
    """Puts in shell expressions that yield the credentials when an exported command runs.

    `tokens` gives the expression for one output of a step, `header` that for a whole header's value, None
    where there is none: ``<redacted>`` then, and `warn` is told the place.
    """

    def __init__(
        self,
        login: Login,
        slots: Slots,
        *,
        tokens: Callable[[str, str], str | None],
        header: Callable[[str], str | None],
        warn: Callable[[str], None],
    ) -> None:
        super().__init__(login)
        self._slots = slots
        self._tokens = tokens
        self._header = header
        self._warn = warn

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        url = build_url(self.login.scope.base_url, request.url)
        entries = [entry for entry in self.login.inject if counts(entry, request, url)]
        if self.login.sign is not None:
            self._warn("the signature")
        return injected(request, [self._exported(entry) for entry in entries])

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        return prepared  # a signature is for one moment

    def recover(self, response: Any, context: RequestContext) -> bool:
        return False

    def text(self, template: str, name: str) -> str:
        """A header of the profile: its value, unless a secret is in it."""
        value = self._value(template)
        return self._redacted(name) if value is None else value

    def _exported(self, entry: InjectTable) -> Placed:
        """What stands for a credential: an expression, else a placeholder."""
        if entry.in_ == "cookies":
            return Placed(_in_header(entry, "Cookie"), "Cookie", self._whole("Cookie"))
        if entry.in_ == "basic":
            return Placed(_in_header(entry, "Authorization"), "Authorization", self._whole("Authorization"))
        name = self.login.scope.text(entry.name or "")
        if entry.in_ == "base_url" or not isinstance(entry.value, str):
            return Placed(entry, name, self._redacted(name or entry.in_))
        value = self._value(entry.value)
        if value is None and entry.in_ == "header":
            return Placed(entry, name, self._whole(name))
        return Placed(entry, name, value if value else self._redacted(name))

    def _whole(self, header: str) -> str:
        """A whole header's value, which cannot be composed in a shell."""
        expression = self._header(header)
        return self._redacted(header) if expression is None else self._slots.mark(expression)

    def _value(self, template: str) -> str | None:
        """The template's value, with an expression for the one secret in it; None when there are several."""
        secret = any(reference[0] in ("env", "secrets", "steps") for reference in references(template))
        return self._single(template) if secret else self.login.scope.text(template)

    def _single(self, template: str) -> str | None:
        """The template with its one reference replaced by the expression for it; None when it is composed."""
        single = parse(template).single
        if single is None:
            return None
        before, reference, after = single
        expression = self._expression(reference)
        return None if expression is None else f"{before}{self._slots.mark(expression)}{after}"

    def _expression(self, reference: Reference) -> str | None:
        match reference:
            case ("env", name):
                return f"${name}"
            case ("secrets", name):
                kind, place = self.login.scope.secrets.source(name)
                return f"${place}" if kind == "env" else None
            case ("steps", step, output):
                table = getattr(self.login.pipeline.steps[step], "table", None)
                value = getattr(table, "value", None)
                single = parse(value).single if isinstance(value, str) else None
                known = self._expression(single[1]) if single is not None and single[::2] == ("", "") else None
                return known or self._tokens(step, output)
        return None

    def _redacted(self, name: str) -> str:
        self._warn(name)
        return REDACTED


def _in_header(entry: InjectTable, name: str) -> InjectTable:
    return dataclasses.replace(entry, in_="header", name=name, value="")
