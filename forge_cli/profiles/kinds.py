"""How one TOML value is read, and what can be wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..compiled import compiled
from ..errors import ProfileError
from ..frozen import immutable
from ..login import expiry, extract, predicate
from ..login.template import Template, nearest, parse
from ..models import TOKEN
from ..registry import Registry
from ..tokens.storage import STORAGES
from .positions import Path


@immutable
class Problem:
    """What is wrong, and where. `missing`: a child of the profile could still put it right."""

    path: Path
    message: str
    missing: bool = False


@immutable
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
            return reading.problem(path, f"must be {self.wanted}, not {wrong}{_advice(self.shapes, value, path)}")
        return self.read(value, path, reading)


def _advice(wanted: Sequence[str], value: Any, path: Path) -> str:
    """How TOML says what was meant, where brackets are the trouble. The value is not repeated."""
    key = path[-1] if path else ""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value) and TABLE in wanted:
        return f": write [… {key}] in single brackets, and each with a name of its own"
    if wanted == (ARRAY,) and isinstance(value, dict):
        return f": write [[… {key}]] in double brackets, or [{{ … }}]"
    return ': write ["…"]' if wanted == (ARRAY,) and isinstance(value, str) else ""


INVALID: Any = object()
TEXT, BOOLEAN, INTEGER, FLOAT, ARRAY, TABLE = (
    "text", "true or false", "a whole number", "a number", "an array", "a table",
)  # fmt: skip
SHAPES = {str: TEXT, bool: BOOLEAN, int: INTEGER, float: FLOAT, list: ARRAY, dict: TABLE}
_LARGEST_COUNT = 1_000_000
_NO_JSON = "a date or time has no JSON form: write it as text"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
BREAK = compiled(r"[\r\n\0]")
"""What ends a line, or a text, and no header field can have (RFC 9110, section 5.5)."""
_BREAKS = {"\r": "a line break", "\n": "a line break", "\0": "a NUL"}


def unknown(word: str, choices: Iterable[str]) -> str:
    """What to say after an unknown word: the nearest legal one, else all of them."""
    legal = list(choices)
    begun = [choice for choice in legal if len(choice) > 2 and word.lower().startswith(choice)]
    if near := nearest(word, legal) or max(begun, key=len, default=None):
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


def text(value: Any, path: Path, reading: Reading) -> Any:
    """Take a text that a program or a file system can be handed."""
    return reading.problem(path, "holds a NUL") if "\0" in value else value


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
        # Of an unknown filter that nothing is near to, the hint names them all.
        listed = (exc.hint or "").startswith("one of: ") and "(nearest: " not in exc.message
        return reading.problem(path, f"{exc.message} ({exc.hint})" if listed else exc.message)
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
            return reading.problem(path, _NO_JSON)
    return value if all(good) else INVALID


def _value(value: Any, path: Path, reading: Reading) -> Any:
    """Any value that JSON has too; no template is looked for in its texts."""
    pending = [(value, path)]
    while pending:
        inner, place = pending.pop()
        if isinstance(inner, dict | list):
            members = inner.items() if isinstance(inner, dict) else enumerate(inner)
            pending += [(item, (*place, key)) for key, item in members]
        elif isinstance(inner, float) and not math.isfinite(inner):
            return reading.problem(place, "must be a finite number")
        elif type(inner) not in SHAPES:
            return reading.problem(place, _NO_JSON)
    return value


def _scalar(value: Any, path: Path, reading: Reading) -> Any:
    return number(value, path, reading) if isinstance(value, float) else value


def _line(value: Any, path: Path, reading: Reading) -> Any:
    """A text of one line, for what has no second."""
    broken = BREAK.search(value)
    return value if broken is None else reading.problem(path, f"holds {_BREAKS[broken[0]]}, which cannot be sent here")


def _header_text(value: Any, path: Path, reading: Reading) -> Any:
    return INVALID if _line(value, path, reading) is INVALID else _template(value, path, reading)


def _method(value: Any, path: Path, reading: Reading) -> Any:
    if TOKEN.fullmatch(value):
        return value
    near = nearest(value.strip(), _METHODS)
    return reading.problem(path, f"is not a method: one word, such as {near or 'GET or POST'}")


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
    return _scalar(value, path, reading)


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


def _row(table: Callable[[], Registry], *, but: Sequence[str] = ()) -> Read:
    """A row of a table; `but` are those that only programs can use."""

    def check(value: Any, path: Path, reading: Reading) -> Any:
        registry = table()
        if value in registry and value not in but:
            trouble = registry.trouble(value)
            return value if trouble is None else reading.problem(path, trouble)
        legal = [name for name in registry if name not in but]
        return reading.problem(path, f"unknown {registry.kind} {unknown(value, legal)}")

    return check


_TABLES = Registry("table", {"retries": "forge_cli.retry:RETRIES"})
"""Tables that stand beside what costs time to import."""

LABELS: Mapping[str, Kind] = {
    "template": Kind((TEXT,), _template),
    "tree": Kind((), _tree),
    "duration": Kind((INTEGER, FLOAT, TEXT), _converted(expiry.duration), "a duration"),
    "size": Kind((INTEGER, TEXT), _converted(expiry.size), "a size"),
    "pointer": Kind((TEXT,), _pointer, "a JSON pointer"),
    "predicate": Kind((), _checked(predicate.problem)),
    "status test": Kind((), _checked(predicate.status_problem)),
    "header text": Kind((TEXT,), _header_text),
    "query name": Kind((TEXT,), _line),
    "method": Kind((TEXT,), _method),
    "value": Kind((), _value),
    "scalar": Kind((TEXT, INTEGER, FLOAT, BOOLEAN), _scalar, "text, a number, true or false"),
    "pattern": Kind((TEXT,), _checked(predicate.pattern_problem)),
    "argv": Kind((ARRAY,), _argv, "an array of words"),
    "variable": Kind((TEXT,), _variable, "the name of a variable"),
    "count": Kind((INTEGER,), _in_range(0, _LARGEST_COUNT)),
    "positive count": Kind((INTEGER,), _in_range(1, _LARGEST_COUNT)),
    "status": Kind((INTEGER,), _in_range(100, 599)),
    "factor": Kind((INTEGER, FLOAT), _factor, "a number"),
    "plain": Kind((TEXT, INTEGER, FLOAT, BOOLEAN), _plain, "text, a number, true or false"),
    "storage": Kind((TEXT,), _row(lambda: STORAGES, but=("django",))),
    "retry strategy": Kind((TEXT,), _row(lambda: _TABLES.load("retries"))),
    "profile": Kind((TABLE,), as_it_is),
}
"""The label of an `Annotated` type hint -> how its values are read."""
