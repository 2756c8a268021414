"""Outputs of a step: where they are in its answer, and JSON pointers (RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ..errors import AuthenticationException
from .definition import Extract, ExtractTable
from .scope import Scope
from .template import kind_of, text_of

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")

# What is sent as a credential: text, and an empty one is none.
_CREDENTIALS = ("token", "refresh_token")


class Answer(Protocol):
    """What outputs are taken from."""

    def json(self) -> Any:
        """The body as JSON. ValueError: it is none."""

    def header(self, name: str) -> str | None:
        """One header field's value; the name in any case."""


class Missing(AuthenticationException):
    """An answer lacks an output that a step must have; `output` is its name."""

    def __init__(self, output: str, problem: str) -> None:
        super().__init__(problem, hint="check `extract` in this step")
        self.output = output


def outputs(table: Extract, answer: Answer, scope: Scope) -> dict[str, Any]:
    """The outputs of an answer; those that are absent and optional are left out.

    Null is absent, and so is an empty `token` or `refresh_token`; numbers among these become text.
    Missing: one is absent, has no default and is not optional.
    """
    body = _Body(answer)
    found: dict[str, Any] = {}
    for name, place in table.items():
        value = _output(name, place, body)
        if value is not None:
            found[name] = value
    return found


def _output(name: str, place: str | ExtractTable, body: _Body) -> Any:
    problem: str | None = None
    for kind, where in _places(place):
        value = body.header(where) if kind == "header" else body.at(where)
        if value is not None and name in _CREDENTIALS:
            value, unfit = _credential(value)
            problem = problem or (unfit and f"'{where}' is {unfit}, which cannot be '{name}'")
        if value is not None:
            return value
    if isinstance(place, ExtractTable) and (place.optional or place.default is not None):
        return place.default
    raise Missing(name, problem or _absent(name, place, body))


def _credential(value: Any) -> tuple[str | None, str | None]:
    """The value as a credential, and what it is instead when it is not fit for one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, kind_of(value)
    return (text_of(value), None) if value != "" else (None, "empty")


def _absent(name: str, place: str | ExtractTable, body: _Body) -> str:
    kind, where = next(_places(place), ("pointer", ""))
    if kind == "header":
        return f"the answer has no header '{where}' for '{name}'"
    if not body.is_json:
        return f"the answer is not JSON, so it has no '{where}' for '{name}'"
    return f"the answer has no '{where}' for '{name}'"


def _places(place: str | ExtractTable) -> Iterator[tuple[str, str]]:
    """Where to look, in order: a place, then its alternatives, each ``(kind, pointer or header)``."""
    if isinstance(place, str):
        yield "pointer", place
        return
    if place.pointer is not None:
        yield "pointer", place.pointer
    if place.header is not None:
        yield "header", place.header
    for alternative in place.alternatives:
        yield from _places(alternative)


class _Body:
    """An answer whose body is parsed when first asked for, and once."""

    def __init__(self, answer: Answer) -> None:
        self.header = answer.header
        self._answer = answer
        self._parsed: list[Any] | None = None

    @property
    def is_json(self) -> bool:
        return bool(self._document())

    def at(self, where: str) -> Any:
        document = self._document()
        try:
            return pointer(document[0], where) if document else None
        except LookupError:
            return None

    def _document(self) -> list[Any]:
        """The document in a list, or an empty list when the body is not JSON."""
        if self._parsed is None:
            try:
                self._parsed = [self._answer.json()]
            except ValueError:
                self._parsed = []
        return self._parsed


def pointer(document: Any, text: str) -> Any:
    """What a JSON pointer points to (RFC 6901, section 4). LookupError: nothing is there."""
    if check_pointer(text) is not None:
        raise LookupError(text)
    for part in text.split("/")[1:]:
        if isinstance(document, Mapping):
            document = document[part.replace("~1", "/").replace("~0", "~")]
        elif isinstance(document, list | tuple) and _INDEX.fullmatch(part):
            document = document[int(part)]
        else:
            raise LookupError(text)
    return document


def check_pointer(text: str) -> str | None:
    """What is wrong with a JSON pointer, if anything (RFC 6901, section 3)."""
    if text and not text.startswith("/"):
        return "a JSON pointer starts with '/'"
    if _BAD_ESCAPE.search(text):
        return "in a JSON pointer '~' is written '~0', and '/' in a name '~1'"
    return None
