"""Standard input within the time that a command may take."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import TimeoutException

if TYPE_CHECKING:
    from ..models import Deadline


def patient(stream: BinaryIO, deadline: Deadline, *, platform: str = sys.platform) -> BinaryIO:
    """The stream, whose reads end with the deadline: TimeoutException. Windows cannot wait for a pipe that way."""
    if platform == "win32":
        return stream
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream  # nothing that could keep one waiting
    return io.BufferedReader(_Patient(descriptor, deadline))


class _Patient(io.RawIOBase):
    def __init__(self, descriptor: int, deadline: Deadline) -> None:
        self._descriptor = descriptor
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: Any) -> int:
        left = max(0.0, self._deadline.remaining())
        if not select.select([self._descriptor], [], [], left)[0]:
            raise TimeoutException(
                f"the time limit of {self._deadline.seconds:g} s is over, and standard input has not ended",
                hint="raise the limit with --timeout, or give it by a file: @FILE",
            )
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)
