"""`--expect`: what an answer has to be, such as `status==200` or `body:/items/0/id==1`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from ..compiled import compiled
from ..errors import UsageError
from ..frozen import immutable
from ..login.pointer import check_pointer, pointer
from ..models import Headers, decode_text
from ..redact import REDACTOR, quoted

_FORM = compiled(r"(?P<subject>.*?)\s*(?P<operator>==|!=|~=|!~|<=|>=|<|>)\s*(?P<value>.*)", re.DOTALL)
_SPAN = compiled(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ms|s|m|min|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_HINT = "as in status==200, header:content-type~=json, body:/items/0/id==1, body~=done, elapsed<2s"
_SHOWN = 80


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


@immutable
class Facts:
    """What an answer is, as far as an expectation asks. `content` None: the body is too large to look at."""

    status: int
    headers: Headers
    content: bytes | None
    charset: str | None
    elapsed: float


@immutable
class Expectation:
    """One expression, understood."""

    text: str
    subject: str
    name: str
    operator: str
    wanted: Any
    raw: str

    @property
    def reads_body(self) -> bool:
        return self.subject == "body"

    def failure(self, facts: Facts) -> str | None:
        """What is otherwise than expected, None when nothing is."""
        try:
            found = self._found(facts)
            if _HOLDS[self.operator](found, self):
                return None
        except RecursionError:
            return f"expected {self.text}, and the body is nested too deeply"
        return f"expected {self.text}, got {_short(found, seconds=self.subject == 'elapsed')}"

    def _found(self, facts: Facts) -> Any:
        if self.subject == "status":
            return facts.status
        if self.subject == "elapsed":
            return facts.elapsed
        if self.subject == "header":
            values = facts.headers.get_all(self.name)
            return ", ".join(values) if values else _ABSENT
        if facts.content is None:
            return _ABSENT
        text = decode_text(facts.content, facts.charset)
        if not self.name and self.operator in ("~=", "!~"):
            return text
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return _ABSENT if self.name else text
        try:
            return pointer(document, self.name)
        except LookupError:
            return _ABSENT


def expectation(text: str, place: str = "--expect") -> Expectation:
    """Read one expression, which stands in this place. UsageError when it is none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{place} {quoted(text)} has no operator", hint=_HINT)
    subject, colon, name = match["subject"].partition(":")
    operator, raw = match["operator"], match["value"]
    kind = subject.strip().lower()
    # What an answer's body is to hold may be a secret.
    shown = repr(text) if kind in ("status", "elapsed") else repr(f"{match['subject']}{operator}…")
    problem = _problem(kind, bool(colon), name)
    if problem is not None:
        raise UsageError(f"{place} {shown}: {problem}", hint=_HINT)
    wanted: Any = _value(raw)
    if kind == "elapsed":
        wanted = _seconds(raw)
        if wanted is None or operator in ("~=", "!~"):
            raise UsageError(f"{place} {shown}: {raw!r} is not a time span", hint=_HINT)
    if operator in ("~=", "!~"):
        wanted = _pattern(f"{place} {shown}", wanted if isinstance(wanted, str) else raw)
    return Expectation(text.strip(), kind, name.strip() if kind == "header" else name, operator, wanted, raw)


def _problem(kind: str, named: bool, name: str) -> str | None:
    if kind in ("status", "elapsed"):
        return f"{kind} has no parts" if named else None
    if kind == "header":
        return None if name.strip() else "the name of the header is missing"
    if kind == "body":
        return check_pointer(name)
    return f"{kind!r} is none of status, header:NAME, body, body:/POINTER, elapsed"


def _value(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _seconds(raw: str) -> float | None:
    match = _SPAN.fullmatch(raw.strip())
    return float(match["number"]) * _UNITS[match["unit"] or "s"] if match is not None else None


def _pattern(where: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as exc:
        raise UsageError(f"{where}: not a regular expression: {exc}", hint=_HINT) from None


def _same(found: Any, wanted: Expectation) -> bool:
    if found is _ABSENT:
        return False
    if wanted.subject == "header":  # whatever it looks like, it is a text
        return found in (wanted.raw, wanted.wanted)
    return _equal(found, wanted.wanted)


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON values are: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return bool(one is other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _matches(found: Any, wanted: Expectation) -> bool:
    if found is _ABSENT:
        return False
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return wanted.wanted.search(text) is not None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Expectation], bool]:
    def holds(found: Any, wanted: Expectation) -> bool:
        right = wanted.wanted
        if isinstance(found, str) and not isinstance(right, str):
            found = _number(found)
        if isinstance(found, str) and isinstance(right, str):
            return compare(found, right)
        if any(isinstance(side, bool) or not isinstance(side, int | float) for side in (found, right)):
            return False
        return compare(found, right)

    return holds


def _number(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return _ABSENT
    return number if math.isfinite(number) else _ABSENT


def _short(found: Any, *, seconds: bool) -> str:
    """What was found, for a message."""
    if found is _ABSENT:
        return "nothing"
    if isinstance(found, float):
        return f"{found:.3g} s" if seconds else f"{found}"
    text = REDACTOR.content(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))
    return repr(text[:_SHOWN] + "…") if len(text) > _SHOWN else repr(text) if isinstance(found, str) else text


_HOLDS: dict[str, Callable[[Any, Expectation], bool]] = {
    "==": _same,
    "!=": lambda found, wanted: not _same(found, wanted),
    "~=": _matches,
    "!~": lambda found, wanted: not _matches(found, wanted),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
}
