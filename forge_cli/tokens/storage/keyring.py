"""Tokens in the keyring of the operating system."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from itertools import count, takewhile
from typing import Any, NamedTuple, TypeVar

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordDeleteError

from ... import files
from ...compiled import compiled
from ...errors import StorageError
from ...interfaces import TokenStorageInterface
from ...models import TokenData
from .text import from_text, to_text

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# Seconds for each question to the keyring.
_LIMIT = 3.0
# Seconds for the lock around one write, which itself takes a few questions.
_SHORT = 20.0
# Characters: the Windows vault takes 2560 bytes of UTF-16 in one entry.
_PIECE = 1200
# A token that is just being replaced is read again.
_TRIES = 3
_SPLIT = compiled(r"split ([ab]) (\d{1,4}) ([0-9a-f]{16})")
_GENERATIONS = "ab"
_ELSEWHERE = "choose another place: `storage` in [profiles.NAME.tokens], or FORGE_TOKEN_STORAGE"


class KeyringTokenStorage(TokenStorageInterface):
    """Keeps each token as JSON under the user name ``token:<key>`` of `service`.

    Long tokens are spread over several entries. `backend` stands in for the one that the keyring library finds;
    one that keeps plain text, or nothing, is refused. Every question has 3 seconds. The lock of a key is a file
    of the configuration directory. `notice` gets a line when an entry is damaged or a lock is waited for; the
    default logs it.
    """

    def __init__(
        self,
        service: str = "forge",
        *,
        backend: KeyringBackend | None = None,
        notice: Callable[[str], None] | None = None,
        environ: Mapping[str, str] = os.environ,
        limit: float = _LIMIT,
    ) -> None:
        self._service = service
        self._backend = backend
        self._notice = notice or logger.warning
        self._environ = environ
        self._limit = limit
        self._chosen: KeyringBackend | None = None
        self._stuck: Future[Any] | None = None

    def get(self, key: str) -> TokenData | None:
        for _ in range(_TRIES):
            head = self._read(_head(key))
            if head is None:
                return None
            with contextlib.suppress(ValueError):
                return from_text(self._whole(key, head))
        self._notice("an entry of the keyring is damaged and is ignored")
        return None

    def set(self, key: str, token: TokenData) -> None:
        text = to_text(token)
        with self._file_lock(key, "write", _SHORT):
            old = _Split.of(self._read(_head(key)))
            new = _Split.for_text(text, old)
            if new is not None:
                for index in range(new.pieces):
                    self._write(new.name(key, index), text[index * _PIECE : (index + 1) * _PIECE])
            # From here on the new token is the one that is found.
            self._write(_head(key), text if new is None else str(new))
            if old is not None:
                self._remove_pieces(key, old.generation)

    def delete(self, key: str) -> None:
        with self._file_lock(key, "write", _SHORT):
            if self._read(_head(key)) is not None:
                self._remove(_head(key))
            for generation in _GENERATIONS:
                self._remove_pieces(key, generation)

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        return self._file_lock(key, "renew", timeout)

    def reserve(self, key: str) -> None:
        """As the interface says: a keyring that is locked or gone does not answer the question."""
        self._read(_head(key))

    def entry(self, name: str) -> str | None:
        """What stands under a user name of `service` that is nothing of ours, None when there is no such entry."""
        return self._read(name)

    def _whole(self, key: str, head: str) -> str:
        """The text behind an entry. ValueError when its pieces do not belong together."""
        split = _Split.of(head)
        if split is None:
            return head
        text = "".join(self._read(split.name(key, index)) or "" for index in range(split.pieces))
        if _digest(text) != split.digest:
            raise ValueError("pieces that do not belong together")
        return text

    def _remove_pieces(self, key: str, generation: str) -> None:
        """From the last to the first, so that what is left by a process that was killed can be found again."""
        names = (_Split(generation, 0, "").name(key, index) for index in count())
        for name in reversed(list(takewhile(lambda name: self._read(name) is not None, names))):
            self._remove(name)

    def _read(self, name: str) -> str | None:
        return self._ask(lambda backend: backend.get_password(self._service, name))

    def _write(self, name: str, text: str) -> None:
        self._ask(lambda backend: backend.set_password(self._service, name, text))

    def _remove(self, name: str) -> None:
        # Someone may have been quicker.
        with contextlib.suppress(_Gone):
            self._ask(lambda backend: backend.delete_password(self._service, name))

    def _ask(self, question: Callable[[KeyringBackend], _T]) -> _T:
        """Put a question to the keyring, in a thread: one that waits for a person cannot be interrupted."""
        if self._stuck is not None and not self._stuck.done():
            raise _unanswered(self._limit)
        answer: Future[_T] = Future()
        threading.Thread(target=self._answer, args=(question, answer), daemon=True).start()
        try:
            return answer.result(self._limit)
        except TimeoutError:
            self._stuck = answer
            raise _unanswered(self._limit) from None

    def _answer(self, question: Callable[[KeyringBackend], _T], answer: Future[_T]) -> None:
        try:
            if self._chosen is None:
                self._chosen = _encrypting(self._backend or keyring.get_keyring())
            answer.set_result(question(self._chosen))
        except Exception as exc:
            answer.set_exception(_translated(exc))

    def _file_lock(self, key: str, use: str, timeout: float) -> AbstractContextManager[None]:
        digest = _digest(f"{self._service}\n{key}")
        path = files.config_dir(self._environ) / "state" / f"keyring.{digest}.{use}.lock"
        return files.lock(path, timeout, remove=True, on_wait=self._waiting, notice=self._notice)

    def _waiting(self, seconds: float) -> None:
        self._notice("waiting for another process that renews a token in the keyring")


class _Gone(StorageError):
    """There was no entry to delete."""


class _Split(NamedTuple):
    """What stands in the entry of a token that is kept in pieces.

    The pieces of a new value have the other generation's names, so that the old value is whole until then.
    """

    generation: str
    pieces: int
    digest: str

    @classmethod
    def of(cls, head: str | None) -> _Split | None:
        found = _SPLIT.fullmatch(head or "")
        return None if found is None else cls(found[1], int(found[2]), found[3])

    @classmethod
    def for_text(cls, text: str, old: _Split | None) -> _Split | None:
        if len(text) <= _PIECE:
            return None
        generation = "b" if old is not None and old.generation == "a" else "a"
        return cls(generation, -(-len(text) // _PIECE), _digest(text))

    def name(self, key: str, index: int) -> str:
        return f"piece:{self.generation}:{index}:{key}"

    def __str__(self) -> str:
        return f"split {self.generation} {self.pieces} {self.digest}"


def _head(key: str) -> str:
    return f"token:{key}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _encrypting(backend: KeyringBackend) -> KeyringBackend:
    """The back end, or the first good one of a chain. NoKeyringError when it keeps plain text, or nothing."""
    chained = backend.backends if isinstance(backend, chainer.ChainerBackend) else [backend]
    good: list[KeyringBackend] = [each for each in chained if not _open_or_empty(each)]
    if not good:
        raise NoKeyringError
    return good[0]


def _open_or_empty(backend: KeyringBackend) -> bool:
    named_so = any("plaintext" in kind.__name__.lower() for kind in type(backend).__mro__)
    return named_so or isinstance(backend, fail.Keyring | null.Keyring)


def _translated(exc: Exception) -> StorageError:
    """The error to raise instead; nothing of the original's text, which may quote a token."""
    if isinstance(exc, PasswordDeleteError):
        return _Gone("the keyring has no such entry")
    if isinstance(exc, KeyringLocked):
        return StorageError("the keyring is locked", hint=f"unlock it, or {_ELSEWHERE}")
    if isinstance(exc, NoKeyringError | InitError):
        return StorageError("there is no keyring here that encrypts what it keeps", hint=_ELSEWHERE)
    return StorageError(f"the keyring failed ({type(exc).__name__})", hint=_ELSEWHERE)


def _unanswered(limit: float) -> StorageError:
    return StorageError(f"the keyring did not answer within {limit:g} s", hint=f"unlock it, or {_ELSEWHERE}")
