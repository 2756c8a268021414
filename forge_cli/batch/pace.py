"""When the next request may go: an even rate, what the server asks for, and as many at a time as it bears."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ..attempts import span
from ..errors import TimeoutException
from ..models import Headers
from .quota import Quota, delay_asked, quotas

_OVERLOADED = frozenset({429, 503})
# Seconds after which a waiting worker looks whether the run was stopped: a signal handler cannot notify.
_LOOK = 0.2
# A wait of so many seconds is told; who is told hears of the next one only when it ends so much later.
_WORTH_TELLING = 0.5
NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to send: the how many-th it is, the moment that it comes, and the one that a rate had it for.

    One that is not `granted` is none yet: it has to be asked for again at that moment.
    """

    number: int
    at: float
    scheduled: float | None = None
    granted: bool = True


class Pace(Protocol):
    """Hands out turns, at a rate if there is one, and no more than the server wants.

    All times are of the clock of whoever calls. Safe between threads.
    """

    def take(self, now: float) -> Turn:
        """The next turn, which has to be waited for."""
        ...

    def held_until(self, now: float) -> float:
        """Until when turns that were granted are not good after all; `now` or earlier: they are."""
        ...

    def told(self, now: float, turn: Turn, pause: float, quota: Quota | None) -> None:
        """The answer to what was sent in this turn asks for so many seconds of nothing, or tells of a quota."""
        ...

    def done(self, turn: Turn) -> None:
        """What was sent in this turn was answered, failed, or was never sent."""
        ...

    def close(self) -> None:
        """There are no more turns to be taken."""
        ...


