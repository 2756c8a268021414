"""How one TOML value is read, and what can be wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ProfileError
from ..login import expiry, extract, predicate
from ..login.template import Template, nearest, parse
from ..registry import Registry
from ..retry import RETRIES
from ..tokens.storage import STORAGES
from .positions import Path


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where. `missing`: a child of the profile could still put it right."""

    path: Path
    message: str
    missing: bool = False


@dataclass(frozen=True)
class Use:
    """A template and the key that it is the value of."""

    path: Path
    template: Template


class Reading(NamedTuple):
    """What one run over a table has found so far."""

    problems: list[Problem]
    templates: list[Use]

    def problem(self, path: Path, message: str, *, missing: bool = False) -> Any:
        """Note a problem; the result stands for the value that cannot be had."""
        self.problems.append(Problem(path, message, missing))
        return INVALID


Read = Callable[[Any, Path, Reading], Any]


class Kind(NamedTuple):
    """The TOML values that a key takes (any, when `shapes` is empty), and what becomes of them."""

    shapes: tuple[str, ...]
    read: Read
    words: str | None = None

    @property
    def wanted(self) -> str:
        """What the value must be, for a message."""
        return self.words or " or ".join(self.shapes)

    def apply(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value as it is used, or INVALID and a problem noted."""
        shape = SHAPES.get(type(value), "a date or time")
        if self.shapes and shape not in self.shapes:
            wrong = "a decimal number" if shape == FLOAT else shape
            return reading.problem(path, f"must be {self.wanted}, not {wrong}")
        return self.read(value, path, reading)


INVALID: Any = object()
TEXT, BOOLEAN, INTEGER, FLOAT, ARRAY, TABLE = (
    "text", "true or false", "a whole number", "a number", "an array", "a table",
)  # fmt: skip
SHAPES = {str: TEXT, bool: BOOLEAN, int: INTEGER, float: FLOAT, list: ARRAY, dict: TABLE}
_LARGEST_COUNT = 1_000_000


def unknown(word: str, choices: Iterable[str]) -> str:
    """What to say after an unknown word: the nearest legal one, else all of them."""
    legal = list(choices)
    if near := nearest(word, legal):
        return f"(nearest: {near})"
    more = ", …" if len(legal) > 20 else ""
    return f"(one of: {', '.join(legal[:20])}{more})" if legal else "(there is none)"


def written(value: Any) -> str:
    """What a text says outside its references; nothing when it is no template."""
    if not isinstance(value, str):
        return ""
    try:
        return "".join(part for part in parse(value).parts if isinstance(part, str))
    except ProfileError:
        return ""


def as_it_is(value: Any, path: Path, reading: Reading) -> Any:
    """Take any value."""
    return value


def number(value: Any, path: Path, reading: Reading) -> Any:
    """Take a number that is neither infinite nor nan."""
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    return converted if math.isfinite(converted) else reading.problem(path, "must be a finite number")


def _in_range(least: int, most: int) -> Read:
    def check(value: Any, path: Path, reading: Reading) -> Any:
        return value if least <= value <= most else reading.problem(path, f"must be from {least} to {most}")

    return check


def _factor(value: Any, path: Path, reading: Reading) -> Any:
    factor = number(value, path, reading)
    return factor if factor is INVALID or factor >= 1 else reading.problem(path, "must be 1 or more")


def _template(value: Any, path: Path, reading: Reading) -> Any:
    try:
        template = parse(value)
    except ProfileError as exc:
        return reading.problem(path, exc.message)
    if template.literal is None:
        reading.templates.append(Use(path, template))
    return value


def _tree(value: Any, path: Path, reading: Reading) -> Any:
    match value:
        case str():
            return _template(value, path, reading)
        case dict():
            # A list, not a generator: every entry is to be looked at, also after a bad one.
            good = [_tree(inner, (*path, key), reading) is not INVALID for key, inner in value.items()]
        case list():
            good = [_tree(inner, (*path, index), reading) is not INVALID for index, inner in enumerate(value)]
        case bool() | int():
            return value
        case float():
            return number(value, path, reading)
        case _:
            return reading.problem(path, "a date or time has no JSON form: write it as text")
    return value if all(good) else INVALID


def _converted(convert: Callable[[Any], Any]) -> Read:
    def read(value: Any, path: Path, reading: Reading) -> Any:
        try:
            return convert(value)
        except ValueError as exc:
            return reading.problem(path, str(exc))
        except OverflowError:
            return reading.problem(path, "must be a finite number")

    return read


def _checked(check: Callable[[Any], str | None]) -> Read:
    def read(value: Any, path: Path, reading: Reading) -> Any:
        trouble = check(value)
        return value if trouble is None else reading.problem(path, trouble)

    return read


def _pointer(value: Any, path: Path, reading: Reading) -> Any:
    trouble = extract.check_pointer(value)
    if trouble is None:
        return value
    # After the name of the step, so that a step may have any name.
    if "extract" in path[3:] and not value.startswith("/"):
        trouble += ', as in "/data/token"; a header is written { header = "X-Token" }'
    return reading.problem(path, trouble)


def _plain(value: Any, path: Path, reading: Reading) -> Any:
    if isinstance(value, str) and "${" in value:
        return reading.problem(path, "templates are not filled in here: write the value itself")
    return value


def _argv(value: Any, path: Path, reading: Reading) -> Any:
    if not value or not all(isinstance(word, str) for word in value) or not value[0]:
        return reading.problem(path, 'must be a program and its arguments, as in ["op", "read", "op://vault/item"]')
    for index, word in enumerate(value):
        if "${" in word:
            # Others on the machine can read a command line.
            advice = "name the variable in `env`, and the program finds it there"
            return reading.problem((*path, index), f"no template is filled in in a command: {advice}")
        if "\0" in word:
            return reading.problem((*path, index), "must not hold a NUL")
    return tuple(value)


def _variable(value: Any, path: Path, reading: Reading) -> Any:
    if value and not set(value) & set("=$\0"):
        return value
    # The text may hold the value too: it is not repeated.
    return reading.problem(path, "must be the name of an environment variable, without its value")


def _row(registry: Registry, *, but: Sequence[str] = ()) -> Read:
    """A row of a table; `but` are those that only programs can use."""

    def check(value: Any, path: Path, reading: Reading) -> Any:
        if value in registry and value not in but:
            return value
        legal = [name for name in registry if name not in but]
        return reading.problem(path, f"unknown {registry.kind} {unknown(value, legal)}")

    return check


LABELS: Mapping[str, Kind] = {
    "template": Kind((TEXT,), _template),
    "tree": Kind((), _tree),
    "duration": Kind((INTEGER, FLOAT, TEXT), _converted(expiry.duration), "a duration"),
    "size": Kind((INTEGER, TEXT), _converted(expiry.size), "a size"),
    "pointer": Kind((TEXT,), _pointer, "a JSON pointer"),
    "predicate": Kind((), _checked(predicate.problem)),
    "pattern": Kind((TEXT,), _checked(predicate.pattern_problem)),
    "argv": Kind((ARRAY,), _argv, "an array of words"),
    "variable": Kind((TEXT,), _variable, "the name of a variable"),
    "count": Kind((INTEGER,), _in_range(0, _LARGEST_COUNT)),
    "positive count": Kind((INTEGER,), _in_range(1, _LARGEST_COUNT)),
    "status": Kind((INTEGER,), _in_range(100, 599)),
    "factor": Kind((INTEGER, FLOAT), _factor, "a number"),
    "plain": Kind((TEXT, INTEGER, FLOAT, BOOLEAN), _plain, "text, a number, true or false"),
    "storage": Kind((TEXT,), _row(STORAGES, but=("django",))),
    "retry strategy": Kind((TEXT,), _row(RETRIES)),
    "profile": Kind((TABLE,), as_it_is),
}
"""The label of an `Annotated` type hint -> how its values are read."""
