"""Reading one's own files, and replacing them whole."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StorageError
from .places import Notice, check_directory, open_own, private_directory, reported

Stamp = tuple[int, int, int]
"""What tells two contents of a file apart without reading: modification time, size, inode."""

LIMIT = 8 * 1024 * 1024
"""Bytes: a larger state file is not one of ours."""

# Seconds. File times tick every few milliseconds: a younger file could change and keep its stamp.
_SETTLED = 0.1
# Seconds after which a temporary file belongs to a process that died.
_ABANDONED = 86400.0


class TooLarge(StorageError):
    """A file is larger than its reader allows."""


class PrivateFile:
    """One's own file, open for reading. `stamp` is None while the file is too young to have a reliable one."""

    def __init__(self, path: Path, fd: int) -> None:
        info = os.fstat(fd)
        settled = time.time() - info.st_mtime > _SETTLED
        self.path = path
        self.size = info.st_size
        self.stamp: Stamp | None = (info.st_mtime_ns, info.st_size, info.st_ino) if settled else None
        self._fd = fd

    def read(self, limit: int = LIMIT) -> bytes:
        """The content. TooLarge when it is more than `limit` bytes."""
        with reported("read", self.path), open(self._fd, "rb", closefd=False) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise TooLarge(f"{self.path} is larger than {limit} bytes", hint="move it away")
        return data


@contextmanager
def opened(path: Path, *, notice: Notice | None = None) -> Iterator[PrivateFile | None]:
    """The file, or None when there is none.

    Loose modes of the file and its directory are repaired and told to `notice`. StorageError when either
    belongs to someone else, or the name is a symbolic link or no regular file.
    """
    with reported("read", path):
        try:
            check_directory(path.parent, notice)
            fd = open_own(path, os.O_RDONLY, notice)
        except (FileNotFoundError, NotADirectoryError):
            fd = -1
    if fd < 0:
        yield None
        return
    try:
        yield PrivateFile(path, fd)
    finally:
        os.close(fd)


def read_private(path: Path, limit: int = LIMIT, *, notice: Notice | None = None) -> bytes | None:
    """The content of one's own file, None when there is none. Refuses and repairs as `opened` does."""
    with opened(path, notice=notice) as file:
        return None if file is None else file.read(limit)


def write_private(path: Path, data: bytes, *, notice: Notice | None = None) -> None:
    """Replace the file whole: after a crash it has the old or the new content. StorageError leaves the old."""
    PendingWrite(path, notice=notice).commit(data)


def reserve(path: Path, size: int, *, notice: Notice | None = None) -> PendingWrite:
    """Prove that `size` bytes can be written beside `path`, and keep the room until it is used or discarded."""
    return PendingWrite(path, size, notice=notice)


class PendingWrite:
    """A temporary file beside its target, until `commit` or `discard`; forgotten means discarded.

    StorageError when it cannot be made, or there is no room for `size` bytes.
    """

    def __init__(self, path: Path, size: int = 0, *, notice: Notice | None = None, tag: str | None = None) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{tag or os.urandom(8).hex()}.tmp")
        private_directory(path.parent, notice=notice)
        _sweep(path)
        with reported("write", path):
            self._file = io.FileIO(open_own(self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL), "r+b")
        self.discard = weakref.finalize(self, _remove, self._file.close, self.temporary, os.getpid())
        if size:
            try:
                # Random bytes: a file system that compresses would keep next to no room for zeros.
                self._fill(os.urandom(size))
            except BaseException:
                self.discard()
                raise

    def commit(self, data: bytes) -> None:
        """Make this the content of the target. StorageError leaves the target as it was."""
        try:
            self._fill(data)
            with reported("write", self.path):
                self._file.close()
                replace(self.temporary, self.path)
        finally:
            self.discard()
        with reported("write", self.path):
            sync_directory(self.path.parent)

    def _fill(self, data: bytes) -> None:
        with reported("write", self.path):
            self._file.seek(0)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._file.truncate()
            os.fsync(self._file.fileno())


def set_aside(path: Path, now: datetime | None = None) -> Path:
    """Rename a damaged file to ``<name>.corrupt-<UTC time>`` and return its new path."""
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%fZ")
    with reported("move", path):
        return path.rename(path.with_name(f"{path.name}.corrupt-{moment}"))


def _sweep(path: Path) -> None:
    """Remove what writers of this file left that were killed."""
    prefix, oldest = f".{path.name}.", time.time() - _ABANDONED
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix) or not entry.name.endswith(".tmp"):
                continue
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry.path).unlink()


def _remove(close: Callable[[], None], temporary: Path, owner: int) -> None:
    with contextlib.suppress(OSError):
        close()
        if os.getpid() == owner:  # a forked child must not remove what its parent still needs
            temporary.unlink()


def replace(
    source: Path, target: Path, *, platform: str = sys.platform, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Let the target be the source from now on. OSError."""
    if platform == "win32":
        # Windows refuses while a reader has the target open, which takes no more than a moment.
        for _ in range(20):
            with contextlib.suppress(PermissionError):
                source.replace(target)
                return
            sleep(0.01)
    source.replace(target)


def sync_directory(path: Path, *, platform: str = sys.platform) -> None:
    """Have what the directory lists written to the disk; Windows opens no directories. OSError."""
    if platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as exc:
        # Some network file systems cannot sync a directory; the rename is as safe there as it gets.
        if exc.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(fd)
