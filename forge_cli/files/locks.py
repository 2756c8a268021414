"""Locks between threads and processes that die with their holder."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..errors import LockTimeout
from .places import Notice, open_own, private_directory, reported

# Seconds between two tries.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
# Seconds. Where the kernel keeps no locks, a crash is told from a slow answer by age alone.
_LEASE_LIFE = 120.0
_HELD = "wait until it is done, or end it if it hangs"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


@contextmanager
def lock(
    path: Path,
    timeout: float,
    *,
    remove: bool = False,
    on_wait: Callable[[float], None] | None = None,
    wait_notice_after: float = 2.0,
    notice: Notice | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    platform: str = sys.platform,
) -> Iterator[None]:
    """Hold a lock file against every other thread and process; the kernel frees it when the process dies.

    With `remove` the file goes with the lock, where a platform allows that: for locks whose names change.
    `on_wait` is called once, with the seconds waited, after `wait_notice_after`. LockTimeout after
    `timeout` seconds. Where the file system keeps no locks, a lease with an age limit is used, and `notice` told.
    """

    def wait(holder: _Holder) -> _Holder:
        begun, pause, told = clock(), _FIRST_PAUSE, False
        while not holder.acquire():
            waited = clock() - begun
            if waited >= timeout:
                seconds = round(timeout, 1 if timeout < 1 else 0)
                raise LockTimeout(f"another process has held {path} for {seconds:g} s", hint=_HELD)
            if on_wait is not None and not told and waited >= wait_notice_after:
                told = True
                on_wait(waited)
            sleep(min(pause, timeout - waited))
            pause = min(pause * 2, _LONGEST_PAUSE)
        return holder

    private_directory(path.parent, notice=notice)
    with contextlib.ExitStack() as stack:
        with reported("lock", path):
            opened = _Opened(path, notice, platform)
            stack.callback(opened.close)
            try:
                held = wait(_KernelLock(opened, _CALLS.get(platform, _Flock)()))
            except OSError as exc:
                if exc.errno not in _NO_LOCKS:
                    raise
                if notice is not None:
                    notice(f"{path.parent} is on a file system without locks: a lease file is used instead")
                held = wait(_Lease(path))
        stack.callback(held.release)
        if remove:
            # Before the release: who comes first then finds that the file in hand is not the one of this name.
            stack.callback(opened.remove)
        yield


def locked(fd: int, *, platform: str = sys.platform) -> bool:
    """Lock an open file of the user's until it is closed; False when somebody else has it.

    Where the file system keeps no locks, there is nobody to ask: True.
    """
    try:
        return _CALLS.get(platform, _Flock)().take(fd)
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise
        return True


class _Holder(Protocol):
    def acquire(self) -> bool: ...

    def release(self) -> None: ...


class _Opened:
    """The lock file, opened."""

    def __init__(self, path: Path, notice: Notice | None, platform: str) -> None:
        self._path, self._notice, self._platform = path, notice, platform
        self.fd = self._open()

    def stands(self) -> bool:
        """Whether this is still the file of the name: who takes the lock next will open that one."""
        if self._platform == "win32":
            return True  # it has no other name, and is not removed, while it is open
        try:
            return os.path.samestat(os.fstat(self.fd), os.lstat(self._path))
        except FileNotFoundError:
            return False

    def renew(self) -> None:
        """Open the file that has the name now."""
        fd = self._open()
        self.close()
        self.fd = fd

    def remove(self) -> None:
        """Remove the file; only for who holds its lock."""
        # Windows does not remove what is open.
        with contextlib.suppress(OSError):
            if self._platform != "win32" and self.stands():
                self._path.unlink()

    def close(self) -> None:
        os.close(self.fd)

    def _open(self) -> int:
        return open_own(self._path, os.O_RDWR | os.O_CREAT, self._notice)


class _Calls(Protocol):
    """What a system has to lock an open file with."""

    def take(self, fd: int) -> bool: ...

    def release(self, fd: int) -> None: ...


class _Flock:
    """Of the whole file; it belongs to one opening of the file, so it also excludes threads (flock(2))."""

    def __init__(self) -> None:
        self._module: Any = importlib.import_module("fcntl")

    def take(self, fd: int) -> bool:
        try:
            self._module.flock(fd, self._module.LOCK_EX | self._module.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self, fd: int) -> None:
        # Closing is not enough while a forked child still has the descriptor.
        self._module.flock(fd, self._module.LOCK_UN)


class _FirstByte:
    """Of the first byte, which need not exist; from the position of the file, so that is put there each time."""

    def __init__(self) -> None:
        self._module: Any = importlib.import_module("msvcrt")

    def take(self, fd: int) -> bool:
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            self._module.locking(fd, self._module.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def release(self, fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        self._module.locking(fd, self._module.LK_UNLCK, 1)


_CALLS: Mapping[str, type[_Calls]] = {"win32": _FirstByte}
"""Platform -> its calls; flock(2) where nothing is said."""


class _KernelLock:
    """A lock that the kernel frees when its holder dies."""

    def __init__(self, file: _Opened, calls: _Calls) -> None:
        self._file, self._calls = file, calls

    def acquire(self) -> bool:
        while self._calls.take(self._file.fd):
            if self._file.stands():
                return True
            # Its last holder removed the file: the lock of a file without a name excludes nobody.
            self._file.renew()
        return False

    def release(self) -> None:
        self._calls.release(self._file.fd)


class _Lease:
    """A file that exists while the lock is held, and counts for nothing once it is old."""

    def __init__(self, path: Path) -> None:
        self._mark = os.urandom(8).hex()
        self._path = path.with_name(f"{path.name}.lease")

    def acquire(self) -> bool:
        try:
            fd = open_own(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            self._end_old()
            return False
        try:
            os.write(fd, self._mark.encode())
        finally:
            os.close(fd)
        return True

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if self._path.read_text() == self._mark:
                self._path.unlink()

    def _end_old(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.{self._mark}")
        with contextlib.suppress(FileNotFoundError):
            old = self._path.lstat()
            if abs(time.time() - old.st_mtime) < _LEASE_LIFE:
                return
            self._path.rename(aside)
            # Someone may have ended it first and begun a new one: that one goes back.
            if aside.lstat().st_mtime_ns != old.st_mtime_ns:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self._path)
            aside.unlink()
