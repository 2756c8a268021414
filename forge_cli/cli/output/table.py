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

from .text import color_wanted, visible_line

_GAP = 2
_UNKNOWN_SIZE = (80, 24)


def table(
    stream: TextIO,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Write the rows. Cells are text and nothing else: no markup, no control characters."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size(_UNKNOWN_SIZE).columns if terminal else None
    stream.write(rendered(columns, rows, width=width, color=terminal and color_wanted(stream, environ)))


def rendered(columns: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, color: bool) -> str:
    """The table as text, fitted to the width; without one each column is as wide as it needs to be."""
    heads = [visible_line(column) for column in columns]
    cells = [[visible_line(cell) for cell in row] for row in rows]
    if width is None:
        lines = [heads, *cells]
        width = sum(max(cell_len(line[index]) for line in lines) + _GAP for index in range(len(heads)))
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
