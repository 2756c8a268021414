"""Which project files a person has allowed: by their content, never by their place or by what they say."""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from .. import files
from ..compiled import compiled
from ..errors import ProfileError, StorageError
from ..files.places import Notice
from .document import LARGEST, Document
from .kinds import Problem
from .toml import key, spelled

PROJECT_FILE = ".forge.toml"
VERSION = 1

_DIGEST = compiled(r"[0-9a-f]{64}")
# Seconds. The lock is held for one read and one write.
_LOCK_SECONDS = 10.0
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_SAFELY = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Allowed(NamedTuple):
    """What is known of a content that was allowed: where it was then, and when that was."""

    path: str
    since: str


class Trust:
    """The contents that the user has allowed, by SHA-256, in `trust.toml` of the configuration directory."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, notice: Notice = lambda text: None) -> None:
        self._environ = environ
        self._notice = notice

    @property
    def path(self) -> Path:
        """Where it is kept. StorageError without a home."""
        return files.config_dir(self._environ) / "trust.toml"

    def holds(self, digest: str) -> bool:
        """Whether this content is allowed, by FORGE_TRUST or by the file. StorageError when that is not one's own."""
        if self._environ.get("FORGE_TRUST", "").strip().lower() == digest:
            return True
        try:
            path = self.path
        except StorageError:
            return False  # no home directory, so nothing was ever allowed
        return digest in (_read(path, self._notice) or {})

    def entries(self) -> dict[str, Allowed]:
        """All of them, in the order in which they were allowed; of a damaged file none."""
        return _read(self.path, self._notice) or {}

    def add(self, digest: str, path: Path, now: datetime | None = None) -> None:
        """Allow a content that was seen at `path`."""
        moment = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._locked() as known:
            known.pop(digest, None)
            known[digest] = Allowed(str(path), moment)

    def remove(self, digest: str | None, path: Path) -> list[str]:
        """Allow this content no longer, nor any other that was seen at `path`: the digests that were known."""
        with self._locked() as known:
            gone = [each for each, allowed in known.items() if each == digest or allowed.path == str(path)]
            for each in gone:
                del known[each]
        return gone

    def _locked(self) -> _Change:
        return _Change(self.path, self._notice)


class _Change:
    """One change of the file: read again under the lock, and written before it is released."""

    def __init__(self, path: Path, notice: Notice) -> None:
        self._path, self._notice = path, notice
        self._lock = files.lock(path.parent / "state" / "trust.lock", _LOCK_SECONDS, notice=notice)

    def __enter__(self) -> dict[str, Allowed]:
        self._lock.__enter__()
        try:
            known = _read(self._path, self._notice)
            if known is None:
                aside = files.set_aside(self._path)
                self._notice(
                    f"{self._path} was damaged and is now {aside.name}: what it allowed has to be allowed again"
                )
        except BaseException as exc:
            self._lock.__exit__(type(exc), exc, exc.__traceback__)
            raise
        self._known = known or {}
        self._before = dict(self._known)
        return self._known

    def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
        try:
            if kind is None and list(self._known.items()) != list(self._before.items()):
                files.write_private(self._path, _written(self._known), notice=self._notice)
        finally:
            self._lock.__exit__(kind, exc, trace)


def project_file(cwd: Path) -> Path | None:
    """The nearest project file, here or in a directory above.

    A link counts, also one that leads nowhere: nobody may hide a project file and so change which profile is meant.
    """
    candidates = (folder / PROJECT_FILE for folder in (cwd, *cwd.parents))
    return next((path for path in candidates if os.path.lexists(path) and not os.path.isdir(path)), None)


def content(path: Path) -> bytes:
    """The file's bytes, read once: what is hashed is what is parsed. ProfileError when they cannot be had."""
    try:
        # Not blocking, for the name may be that of a FIFO.
        fd = os.open(path, os.O_RDONLY | _SAFELY)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ProfileError(f"{path} is not a regular file", hint="move it away, or ignore it: --no-project")
            raw = file.read(LARGEST + 1)
    except OSError as exc:
        reason = (exc.strerror or type(exc).__name__).lower()
        raise ProfileError(f"{path} cannot be read: {reason}", hint="`--no-project` ignores it") from exc
    if len(raw) > LARGEST:
        raise ProfileError(f"{path} is larger than 1 MiB", hint="a profile file holds profiles only")
    return raw


def digest_of(raw: bytes) -> str:
    """What a content is known by."""
    return hashlib.sha256(raw).hexdigest()


def programs(document: Document) -> Iterator[tuple[tuple[str | int, ...], list[Any]]]:
    """Every program that a file names: its place, and its words."""
    for top in ("profiles", "auth"):
        tables = document.data.get(top)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            yield from _programs(table, (top, name))


def relative_programs(document: Document) -> list[Problem]:
    """The programs that are found beside the file, where anybody who can write there could put another."""
    return [
        Problem(place, f"{words[0]!r} is a relative path, and those are not run for a project's file")
        for place, words in programs(document)
        if words and isinstance(words[0], str) and _is_relative(words[0])
    ]


def _programs(table: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], list[Any]]]:
    if not isinstance(table, dict):
        return
    for name, value in table.items():
        here = (*place, name)
        if isinstance(value, dict):
            yield from _programs(value, here)
        elif isinstance(value, list) and (name == "command" or (place[-1] == "tokens" and name in _STORAGE_PROGRAMS)):
            yield here, value


_STORAGE_PROGRAMS = ("read", "write", "delete")


def _is_relative(program: str) -> bool:
    """Whether a program is found from the file's folder: a bare name is looked for in PATH, and `~/` is home."""
    rooted = os.path.isabs(program) or program.startswith("~/")
    return not rooted and any(separator in program for separator in _SEPARATORS)


def _read(path: Path, notice: Notice) -> dict[str, Allowed] | None:
    """What the file says, None when it is damaged. StorageError for a newer one and for somebody else's."""
    try:
        raw = files.read_private(path, notice=notice)
    except files.TooLarge:
        return None
    if raw is None:
        return {}
    try:
        data = tomllib.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    version, entries = data.get("version"), data.get("files", {})
    if isinstance(version, int) and version > VERSION:
        raise StorageError(f"{path} was written by a newer forge", hint="upgrade forge")
    if version != VERSION or not isinstance(entries, dict):
        return None
    return {
        digest: Allowed(str(entry.get("path", "")), str(entry.get("since", "")))
        for digest, entry in entries.items()
        if isinstance(entry, dict) and _DIGEST.fullmatch(digest)
    }


def _written(known: Mapping[str, Allowed]) -> bytes:
    lines = [f"version = {VERSION}", "", "[files]"]
    for digest, allowed in known.items():
        # A file name need not be Unicode; TOML has to be.
        path = allowed.path.encode("utf-8", "replace").decode()
        lines.append(f"{key(digest)} = {spelled({'path': path, 'since': allowed.since})}")
    return "\n".join([*lines, ""]).encode()
