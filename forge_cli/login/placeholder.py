"""Hooks that log nobody in: they put into a request what stands for its credentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..curl import Slots
from ..errors import ForgeError
from ..models import HttpRequest, RequestContext, TokenData
from .definition import InjectTable
from .hook import Login, LoginHook, injected, stated
from .scope import outputs_of
from .template import Reference, parse, references

REDACTED = "<redacted>"


class OfflineHook(LoginHook):
    """Uses the tokens that are there; an absent one is shown as ``<token:STEP>``."""

    def outputs(self, names: Sequence[str], context: RequestContext) -> Mapping[str, Mapping[str, Any]]:
        return {name: self._at_hand(name) for name in names}

    def recover(self, response: Any, context: RequestContext) -> bool:
        return False

    def _at_hand(self, name: str) -> Mapping[str, Any]:
        step: Any = self.login.pipeline.steps[name]
        if step.stored:
            token: TokenData | None = self.login.pipeline.peek(name)
            return _Absent(name) if token is None else outputs_of(token)
        known = {needed: self.login.pipeline.peek(needed) for needed in step.needs}
        given = {needed: token for needed, token in known.items() if token is not None}
        try:
            return outputs_of(step.login(given, None))
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
        entries = [_as_header(entry) for entry in self.login.inject if not stated(entry, request)]
        return injected(request, entries, self._placed)

    def recover(self, response: Any, context: RequestContext) -> bool:
        return False

    def text(self, template: str, name: str) -> str:
        """A header of the profile: its value, unless a secret is in it."""
        value = self._value(template)
        return self._redacted(name) if value is None else value

    def _placed(self, entry: InjectTable) -> tuple[str, str]:
        name = self.login.scope.text(entry.name or "")
        value = self._value(str(entry.value or "")) or None
        if value is None and entry.in_ in ("header", "cookie"):
            whole = self._header(name if entry.in_ == "header" else "Cookie")
            value = self._slots.mark(whole) if whole is not None and entry.in_ == "header" else None
        return name, value if value is not None else self._redacted(name)

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


def _as_header(entry: InjectTable) -> InjectTable:
    """Basic is one header whose value cannot be composed in a shell."""
    if entry.in_ != "basic":
        return entry
    return dataclasses.replace(entry, in_="header", name="Authorization", value="")
