"""When the next request may go: an even rate, as many at a time as the server bears, and what it asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..models import Headers
from .quota import Quota, delay_asked, quotas

_OVERLOADED = frozenset({429, 503})
# Seconds after which a waiting worker looks whether the run was stopped: a signal handler cannot notify.
_LOOK = 0.2


class Pace(Protocol):
    """Hands out the moments at which requests may be sent."""

    def reserve(self, now: float) -> tuple[float, float]:
        """The moment that the next request is scheduled for, and the one at which it may be sent; of `now`'s clock."""
        ...


class EvenPace:
    """`rate` a second, evenly spaced. Whoever comes late is sent late, and never closer to the one before."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next: float | None = None
        self._free = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> tuple[float, float]:
        with self._lock:
            scheduled = now if self._next is None else self._next
            self._next = scheduled + self._interval
            sent = max(now, scheduled, self._free)
            self._free = sent + self._interval
        return scheduled, sent


class Window:
    """How many requests may run at a time: half as many after each sign of overload, one more after a round of none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = most
        self._good = 0
        self._halved_at = float("-inf")

    def overloaded(self, started: float, now: float) -> None:
        """A request that began at `started` was turned away. Those that were under way together count once."""
        if started >= self._halved_at:
            self.size = max(1, self.size // 2)
            self._halved_at = now
        self._good = 0

    def answered(self) -> None:
        """A request was answered as usual."""
        if self.size < self._most:
            self._good += 1
            if self._good >= self.size:
                self.size, self._good = self.size + 1, 0


class Gate:
    """Every worker asks here before it sends. Safe between threads."""

    def __init__(
        self,
        jobs: int,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._window = Window(jobs)
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()
        self._running = 0
        self._not_before = 0.0
        self._left: int | None = None
        self._left_until = float("-inf")
        self._stopped = False

    @property
    def size(self) -> int:
        """How many may run at a time now."""
        return self._window.size

    def stop(self) -> None:
        """Admit nobody more."""
        # Not under a lock: a signal handler may have interrupted its holder.
        self._stopped = True

    def enter(self) -> tuple[float, float] | None:
        """Wait for one's turn; when it was scheduled for, and when it came. None: nothing more is to be sent."""
        if not self._admitted(counted=True):
            return None
        turn = self._paced()
        if turn is None:
            self.leave()
        return turn

    def again(self) -> None:
        """Wait for a turn of its own with one more exchange of a request that is under way."""
        self._admitted(counted=False)
        self._paced()

    def leave(self) -> None:
        """What was admitted has ended."""
        with self._changed:
            self._running -= 1
            self._changed.notify()

    def told(self, status: int, headers: Headers, started: float) -> None:
        """What an answer says about the server's load, and about its limits."""
        found, pause = quotas(headers), delay_asked(status, headers)
        now = self._clock()
        with self._changed:
            if pause and now + pause > self._not_before:
                self._not_before = now + pause
            if status in _OVERLOADED:
                self._window.overloaded(started, now)
            else:
                self._window.answered()
            if found:
                self._limit(min(found, key=lambda quota: (quota.remaining, -quota.seconds)), now)
            self._changed.notify_all()

    def _limit(self, quota: Quota, now: float) -> None:
        # Those under way, but for the one whose answer this is, are not in the server's count yet.
        self._left = max(0, quota.remaining - max(0, self._running - 1))
        self._left_until = now + quota.seconds

    def _admitted(self, *, counted: bool) -> bool:
        """Wait until one more may be sent, also until there is room if it is to be `counted`. False: stopped."""
        while not self._stopped:
            with self._changed:
                pause = self._pause()
                if pause <= 0:
                    if not counted or self._running < self._window.size:
                        self._running += counted
                        if self._left is not None:
                            self._left -= 1
                        return True
                    self._changed.wait(_LOOK)
                    continue
            self._sleep(min(pause, _LOOK))
        return False

    def _pause(self) -> float:
        """Seconds for which the server wants nothing more."""
        if self._left is None and self._not_before <= 0:
            return 0.0
        now = self._clock()
        if self._left_until <= now:
            self._left = None
        return max(self._not_before - now, self._left_until - now if self._left == 0 else 0.0)

    def _paced(self) -> tuple[float, float] | None:
        now = self._clock()
        if self._pace is None:
            return now, now
        scheduled, sent = self._pace.reserve(now)
        while now < sent:
            if self._stopped:
                return None
            self._sleep(min(sent - now, _LOOK))
            now = self._clock()
        return scheduled, sent
