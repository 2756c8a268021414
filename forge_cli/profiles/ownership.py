"""Whose a profile file is: it says where credentials go and which programs run, so nobody else may put one there."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import StorageError
from ..files import on_windows

_OTHERS_SEARCH = 0o011


def check_own(path: Path, info: os.stat_result, notice: Callable[[str], None]) -> None:
    """See that the user's own file is theirs. StorageError when it, or its directory, is another user's.

    `info` is of the file that was opened. What others can write to is told.
    """
    for each, owner in _owners(path, info):
        if owner not in (os.geteuid(), 0):
            raise StorageError(
                f"{each} belongs to another user, who would say where credentials go and which programs run",
                hint=f"run forge as that user, or name the file on purpose: --config {shlex.quote(str(path))}",
            )
    _tell_open(path, info, notice)


def tell_odd(path: Path, info: os.stat_result, notice: Callable[[str], None]) -> None:
    """Tell what is odd about a file that was named on purpose: in a build its owner is often another one."""
    if not stat.S_ISREG(info.st_mode):
        return  # what a shell hands over lies nowhere
    foreign = next((each for each, owner in _owners(path, info) if owner not in (os.geteuid(), 0)), None)
    if foreign is not None:
        notice(f"{foreign} belongs to another user, who can say where credentials go and which programs run")
    _tell_open(path, info, notice)


def applies() -> bool:
    """Whether files have owners and modes here."""
    return not on_windows()


def _owners(path: Path, info: os.stat_result) -> list[tuple[Path, int]]:
    """The file, the links to it and their directories, with the owner of each."""
    real = Path(os.path.realpath(path))
    places = dict.fromkeys((path.parent, real.parent))
    link = [(path, path.lstat().st_uid)] if path.is_symlink() else []
    return [(path, info.st_uid), *link, *((place, place.stat().st_uid) for place in places)]


def _tell_open(path: Path, info: os.stat_result, notice: Callable[[str], None]) -> None:
    real = Path(os.path.realpath(path))
    folders = {place: place.stat() for place in dict.fromkeys((path.parent, real.parent))}
    loose = [place for place, found in folders.items() if _others_write(found) and not found.st_mode & stat.S_ISVTX]
    # Nobody comes to a file whose directory they may not search.
    if _others_write(info) and folders[real.parent].st_mode & _OTHERS_SEARCH:
        loose.append(path)
    if loose:
        names = " ".join(shlex.quote(str(place)) for place in loose)
        notice(
            f"other users can write to {' and '.join(map(str, loose))}, and say where credentials go\n"
            f"  as the owner: chmod go-w {names}"
        )


def _others_write(info: os.stat_result) -> bool:
    """Whether others can write there. A group of the owner's number is, by custom, the owner's alone."""
    group = info.st_mode & stat.S_IWGRP and info.st_gid != info.st_uid
    return bool(group or info.st_mode & stat.S_IWOTH)
