"""JSON objects as a table, while they arrive: a row for each, a column for each name that the first of them have."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from ...compiled import compiled
from .auto import EVENTS, streams
from .content import Content, Digits, Look, NotSuited, Pairs, as_written, written
from .lines import documents
from .table import LOOKED_AHEAD, rendered

_OTHER = "a table is made of a JSON array of objects, and the body is another value: --select may find one in it"
_NO_JSON = "the body is not JSON"
_TOO_DEEP = "the JSON is nested too deeply"
# Characters. An item that has not ended by then is not waited for.
_LONGEST = 16 * 1024 * 1024
_SPACE = compiled(r"[ \t\r\n]*")


def records(content: Content, look: Look) -> Iterator[str]:
    """The table. NotSuited where the body is no array of objects, with the text that is not shown yet."""
    lines = streams(content.kind) and content.kind != EVENTS
    source = _Lines(content.text()) if lines else _Items(content.text())
    rows = iter(source)
    ahead = list(islice(rows, LOOKED_AHEAD))
    columns = list(dict.fromkeys(name for row in ahead for name, _ in row))
    first = [_cells(row, columns, source) for row in ahead]
    source.begin()
    if not columns and len(ahead) < LOOKED_AHEAD:
        return
    yield from rendered(
        columns,
        chain(first, (_cells(row, columns, source) for row in rows)),
        width=look.width,
        color=look.color,
    )


class _Source(ABC):
    """Text that is read for its objects, and kept until the first of them are shown."""

    def __init__(self, text: Iterator[str]) -> None:
        self._kept: list[str] | None = []
        self._text = self._recorded(text)

    def begin(self) -> None:
        """From now on what was read is shown."""
        self._kept = None

    def unsuited(self, why: str) -> NotSuited:
        """The failure, with all that is not shown."""
        kept, self._kept = self._kept, None
        return NotSuited(why, self._rest() if kept is None else chain(kept, self._text))

    def _recorded(self, text: Iterator[str]) -> Iterator[str]:
        for piece in text:
            if self._kept is not None:
                self._kept.append(piece)
            yield piece

    @abstractmethod
    def __iter__(self) -> Iterator[Pairs]: ...

    @abstractmethod
    def _rest(self) -> Iterator[str]:
        """The text from the object on that could not be read."""


class _Lines(_Source):
    """The objects of JSON lines."""

    def __iter__(self) -> Iterator[Pairs]:
        self._line = ""
        self._others = documents(self._text, events=False)
        for line in self._others:
            self._line = line
            try:
                value = as_written(line)
            except NotSuited as exc:
                raise self.unsuited(str(exc)) from None
            if not isinstance(value, Pairs):
                raise self.unsuited(_OTHER)
            yield value

    def _rest(self) -> Iterator[str]:
        return (f"{line}\n" for line in chain((self._line,), self._others))


class _Items(_Source):
    """The objects of a JSON array."""

    def __init__(self, text: Iterator[str]) -> None:
        super().__init__(text)
        self._held = ""
        self._at = 0
        self._decoder = json.JSONDecoder(
            parse_int=Digits, parse_float=Digits, parse_constant=Digits, object_pairs_hook=Pairs
        )

    def __iter__(self) -> Iterator[Pairs]:
        sign = self._sign()
        if sign != "[":
            raise self.unsuited(_OTHER if sign and sign in '{"-0123456789tfn' else _NO_JSON)
        self._at += 1
        sign = self._sign()
        while sign != "]":
            if sign != "{":
                raise self.unsuited(_OTHER)
            yield self._object()
            sign = self._sign()
            if sign == ",":
                self._at += 1
                sign = self._sign()
                if sign != "]":
                    continue
            elif sign == "]":
                break
            raise self.unsuited(_NO_JSON)
        self._at += 1
        if self._sign():
            raise self.unsuited(_NO_JSON)

    def _object(self) -> Any:
        tried = 0
        while True:
            size = len(self._held) - self._at
            # Each attempt begins anew: the next is worth it when there is twice as much.
            if size >= 2 * tried:
                try:
                    value, self._at = self._decoder.raw_decode(self._held, self._at)
                    return value
                except RecursionError:
                    raise self.unsuited(_TOO_DEEP) from None
                except ValueError:
                    tried = size
            if size > _LONGEST or not self._more():
                return self._last(tried)

    def _last(self, tried: int) -> Any:
        """The object at the end of what there is. NotSuited when it is none."""
        if tried < len(self._held) - self._at:
            try:
                value, self._at = self._decoder.raw_decode(self._held, self._at)
                return value
            except RecursionError:
                raise self.unsuited(_TOO_DEEP) from None
            except ValueError:
                pass
        raise self.unsuited(_NO_JSON)

    def _sign(self) -> str:
        """The next character that is no space, and nothing at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            self._at = self._at if space is None else space.end()
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        piece = next(self._text, None)
        if piece is None:
            return False
        self._held, self._at = self._held[self._at :] + piece, 0
        return True

    def _rest(self) -> Iterator[str]:
        return chain((self._held[self._at :],), self._text)


def _cells(row: Pairs, columns: list[str], source: _Source) -> list[str]:
    """The cells of the columns, and one more for what has no column."""
    known = dict(row)
    try:
        cells = [_cell(known.pop(name)) if name in known else "" for name in columns]
        return [*cells, " ".join(f"{name}={_cell(value)}" for name, value in known.items())] if known else cells
    except RecursionError:
        raise source.unsuited(_TOO_DEEP) from None


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, str) else written(value)
