"""Rows under headings, for people: fitted to a terminal, never wrapped in a pipe, and never all in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import ge
from typing import TextIO

from rich.cells import cell_len

from .text import color_wanted, paint, visible_line

LOOKED_AHEAD = 500
"""How many rows decide how wide the columns are."""

_GAP = 2
_AT_ONCE = 1000
_UNKNOWN_SIZE = (80, 24)


def table(
    stream: TextIO,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    environ: Mapping[str, str] = os.environ,
    sheets: bool = False,
) -> None:
    """Write the rows. Cells are text and nothing else: no markup, no control characters.

    With `sheets`, rows that are wider than the terminal are written as sheets instead of being folded.
    """
    terminal = stream.isatty()
    color = terminal and color_wanted(stream, environ)
    width = shutil.get_terminal_size(_UNKNOWN_SIZE).columns if terminal else None
    heads, cells = _shown(columns), [_shown(row) for row in rows]
    if sheets and width is not None and sum(_widths(heads, cells)) + _GAP * (len(heads) - 1) > width:
        stream.write(_sheets(heads, cells, color=color))
    else:
        stream.writelines(_drawn(heads, cells, _widths(heads, cells), width, color=color))


def rendered(columns: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None, color: bool) -> Iterator[str]:
    """The lines of the table, while its rows come. The first `LOOKED_AHEAD` of them decide how wide a column is.

    With a `width` the columns fit it, and what is wider than its column is folded. Without one nothing is folded: a
    later cell that is wider moves what follows it in its row. A row may have one cell more than there are columns.
    """
    heads, cells = _shown(columns), map(_shown, rows)
    ahead = list(islice(cells, LOOKED_AHEAD))
    return _drawn(heads, chain(ahead, cells), _widths(heads, ahead), width, color=color)


def _shown(row: Sequence[str]) -> list[str]:
    """Cells that stay where they are: a tab would move what follows it."""
    return [cell if cell.isprintable() else visible_line(cell).replace("\t", "\\t") for cell in row]


def _size(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column is when nothing is folded."""
    widths = list(map(_size, heads))
    for row in cells:
        widths = list(map(max, widths, map(_size, row)))
    return widths


def _sheets(heads: Sequence[str], cells: Sequence[Sequence[str]], *, color: bool) -> str:
    """Each row as lines of a name and a value, without those that have none."""
    widest = max(map(_size, heads), default=0)
    blocks = []
    for row in cells:
        pairs = [(name, cell) for name, cell in zip(heads, row, strict=True) if cell]
        lines = (f"{paint(name, 'strong', color)}{' ' * (widest - _size(name) + _GAP)}{cell}\n" for name, cell in pairs)
        blocks.append("".join(lines))
    return "\n".join(blocks)


def _drawn(
    heads: Sequence[str], cells: Iterable[list[str]], widths: list[int], width: int | None, *, color: bool
) -> Iterator[str]:
    if width is not None:
        widths = _fitted(widths, width - _GAP * (len(widths) - 1))
    for line in _lines(heads, widths):
        yield (paint(line, "strong", color) if color else line) + "\n"
    held: list[str] = []
    try:
        for row in cells:
            held += _row(row, widths, width)
            if len(held) >= _AT_ONCE:
                yield "\n".join([*held, ""])
                held = []
    except Exception:
        # What came before a row that cannot be read is shown.
        yield "\n".join([*held, ""]) if held else ""
        raise
    if held:
        yield "\n".join([*held, ""])


def _row(row: list[str], widths: Sequence[int], width: int | None) -> Iterable[str]:
    if width is None:
        gap = " " * _GAP
        padded = [cell + " " * (room - _size(cell)) for cell, room in zip(row, widths, strict=False)]
        return (gap.join([*padded, *row[len(widths) :]]).rstrip(),)
    if len(row) == len(widths):
        return _lines(row, widths)
    # Below the row, where it takes no room from the columns.
    return (*_lines(row[:-1], widths), *_folded(row[-1], width))


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """The widths with the widest made narrower until all fit; each keeps at least one."""
    most = max(widths, default=0)
    excess = sum(widths) - room
    # Each step brings the widest columns down to the next narrower one, or as far as is needed.
    while excess > 0 and most > 1:
        widest = sum(width >= most for width in widths)
        below = max((width for width in widths if width < most), default=1)
        step = min(most - max(below, 1), -(-excess // widest))
        most -= step
        widths = [min(width, most) for width in widths]
        excess -= step * widest
    return list(widths)


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """The lines of a row: one, or more where a cell is wider than its column."""
    if all(map(str.isascii, row)) and all(map(ge, widths, map(len, row))):
        return ((" " * _GAP).join(map(str.ljust, row, widths)).rstrip(),)
    return _folded_row(row, widths)


def _folded_row(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    folded = [
        [cell] if len(cell) <= width and _size(cell) <= width else _folded(cell, width)
        for cell, width in zip(row, widths, strict=True)
    ]
    gap = " " * _GAP
    for number in range(max(map(len, folded), default=0)):
        pieces = [lines[number] if number < len(lines) else "" for lines in folded]
        padded = [piece + " " * (width - _size(piece)) for piece, width in zip(pieces, widths, strict=True)]
        yield gap.join(padded).rstrip()


def _folded(text: str, width: int) -> list[str]:
    """The text in lines of this width: broken between words, and within those that are wider."""
    lines, line, used = [], "", 0
    for word in text.split(" "):
        size = _size(word)
        if line and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            lines.append(line)
        if size > width:
            *full, word = _chopped(word, width)
            lines += full
            size = _size(word)
        line, used = word, size
    return [*lines, line]


def _chopped(text: str, width: int) -> list[str]:
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)]
    pieces, start, used = [], 0, 0
    for at, character in enumerate(text):
        size = cell_len(character)
        if used + size > width and at > start:
            pieces.append(text[start:at])
            start, used = at, 0
        used += size
    return [*pieces, text[start:]]
