"""What a command takes, measured beside its peer: both in turn, medians of pairs, memory as the kernel tells it."""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Run:
    """What one command took: seconds, MB at its peak, seconds to its first line."""

    seconds: float
    memory: float
    first: float


@dataclass(frozen=True)
class Pairs:
    """Runs of two commands that alternated."""

    ours: Run
    peer: Run
    times: float
    """The median over the pairs of our time over the peer's."""
    extra: float
    """The median over the pairs of our seconds less the peer's."""


class Failed(Exception):
    """A command that is measured ended with an error."""


def run(command: Sequence[str], env: Mapping[str, str] | None = None, *, terminal: bool = False) -> Run:
    """One run of a command, its output read to the end: through a pipe, or on a terminal of its own."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
    os.close(theirs)
    first = 0.0
    with open(ours, "rb", buffering=0) as output:
        for piece in _pieces(output.fileno()):
            if not first and b"\n" in piece:
                first = time.perf_counter() - started
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"{' '.join(command)} ended with {child.returncode}")
    return Run(seconds, peak(usage.ru_maxrss), first or seconds)


def peak(maxrss: int) -> float:
    """What the kernel calls `ru_maxrss`, in MB: it counts in kilobytes, but on macOS in bytes."""
    return maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE


def pairs(ours: Callable[[], Run], peer: Callable[[], Run], rounds: int) -> Pairs:
    """Both commands in turn, once for nothing and then so many times."""
    ours()
    peer()
    found = [(ours(), peer()) for _ in range(rounds)]
    return Pairs(
        middle([one for one, _ in found]),
        middle([other for _, other in found]),
        statistics.median(one.seconds / other.seconds for one, other in found),
        statistics.median(one.seconds - other.seconds for one, other in found),
    )


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(*(statistics.median(getattr(run, part) for run in runs) for part in ("seconds", "memory", "first")))


@contextmanager
def server() -> Iterator[str]:
    """The benchmark server in a process of its own; its URL."""
    command = [sys.executable, "-m", "tests.benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _pieces(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(descriptor, 1 << 20)
        except OSError:  # Linux's end of a terminal
            return
        if not piece:
            return
        yield piece
