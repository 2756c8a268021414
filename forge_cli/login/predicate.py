"""Tests on values and answers: what `when`, `success` and `invalidate` ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ..redact import MASK, REDACTOR, sensitive, speaks
from .definition import ConditionTable
from .filters import kind_of, text_of
from .pattern import pattern_problem as pattern_problem
from .pattern import searched
from .pointer import pointer
from .template import nearest

_KEYS = ("matches", "in", "not", "exists")
_DEEPEST = 8
_LONGEST_SHOWN = 80
_ABSENT = object()

_Equal = Callable[[Any, Any], bool]


class AnswerTests(Protocol):
    """A table of tests on an answer; `SuccessTable` and `WhenTable` are such."""

    @property
    def status(self) -> Any:
        """The predicate for the status; None: no test."""

    @property
    def header(self) -> Mapping[str, Any]:
        """Header name -> predicate."""

    @property
    def body(self) -> Mapping[str, Any]:
        """JSON pointer -> predicate."""


def holds(predicate: Any, value: Any, present: bool = True) -> bool:
    """Whether a value passes a test; one that is not `present` equals nothing.

    The predicate is a plain value (equals), a list (any of), or a table of `matches` (a regular
    expression found anywhere), `in`, `not` and `exists`, which must all hold.
    """
    return _holds(predicate, value if present else _ABSENT, _same)


def condition_holds(condition: ConditionTable, value: Any, present: bool) -> bool:
    """Whether a step's condition holds for its value, which may not be `present`; null is not, either.

    One that tests nothing asks whether there is a value.
    """
    tests = {
        "in": condition.in_,
        "not": condition.not_,
        "exists": condition.exists,
        "matches": condition.matches,
    }
    given = {name: wanted for name, wanted in tests.items() if wanted is not None}
    if condition.equals is None and not given:
        given = {"exists": True}
    there = present and value is not None
    return (condition.equals is None or holds(condition.equals, value, there)) and holds(given, value, there)


def _holds(predicate: Any, value: Any, equal: _Equal) -> bool:
    if isinstance(predicate, Mapping):
        return all(_passes(key, wanted, value, equal) for key, wanted in predicate.items())
    if value is _ABSENT:
        return False
    if isinstance(predicate, list | tuple):
        return any(equal(wanted, value) for wanted in predicate)
    return equal(predicate, value)


def _passes(key: str, wanted: Any, value: Any, equal: _Equal) -> bool:
    if key == "exists":
        return bool(wanted) is (value is not _ABSENT)
    if key == "not":
        return not _holds(wanted, value, equal)
    if key == "matches":
        text = _text(value)
        return text is not None and searched(wanted, text) is not None
    return _holds(wanted, value, equal)


def _same(wanted: Any, value: Any) -> bool:
    # In Python true equals 1; in JSON it does not.
    return isinstance(wanted, bool) is isinstance(value, bool) and bool(wanted == value)


def _same_text(wanted: Any, value: str) -> bool:
    # A header is always text, so that `X-Left = 0` would otherwise never hold.
    return _text(wanted) == value


def _text(value: Any) -> str | None:
    try:
        return text_of(value)
    except ValueError:
        return None


def problem(predicate: Any) -> str | None:
    """What is wrong with a predicate as written, if anything."""
    return _problem(predicate, _DEEPEST)


def status_problem(predicate: Any) -> str | None:
    """What is wrong with a predicate for a status, if anything."""
    return problem(predicate) or _no_status(predicate)


def _no_status(predicate: Any) -> str | None:
    if isinstance(predicate, Mapping):
        tests = [predicate[key] for key in ("in", "not") if key in predicate]
        return next(filter(None, map(_no_status, tests)), None)
    if isinstance(predicate, list | tuple):
        return next(filter(None, map(_no_status, predicate)), None)
    if isinstance(predicate, int) and not isinstance(predicate, bool) and 100 <= predicate <= 599:
        return None
    return 'a status is a whole number from 100 to 599; any of "2xx" is { matches = "^2" }'


def _problem(predicate: Any, deeper: int) -> str | None:
    if isinstance(predicate, list | tuple):
        return None if all(map(_plain, predicate)) else "a list of a test holds only text, numbers, true and false"
    if not isinstance(predicate, Mapping):
        if _plain(predicate):
            return None
        if isinstance(predicate, float):
            return "must be a finite number"
        return f"a test is a plain value, a list or a table, not {kind_of(predicate)}"
    if not predicate:
        return f"an empty test; keys are {', '.join(_KEYS)}"
    if deeper == 0:
        return "a test is nested too deeply"
    for key, wanted in predicate.items():
        found = _key_problem(key, wanted, deeper)
        if found is not None:
            return found
    return None


def _key_problem(key: str, wanted: Any, deeper: int) -> str | None:
    if key not in _KEYS:
        return f"unknown key '{key}' (nearest: {nearest(key, _KEYS) or ', '.join(_KEYS)})"
    if key == "exists":
        return None if isinstance(wanted, bool) else "`exists` is true or false"
    if key == "in":
        return _problem(wanted, 0) if isinstance(wanted, list | tuple) else "`in` is a list"
    if key == "not":
        return _problem(wanted, deeper - 1)
    trouble = pattern_problem(wanted)
    return None if trouble is None else f"`matches` {trouble}"


def _plain(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def answer_matches(when: AnswerTests, status: int, headers: Mapping[str, str], body: Callable[[], Any]) -> bool:
    """Whether an answer passes every test; arguments as for `failed_test`."""
    return failed_test(when, status, headers, body) is None


def failed_test(table: AnswerTests, status: int, headers: Mapping[str, str], body: Callable[[], Any]) -> str | None:
    """The first test that does not hold, in words; None when all do.

    `headers` finds names in any case. `body` gives the JSON, or raises ValueError when it is none;
    it is called at most once, and only when a test on the body is reached.
    """
    if table.status is not None and not holds(table.status, status):
        return f"the status is {status}"
    for name, predicate in table.header.items():
        value = headers.get(name, _ABSENT)
        if not _holds(predicate, value, _same_text):
            return f"header '{name}' is {_shown(name, value)}"
    for place, predicate, value in _body_tests(table.body, body):
        if not _holds(predicate, value, _same):
            return f"'{place}' is {_shown(place, value)}"
    return None


def _body_tests(tests: Mapping[str, Any], body: Callable[[], Any]) -> Iterator[tuple[str, Any, Any]]:
    if not tests:
        return
    try:
        document = body()
    except ValueError:
        document = _ABSENT
    for place, predicate in tests.items():
        try:
            value = document if document is _ABSENT else pointer(document, place)
        except LookupError:
            value = _ABSENT
        yield place, predicate, value


def _shown(place: str, value: Any) -> str:
    """A value as a message shows it: short, and text masked where such a name usually carries a secret."""
    if value is _ABSENT:
        return "absent"
    text = _text(value)
    if text is None:
        return kind_of(value)
    if not isinstance(value, str):
        return text
    if _carries_secret(place):
        return MASK
    # A text that is no word may be a credential under any name; the code of an error is what a reader needs most.
    if "err" not in place.lower() and not speaks("", text):
        text = REDACTOR.success(text)
        if len(text.split()) < 2:
            return MASK
    return f"'{text}'" if len(text) <= _LONGEST_SHOWN else f"'{text[:_LONGEST_SHOWN]}…'"


def _carries_secret(place: str) -> bool:
    name = place.rpartition("/")[2]
    # An authorization code is a secret; the code of an error is what the reader needs most.
    return sensitive(name) and not (name == "code" and "err" in place.lower())
