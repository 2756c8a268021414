"""JSON for people: laid out and coloured token by token, with nothing parsed and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .text import RESET, STYLES, visible

# Possessive: without it the engine keeps a way back for each of the escapes of a long string.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = r"-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity"
_SPACE = r"[ \t\r\n]*"
# One match is a whole member where it can be: key, value, and the mark after it. Fewer matches is
# what makes this fast. Groups: a string, the colon that makes it a key, the value, a bare value, a mark.
_MEMBER = re.compile(
    rf"{_SPACE}(?:({_STRING})(?:{_SPACE}(:){_SPACE}({_STRING}|{_SCALAR})?)?|({_SCALAR}))?{_SPACE}([,\[\]{{}}]|\Z)?",
    re.DOTALL,
)
# Deeper levels are not indented further: 100,000 nested arrays must not become gigabytes of spaces.
_DEEPEST = 32
_PIECES_PER_CHUNK = 4000
_STYLE_OF = {'"': "string", **dict.fromkeys("-0123456789NI", "number"), **dict.fromkeys("tfn", "literal")}

# What was written last, which decides what may come next.
_VALUE, _COMMA, _OPENING, _KEY = range(4)


class _NotJson(Exception):
    """The text stops being JSON; its layout was yielded up to `position`."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def pretty(text: str, *, color: bool, indent: int = 2) -> str:
    """The JSON text laid out; several documents one below the other. Other text is made visible as it is.

    Key order, duplicate keys, every digit and every escape stay as they came. Never raises.
    """
    shown = visible(text)
    try:
        return "".join(_chunks(shown, color, indent))
    except _NotJson:
        return shown


def pretty_chunks(text: str, *, color: bool, indent: int = 2) -> Iterator[str]:
    """As `pretty`, piece by piece; where the text turns out not to be JSON, its rest follows as it is."""
    shown = visible(text)
    try:
        yield from _chunks(shown, color, indent)
    except _NotJson as stop:
        yield shown[stop.position :]


def _chunks(text: str, color: bool, indent: int) -> Iterator[str]:
    # One loop without calls: at ten million characters each call a piece would cost a second.
    key_on, off = (STYLES["key"], RESET) if color else ("", "")
    styles = {first: STYLES[style] if color else "" for first, style in _STYLE_OF.items()}
    lines = ["\n" + " " * (indent * depth) for depth in range(_DEEPEST)]
    out: list[str] = []
    closers: list[str] = []
    line, last, in_object, yielded = "", _COMMA, False, 0
    for match in _MEMBER.finditer(text, 1 if text.startswith("\ufeff") else 0):
        string, colon, member, bare, mark = match.groups()
        value = member if colon else string or bare
        if string or bare:
            if last not in (_COMMA, _OPENING) or in_object is not bool(colon):
                break
            out.append(f"{line}{key_on}{string}{off}: " if colon else line)
            if value:
                out.append(f"{styles[value[0]]}{value}{off}")
            last = _VALUE if value else _KEY
        if mark == ",":
            if last != _VALUE or not closers:
                break
            out.append(mark)
            last = _COMMA
        elif mark == "{" or mark == "[":
            if last == _VALUE or (in_object and last != _KEY):
                break
            out.append(mark if last == _KEY else line + mark)
            in_object = mark == "{"
            closers.append("}" if in_object else "]")
            line, last = lines[min(len(closers), _DEEPEST - 1)], _OPENING
        elif mark:
            if last not in (_VALUE, _OPENING) or closers[-1:] != [mark]:
                break
            closers.pop()
            line = lines[min(len(closers), _DEEPEST - 1)]
            out.append(mark if last == _OPENING else line + mark)
            in_object, last = closers[-1:] == ["}"], _VALUE
        elif closers or last == _KEY or not (value or mark == ""):
            break
        elif mark == "" and (out or yielded):
            yield "".join(out)
            return
        if not closers and last == _VALUE:
            line, last = "\n", _COMMA
        if len(out) > _PIECES_PER_CHUNK:
            yield "".join(out)
            out.clear()
            yielded = match.end()
    raise _NotJson(yielded)
