"""Files that a person named: links of their own are followed to them, those that another user made are not."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import deque

from ..errors import StorageError

_MOST = 40
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PLAINLY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# Its links name open files, not places.
_OPEN_FILES = "/proc/"


def followed(path: str, *, platform: str = sys.platform) -> str:
    """The absolute path without links, as of `os.path.realpath`. StorageError for a link that another user made.

    A link is followed when it is this user's or the superuser's, or belongs to whoever owns its directory: what Linux
    does in directories such as /tmp (`fs.protected_symlinks`), in every directory.
    """
    if platform == "win32":
        return os.path.realpath(path)
    here, links = "/", 0
    names = deque((path if path.startswith("/") else f"{os.getcwd()}/{path}").split("/"))
    while names:
        name = names.popleft()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, name)
        if there.startswith(_OPEN_FILES) or (owner := _link_owner(there)) is None:
            here = there
            continue
        if owner not in (os.geteuid(), 0, os.lstat(here).st_uid):
            raise StorageError(
                f"{there!r} is a link that another user made", hint="remove it, or name the file that it leads to"
            )
        links += 1
        if links > _MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(there)
        here = "/" if target.startswith("/") else here
        names.extendleft(reversed(target.split("/")))
    return here


def _link_owner(path: str) -> int | None:
    """Whose link this is, None for what is no link, or not there."""
    try:
        info = os.lstat(path)
    except (OSError, ValueError):
        return None
    return info.st_uid if stat.S_ISLNK(info.st_mode) else None


def open_to_write(path: str, *, append: bool = False, create: bool = True, read: bool = False) -> int:
    """A descriptor for a path that `followed` gave, which is no link by now; an old content is lost, or added to.

    With `read` it can be read as well.
    """
    flags = (
        (os.O_RDWR if read else os.O_WRONLY)
        | _PLAINLY
        | (os.O_APPEND if append else os.O_TRUNC)
        | (os.O_CREAT if create else 0)
    )
    return os.open(path, flags | (0 if path.startswith(_OPEN_FILES) else _NO_LINK), 0o666)
