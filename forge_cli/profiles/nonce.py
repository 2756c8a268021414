"""Numbers that only grow, over all processes of one user."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import LockTimeout, StorageError
from ..files import config_dir, lock, unwritable
from ..files.places import Notice, open_own, reported

# The lock is held for as long as reading and writing 20 bytes takes.
_LOCK_SECONDS = 10.0
# As wide as the largest number that fits 64 bits, so that every number replaces all of the one before.
_DIGITS = 20
_LARGEST = 2**63 - 1


class Nonces:
    """Makes nonces: microseconds since 1970, or one more than the last where that is not later.

    The last one is kept in `state/nonce`, where it outlives the process, also one that is killed, and a clock
    that is set back. It is not synced: after a power failure only the clock makes the next one larger. Where
    it cannot be kept, `notice` is told once, and numbers grow in this process alone.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        notice: Notice = lambda text: None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._environ = environ
        self._notice = notice
        self._clock = clock
        self._last = 0
        self._kept = True
        # What this process has made, also while nothing can be kept.
        self._counting = threading.Lock()

    def next(self) -> int:
        """A number greater than all before it. LockTimeout: another process kept the lock for too long."""
        path = self._place()
        if path is not None:
            try:
                return self._next_of_all(path)
            except LockTimeout:
                raise
            except StorageError as exc:
                # Somebody else's file, or a link, is no reason to go on without.
                if not unwritable(exc):
                    raise
                self._alone(exc)
        return self._after(0)

    def _place(self) -> Path | None:
        if not self._kept:
            return None
        try:
            return config_dir(self._environ) / "state" / "nonce"
        except StorageError as exc:
            self._alone(exc)
            return None

    def _alone(self, why: StorageError) -> None:
        self._kept = False
        self._notice(f"{why.message}: nonces are made from the clock alone")

    def _next_of_all(self, path: Path) -> int:
        with lock(path.with_name("nonce.lock"), _LOCK_SECONDS, notice=self._notice), reported("write", path):
            fd = open_own(path, os.O_RDWR | os.O_CREAT, self._notice)
            try:
                number = self._after(self._read(fd, path))
                # One write in place: there is no moment at which a killed process leaves less than a number.
                os.lseek(fd, 0, os.SEEK_SET)
                os.write(fd, f"{number:0{_DIGITS}}".encode())
            finally:
                os.close(fd)
        return number

    def _read(self, fd: int, path: Path) -> int:
        content = os.read(fd, _DIGITS + 1)
        if content.isdigit() and len(content) == _DIGITS and (last := int(content)) < _LARGEST:
            return last
        if content:
            os.ftruncate(fd, 0)
            self._notice(f"{path} was damaged: nonces begin again with the clock")
        return 0

    def _after(self, last: int) -> int:
        with self._counting:
            self._last = max(self._clock() // 1000, last + 1, self._last + 1)
            return self._last
