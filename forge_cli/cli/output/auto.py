"""The format that fits the kind of body: `--format auto` and `--format json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from .content import Content, Look
from .json import coloured, laid_out
from .lines import events, json_lines
from .scanning import plain
from .xml import xml

_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
EVENTS = "text/event-stream"


def auto(content: Content, look: Look) -> Iterator[str]:
    """As the body's type and its beginning say; anything else as it is."""
    text = content.text()
    if look.lines or content.kind in _LINES:
        if content.kind == EVENTS:
            return events(text, color=look.color, safe=look.safe)
        return json_lines(text, color=look.color, safe=look.safe, layout=look.layout)
    if content.kind == EVENTS:
        return events(text, color=look.color, safe=look.safe)
    if not (look.layout or look.color):
        return plain(text, safe=look.safe)
    first, text = beginning(text)
    if content.json or (content.kind != "text/html" and first in ("{", "[")):
        return _json(text, look)
    if look.layout and (content.kind.endswith(("/xml", "+xml")) and content.kind != "application/xhtml+xml"):
        return xml(text, color=look.color, safe=look.safe)
    return plain(text, safe=look.safe)


def json(content: Content, look: Look) -> Iterator[str]:
    """JSON, whatever the body's type says."""
    return _json(content.text(), look)


def _json(text: Iterable[str], look: Look) -> Iterator[str]:
    if look.layout:
        return laid_out(text, color=look.color, safe=look.safe)
    return coloured(text, safe=look.safe) if look.color else plain(text, safe=look.safe)


def streams(kind: str) -> bool:
    """Whether a body of this kind is a series of messages that may never end."""
    return kind == EVENTS or kind in _LINES


def beginning(text: Iterator[str]) -> tuple[str, Iterator[str]]:
    """The first character that is not space, and the text."""
    seen: list[str] = []
    for piece in text:
        seen.append(piece)
        if stripped := piece.lstrip():
            return stripped[0], chain(seen, text)
    return "", iter(seen)
