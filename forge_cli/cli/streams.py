"""What streams can take, and how they end, on every platform."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import sys
from typing import Any, Protocol, TextIO

from ..compiled import compiled

# What names an open file instead of a place.
_DESCRIPTOR = compiled(r"/dev/fd/([0-9]{1,6})|/proc/self/fd/([0-9]{1,6})|/dev/(stdout)|/dev/(stderr)")


class Encoded(Protocol):
    """A stream of text, as far as its encoding goes."""

    @property
    def encoding(self) -> str | None: ...


def draws(stream: Encoded) -> bool:
    """Whether lines and blocks can be drawn on it. Others have characters of their own, or none (cp1252, ASCII)."""
    return (stream.encoding or "").lower().replace("-", "").replace("_", "") == "utf8"


def take_any_character(stream: TextIO) -> None:
    """Show as an escape what its encoding has no character for, instead of failing in the middle of an answer."""
    if isinstance(stream, io.TextIOWrapper) and not draws(stream):
        stream.reconfigure(errors="backslashreplace")


def closed(error: OSError, *, platform: str = sys.platform) -> bool:
    """Whether an error while writing means that the reader is gone, for which Windows has no signal and no EPIPE."""
    return isinstance(error, BrokenPipeError) or (platform == "win32" and error.errno == errno.EINVAL)


def widened(stream: object, *, platform: str = sys.platform) -> None:
    """Have a pipe hold a megabyte, where the system allows it: both ends then wait for each other less often."""
    if platform != "linux":
        return
    fcntl: Any = importlib.import_module("fcntl")  # only here, and only for large bodies
    fileno = getattr(stream, "fileno", None)
    if fileno is not None:
        with contextlib.suppress(OSError):  # no descriptor, no pipe, or the user has too many large ones
            fcntl.fcntl(fileno(), fcntl.F_SETPIPE_SZ, 1024 * 1024)


def descriptor(path: str | None, *, platform: str = sys.platform) -> int | None:
    """The number of the open file that a path names: opened once more, it would be written from its beginning."""
    match = _DESCRIPTOR.fullmatch(path or "")
    if match is None or platform == "win32":
        return None
    return 1 if match[3] else 2 if match[4] else int(match[1] or match[2])
