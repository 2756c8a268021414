"""A saved request, and what the words of a command add to it or replace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..compiled import compiled
from ..encode import JSON
from ..profiles.schema import SavedRequest
from .items import Field, Items, header
from .nesting import Raw, unescaped
from .request import RequestOptions

_SPECIAL = compiled(r"([\\:=@;\[\]])")
_TOP = compiled(r"(?:\\.|[^\\\[])*", re.DOTALL)

Fill = Callable[[str], str]


def combined(saved: SavedRequest, items: Items, options: RequestOptions, fill: Fill) -> Items:
    """The items of the saved request with those of the command, which win where both name the same.

    A header or query parameter replaces the saved one of its name; a field the member of the saved JSON object or
    form; any other body replaces the saved body. `fill` fills in a template.
    """
    named = {name.lower() for name, _ in items.headers}
    named |= {header(text)[0].lower() for text in options.headers}
    if options.user is not None or options.bearer is not None:
        named.add("authorization")
    asked = {name for name, _ in items.query} | {text.partition("=")[0] for text in options.query}
    headers = tuple((name, fill(value)) for name, value in saved.headers.items() if name.lower() not in named)
    kept_query = {name: value for name, value in saved.query.items() if name not in asked}
    query = tuple(pair for name, value in kept_query.items() for pair in _pairs(name, value, fill))
    merged = replace(items, headers=(*headers, *items.headers), query=(*query, *items.query))
    if options.data or items.body is not None:
        return merged
    kept = _fields(saved, {_top(field) for field in items.fields} | {file.name for file in items.files}, fill)
    if kept is not None:
        files = tuple(replace(file, before=file.before + len(kept)) for file in items.files)
        return replace(merged, fields=(*kept, *items.fields), files=files)
    if items.fields or items.files or options.multipart:
        return merged
    if saved.text is not None:
        return replace(merged, content=(fill(saved.text), "text/plain; charset=utf-8"))
    if saved.json is not None:
        return replace(merged, content=(_written(saved.json, fill), JSON))
    return merged


def _fields(saved: SavedRequest, taken: set[str], fill: Fill) -> tuple[Field, ...] | None:
    """The saved fields that no item replaces; None when the saved body is not made of fields."""
    if saved.form is not None:
        pairs = [pair for name, value in saved.form.items() if name not in taken for pair in _pairs(name, value, fill)]
        return tuple(Field(_escaped(name), value) for name, value in pairs)
    if isinstance(saved.json, dict) and saved.json and "" not in saved.json:
        members = {name: value for name, value in saved.json.items() if name not in taken}
        return tuple(Field(_escaped(name), Raw(_written(value, fill))) for name, value in members.items())
    return None


def _pairs(name: str, value: Any, fill: Fill) -> Iterator[tuple[str, str]]:
    for item in value if isinstance(value, list) else [value]:
        filled = _filled(item, fill)
        yield name, filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)


def _filled(value: Any, fill: Fill) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, dict):
        return {name: _filled(item, fill) for name, item in value.items()}
    return [_filled(item, fill) for item in value] if isinstance(value, list) else value


def _written(value: Any, fill: Fill) -> str:
    return json.dumps(_filled(value, fill), ensure_ascii=False)


def _escaped(name: str) -> str:
    return _SPECIAL.sub(r"\\\1", name)


def _top(field: Field) -> str:
    """The name of the member of the whole document that a field goes into."""
    match = _TOP.match(field.key)
    return unescaped(match[0]) if match is not None else field.key
