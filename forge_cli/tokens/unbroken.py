"""The part of a login that must not be broken off: from a request until what its answer brought is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Ending(Protocol):
    """Whoever may end this process in the midst of its work, such as a handler of signals.

    It waits while something is held, though not for ever. Both may raise, when the end was only put off.
    """

    def hold(self, what: object) -> None:
        """Do not end before this is free again. To hold it twice is to hold it once."""
        ...

    def free(self, what: object) -> None:
        """Nothing of this is lost any more, or it was not held at all."""
        ...


class _Part:
    """One login or renewal of one step."""

    __slots__ = ("ending", "held")

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.held = False

    def hold(self) -> None:
        self.held = True
        self.ending.hold(self)

    def free(self) -> None:
        self.held = False
        self.ending.free(self)


class _Thread(threading.local):
    part: _Part | None = None


_thread = _Thread()


@contextmanager
def unbroken(ending: Ending | None) -> Iterator[None]:
    """What is requested within it (see `requested`) is kept, or lost, when it ends."""
    if ending is None:
        yield
        return
    before, _thread.part = _thread.part, _Part(ending)
    part = _thread.part
    try:
        yield
    finally:
        _thread.part = before
        part.free()


def requested() -> None:
    """From here on the server may have done what cannot be undone, such as to replace a refresh token."""
    if _thread.part is not None:
        _thread.part.hold()


@contextmanager
def idle() -> Iterator[None]:
    """While this thread only waits, for a person or for the next try, nothing is lost that was not lost before."""
    part = _thread.part
    if part is None or not part.held:
        yield
        return
    part.free()
    yield
    part.hold()
