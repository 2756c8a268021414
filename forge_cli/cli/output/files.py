"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ...errors import StorageError
from ...files import followed, open_to_write
from ..streams import descriptor


@contextmanager
def output_file(path: str, *, private: bool = False, option: str = "-o") -> Iterator[BinaryIO]:
    """A file that replaces `path` when everything went well; until then the old one stays.

    `private`: its owner alone may read it. StorageError, before anything is sent, when it cannot be made.
    """
    path = os.path.expanduser(path)
    number = descriptor(path)
    if number is not None:
        with _translated(path, option):
            copy = os.fdopen(os.dup(number), "wb")
        with copy:
            yield copy
        return
    with _translated(path, option):
        path = followed(path)
        old = _old(path)
        whole = old is None or stat.S_ISREG(old.st_mode)
        folder, name = os.path.split(path)
        part = os.path.join(folder, f".{name[:200]}.{os.urandom(4).hex()}.part") if whole else path
        file = _opened(part, 0o600 if private else 0o666) if whole else _device(path)
    if not whole:
        with file:  # a device or a pipe: nothing to replace
            yield file
        return
    try:
        with file:
            yield file
        with _translated(path, option):
            if old is not None and not private:
                os.chmod(part, stat.S_IMODE(old.st_mode))
            os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _opened(part: str, mode: int) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode), "wb")


def _device(path: str) -> BinaryIO:
    return os.fdopen(open_to_write(path, create=False), "wb")


def _old(path: str) -> os.stat_result | None:
    """The file that is to be replaced. OSError when it may not be."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return found


@contextmanager
def _translated(path: str, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        reason = (exc.strerror or "").lower()
        raise StorageError(f"cannot write {path!r}: {reason}", hint=f"choose another file with {option}") from exc
