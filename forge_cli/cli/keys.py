"""Lines typed on a Windows console, which cannot be waited for as a terminal can."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

_PAUSE = 0.05
# What comes before the code of a key that is no character: an arrow, F1.
_SPECIAL = "\x00\xe0"


class Console(Protocol):
    """As much of `msvcrt` as is needed."""

    def kbhit(self) -> bool: ...

    def getwch(self) -> str: ...


class Keys:
    """Puts the keys of a console together to lines, and shows what is typed."""

    def __init__(
        self,
        console: Console,
        show: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._console, self._show, self._clock, self._sleep = console, show, clock, sleep
        self._typed = ""

    def line(self, seconds: float) -> str | None:
        """A line that was entered, None when none is within these seconds. EOFError after Ctrl-Z."""
        end = self._clock() + seconds
        while True:
            while self._console.kbhit():
                key = self._console.getwch()
                if key == "\x03":
                    raise KeyboardInterrupt
                if key == "\x1a":
                    raise EOFError
                if key in _SPECIAL:
                    self._console.getwch()
                elif key in "\r\n":
                    self._show("\n")
                    line, self._typed = self._typed, ""
                    return line
                elif key == "\b":
                    self._show("\b \b" if self._typed else "")
                    self._typed = self._typed[:-1]
                else:
                    self._show(key)
                    self._typed += key
            if self._clock() >= end:
                return None
            self._sleep(_PAUSE)
