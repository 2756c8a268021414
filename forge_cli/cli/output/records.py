"""A JSON array of objects as a table: a row for each, a column for each name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .auto import EVENTS, streams
from .content import Content, Look, NotSuited, Pairs, as_written, written
from .lines import documents
from .table import rendered

_ADVICE = "a table is made of a JSON array of objects"


def records(content: Content, look: Look) -> Iterator[str]:
    """The table. NotSuited when the body is no array of objects."""
    value = _value(content)
    if isinstance(value, Pairs) or not isinstance(value, list) or not all(isinstance(row, Pairs) for row in value):
        raise NotSuited(f"{_ADVICE}, and the body is another value: --select may find one in it")
    columns = list(dict.fromkeys(name for row in value for name, _ in row))
    if not columns:
        return iter(())
    try:
        rows = [_cells(row, columns) for row in value]
    except RecursionError:
        raise NotSuited("the JSON is nested too deeply") from None
    return rendered(columns, rows, width=look.width, color=look.color)


def _value(content: Content) -> Any:
    if streams(content.kind) and content.kind != EVENTS:
        return [as_written(text) for text in documents(content.text(), events=False)]
    return as_written(content.whole())


def _cells(row: Pairs, columns: list[str]) -> list[str]:
    known = dict(row)
    return [_cell(known[name]) if name in known else "" for name in columns]


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, str) else written(value)
