"""Outputs of a step: where they are in its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ..errors import AuthenticationException, ProfileError
from ..models import FrozenDict
from ..registry import Registry
from .definition import Extract, ExtractTable
from .filters import Moment, kind_of, text_of
from .parameter import parameter
from .pattern import searched
from .pointer import check_pointer as check_pointer
from .pointer import pointer as pointer
from .predicate import holds
from .scope import Scope
from .template import texts

LATER = Registry(
    "extract key",
    {"xml": "forge_cli.login.xml:text_at", "verify": "forge_cli.login.jose:verified"},
    extras={"verify": "jwt"},
)
"""What takes long to load, or needs an extra: loaded when an answer is there."""

# What is sent as a credential: text, and an empty one is none.
_CREDENTIALS = ("token", "refresh_token")
# Characters. What a pattern is to find further on is no answer that anybody meant.
_SEARCHED = 1024 * 1024
_REPLACED = "\ufffd"


class Answer(Protocol):
    """What outputs are taken from."""

    @property
    def text(self) -> str:
        """The body."""

    @property
    def cookies(self) -> Mapping[str, Any]:
        """The cookies it sets, by name; each has a `value`."""

    def json(self) -> Any:
        """The body as JSON. ValueError: it is none."""

    def header(self, name: str) -> str | None:
        """One header field's value; the name in any case."""


class Missing(AuthenticationException):
    """An answer lacks an output that a step must have: `output`; `found` are those that came before it."""

    def __init__(self, output: str, problem: str, found: Mapping[str, Any] = FrozenDict()) -> None:
        super().__init__(problem, hint="check `extract` in this step")
        self.output = output
        self.found = found


class _Absent(Exception):
    """Nothing is there; the text says what is, to be completed by ``for 'NAME'``."""


class _Unfit(Exception):
    """Something else is there, which the text says."""


def outputs(table: Extract, answer: Answer, scope: Scope) -> dict[str, Any]:
    """The outputs of an answer; those that are absent and optional are left out.

    Null is absent, and so is an empty `token` or `refresh_token`; numbers among these become text, and a
    list of scopes one text. Missing: one is absent, has no default and is not optional.
    """
    reading = _Reading(answer, scope)
    found: dict[str, Any] = {}
    for name, place in table.items():
        try:
            value = _output(name, place, reading, found)
        except (_Absent, _Unfit) as exc:
            raise Missing(name, str(exc), found) from None
        except AuthenticationException as exc:
            raise Missing(name, f"no '{name}': {exc.message}", found) from None
        if value is not None:
            found[name] = value
    return found


def places(place: str | ExtractTable) -> Iterator[ExtractTable]:
    """Where to look, in order: a place, then its alternatives."""
    if isinstance(place, str):
        yield ExtractTable(pointer=place)
        return
    yield place
    for alternative in place.alternatives:
        yield from places(alternative)


def optional(place: str | ExtractTable) -> ExtractTable:
    """The place as one that may be empty, and then has no default."""
    if isinstance(place, str):
        return ExtractTable(pointer=place, optional=True)
    return dataclasses.replace(
        place, optional=True, default=None, alternatives=tuple(map(optional, place.alternatives))
    )


def findable(table: Extract, answer: Answer, scope: Scope) -> Iterator[tuple[str, Any]]:
    """All that is at the places where outputs are looked for, of any kind and also where others lack."""
    reading = _Reading(answer, scope)
    found: dict[str, Any] = {}
    for name, place in table.items():
        for each in places(place):
            try:
                value = reading.at(each, found)
            except (_Absent, _Unfit, AuthenticationException, ProfileError):
                continue
            if value is not None:
                found.setdefault(name, value)
                yield name, value


def _output(name: str, place: str | ExtractTable, reading: _Reading, above: Mapping[str, Any]) -> Any:
    problems: list[_Absent | _Unfit] = []
    tables = list(places(place))
    for table in tables:
        try:
            return _fit(name, reading.at(table, above), table)
        except _Absent as exc:
            problems.append(_Absent(f"{exc} for '{name}'"))
        except _Unfit as exc:
            problems.append(_Unfit(f"{exc}, which cannot be '{name}'"))
    for table in tables:
        if table.optional or table.default is not None:
            return next((each.default for each in tables if each.default is not None), None)
    # What is there and unfit says more than what is not there.
    raise next((problem for problem in problems if isinstance(problem, _Unfit)), problems[0])


def _fit(name: str, value: Any, table: ExtractTable) -> Any:
    """The value as this output can be kept."""
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise _Unfit(f"{_spelled(table)} is bytes that are no text") from None
    if name == "scope" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if name not in _CREDENTIALS:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unfit(f"{_spelled(table)} is {kind_of(value)}")
    if value == "":
        raise _Unfit(f"{_spelled(table)} is empty")
    return text_of(value)


