"""What `forge token show` printed, for as long as nothing that it was made from has changed.

A script asks for the same token again and again. What is kept of an answer is where in the token file it stands, and
what the answer depends on: the command line, the directory, the environment, the content of each file that was read,
and how long the token can be used. While all of that is as it was, the answer is as well, and neither the profile nor
click has to be loaded to give it. The token itself is kept where tokens are, and nowhere else.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from .. import __version__
from ..home import config_home

_HEAD = f"forge {__version__} answer 1"
# Seconds: what an answer depends on is known, but what is forgotten by itself needs no tidying.
_LONGEST = 3600.0
_MOST = 32
_LARGEST = 8 * 1024 * 1024
# What shells change from one command to the next; where the command runs is asked of the system.
_NOISE = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

Content = tuple[str, bytes]
"""What tells whether a file is as it was (its kind, mode, owner and digest), and its content."""


def answer(arguments: Sequence[str], environ: Mapping[str, str], *, now: float | None = None) -> bytes | None:
    """What this command printed before, None when it has to be found out anew. `now` is in seconds since 1970."""
    try:
        path = _path(arguments, environ)
        if path is None:
            return None
        fingerprint, data = _content(path)
        if not fingerprint.startswith(_own(0o600)):
            return None
        body, _, digest = data.rpartition(b"\n")
        if digest.decode() != sha256(body).hexdigest():
            return None  # a torn one
        lines = body.decode("utf-8", "surrogateescape").split("\n")
        return _answer(lines, time.time() if now is None else now)
    except (OSError, ValueError):
        return None


def _answer(lines: list[str], now: float) -> bytes | None:
    """The answer that a record stands for, when all of it still holds. ValueError for another version's."""
    head, made, until, where, before, *inputs = lines
    if head != _HEAD or not float(made) <= now < float(until):
        return None
    kept: dict[str, bytes] = {}
    for line in inputs:
        kind, _, rest = line.partition(" ")
        if kind == "file":
            known, _, path = rest.partition(" ")
            fingerprint, kept[path] = _content(path)
            if fingerprint != known:
                return None
        elif kind == "folder":
            known, _, path = rest.partition(" ")
            if _mark(os.stat(path)) != known:
                return None
        elif kind != "absent" or os.path.lexists(rest):
            return None
    offset, length, path = where.split(" ", 2)
    token = kept[path][int(offset) :][: int(length)]
    return before.encode("utf-8", "surrogateescape") + token + b"\n"


class Watch:
    """What an answer depends on, looked at before it is read; then whether it is still the same is known.

    `absent` are paths where nothing may be, for what is there would be read instead.
    """

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], absent: Iterable[str] = ()) -> None:
        self._arguments = arguments
        self._environ = environ
        self._absent = tuple(absent)
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._lost = False

    def file(self, path: str) -> None:
        """Say that this file is going to be read. Whose its folder is counts as well, and who may write there."""
        try:
            self._files[path] = _content(path)[0]
            folder = os.path.dirname(path)
            self._folders[folder] = _mark(os.stat(folder))
        except OSError:
            self._lost = True

    def keep(self, text: str, token: str, path: str, until: float) -> None:
        """Remember that `text`, which is the token and perhaps something before it, is the answer.

        `path` is the watched file that has the token, `until` when it can no longer be used (seconds since 1970).
        Nothing is kept when a file has changed meanwhile, or when it cannot be written: it is a matter of speed alone.
        """
        before = text.removesuffix(f"{token}\n")
        parts = [before, path, *self._files, *self._folders, *self._absent]
        if self._lost or len(before) == len(text) or any("\n" in part for part in parts):
            return
        try:
            contents = {each: _content(each) for each in self._files}
            written = token.encode()
            offset = contents[path][1].find(written)
            if offset < 0 or {each: found[0] for each, found in contents.items()} != self._files:
                return
            now = time.time()
            lines = [
                _HEAD,
                str(now),
                str(min(until, now + _LONGEST)),
                f"{offset} {len(written)} {path}",
                before,
                *(f"file {known} {each}" for each, known in self._files.items()),
                *(f"folder {known} {each}" for each, known in self._folders.items()),
                *(f"absent {each}" for each in self._absent),
            ]
            place = _path(self._arguments, self._environ)
            if place is not None:
                body = "\n".join(lines).encode("utf-8", "surrogateescape")
                _write(place, body + b"\n" + sha256(body).hexdigest().encode())
        except (OSError, ValueError):
            return


def _path(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The file of what is kept of this very command, here and in this environment; None where there is no key."""
    home = config_home(environ)
    if home is None:
        return None
    # The environment may hold secrets that can be guessed: what tells environments apart is keyed.
    key = _content(f"{home}/state/digest.key")[1]
    said = [os.getcwd(), *arguments, "", *(f"{k}={v}" for k, v in sorted(environ.items()) if k not in _NOISE)]
    asked = "\0".join([str(len(arguments)), *said]).encode("utf-8", "surrogateescape")
    return f"{home}/state/answers/{sha256(key + asked).hexdigest()[:32]}"


def _content(path: str) -> Content:
    """The content of a regular file. OSError, also when it is none or very large."""
    link = os.lstat(path)
    fd = os.open(path, _FLAGS)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _LARGEST:
            raise OSError(f"{path} is no file of ours")
        data = b""
        while piece := os.read(fd, info.st_size + 1):
            data += piece
    finally:
        os.close(fd)
    return f"{_mark(link)}:{_mark(info)}:{sha256(data).hexdigest()}", data


def _mark(info: os.stat_result) -> str:
    return f"{info.st_mode:o}:{info.st_uid}"


def _own(mode: int) -> str:
    """What begins the mark of a regular file of ours."""
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    return f"{stat.S_IFREG | mode:o}:{uid}:"


def _write(path: str, data: bytes) -> None:
    """Replace the file. It need not outlive a crash, so nothing waits for the disk."""
    folder = os.path.dirname(path)
    os.makedirs(folder, 0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    _tidy(folder)


def _tidy(folder: str) -> None:
    """Let the oldest go."""
    with os.scandir(folder) as entries:
        kept = sorted((entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries)
    for _, path in kept[:-_MOST]:
        os.unlink(path)
