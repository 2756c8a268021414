"""Where private files are, and whose they must be."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import StorageError
from ..home import config_home

Notice = Callable[[str], None]
"""Where one line for the person goes."""

_CHOOSE = "set FORGE_CONFIG_DIR to a directory that you can write to"
_OTHERS, _OTHERS_WRITE = 0o077, 0o022
# None of these flags exists on Windows but O_BINARY, and that only there. O_NONBLOCK keeps a planted FIFO
# from blocking the open for ever.
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR})


def config_dir(environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path:
    """The user configuration directory; it need not exist. StorageError when nothing says where it is."""
    found = config_home(environ, platform=platform)
    if found is not None:
        return Path(found)
    if platform == "win32":
        # platformdirs asks the system. It takes longer to import than a token to read, so only without the variable.
        return Path(importlib.import_module("platformdirs").user_config_dir("forge", appauthor=False))
    raise StorageError("HOME is not set, so there is no place for settings and tokens", hint=_CHOOSE)


def on_windows(*, platform: str = sys.platform) -> bool:
    """Whether this is Windows, where files have no modes and other names."""
    return platform == "win32"


def private_directory(path: Path, *, notice: Notice | None = None, platform: str = sys.platform) -> None:
    """Make the directory and its missing parents, 0700; repair a loose one. StorageError when it is not one's own."""
    with reported("make", path):
        missing = [] if path.is_dir() else [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            # Another process may be quicker.
            with contextlib.suppress(FileExistsError):
                each.mkdir(0o700)
                each.chmod(0o700)  # a umask may take even the owner's bits
        check_directory(path, notice, platform=platform)


def check_directory(path: Path, notice: Notice | None, *, platform: str = sys.platform) -> None:
    """Repair a loose directory. StorageError when it is not one's own; OSError. Windows has no modes to repair."""
    info = path.stat()
    if platform == "win32":
        return
    if info.st_mode & stat.S_ISVTX and info.st_mode & _OTHERS_WRITE:
        raise StorageError(f"{path} is shared by all users", hint=_CHOOSE)
    _check_owner(path, info)
    if info.st_mode & _OTHERS:
        _tighten(path, info, 0o700, path.chmod, notice)


def open_own(path: Path, flags: int, notice: Notice | None = None, *, platform: str = sys.platform) -> int:
    """Open one's own regular file, 0600 under any umask; links are not followed. StorageError, OSError."""
    if platform == "win32" and path.is_symlink():
        # There is no flag for that: who could make a link there in this moment can write there anyway.
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    fd = os.open(path, flags | _SAFELY, 0o600)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise StorageError(f"{path} is not a regular file", hint="move it away")
        if platform != "win32":
            _check_owner(path, info)
        if platform != "win32" and info.st_mode & (_OTHERS | 0o600) != 0o600:
            _tighten(path, info, 0o600, lambda mode: os.fchmod(fd, mode), notice)
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def reported(doing: str, path: Path) -> Iterator[None]:
    """Turn OSErrors into StorageError with a hint that fits."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_ROOM:
            hint = "free some space, or set FORGE_CONFIG_DIR to a directory on another disk"
        elif exc.errno in {errno.ELOOP, errno.EMLINK}:
            hint = "remove the symbolic link"
        else:
            hint = _CHOOSE
        reason = (exc.strerror or type(exc).__name__).lower()
        raise StorageError(f"cannot {doing} {path}: {reason}", hint=hint) from exc


def too_open(path: Path, forbidden: int = _OTHERS, *, platform: str = sys.platform) -> str | None:
    """What is wrong with whose it is or who else may use it, None when nothing is. OSError.

    Windows has no modes: there the rights of the home directory count.
    """
    if platform == "win32":
        return None
    info = path.stat()
    if info.st_uid not in (os.geteuid(), 0):
        return "belongs to another user"
    return f"is open to other users ({info.st_mode & 0o7777:04o})" if info.st_mode & forbidden else None


def unwritable(error: StorageError) -> bool:
    """Whether the place is the reason: a full or read-only disk, a missing or locked directory."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _NO_ROOM | _NOT_ALLOWED


def _check_owner(path: Path, info: os.stat_result) -> None:
    if info.st_uid != os.geteuid():
        raise StorageError(f"{path} belongs to another user", hint=f"run forge as that user, or {_CHOOSE}")


def _tighten(path: Path, info: os.stat_result, mode: int, change: Callable[[int], None], notice: Notice | None) -> None:
    try:
        change(mode)
        told = f"{path} was open to other users: its mode is now {mode:04o}"
    except OSError:
        # Some file systems have no modes (FAT, many network mounts): it is still one's own, so say it and go on.
        told = f"{path} may be open to other users, and its mode cannot be changed"
    if info.st_mode & _OTHERS and notice is not None:
        notice(told)
