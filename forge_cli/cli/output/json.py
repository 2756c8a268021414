"""JSON for people: laid out and coloured token by token, with nothing parsed and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...compiled import compiled
from .scanning import Unfit, scanned
from .text import RESET, STYLES, unsafe, visible

# Possessive: without it the engine keeps a way back for each of the escapes of a long string.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = r"-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity"
_SPACE = r"[ \t\r\n]*+"
# One match is a whole member where it can be: key, value, and the mark after it. Fewer matches is
# what makes this fast. Groups: a string, the colon that makes it a key, the value, a bare value, a mark.
_MEMBER = compiled(
    rf"{_SPACE}(?:({_STRING})(?:{_SPACE}(:){_SPACE}({_STRING}|{_SCALAR})?)?|({_SCALAR}))?{_SPACE}([,\[\]{{}}]|\Z)?",
    re.DOTALL,
)
# The beginning of a member: what the end of a piece may have cut.
_CUT = compiled(
    rf"{_SPACE}(?:{_STRING}{_SPACE}(?::{_SPACE})?+)?+"
    r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+\\?+|[0-9.eE+-]*+|t[rue]{0,3}|f[alse]{0,4}|n[ul]{0,3}|Na?|-?I[nfity]{0,7})',
    re.DOTALL,
)
_TOKEN = compiled(rf"({_STRING})({_SPACE}:)?|({_SCALAR})|\"", re.DOTALL)
# Deeper levels are not indented further: 100,000 nested arrays must not become gigabytes of spaces.
_DEEPEST = 32
_MOST_OPEN = 10_000_000
_STYLE_OF = {'"': "string", **dict.fromkeys("-0123456789NI", "number"), **dict.fromkeys("tfn", "literal")}

# What was written last, which decides what may come next.
_VALUE, _COMMA, _OPENING, _KEY = range(4)


def pretty(text: str, *, color: bool, indent: int = 2) -> str:
    """The JSON text laid out; several documents one below the other. Other text is made visible as it is.

    Key order, duplicate keys, every digit and every escape stay as they came. Never raises.
    """
    try:
        return Layout(indented(indent), color=color).scan(text.removeprefix("\ufeff"), True)[0]
    except Unfit:
        return visible(text)


def laid_out(pieces: Iterable[str], *, color: bool, safe: bool = True, indent: int = 2) -> Iterator[str]:
    """As `pretty`, while the text arrives; where it turns out not to be JSON, its rest follows as it is."""
    return scanned(pieces, Layout(indented(indent), color=color, safe=safe).scan, safe=safe)


def coloured(pieces: Iterable[str], *, safe: bool = True) -> Iterator[str]:
    """The text with its JSON tokens in colour, and nothing else changed."""
    return scanned(pieces, _Coloured(safe).scan, safe=safe)


def indented(indent: int) -> tuple[str, ...]:
    """What stands before a member at each depth."""
    return tuple("\n" + " " * (indent * depth) for depth in range(_DEEPEST))


class Layout:
    """Where in a JSON text its layout is; `scan` goes on from there.

    `gaps` are what stands before a member at each depth, `ends` what stands before the mark that leads back to it
    (default: the same); the last one also holds for each depth below. `colon` is what stands after a key.
    """

    def __init__(
        self,
        gaps: Sequence[str],
        ends: Sequence[str] = (),
        *,
        color: bool,
        safe: bool = True,
        colon: str = ": ",
    ) -> None:
        self._key, self._off = (STYLES["key"], RESET) if color else ("", "")
        self._styles = {first: STYLES[style] if color else "" for first, style in _STYLE_OF.items()}
        self._gaps, self._ends = gaps, ends or gaps
        self._colon = colon
        self._safe = safe
        self._closers: list[str] = []
        self._line = ""
        self._last = _COMMA
        self._in_object = False
        self._some = False

    def scan(self, text: str, final: bool) -> tuple[str, int]:
        """The layout of the text, and how much of it was used. Unfit: it is not JSON."""
        # One loop without calls: at ten million characters each call a piece would cost a second.
        key_on, off, styles, gaps, ends = self._key, self._off + self._colon, self._styles, self._gaps, self._ends
        deepest, reset = len(gaps) - 1, self._off
        closers, line, last, in_object = self._closers, self._line, self._last, self._in_object
        dirty = self._safe and unsafe(text)
        out: list[str] = []
        write = out.append
        length, used = len(text), 0
        for match in _MEMBER.finditer(text):
            string, colon, member, bare, mark = match.groups()
            if not mark and not final and (match.end() == length or _CUT.fullmatch(text, match.start())):
                break
            value = member if colon else string or bare
            if dirty:
                string, value = string and visible(string), value and visible(value)
            if string or bare:
                if last not in (_COMMA, _OPENING) or in_object is not bool(colon):
                    raise Unfit
                write(f"{line}{key_on}{string}{off}" if colon else line)
                if value:
                    write(f"{styles[value[0]]}{value}{reset}")
                last = _VALUE if value else _KEY
            if mark == ",":
                if last != _VALUE or not closers:
                    raise Unfit
                write(mark)
                last = _COMMA
            elif mark == "{" or mark == "[":
                if last == _VALUE or (in_object and last != _KEY):
                    raise Unfit
                write(mark if last == _KEY else line + mark)
                in_object = mark == "{"
                closers.append("}" if in_object else "]")
                line, last = gaps[min(len(closers), deepest)], _OPENING
            elif mark:
                if last not in (_VALUE, _OPENING) or closers[-1:] != [mark]:
                    raise Unfit
                closers.pop()
                depth = min(len(closers), deepest)
                line = gaps[depth]
                write(mark if last == _OPENING else ends[depth] + mark)
                in_object, last = closers[-1:] == ["}"], _VALUE
            elif closers or last == _KEY or not (value or mark == ""):
                raise Unfit
            elif mark == "" and not value:
                if not (out or self._some):
                    raise Unfit
                break
            if not closers and last == _VALUE:
                line, last = "\n", _COMMA
            used = match.end()
        if len(closers) > _MOST_OPEN:
            raise Unfit
        self._some = self._some or bool(out)
        self._line, self._last, self._in_object = line, last, in_object
        return "".join(out), used


class _Coloured:
    def __init__(self, safe: bool) -> None:
        self._safe = safe

    def scan(self, text: str, final: bool) -> tuple[str, int]:
        shown = visible if self._safe and unsafe(text) else str
        out: list[str] = []
        used = 0
        for match in _TOKEN.finditer(text):
            if match.lastindex is None or (match.end() == len(text) and not final):
                break  # a text that has not ended, or a token that may not have
            string, colon, scalar = match.groups()
            token = string or scalar
            style = "key" if colon else _STYLE_OF[token[0]]
            out += (shown(text[used : match.start()]), STYLES[style], shown(token), RESET, colon or "")
            used = match.end()
        # An open quote may be the beginning of a text, and a CR that of a line end.
        quote = text.find('"', used)
        end = len(text) if final else quote if quote >= 0 else max(used, len(text) - 1)
        out.append(shown(text[used:end]))
        return "".join(out), end
