"""What comes line by line: JSON lines and server-sent events, each shown when it is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .json import coloured, laid_out
from .scanning import plain
from .text import paint

# A line that has not ended by then goes out in parts.
_LONGEST = 16 * 1024 * 1024


def lines(pieces: Iterable[str]) -> Iterator[str]:
    """Line by line, each with its end, as soon as it is whole; an endless one in parts."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split("\n")
        held.append(first)
        size += len(first)
        for other in others:
            yield "".join(held) + "\n"
            held, size = [other], len(other)
        if size > _LONGEST:
            yield "".join(held)
            held, size = [], 0
    rest = "".join(held)
    if rest:
        yield rest


def documents(pieces: Iterable[str], *, events: bool) -> Iterator[str]:
    """The text of each line that has one, or the data of each event, as soon as it is whole."""
    data: list[str] = []
    for line in lines(pieces):
        text = line.rstrip("\r\n")
        if not events:
            if text.strip():
                yield text
        elif text:
            name, _, value = text.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
        elif data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def json_lines(pieces: Iterable[str], *, color: bool, safe: bool, layout: bool) -> Iterator[str]:
    """Each line that is JSON laid out for itself: a bad one spoils no other."""
    for line in lines(pieces):
        text = line.rstrip("\r\n")
        if not text:
            yield line
        elif layout:
            yield "".join(laid_out((text,), color=color, safe=safe)) + "\n"
        else:
            yield "".join(coloured((text,), safe=safe) if color else plain((text,), safe=safe)) + "\n"


def events(pieces: Iterable[str], *, color: bool, safe: bool) -> Iterator[str]:
    """Server-sent events (HTML Living Standard, section 9.2): field names and JSON data in colour."""
    for line in lines(pieces):
        text = line.rstrip("\r\n")
        name, colon, value = text.partition(":")
        if not color or not colon:
            yield "".join(plain((text,), safe=safe)) + "\n"
            continue
        gap = " " if value.startswith(" ") else ""
        value = value[len(gap) :]
        field = paint("".join(plain((name + colon,), safe=safe)), "name" if name else "dim")
        data = coloured((value,), safe=safe) if name == "data" and value[:1] in "{[" else plain((value,), safe=safe)
        yield f"{field}{gap}{''.join(data)}\n"
