"""Small files that are read whole: regular ones, and what a shell hands over as `<(…)`, without waiting for ever."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from typing import NamedTuple

from ..compiled import compiled

PATIENCE = 10.0
"""Seconds that somebody else's program may take to write one, where a command has no limit of its own."""

# What names an open file, and not a place where anybody could have put something else.
_OPEN = compiled(r"/dev/fd/[0-9]+|/proc/(?:self|[0-9]+)/fd/[0-9]+|/dev/stdin")
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_PIECE = 64 * 1024


class Found(NamedTuple):
    """What a file holds, and what the system says of it."""

    content: bytes
    info: os.stat_result


def read_named(
    path: str | os.PathLike[str], most: int, seconds: float | None = None, *, platform: str = sys.platform
) -> Found:
    """So many bytes of a file at most. OSError, also when it is a FIFO or a device, which could keep one for ever.

    An open file that the path names may be a pipe: it is read until its end, or TimeoutError after `seconds`.
    """
    fd = os.open(path, _FLAGS)
    try:
        info = os.fstat(fd)
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        named = os.fspath(path)
        handed_over = named == os.devnull or _OPEN.fullmatch(named) is not None
        if not stat.S_ISREG(info.st_mode) and not handed_over:
            raise OSError(errno.EINVAL, "not a regular file", named)
        waits = platform != "win32" and not stat.S_ISREG(info.st_mode)
        return Found(_read(fd, most, PATIENCE if seconds is None else seconds, waits=waits), info)
    finally:
        os.close(fd)


def _read(fd: int, most: int, seconds: float, *, waits: bool) -> bytes:
    end = time.monotonic() + seconds
    pieces: list[bytes] = []
    while most > 0:
        if waits and not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError(errno.ETIMEDOUT, f"it did not end within {seconds:g} s")
        try:
            piece = os.read(fd, min(most, _PIECE))
        except BlockingIOError:
            continue
        if not piece:
            break
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
