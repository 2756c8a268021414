"""The parameters of a query or a form, in whatever shape a caller has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl


def iter_params(
    values: Mapping[str, Any] | Iterable[tuple[str, Any]] | str | bytes | None,
) -> Iterator[tuple[str, str]]:
    """Query or form parameters as pairs of text: lists repeated, None left out, booleans lower case."""
    if isinstance(values, str | bytes):
        values = parse_qsl(as_text(values), keep_blank_values=True)
    items = values.items() if isinstance(values, Mapping) else values or ()
    for name, value in items:
        for item in value if isinstance(value, list | tuple) else (value,):
            if item is not None:
                yield str(name), as_text(item)


def as_text(value: Any) -> str:
    """A value as a parameter has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode() if isinstance(value, bytes) else str(value)
