"""A line on a terminal that says how far many requests are."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from ..batch.lines import Line
from ..batch.summary import Summary, span
from .context import Context


class Tally:
    """Shows it now and then, once it was begun, unless results are written to the same terminal."""

    def __init__(self, context: Context, *, beside: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._visible = not context.silent and context.stderr.isatty() and context.environ.get("TERM") != "dumb"
        if beside and context.stdout.isatty():
            self._visible = False
        self._context = context
        self._clock = clock
        # A signal handler may speak while this does.
        self._lock = threading.RLock()
        self._next = float("inf")
        self._input = Input()
        self._shown = False
        self.held: Callable[[], float] = lambda: 0.0
        """Seconds for which the server wants nothing."""

    def begin(self, lines: Iterator[Line], source: BinaryIO, summary: Summary) -> Iterator[Line]:
        """From now on there is something to show, of these lines from this file."""
        self._summary = summary
        if not self._visible:
            return lines
        self._next = self._clock() + 0.5
        return self._input.watched(lines, source, self._clock)

    def notice(self, text: str) -> None:
        """Tell the person something, in a line of its own. Any thread may."""
        with self._lock:
            self.end()
            self._context.notice(text)

    def show(self) -> None:
        if self._clock() < self._next:
            return
        with self._lock:
            self._next = self._clock() + 0.2
            self._shown = True
            width = shutil.get_terminal_size().columns - 1
            self._context.tell(f"\r{self.text()[:width]}\x1b[K")

    def text(self) -> str:
        summary, now = self._summary, self._clock()
        parts = [f"{summary.count} done", f"{summary.rate_at(now):.0f}/s", f"{summary.failed} failed"]
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            ms = summary.latencies.at(share)
            if ms is not None:
                parts.append(f"{name} {span(ms)}")
        left = self._input.left(summary.count, now)
        if left is not None:
            parts.append(f"{left:.0f} s left")
        held = self.held()
        if held:
            parts.append(f"waits {held:.0f} s, as the server asks")
        return ", ".join(parts)

    def end(self) -> None:
        """Take it away."""
        with self._lock:
            if self._shown:
                self._shown = False
                self._context.tell("\r\x1b[K")


class Input:
    """How far the input is done: it is read ahead, and what an earlier run has done is no measure."""

    def __init__(self) -> None:
        self._size = 0
        self._begun: tuple[int, float] | None = None
        self._ends: deque[int] = deque()
        self._done = self._at = 0

    def watched(self, lines: Iterable[Line], source: BinaryIO, clock: Callable[[], float]) -> Iterator[Line]:
        """The lines, of which it is remembered where they end."""
        self._size = _size(source)
        if not self._size:
            yield from lines
            return
        before = 0
        for line in lines:
            end = source.tell()
            if self._begun is None:
                # Where the first one begins nobody has said; lines before it, which are not sent, may be many.
                self._begun = (before if line.number == 1 else end, clock())
            before = end
            self._ends.append(end)
            yield line

    def left(self, done: int, now: float) -> float | None:
        """Seconds until all is done if it goes on as it did; None when nobody knows."""
        while self._done < done and self._ends:
            self._at = self._ends.popleft()
            self._done += 1
        if self._begun is None or self._at <= self._begun[0]:
            return None
        start, since = self._begun
        return (now - since) * max(0, self._size - self._at) / (self._at - start)


def _size(source: BinaryIO) -> int:
    """How long the input is; 0 when nobody knows."""
    try:
        return os.fstat(source.fileno()).st_size if source.seekable() else 0
    except (OSError, ValueError):
        return 0
