"""Locks that a server keeps: marks with an owner, renewed while they are held, that end by themselves."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from ...errors import LockTimeout, StorageError

LIFE = 15.0
"""Seconds after which the mark of a dead process ends."""

# Seconds between two tries: each is a question to the server.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2
# Seconds after which a person is told why nothing happens.
_NOTICE_AFTER = 2.0
_HELD = "wait until it is done, or end it if it hangs"
_LOST = "run it again: whoever has the lock now may have saved a newer token"


class Mark(Protocol):
    """One owner's mark under one name on the server. StorageError when the server does not answer."""

    @property
    def label(self) -> str:
        """The name, for people."""
        ...

    def take(self, life: float) -> bool:
        """Set the mark for this many seconds, unless another owner has it."""
        ...

    def renew(self, life: float) -> bool:
        """Let it live for this many seconds from now; False when it is not this owner's any more."""
        ...

    def release(self) -> None:
        """End the mark if it is still this owner's."""
        ...


class Leases:
    """The marks that the threads of one storage hold, by key; a daemon thread renews each at a third of its life.

    `on_wait` is called once, with the seconds waited, when a mark is not had soon. `on_end` is called at the end
    of a thread that renewed one, for what belongs to a thread.
    """

    def __init__(
        self,
        life: float = LIFE,
        *,
        on_wait: Callable[[float], None] = lambda seconds: None,
        on_end: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.life = life
        self._on_wait = on_wait
        self._on_end = on_end
        self._clock = clock
        self._sleep = sleep
        self._thread = threading.local()

    @contextmanager
    def hold(self, key: str, mark: Mark, timeout: float) -> Iterator[None]:
        """Hold the mark. LockTimeout after `timeout` seconds, StorageError when the server does not answer."""
        self._take(mark, timeout)
        ended = threading.Event()
        try:
            threading.Thread(target=self._keep, args=(mark, ended), daemon=True).start()
            self._held()[key] = mark
            yield
        finally:
            ended.set()
            self._held().pop(key, None)
            # What cannot be released now ends by itself.
            with contextlib.suppress(StorageError):
                mark.release()

    def held(self, key: str) -> Mark | None:
        """The mark that this thread holds for a key."""
        return self._held().get(key)

    def check(self, key: str) -> None:
        """StorageError when this thread holds the key's mark and has lost it."""
        mark = self.held(key)
        if mark is not None and not mark.renew(self.life):
            raise lost(mark)

    def _held(self) -> dict[str, Mark]:
        held: dict[str, Mark] = self._thread.__dict__.setdefault("held", {})
        return held

    def _take(self, mark: Mark, timeout: float) -> None:
        begun, pause, told = self._clock(), _FIRST_PAUSE, False
        while not mark.take(self.life):
            waited = self._clock() - begun
            if waited >= timeout:
                seconds = round(timeout, 1 if timeout < 1 else 0)
                raise LockTimeout(f"another process has held {mark.label} for {seconds:g} s", hint=_HELD)
            if not told and waited >= _NOTICE_AFTER:
                told = True
                self._on_wait(waited)
            self._sleep(min(pause, timeout - waited))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _keep(self, mark: Mark, ended: threading.Event) -> None:
        renewed = False
        while not ended.wait(self.life / 3):
            renewed = True
            # A server that is away for a moment may be back before the mark ends; saving asks it again.
            with contextlib.suppress(StorageError):
                if not mark.renew(self.life):
                    break
        if renewed:
            self._on_end()


def lost(mark: Mark) -> StorageError:
    """The error of a save whose lock is not its own any more."""
    return StorageError(f"{mark.label} was lost while the token was renewed, so the token is not saved", hint=_LOST)
