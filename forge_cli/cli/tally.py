"""A line on a terminal that says how far many requests are."""

from __future__ import annotations

import os
import shutil
import time
from typing import BinaryIO

from ..batch.summary import Summary, span
from .context import Context


class Tally:
    """Shows it now and then, once it was begun."""

    def __init__(self, context: Context) -> None:
        self._visible = not context.silent and context.stderr.isatty() and context.environ.get("TERM") != "dumb"
        self._context = context
        self._next = float("inf")
        self._size = 0
        self._shown = False

    def begin(self, source: BinaryIO, summary: Summary) -> None:
        """From now on there is something to show."""
        self._source, self._summary = source, summary
        if self._visible:
            self._next = time.monotonic() + 0.5
            self._size = _size(source)

    def notice(self, text: str) -> None:
        """Tell the person something, in a line of its own. Any thread may."""
        self.end()
        self._context.notice(text)

    def show(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.2
        self._shown = True
        width = shutil.get_terminal_size().columns - 1
        self._context.tell(f"\r{self.text()[:width]}\x1b[K")

    def text(self) -> str:
        summary = self._summary
        parts = [f"{summary.count} done", f"{summary.rate:.0f}/s", f"{summary.failed} failed"]
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            ms = summary.latencies.at(share)
            if ms is not None:
                parts.append(f"{name} {span(ms)}")
        if self._size and not self._source.closed:
            share = min(1.0, self._source.tell() / self._size)
            if share > 0:
                parts.append(f"{summary.took * (1 - share) / share:.0f} s left")
        return ", ".join(parts)

    def end(self) -> None:
        """Take it away."""
        if self._shown:
            self._shown = False
            self._context.tell("\r\x1b[K")


def _size(source: BinaryIO) -> int:
    """How long the input is; 0 when nobody knows."""
    try:
        return os.fstat(source.fileno()).st_size if source.seekable() else 0
    except (OSError, ValueError):
        return 0
