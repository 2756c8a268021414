"""Lines that come when somebody writes them: a reader that can be told to wait no longer."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

# Seconds after which a reader looks whether anybody still wants lines.
_LOOK = 0.2


class Interruptible(io.RawIOBase):
    """A pipe or a terminal, which ends for its reader when nothing more is `wanted`.

    A thread that waits in a read of its own can be stopped by nobody, and holds what the end of the process needs.
    """

    def __init__(self, number: int, wanted: Callable[[], bool]) -> None:
        self._number = number
        self._wanted = wanted

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def readinto(self, buffer: Any) -> int:
        while self._wanted():
            if select.select([self._number], [], [], _LOOK)[0]:
                data = os.read(self._number, len(buffer))
                buffer[: len(data)] = data
                return len(data)
        return 0


def interruptible(file: BinaryIO, wanted: Callable[[], bool], *, platform: str = sys.platform) -> BinaryIO:
    """The file, from which nobody has read yet; one that can keep its reader waiting ends when nothing is wanted."""
    try:
        number = file.fileno()
        at_hand = stat.S_ISREG(os.fstat(number).st_mode)
    except (OSError, ValueError):  # it is none of the system's
        return file
    # There, only sockets can be waited for.
    return file if at_hand or platform == "win32" else io.BufferedReader(Interruptible(number, wanted))
