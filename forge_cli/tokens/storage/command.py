"""Tokens behind programs of one's own, such as a password manager."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from urllib.parse import quote

from ... import files, programs
from ...compiled import compiled
from ...errors import ProfileError, StorageError
from ...interfaces import TokenStorageInterface
from ...models import TokenData
from ...programs import Ended, ProgramFailed
from ...redact import REDACTOR
from .text import from_text, to_text

logger = logging.getLogger(__name__)

_PLACE = "{key}"
_LEADS = compiled(r"\A[.~-]")
# Characters of a key that are passed on: many programs make it a file name, which may have 255.
_LONGEST = 150


class CommandTokenStorage(TokenStorageInterface):
    """Keeps each token as one line of JSON that `read` prints, `write` is given and `delete` forgets.

    Each is a list of words, run without a shell and stopped after 10 seconds. ``{key}`` stands for the key, in
    which all but letters, digits and ``_.~-`` is percent-encoded; a long one ends with its digest. The programs see
    PATH, HOME, LANG, TERM and the variables named in `env`. An empty answer of `read` means no token, whatever its
    exit code. The lock of a key is a file of the configuration directory. `notice` is told when it is waited for;
    the default logs it.
    """

    def __init__(
        self,
        read: Sequence[str],
        write: Sequence[str],
        delete: Sequence[str],
        *,
        env: Sequence[str] = (),
        notice: Callable[[str], None] | None = None,
        environ: Mapping[str, str] = os.environ,
        limit: float = programs.LIMIT,
    ) -> None:
        self._read = _Program("read", _checked("read", read))
        self._write = _Program("write", _checked("write", write))
        self._delete = _Program("delete", _checked("delete", delete))
        self._env = tuple(env)
        self._notice = notice or logger.warning
        self._environ = environ
        self._limit = limit

    def get(self, key: str) -> TokenData | None:
        ended = self._run(self._read, key)
        if not ended.output.strip() and ended.code >= 0:
            return None
        self._expect_success(self._read, ended)
        try:
            return from_text(ended.output)
        except ValueError:
            # It may be something else of the person's, which must not be replaced.
            raise StorageError(
                f"what {self._read} printed is not a token", hint=f"delete that entry, or check {self._read.setting}"
            ) from None

    def set(self, key: str, token: TokenData) -> None:
        REDACTOR.add(token.access_token)
        REDACTOR.add(token.refresh_token)
        ended = self._run(self._write, key, f"{to_text(token)}\n".encode())
        self._expect_success(self._write, ended)

    def delete(self, key: str) -> None:
        ended = self._run(self._delete, key)
        # A program may call it a failure that there was nothing.
        if ended.code != 0 and self.exists(key):
            self._expect_success(self._delete, ended)

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        words = "\n".join([*self._write.words, key])
        digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = files.config_dir(self._environ) / "state" / f"command.{digest}.lock"
        return files.lock(path, timeout, remove=True, on_wait=self._waiting, notice=self._notice)

    def _run(self, program: _Program, key: str, given: bytes = b"") -> Ended:
        words = [word.replace(_PLACE, _word(key)) for word in program.words]
        try:
            return programs.run(words, self._env, self._environ, given=given, limit=self._limit)
        except ProgramFailed as exc:
            asks = ": it must not ask anything" if exc.started else ""
            raise StorageError(str(exc), hint=f"check {program.setting}{asks}") from exc.__cause__

    def _expect_success(self, program: _Program, ended: Ended) -> None:
        if ended.code != 0:
            raise StorageError(ended.failure(), hint=f"check {program.setting}")

    def _waiting(self, seconds: float) -> None:
        self._notice(f"waiting for another process that renews a token of {self._write}")


class _Program(NamedTuple):
    use: str
    words: tuple[str, ...]

    @property
    def setting(self) -> str:
        return f"`{self.use}` in [profiles.NAME.tokens]"

    def __str__(self) -> str:
        return repr(self.words[0])


def _checked(name: str, words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str) or not words or not all(isinstance(word, str) for word in words):
        raise ProfileError(f"`{name}` of the token storage is not a list of words", hint=f'{name} = ["…", "{_PLACE}"]')
    if not any(_PLACE in word for word in words):
        raise ProfileError(
            f"`{name}` of the token storage has no {_PLACE}", hint="every token needs a place of its own"
        )
    return tuple(words)


def _word(key: str) -> str:
    """The key as a word that is no option, no path out of a directory, and different for every key."""
    raw = key.encode("utf-8", "surrogatepass")
    text = _LEADS.sub(lambda found: f"%{ord(found[0]):02X}", quote(raw, safe="")) or "%"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}%{hashlib.sha256(raw).hexdigest()}"
