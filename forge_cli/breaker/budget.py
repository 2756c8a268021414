"""How many retries a host is worth."""

from __future__ import annotations

import threading

# Thousandths of a retry: sums of whole numbers are exact, sums of 0.1 are not.
_RETRY = 1000
# Far more than a process talks to at a time. A host that is forgotten begins anew.
_MOST_HOSTS = 10_000


class RetryBudget:
    """Bounds the retries of a process per host: at most `minimum` + `ratio` x requests. Safe between threads.

    No more than `most` retries are saved up, so that a long quiet time does not pay for a storm.
    ValueError for negative numbers; `ratio` has three decimals.
    """

    def __init__(self, ratio: float = 0.2, minimum: int = 10, *, most: int = 100) -> None:
        if not ratio >= 0 or minimum < 0 or most < 0:
            raise ValueError("ratio, minimum and most must not be negative")
        self._share = int(ratio * _RETRY + 1e-6)  # 0.29 * 1000 is a little less than 290
        self._first = minimum * _RETRY
        self._most = max(most, minimum) * _RETRY
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    def request(self, key: str) -> None:
        """Count a request, not its retries."""
        with self._lock:
            self._left[key] = min(self._most, self._left.pop(key, self._first) + self._share)
            if len(self._left) > _MOST_HOSTS:
                del self._left[next(iter(self._left))]

    def spend(self, key: str) -> bool:
        """Take one retry; false when there is none left."""
        with self._lock:
            left = self._left.get(key, self._first)
            if left < _RETRY:
                return False
            self._left[key] = left - _RETRY
            return True
