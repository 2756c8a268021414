"""Rows under headings, for people: fitted to a terminal, never wrapped in a pipe."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .text import color_wanted, paint, visible_line

_GAP = 2
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
    if sheets and width is not None and needed(columns, rows) - _GAP > width:
        stream.write(as_sheets(columns, rows, color=color))
    else:
        stream.write(rendered(columns, rows, width=width, color=color))


def needed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide the table is when nothing is folded."""
    lines = [[visible_line(cell) for cell in row] for row in (columns, *rows)]
    return sum(max(cell_len(line[index]) for line in lines) + _GAP for index in range(len(columns)))


def as_sheets(columns: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool) -> str:
    """Each row as lines of a name and a value, without those that have none."""
    widest = max((cell_len(visible_line(column)) for column in columns), default=0)
    blocks = []
    for row in rows:
        pairs = [(visible_line(column), visible_line(cell)) for column, cell in zip(columns, row, strict=True) if cell]
        lines = (
            f"{paint(name, 'strong', color)}{' ' * (widest - cell_len(name) + _GAP)}{cell}\n" for name, cell in pairs
        )
        blocks.append("".join(lines))
    return "\n".join(blocks)


def rendered(columns: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, color: bool) -> str:
    """The table as text, fitted to the width; without one each column is as wide as it needs to be."""
    heads = [visible_line(column) for column in columns]
    cells = [[visible_line(cell) for cell in row] for row in rows]
    if width is None:
        width = needed(columns, rows)
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=max(width, len(heads) * (_GAP + 1)),
        color_system="standard" if color else None,
        force_terminal=color,
        legacy_windows=False,
        _environ={},
    )
    console.print(_laid_out(heads, cells))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _laid_out(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    layout = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        layout.add_column(Text(column), overflow="fold")
    for row in cells:
        # A str would be read as markup, in which a server's `[/x]` is an error.
        layout.add_row(*map(Text, row))
    return layout
