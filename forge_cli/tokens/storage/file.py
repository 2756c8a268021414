"""Tokens in a TOML file that every process of one user shares."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from ... import files
from ...errors import StorageError
from ...interfaces import TokenStorageInterface
from ...models import TokenData, aware
from ...registry import Registry
from .record import to_fields, to_record

_LOG = Registry("log", {"logger": "logging:getLogger"})
"""For programs that name no place for notices. It takes longer to import than a token to read."""

VERSION = 1
MOST_ENTRIES = 200

# Seconds for the lock around one read-merge-write, which itself takes milliseconds.
_SHORT = 10.0
# Bytes kept free beyond the present size, for the token that a renewal brings.
_ROOM = 64 * 1024
_OTHER = "check what the login step extracts"


class _Damaged(Exception):
    """The file is not what `set` writes."""


class _Document:
    """The file's content as of one stamp; tokens are made when they are asked for."""

    def __init__(self, content: dict[str, Any], stamp: files.Stamp | None = None) -> None:
        self.content = content
        self.stamp = stamp
        self.entries: dict[str, Any] = content["tokens"]
        self._made: dict[str, TokenData] = {}

    def token(self, key: str) -> TokenData:
        """The token of a key. KeyError when there is none, ValueError when its entry is damaged."""
        if key not in self._made:
            self._made[key] = TokenData(**to_fields(self.entries[key]))
        return self._made[key]