def _spelled(table: ExtractTable) -> str:
    """A place in a reader's words."""
    if table.pointer is not None:
        return f"'{table.pointer}'" + (f", then '{table.each}'," if table.each is not None else "")
    if table.header is not None:
        return f"header '{table.header}'" if table.param is None else f"'{table.param}' of header '{table.header}'"
    if table.cookie is not None:
        return f"cookie '{table.cookie}'"
    if table.xml is not None:
        return f"'{table.xml}'"
    return "what `regex` finds" if table.regex is not None else "the body" if table.body else "`value`"


class _Reading:
    """An answer whose body is parsed when first asked for, and once."""

    def __init__(self, answer: Answer, scope: Scope) -> None:
        self._answer = answer
        self._scope = scope
        self._parsed: list[Any] | None = None

    def at(self, table: ExtractTable, above: Mapping[str, Any]) -> Any:
        """What is at a place; `above` are the outputs so far. _Absent or _Unfit: what is there instead."""
        value = self._found(table, above)
        if getattr(self._answer, "damaged", False) and any(_REPLACED in text for text in texts(value)):
            raise _Unfit(f"{_spelled(table)} is bytes that are no text (not UTF-8, and no charset is declared)")
        return value

    def _found(self, table: ExtractTable, above: Mapping[str, Any]) -> Any:
        if table.value is not None:
            return self._filled(table.value, above)
        if table.body:
            return self._answer.text.rstrip("\r\n")
        readers: tuple[tuple[str | None, Callable[[str, ExtractTable], Any]], ...] = (
            (table.pointer, self._pointed),
            (table.header, self._header),
            (table.cookie, self._cookie),
            (table.regex, self._searched),
            (table.xml, self._xml),
        )
        for where, read in readers:
            if where is not None:
                return read(where, table)
        raise _Absent("there is no place to look")

    def _pointed(self, where: str, table: ExtractTable) -> Any:
        value = self._json(where)
        if not table.where and table.each is None:
            return value
        if not isinstance(value, list):
            raise _Absent(f"'{where}' is {kind_of(value)} and not a list, so nothing can be picked")
        tests = self._scope.fill(dict(table.where))
        passing = [item for item in value if all(_passes(item, at, test) for at, test in tests.items())]
        if not passing:
            raise _Absent(f"'{where}' has no element that `where` wants" if tests else f"'{where}' is an empty list")
        if table.each is None:
            return passing[0]
        try:
            found = pointer(passing[0], table.each)
        except LookupError:
            found = None
        if found is None:
            raise _Absent(f"the element of '{where}' has no '{table.each}'")
        return found

    def _json(self, where: str) -> Any:
        if self._parsed is None:
            try:
                self._parsed = [self._answer.json()]
            except ValueError:
                self._parsed = []
        if not self._parsed:
            raise _Absent(f"the answer is not JSON, so it has no '{where}'")
        try:
            value = pointer(self._parsed[0], where)
        except LookupError:
            value = None
        if value is None:
            raise _Absent(f"the answer has no '{where}'")
        return value

    def _header(self, name: str, table: ExtractTable) -> str:
        value = self._answer.header(name)
        if value is None:
            raise _Absent(f"the answer has no header '{name}'")
        found = value if table.param is None else parameter(value, table.param)
        if found is None:
            raise _Absent(f"header '{name}' has no parameter '{table.param}'")
        return found

    def _cookie(self, name: str, table: ExtractTable) -> str:
        cookie = self._answer.cookies.get(name)
        if cookie is None:
            raise _Absent(f"the answer sets no cookie '{name}'")
        value: str = cookie.value
        return value

    def _searched(self, pattern: str, table: ExtractTable) -> str:
        text = self._answer.text
        found = searched(pattern, text[:_SEARCHED])
        if found is not None:
            # Of alternatives that have a group each, the one that took part.
            groups = [group for group in found.groups if group is not None]
            if groups or not found.groups:
                return groups[0] if groups else found.whole
        more = "; only its first 1 MiB is searched" if len(text) > _SEARCHED else ""
        raise _Absent(f"nothing in the answer matches `regex`{more}")

    def _xml(self, path: str, table: ExtractTable) -> str:
        try:
            found: str | None = LATER.load("xml")(self._answer.text, path)
        except ValueError as exc:
            raise _Absent(f"the answer {exc}, so it has no '{path}'") from None
        if found is None:
            raise _Absent(f"the answer has no '{path}'")
        return found

    def _filled(self, template: str, above: Mapping[str, Any]) -> Any:
        scope = dataclasses.replace(self._scope, own={**self._scope.own, **above})
        try:
            value = scope.fill(template)
        except ProfileError as exc:
            raise _Absent(f"`value` cannot be computed, because {exc.message},") from None
        if value is None:
            raise _Absent("`value` is null")
        # A moment is a number, wherever it is kept.
        return int(value) if isinstance(value, Moment) else value


def _passes(item: Any, where: str, test: Any) -> bool:
    try:
        return holds(test, pointer(item, where))
    except LookupError:
        return holds(test, None, present=False)
