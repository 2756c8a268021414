"""A line on a terminal that says how far a transfer is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import BinaryIO

from .run import Run

_FIRST, _EVERY = 0.5, 0.1
_LARGE = 1024 * 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """How much of `total` bytes is there, the rate, and the time left. Nothing is shown of what is quick."""

    def __init__(
        self,
        show: Callable[[str], None],
        total: int | None,
        done: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._total = total
        self._begun_with = self._done = done
        self._clock = clock
        self._started = clock()
        self._next = self._started + _FIRST
        self._shown = False

    def add(self, size: int) -> None:
        """So many more bytes are there."""
        self.at(self._done + size)

    def at(self, done: int) -> None:
        """So many bytes are there."""
        self._done = done
        now = self._clock()
        if now >= self._next:
            self._next = now + _EVERY
            self._shown = True
            width = shutil.get_terminal_size().columns - 1
            self._show(f"\r{self.text(now)[:width]}\x1b[K")

    def end(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = False
            self._show("\r\x1b[K")

    def text(self, now: float) -> str:
        """The line as it is at a moment."""
        took = now - self._started
        rate = (self._done - self._begun_with) / took if took > 0 else 0.0
        if self._total is None:
            return f"{in_bytes(self._done)}, {in_bytes(rate)}/s"
        share = 100 * self._done // self._total if self._total else 100
        left = (self._total - self._done) / rate if rate > 0 else None
        text = f"{share:3}%  {in_bytes(self._done)} of {in_bytes(self._total)}, {in_bytes(rate)}/s"
        return text if left is None or left < 0 else f"{text}, {_span(left)} left"


class WatchedFile:
    """A file that is uploaded, with its progress. It is read again from where it is put back to."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self.name = file.name

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if data:
            self._progress.at(self._file.tell())
        elif size:
            self._progress.end()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()

    def close(self) -> None:
        self._progress.end()
        self._file.close()


def watched(run: Run, file: BinaryIO) -> BinaryIO | WatchedFile:
    """The file, with a progress line where it is large and somebody sees it."""
    if not file.seekable():
        return file
    size = os.fstat(file.fileno()).st_size
    line = progress(run, size) if size >= _LARGE else None
    return file if line is None else WatchedFile(file, line)


def progress(run: Run, total: int | None, done: int = 0) -> Progress | None:
    """A progress line, where there is somebody to see it."""
    if run.silent or not run.stderr.isatty() or run.environ.get("TERM") == "dumb":
        return None
    return Progress(run.tell, total, done)


def in_bytes(size: float) -> str:
    """A number of bytes for a person."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
