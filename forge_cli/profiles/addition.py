"""The profile file with one more profile: checked before it is written, and written whole."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import ProfileError, StorageError
from ..files import private_directory
from .document import LARGEST, Document, load_document
from .load import Source
from .validate import check, describe


class ProfileFile:
    """The profile file as it is, and with one more profile."""

    def __init__(self, source: Source, notice: Callable[[str], None]) -> None:
        self._own = source.named_by == "user"
        self._named_by = source.named_by
        self._notice = notice
        self._path = source.path
        self._is_new = not os.path.exists(self._path)
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
        """Append the profile, after a look at what the file then says. ProfileError leaves it as it was."""
        old = b"version = 1\n" if self._is_new else self._path.read_bytes()
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
        if self._own:
            private_directory(self._path.parent, notice=self._notice)
        _replace(self._path, new)
        if self._named_by == "project":
            self._notice(f"{self._path} is another file now\n  allow it again: forge trust")
        return document

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


def _replace(path: Path, data: bytes) -> None:
    """Replace a file whole; its mode stays, and a link stays a link. StorageError leaves the old content."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as exc:
        raise StorageError(
            f"{path} cannot be written: {(exc.strerror or 'failed').lower()}",
            hint="make it writable, or name another with --config",
        ) from exc
    finally:
        with suppress(OSError):
            temporary.unlink()