class OwnPace:
    """The pace of this process: `rate` a second, evenly spaced; None for no rate.

    Whoever comes late is sent late, and never closer to the one before.
    """

    def __init__(self, rate: float | None = None) -> None:
        self._interval = None if rate is None else 1 / rate
        self._schedule: float | None = None
        self._free = self._paused_until = self._quota_until = NEVER
        self._left = self._number = self._known = self._out = 0
        self._lock = threading.Lock()

    def take(self, now: float) -> Turn:
        with self._lock:
            limited = self._quota_until > now
            wanted_at = max(self._paused_until, self._quota_until if limited and self._left <= 0 else NEVER)
            if wanted_at > now:
                return Turn(self._number, wanted_at, granted=False)
            self._number += 1
            self._out += 1
            if limited:
                self._left -= 1
            if self._interval is None:
                return Turn(self._number, now)
            scheduled = now if self._schedule is None else self._schedule
            self._schedule = scheduled + self._interval
            at = max(now, scheduled, self._free)
            self._free = at + self._interval
            return Turn(self._number, at, scheduled)

    def held_until(self, now: float) -> float:
        # Of a quota that is just used up, each turn was taken by right.
        return max(self._paused_until, self._quota_until if self._left < 0 else NEVER)

    def told(self, now: float, turn: Turn, pause: float, quota: Quota | None) -> None:
        with self._lock:
            if pause > 0:
                self._paused_until = max(self._paused_until, now + pause)
            if quota is None:
                return
            # What is under way beside this one may not be in the server's count yet.
            left, until = quota.remaining - (self._out - turn.granted), now + quota.seconds
            # Answers overtake each other. Only one to what was sent when the last one was known can tell of more.
            if now >= self._quota_until or turn.number > self._known:
                self._left, self._quota_until = left, until
            elif left < self._left:
                self._left, self._quota_until = left, max(self._quota_until, until)
            self._known = self._number

    def done(self, turn: Turn) -> None:
        with self._lock:
            self._out -= turn.granted

    def close(self) -> None:
        return


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
    """Every worker asks here before it sends. Safe between threads.

    `patience` is how many seconds a request waits while the server wants nothing (None: as long as it says). `say`
    is told of such waits.
    """

    def __init__(
        self,
        jobs: int,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        patience: float | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._window = Window(jobs)
        self._pace = pace or OwnPace()
        self._clock = clock
        self._sleep = sleep
        self._patience = math.inf if patience is None else patience
        self._say = say
        self._changed = threading.Condition()
        self._running = 0
        self._held_until = NEVER
        self.stopped = False
        """Whether nothing more is to be sent, and nothing more to be waited for."""

    @property
    def size(self) -> int:
        """How many may run at a time now."""
        return self._window.size

    @property
    def held(self) -> float:
        """Seconds for which the server still wants nothing, as far as somebody waits for that."""
        return max(0.0, self._held_until - self._clock())

    def stop(self) -> None:
        """Admit nobody more."""
        # Not under a lock: a signal handler may have interrupted its holder.
        self.stopped = True

    def enter(self) -> Turn | None:
        """Wait until there is room for one more, and for its turn. None: nothing more is to be sent."""
        with self._changed:
            while self._running >= self._window.size and not self.stopped:
                self._changed.wait(_LOOK)
            self._running += 1
        turn = None
        try:
            turn = self.turn()
        finally:
            if turn is None:
                self.leave()
        return turn

    def turn(self, most: float = math.inf) -> Turn | None:
        """Wait for a turn, for `most` seconds at the most. None: nothing more is to be sent.

        TimeoutException when the server wants nothing for longer than anybody has patience.
        """
        now = self._clock()
        end, scheduled, patience = now + most, None, self._patience
        while not self.stopped:
            turn = self._pace.take(now)
            scheduled = turn.scheduled if scheduled is None else scheduled
            begun, until = now, min(turn.at, end)
            if not turn.granted:
                self.tell(turn.at, "the server wants no requests for {}: all wait")
                until = min(until, now + patience)
            self.wait(until - now)
            now = self._clock()
            # While it waited, another answer may have said that nothing more is wanted.
            good = turn.granted and (turn.at <= begun or self._pace.held_until(now) <= now)
            if (good or now >= end) and not self.stopped:
                return replace(turn, at=now, scheduled=now if scheduled is None else scheduled)
            self._pace.done(turn)
            if not turn.granted:
                patience -= now - begun
                if patience <= 0 and turn.at > now:
                    raise TimeoutException(
                        f"not sent: the server wants no requests for another {span(math.ceil(turn.at - now))}",
                        hint="a longer --timeout waits for it",
                    )
        return None

    def wait(self, seconds: float) -> bool:
        """Wait so long; false, and at once, when nothing more is to be waited for."""
        now = self._clock()
        end = now + seconds
        while now < end and not self.stopped:
            self._sleep(min(end, now + _LOOK) - now)
            now = self._clock()
        return not self.stopped

    def tell(self, until: float, text: str) -> None:
        """Say that requests wait until then, `text` being about how long; once for those who wait for the same."""
        now = self._clock()
        with self._changed:
            new = until - now >= _WORTH_TELLING and until - max(now, self._held_until) >= _WORTH_TELLING
            self._held_until = max(self._held_until, until)
        if new:
            self._say(text.replace("{}", span(math.ceil(until - now))))

    def leave(self) -> None:
        """What was admitted has ended."""
        with self._changed:
            self._running -= 1
            self._changed.notify()

    def told(self, turn: Turn, started: float, status: int, headers: Headers) -> None:
        """What an answer says about the server's load, and about its limits. It was sent in this turn, at `started`.

        The turn is done with that.
        """
        found, pause = quotas(headers), delay_asked(status, headers)
        now = self._clock()
        if pause or found:
            quota = min(found, key=lambda quota: (quota.remaining, -quota.seconds), default=None)
            self._pace.told(now, turn, pause, quota)
        self._pace.done(turn)
        with self._changed:
            if status in _OVERLOADED:
                self._window.overloaded(started, now)
            else:
                self._window.answered()
            self._changed.notify_all()

    def done(self, turn: Turn) -> None:
        """What had this turn was not answered."""
        self._pace.done(turn)

    def close(self) -> None:
        """Nobody is here any more."""
        self._pace.close()
