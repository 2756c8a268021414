"""Circuits of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .circuit import Change, Circuit

# Far more than a process talks to at a time; only origins that failed are kept at all.
_MOST = 10_000


class MemoryBreakerState:
    """Keeps circuits for the threads of this process, on its monotonic clock."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        self._lock = threading.Lock()

    def update(self, key: str, change: Change) -> Circuit:
        with self._lock:
            before = self._circuits.get(key) or Circuit()
            after = change(before, self._clock())
            if after != before:
                put(self._circuits, key, after, _MOST)
            return after


def put(circuits: dict[str, Circuit], key: str, circuit: Circuit, most: int) -> None:
    """Keep a circuit as the youngest; a sound one need not be kept, and the oldest go beyond `most`."""
    circuits.pop(key, None)
    if circuit != Circuit():
        circuits[key] = circuit
    while len(circuits) > most:
        del circuits[next(iter(circuits))]
