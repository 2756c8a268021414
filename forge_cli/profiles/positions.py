"""On which line of a TOML text each key stands; used only to word an error.

`tomllib` decides what a text means and knows no positions. This scanner assumes that it accepted
the text; of a text that it did not, the keys before the fault are found.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ..compiled import compiled

Path = tuple[str | int, ...]

# Possessive quantifiers stand on single characters only: on groups, the `re` of early releases of Python 3.11
# misses matches. Each alternative begins differently, so a failure costs linear time all the same.
_BASIC = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*"'
_LITERAL = r"'[^'\n]*+'"
_STRING = (
    r'"""[^"\\]*+(?:(?:\\.|"{1,2}(?!"))[^"\\]*+)*"{3,5}'
    r"|'''[^']*+(?:'{1,2}(?!')[^']*+)*'{3,5}"
    rf"|{_BASIC}|{_LITERAL}"
)
_SPACE = compiled(r"[ \t\n]*+(?:#[^\n]*+[ \t\n]*+)*")
_KEY = compiled(rf"[ \t]*+([A-Za-z0-9_-]++|{_BASIC}|{_LITERAL})[ \t]*+")
_SCALAR = compiled(rf"{_STRING}|[^,\]}}#\n]++", re.DOTALL)
_BRACKET = compiled(rf"{_STRING}|#[^\n]*+|[\[{{]|[\]}}]", re.DOTALL)


def positions(text: str) -> Mapping[Path, int]:
    """The line of every key and array element, counted from 1, by its path."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with suppress(_Lost):
        scanner.run()
    return scanner.lines


def nesting_line(text: str, limit: int) -> int | None:
    """The first line on which more than `limit` brackets are open."""
    text = text.replace("\r\n", "\n")
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += (match[0] in "[{") - (match[0] in "]}")
        if depth > limit:
            return text.count("\n", 0, match.start()) + 1
    return None


class _Lost(Exception):
    """The text is not TOML from here on."""


@dataclass
class _Open:
    """An array or inline table whose end was not seen yet."""

    closer: str
    path: Path
    elements: int = 0


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        # How many tables each array of tables has so far.
        self._tables: dict[Path, int] = {}

    def run(self) -> None:
        table: Path = ()
        while self._skip():
            if self._take("[["):
                table = self._header("]]", array=True)
            elif self._take("["):
                table = self._header("]", array=False)
            else:
                self._pair(table)

    def _header(self, closer: str, *, array: bool) -> Path:
        line = self._line()
        *parents, last = self._key()
        self._expect(closer)
        path: Path = ()
        for name in parents:
            path = self._latest((*path, name))
            self.lines.setdefault(path, line)
        path = (*path, last)
        if array:
            self.lines.setdefault(path, line)
            self._tables[path] = self._tables.get(path, 0) + 1
        path = self._latest(path)
        self.lines[path] = line
        return path

    def _latest(self, path: Path) -> Path:
        count = self._tables.get(path)
        if count is None:
            return path
        return (*path, count - 1)

    def _pair(self, table: Path) -> None:
        path = self._name(table)
        opened: list[_Open] = []
        place: Path | None = path
        while place is not None:
            self._value(place, opened)
            place = self._next(opened)

    def _name(self, table: Path) -> Path:
        """Read `a.b =` and note the line of each part."""
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._skip()
        return path

    def _value(self, path: Path, opened: list[_Open]) -> None:
        if self._take("["):
            opened.append(_Open("]", path))
        elif self._take("{"):
            opened.append(_Open("}", path))
        else:
            self._at = self._match(_SCALAR).end()

    def _next(self, opened: list[_Open]) -> Path | None:
        """Close what ends here, and go to the next value inside what is still open."""
        while opened:
            inner = opened[-1]
            self._skip()
            if self._take(inner.closer):
                opened.pop()
            elif self._take(","):
                pass
            elif inner.closer == "}":
                return self._name(inner.path)
            else:
                path = (*inner.path, inner.elements)
                inner.elements += 1
                self.lines.setdefault(path, self._line())
                return path
        return None

    def _key(self) -> Iterator[str]:
        while True:
            match = self._match(_KEY)
            self._at = match.end()
            yield _spelled(match[1])
            if not self._take("."):
                return

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Lost
        return match

    def _skip(self) -> bool:
        self._at = self._match(_SPACE).end()
        return self._at < len(self._text)

    def _take(self, word: str) -> bool:
        if not self._text.startswith(word, self._at):
            return False
        self._at += len(word)
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise _Lost

    def _line(self) -> int:
        return bisect_left(self._newlines, self._at) + 1


def _spelled(name: str) -> str:
    """The key behind its spelling, with or without quotes."""
    if name[0] not in "\"'":
        return name
    if "\\" not in name:
        return name[1:-1]
    try:
        key: str = tomllib.loads(f"k = {name}")["k"]
    except tomllib.TOMLDecodeError:
        raise _Lost from None
    return key