class FileTokenStorage(TokenStorageInterface):
    """Keeps many tokens in one file that only its owner can read. Safe between threads and processes.

    `notice` gets a line when something was repaired or set aside, each line once; the default logs it.
    """

    def __init__(
        self,
        path: Path,
        *,
        notice: Callable[[str], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = Path(path)
        self._notice = notice or _log
        self._now = now
        self._told: set[str] = set()
        self._seen: _Document | None = None
        self._thread = threading.local()

    def get(self, key: str) -> TokenData | None:
        try:
            return self._document().token(key)
        except KeyError:
            return None
        except ValueError:
            self._tell(f"an entry of {self.path} is damaged and is ignored")
            return None

    def set(self, key: str, token: TokenData) -> None:
        record = to_record(token)

        def put(entries: dict[str, Any]) -> bool:
            entries[key] = record
            _drop_oldest(entries, key, self._now())
            return True

        room = self._rooms().pop(key, None)
        try:
            self._change(put, room)
        finally:
            if room is not None:
                room.discard()

    def delete(self, key: str) -> None:
        if key in self._document().entries:
            self._change(lambda entries: entries.pop(key, None) is not None)

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def keys(self) -> list[str]:
        """The keys that have a token."""
        return [key for key, _ in self.items()]

    def items(self) -> list[tuple[str, TokenData]]:
        """Every key with its token."""
        pairs = ((key, self.get(key)) for key in list(self._document().entries))
        return [(key, token) for key, token in pairs if token is not None]

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        return self._locked(key, timeout)

    def reserve(self, key: str) -> None:
        """As the interface says; the room is kept for this thread's next `set` of the key, or the end of its lock."""
        self._free(key)
        with self._file_lock():
            with files.opened(self.path, notice=self._tell) as file:
                size = 0 if file is None else file.size
            self._rooms()[key] = files.reserve(self.path, size + _ROOM, notice=self._tell)

    @contextmanager
    def _locked(self, key: str, timeout: float) -> Iterator[None]:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = self.path.parent / ".locks" / f"{self.path.stem}.{digest}.lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(files.lock(path, timeout, remove=True, on_wait=self._waiting, notice=self._tell))
            except StorageError as exc:
                if not files.unwritable(exc):
                    raise
                # What cannot hold a lock file cannot share a token either; `reserve` and `set` say so.
                stack.enter_context(super().lock(key, timeout))
            stack.callback(self._free, key)
            yield

    def _rooms(self) -> dict[str, files.PendingWrite]:
        rooms: dict[str, files.PendingWrite] = self._thread.__dict__.setdefault("rooms", {})
        return rooms

    def _free(self, key: str) -> None:
        room = self._rooms().pop(key, None)
        if room is not None:
            room.discard()

    def _file_lock(self) -> AbstractContextManager[None]:
        return files.lock(self.path.with_name(f"{self.path.name}.lock"), _SHORT, notice=self._tell)

    def _change(self, edit: Callable[[dict[str, Any]], bool], room: files.PendingWrite | None = None) -> None:
        """Read, edit and write under the file's lock, so that no process loses another's entry."""
        with self._file_lock():
            document = self._sound_document()
            for key in [key for key, record in document.entries.items() if not _is_sound(record)]:
                del document.entries[key]
                self._tell(f"an entry of {self.path} was damaged and is dropped")
            if edit(document.entries):
                data = _encoded(document.content, self.path)
                (room or files.PendingWrite(self.path, notice=self._tell)).commit(data)

    def _document(self) -> _Document:
        """What is in the file now, never to be changed; empty when there is none or it was damaged."""
        try:
            with files.opened(self.path, notice=self._tell) as file:
                seen = self._seen
                if file is not None and (seen is None or file.stamp is None or seen.stamp != file.stamp):
                    seen = self._seen = _Document(_decoded(file), file.stamp)
                return _empty() if file is None or seen is None else seen
        except _Damaged:
            pass
        try:
            with self._file_lock():
                return self._sound_document()
        except StorageError as exc:
            if not files.unwritable(exc):
                raise
            self._tell(f"{self.path} is damaged and cannot be moved aside: it is ignored")
            return _empty()

    def _sound_document(self) -> _Document:
        """A fresh reading by whoever has the file's lock: only then nobody is just replacing a damaged file."""
        try:
            with files.opened(self.path, notice=self._tell) as file:
                return _empty() if file is None else _Document(_decoded(file))
        except _Damaged:
            aside = files.set_aside(self.path, self._now())
            self._tell(f"{self.path} was damaged: it is now {aside.name}, and its tokens have to be obtained again")
            return _empty()

    def _waiting(self, seconds: float) -> None:
        self._notice(f"waiting for another process that renews a token of {self.path}")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notice(text)


def _log(text: str) -> None:
    _LOG.load("logger")(__name__).warning("%s", text)


def _empty() -> _Document:
    return _Document({"version": VERSION, "tokens": {}})


def _decoded(file: files.PrivateFile) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read().decode())
    except (files.TooLarge, ValueError, RecursionError):
        raise _Damaged from None  # the original may quote a token
    version = content.get("version")
    if type(version) is int and version > VERSION:
        raise StorageError(f"{file.path} was written by a newer forge", hint="upgrade forge")
    if type(version) is not int or version != VERSION or not isinstance(content.setdefault("tokens", {}), dict):
        raise _Damaged
    return content


def _encoded(content: dict[str, Any], path: Path) -> bytes:
    try:
        data = tomli_w.dumps(content).encode()
    except (TypeError, ValueError, RecursionError):
        # The original may quote a token.
        raise StorageError(f"a token cannot be written to {path}: it is not proper text", hint=_OTHER) from None
    if len(data) > files.LIMIT:
        raise StorageError(f"{path} would be larger than {files.LIMIT} bytes", hint="forge token clear")
    return data


def _is_sound(record: Any) -> bool:
    try:
        to_fields(record)
    except ValueError:
        return False
    return True


def _drop_oldest(entries: dict[str, Any], kept: str, now: datetime) -> None:
    """Beyond the most entries, drop tokens that nobody can use again: expired, and without a refresh token."""
    surplus = len(entries) - MOST_ENTRIES
    if surplus <= 0:
        return
    ended: list[tuple[datetime, str]] = []
    for key, record in entries.items():
        end = to_fields(record).get("expires_at")
        if key != kept and end is not None and aware(end) <= now and "refresh_token" not in record:
            ended.append((aware(end), key))
    for _, key in sorted(ended)[:surplus]:
        del entries[key]
