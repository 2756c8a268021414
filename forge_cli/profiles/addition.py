"""The profile file with one more profile: checked before it is written, and written whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import LockTimeout, ProfileError, StorageError
from ..files import config_dir, lock, private_directory, unwritable
from .document import LARGEST, Document, load_document
from .load import Source
from .validate import check, describe

# The lock is held for as long as it takes to read, check and write one file.
_LOCK_SECONDS = 30.0


class ProfileFile:
    """The profile file as it is, and with one more profile."""

    def __init__(self, source: Source, notice: Callable[[str], None]) -> None:
        self._own = source.named_by == "user"
        self._named_by = source.named_by
        self._notice = notice
        self._path = source.path
        self._is_new = not os.path.exists(self._path)
        self._data = source.data
        self._document = Document(self._path, "", {}) if self._is_new else load_document(self._path, source.data)

    def name_trouble(self, name: str) -> str | None:
        """Why a new profile cannot have this name."""
        if name in self._document.profiles:
            line = self._document.line(("profiles", name))
            return f"there is such a profile already, at {self._path}:{line}"
        return self._first_problem(name, {})

    def url_trouble(self, name: str) -> Callable[[str], str | None]:
        """A check of the base URL of a new profile."""
        return lambda url: plain_url_trouble(url) or self._first_problem(name, {"base_url": url})

    def add(self, name: str, text: str) -> Document:
        """Append the profile to the file as it now is, after a look at what that then says.

        ProfileError leaves it as it was: the profile is not right, somebody took its name meanwhile, or the
        file is changed at this very moment. LockTimeout, StorageError.
        """
        with _alone(self._path, self._notice):
            before = _content(self._path)
            self._reread(before, name)
            document, after = self._appended(before, name, text)
            if self._own:
                private_directory(self._path.parent, notice=self._notice)
            _replace(self._path, before, after)
        if self._named_by == "project":
            self._notice(f"{self._path} is another file now\n  allow it again: forge trust")
        return document

    def _reread(self, now: bytes | None, name: str) -> None:
        """Take the file as it is now: the answers of a person may have taken minutes."""
        if self._data is not None and now != self._data:
            raise _changed(self._path)
        self._is_new = now is None
        self._document = Document(self._path, "", {}) if now is None else load_document(self._path, now)
        if name in self._document.profiles:
            raise ProfileError(f"{name}: {self.name_trouble(name)}", hint="choose another name")

    def _appended(self, before: bytes | None, name: str, text: str) -> tuple[Document, bytes]:
        """What the file is to be. ProfileError: it would not be right."""
        old = b"version = 1\n" if before is None else before
        gap = b"\n" if old.endswith(b"\n") else b"\n\n" if old else b""
        new = old + gap + text.encode()
        if b"\r\n" in old:
            new = old + new[len(old) :].replace(b"\n", b"\r\n")
        if len(new) > LARGEST:
            raise ProfileError(f"{self._path} would become larger than 1 MiB", hint="name another file with --config")
        after = new.decode("utf-8-sig")
        try:
            document = Document(self._path, after, tomllib.loads(after))
        except tomllib.TOMLDecodeError:
            document = Document(self._path, after, {})
        if set(document.profiles) != {*self._document.profiles, name}:
            raise ProfileError(
                f"{self._path}: `profiles` is not written as tables, so none can be added below",
                hint="write each as a table of its own, [profiles.NAME]",
            )
        if found := check(document, name)[1]:
            raise ProfileError(f"{self._path}: not written", problems=[describe(document, each) for each in found])
        return document, new

    def _first_problem(self, name: str, table: Mapping[str, Any]) -> str | None:
        probe = Document(self._path, "", {"profiles": {**self._document.profiles, name: table}})
        found = check(probe, name)[1]
        return found[0].message if found else None


def plain_url_trouble(url: str) -> str | None:
    """Why a text is no URL to write into a profile."""
    if not url.isprintable():
        return "holds a character that no URL has"
    try:
        user = urlsplit(url).username
    except ValueError:
        return "is no URL"
    return None if user is None else "holds a user name: leave it out, and log in by basic"


@contextmanager
def _alone(path: Path, notice: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of this file. Where nothing private can be written, the look before the rename has to do."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]
    with ExitStack() as stack:
        try:
            place = config_dir() / "state" / f"profiles-{name}.lock"
            stack.enter_context(lock(place, _LOCK_SECONDS, remove=True, notice=notice))
        except LockTimeout:
            raise
        except StorageError as exc:
            # Without a cause: there is no home. Somebody else's file, or a link, is no reason to go on.
            if exc.__cause__ is not None and not unwritable(exc):
                raise
        yield


def _content(path: Path) -> bytes | None:
    """What the file holds, None when there is none. StorageError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StorageError(f"{path} cannot be read: {(exc.strerror or 'failed').lower()}") from exc


def _changed(path: Path) -> ProfileError:
    return ProfileError(f"{path} was changed meanwhile: nothing is written", hint="run the command again")


def _replace(path: Path, before: bytes | None, data: bytes) -> None:
    """Replace a file whole; its mode stays, and a link stays a link.

    ProfileError, when it no longer holds what it held `before`, and StorageError leave its content.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            shutil.copymode(target, temporary)
        # An editor takes no lock.
        if _content(path) != before:
            raise _changed(path)
        temporary.replace(target)
    except OSError as exc:
        raise StorageError(
            f"{path} cannot be written: {(exc.strerror or 'failed').lower()}",
            hint="make it writable, or name another with --config",
        ) from exc
    finally:
        with suppress(OSError):
            temporary.unlink()
