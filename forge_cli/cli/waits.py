"""What many requests at a time have to say of retries and redirects: all of it with `-v`, else now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .output.notices import Notices

_PAUSE = 5.0


class Waits:
    """A listener for any number of threads: it says the first notice, and after it one in five seconds.

    With `each` it says every one.
    """

    def __init__(self, say: Callable[[str], None], *, each: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._each, self._clock = say, each, clock
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._more = 0

    def __call__(self, event: Any) -> None:
        # One for each thread: they remember the step of a login.
        notices = getattr(self._threads, "notices", None)
        if notices is None:
            notices = self._threads.notices = Notices(self.say, lambda text: None, verbose=0, color=False)
        notices(event)

    def end(self) -> None:
        """Say how many notices there were that nobody saw."""
        if self._more:
            self._say(f"{self._more} more notices of this kind; -v shows each")

    def say(self, text: str) -> None:
        """Say this, if it is time to. Any thread may."""
        with self._lock:
            now = self._clock()
            if not self._each and now < self._next:
                self._more += 1
                return
            more, self._more, self._next = self._more, 0, now + _PAUSE
            self._say(f"{text}, and {more} more before; -v shows each" if more else text)
