"""Text laid out while it arrives: what is whole goes out at once, what is cut waits for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from .text import visible

# A token that has not ended by then (a text in JSON, a comment in XML) is not waited for any longer.
_LONGEST = 32 * 1024 * 1024
_SMALL = 64 * 1024

Scan = Callable[[str, bool], tuple[str, int]]
"""Takes text and whether it is the last; gives what it looks like, and how many characters of it were used up."""


class Unfit(Exception):
    """The text is not what the scan is for; `used` characters of it were, and look like `shown`."""

    def __init__(self, shown: str = "", used: int = 0) -> None:
        super().__init__(used)
        self.shown = shown
        self.used = used


def scanned(pieces: Iterable[str], scan: Scan, *, safe: bool) -> Iterator[str]:
    """What the scan makes of the pieces; from where it does not fit, the text as it is.

    `safe` shows control characters instead of sending them.
    """
    rest, awaited = "", 0
    waiting: list[str] = []
    size = 0
    source = iter(pieces)
    for piece in source:
        waiting.append(piece)
        size += len(piece)
        # A token over many pieces is looked at when twice as much of it is there: not once for each piece.
        if size < awaited:
            continue
        rest = "".join(waiting)
        try:
            if awaited > _LONGEST:
                raise Unfit
            shown, used = scan(rest, False)
        except Unfit as stop:
            if stop.shown:
                yield stop.shown
            yield from plain(chain((rest[stop.used :],), source), safe=safe)
            return
        if shown:
            yield shown
        rest = rest[used:]
        waiting, size = [rest], len(rest)
        awaited = 2 * len(rest) if len(rest) > _SMALL else 0
    rest = "".join(waiting)
    try:
        shown, _ = scan(rest, True)
    except Unfit as stop:
        if stop.shown:
            yield stop.shown
        yield from plain((rest[stop.used :],), safe=safe)
    else:
        if shown:
            yield shown


def plain(pieces: Iterable[str], *, safe: bool) -> Iterator[str]:
    """The text as it is, with its control characters shown where `safe` says so."""
    held = ""
    for piece in pieces:
        text = held + piece
        # Whether a CR is part of a line end is known with the next piece.
        held = "\r" if safe and text.endswith("\r") else ""
        text = text[: len(text) - len(held)]
        if text:
            yield visible(text) if safe else text
    if held:
        yield visible(held)
