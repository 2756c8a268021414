"""How token commands print rows and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ...context import Context
from ...output import LISTINGS
from ...output.text import color_wanted


def print_json(context: Context, value: Any) -> int:
    """A value as JSON; in colour on a terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if context.stdout.isatty():
        pretty: Callable[..., str] = LISTINGS.load("json")
        text = pretty(text, color=color_wanted(context.stdout, context.environ))
    context.stdout.write(f"{text}\n")
    return 0


def print_rows(
    context: Context, rows: list[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str
) -> int:
    """Rows as a table, or as JSON; `empty` is said when there are none."""
    if as_json:
        return print_json(context, rows)
    if not rows:
        context.notice(empty)
    cells = [[str(row[column] or "") for column in columns] for row in rows]
    LISTINGS.load("table")(context.stdout, columns, cells, environ=context.environ, sheets=True)
    return 0
