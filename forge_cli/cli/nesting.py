"""Nested keys: ``a[b][]=1`` and its like, put together to one JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ..compiled import compiled
from ..errors import UsageError
from ..frozen import immutable

_ESCAPE = compiled(r"\\([\\:=@;\[\]])")
_KEYS = compiled(r"((?:\\.|[^\\\[\]])*)((?:\[(?:\\.|[^\\\[\]])*\])*)", re.DOTALL)
_BRACKETS = compiled(r"\[((?:\\.|[^\\\[\]])*)\]", re.DOTALL)
_PLACE = compiled("[0-9]{1,6}")
_DIGITS = compiled("[0-9]{1,1000}")
_MOST_LEVELS = 100


@immutable
class Raw:
    """JSON text, kept as it was written: digits of any number survive, which parsing would round."""

    text: str


def unescaped(text: str) -> str:
    """The text without the backslashes before separators and brackets."""
    return _ESCAPE.sub(r"\1", text)


def document(fields: Iterable[tuple[str, str | Raw]]) -> str | None:
    """One JSON document from keys and values, None without any. UsageError when two of them do not fit.

    A key in brackets is a name in an object, a number is a place in a list, and nothing is the next
    place. Each list is filled in order, without gaps.
    """
    root: list[Any] = []
    for key, value in fields:
        _put(root, key, value)
    return _written(root[0]) if root else None


def _put(root: list[Any], text: str, value: str | Raw) -> None:
    holder: Any = root
    place: str | int = 0
    for key in _keys(text):
        inner = _get(holder, place)
        if inner is None:
            inner = {} if isinstance(key, str) and key else []
            _set(holder, place, inner)
        holder, place = inner, _place(inner, key, text)
    if _get(holder, place) is not None:
        raise UsageError(f"field {text!r} has two values", hint=f"{text}[]=… makes a list; a form may repeat a field")
    _set(holder, place, value)


def _keys(text: str) -> list[str | int]:
    match = _KEYS.fullmatch(text)
    if match is None:
        raise UsageError(f"the brackets in {text!r} do not match", hint="\\[ for a bracket that is part of the name")
    keys: list[str | int] = [unescaped(match[1])] if match[1] else []
    inner = _BRACKETS.findall(match[2])
    if not keys and inner and inner[0] and not inner[0].isdecimal():
        raise UsageError(f"{text!r} has no name before its brackets", hint=f"{inner[0]}=… for a field of that name")
    for key in inner:
        keys.append(int(key) if _PLACE.fullmatch(key) else unescaped(key))
    if len(keys) > _MOST_LEVELS:
        raise UsageError(f"a field is more than {_MOST_LEVELS} levels deep", hint="@path sends a file as the body")
    return keys


def _place(holder: Any, key: str | int, text: str) -> str | int:
    """Where the key is in its holder, which must be of the right kind."""
    if isinstance(holder, dict):
        if key == "":
            raise UsageError(f"{text!r} appends to what other fields made an object", hint="name the key")
        return str(key)
    if not isinstance(holder, list):
        raise UsageError(f"{text!r} goes into what another field made a plain value", hint="name another key")
    place = len(holder) if key == "" else int(key) if _DIGITS.fullmatch(str(key)) else key
    if not isinstance(place, int):
        raise UsageError(f"{text!r} names a key in what other fields made a list", hint="[] appends to a list")
    if place > len(holder):
        raise UsageError(f"{text!r} leaves a gap in the list", hint=f"the next place is [{len(holder)}]")
    return place


def _get(holder: Any, place: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(place)
    return holder[place] if isinstance(place, int) and place < len(holder) else None


def _set(holder: Any, place: Any, value: Any) -> None:
    if isinstance(holder, list) and place == len(holder):
        holder.append(value)
    else:
        holder[place] = value


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return value.text if isinstance(value, Raw) else json.dumps(value, ensure_ascii=False)
