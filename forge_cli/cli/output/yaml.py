"""JSON as YAML 1.2: every digit and every member as it came, and every text quoted that could be read otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...compiled import compiled
from .auto import EVENTS, streams
from .content import Content, Digits, Look, NotSuited, Pairs, as_written, each_line, quoted
from .lines import documents
from .text import paint

# Only what no version of YAML reads as anything but text.
_PLAIN = compiled(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+(-][A-Za-z0-9_./@+()-]*)*")
_WORDS = frozenset("y n yes no on off true false null nan inf".split())
_NOT_FINITE = {"NaN": ".nan", "Infinity": ".inf", "-Infinity": "-.inf"}


def yaml(content: Content, look: Look) -> Iterator[str]:
    """The JSON value as YAML, several as one document each. NotSuited when the body is not JSON."""
    try:
        shown = [list(_block(value, 0, look.color)) for value in _values(content)]
    except RecursionError:
        raise NotSuited("the JSON is nested too deeply") from None
    for number, lines in enumerate(shown):
        if number:
            yield "---\n"
        yield from (f"{line}\n" for line in lines)


def _values(content: Content) -> Iterator[Any]:
    if streams(content.kind):
        for text in documents(content.text(), events=content.kind == EVENTS):
            yield _event(text) if content.kind == EVENTS else as_written(text)
        return
    text = content.whole()
    try:
        yield as_written(text)
    except NotSuited:
        lines = each_line(text)
        if not lines:
            raise
        yield from [as_written(line) for line in lines]


def _event(text: str) -> Any:
    """Events may be of any text, such as the one that says that it was the last."""
    try:
        return as_written(text)
    except NotSuited:
        return text


def _block(value: Any, depth: int, color: bool) -> Iterator[str]:
    """The lines of a value."""
    space = "  " * depth
    if isinstance(value, Pairs) and value:
        for name, item in value:
            key = paint(_text(name), "key", color)
            if isinstance(item, list) and item:
                yield f"{space}{key}:"
                yield from _block(item, depth + 1, color)
            else:
                yield f"{space}{key}: {_scalar(item, color)}"
    elif isinstance(value, list) and value:
        for item in value:
            first, *others = _block(item, depth + 1, color)
            yield f"{space}- {first[len(space) + 2 :]}"
            yield from others
    else:
        yield f"{space}{_scalar(value, color)}"


def _scalar(value: Any, color: bool) -> str:
    if isinstance(value, Digits):
        return paint(_NOT_FINITE.get(value, value), "number", color)
    if isinstance(value, str):
        return paint(_text(value), "string", color)
    if isinstance(value, list):
        return "{}" if isinstance(value, Pairs) else "[]"
    return paint(quoted(value), "literal", color)


def _text(text: str) -> str:
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    if plain:
        return text
    shown = json.dumps(text, ensure_ascii=False)
    return shown if shown.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in shown)


def _escape(character: str) -> str:
    # Unlike JSON, YAML has no pairs of escapes for one character.
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
