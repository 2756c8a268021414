"""The secrets of a profile: where each one is, and its value once it is asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import MissingSecret, NeedsPerson, StorageError, TimeoutException
from ..files import read_named
from ..interfaces import storage_lock
from ..login.expiry import duration
from ..login.extract import pointer
from ..models import Deadline, TokenData
from ..redact import REDACTOR
from ..registry import Registry
from .schema import CommandSecret, EnvSecret, FileSecret, KeyringEntry, KeyringSecret, PromptSecret

Where = EnvSecret | FileSecret | PromptSecret | CommandSecret | KeyringSecret

_LARGEST = 1024 * 1024
# Seconds to wait for whoever runs the same program: more than its own limit.
_LONGEST_LOCK = 60.0
_SOURCES = Registry(
    "secret from a",
    {
        "command": "forge_cli.profiles.printed:printed",
        "keyring": "forge_cli.tokens.storage.keyring:KeyringTokenStorage",
    },
    extras={"keyring": "keyring"},
)
"""What few profiles need, and is loaded when it is used."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


class Secrets:
    """Secrets by name, each resolved when it is first used and kept in memory.

    Relative files and programs start at `base_dir`. Without `prompt` nobody is asked. What a program with a `ttl`
    printed is also kept in the token storage that `storage` opens, under a key that `digest` makes of a text that may
    hold values of environment variables; `notice` is told when that cannot be written. `deadline` is asked by when
    programs have to end.
    """

    def __init__(
        self,
        table: Mapping[str, Where],
        *,
        environ: Mapping[str, str],
        prompt: Callable[[str], str] | None,
        base_dir: Path,
        storage: Callable[[], Any] | None = None,
        digest: Callable[[str], str] = _digest,
        notice: Callable[[str], None] = lambda text: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline: Callable[[], Deadline | None] = lambda: None,
    ) -> None:
        self._table = table
        self._environ = environ
        self._prompt = prompt
        self._base_dir = base_dir
        self._storage = storage
        self._digest = digest
        self._notice = notice
        self._now = now
        self._deadline = deadline
        self._values: dict[str, str] = {}
        self._opening = threading.local()
        # Steps run side by side, and a person is to be asked once.
        self._lock = threading.Lock()

    def get(self, name: str) -> str:
        """The value. MissingSecret when it is not there, NeedsPerson when only a person has it.

        StorageError when a keyring is locked.
        """
        where = self._where(name)
        storage = self._opened(where) if name not in self._values else None
        with self._lock:
            if name not in self._values:
                value = self._resolve(name, where, storage)
                REDACTOR.add(value)
                self._values[name] = value
            return self._values[name]

    @property
    def asked(self) -> bool:
        """Whether any of them was asked for."""
        return bool(self._values)

    def check(self, name: str) -> None:
        """Raise what `get` would raise, but ask nobody."""
        where = self._where(name)
        if not isinstance(where, PromptSecret):
            self.get(name)
        elif self._prompt is None:
            raise _needs_person(name)

    def reference(self, name: str) -> str:
        """Where the secret comes from, as part of a cache key: nothing is read or asked.

        The value of an environment variable is part of it, also of one that a program gets, so that another
        value misses the cache.
        """
        match self._where(name):
            case EnvSecret(env=variable):
                return f"env:{self._setting(variable)}"
            case FileSecret(file=file, pointer=place):
                return f"file:{self._path(file)}#{place or ''}"
            case PromptSecret(prompt=text):
                return f"prompt:{text}"
            case CommandSecret(command=words, env=variables):
                settings = [self._setting(variable) for variable in variables]
                return f"command:{json.dumps([str(self._base_dir), words, settings])}"
            case KeyringSecret(keyring=entry):
                return f"keyring:{json.dumps([entry.service, entry.username])}"

    def _setting(self, variable: str) -> str:
        value = self._environ.get(variable, "")
        REDACTOR.add(value)
        return f"{variable}={value}"

    def source(self, name: str) -> tuple[str, str]:
        """The kind of place, `env`, `file`, `prompt`, `command` or `keyring`, and which: the variable, the path, …"""
        match self._where(name):
            case EnvSecret(env=variable):
                return "env", variable
            case FileSecret(file=file):
                return "file", str(self._path(file))
            case PromptSecret(prompt=text):
                return "prompt", text
            case CommandSecret(command=words):
                return "command", words[0]
            case KeyringSecret(keyring=entry):
                return "keyring", f"{entry.service}/{entry.username}"

    def _where(self, name: str) -> Where:
        try:
            return self._table[name]
        except KeyError:
            raise MissingSecret(
                f"the profile has no secret {name!r}", hint=f"add {name} to its `secrets` table"
            ) from None

    def _resolve(self, name: str, where: Where, storage: Any) -> str:
        match where:
            case EnvSecret(env=variable):
                return self._from_environment(name, variable)
            case FileSecret(file=file, pointer=place):
                text = self._from_file(name, self._path(file))
                return text if place is None else self._from_json(name, self._path(file), text, place)
            case PromptSecret(prompt=text):
                return self._from_person(name, text)
            case CommandSecret():
                return self._printed(name, where) if storage is None else self._kept(name, where, storage)
            case KeyringSecret(keyring=entry):
                return self._from_keyring(name, entry)

    def _from_environment(self, name: str, variable: str) -> str:
        value = self._environ.get(variable)
        if not value:
            state = "not set" if value is None else "empty"
            raise MissingSecret(
                f"secret {name!r}: the environment variable {variable} is {state}", hint=f"export {variable}=…"
            )
        return value

    def _from_file(self, name: str, path: Path) -> str:
        try:
            left = self._deadline()
            raw = read_named(path, _LARGEST + 1, None if left is None else max(0.0, left.remaining())).content
        except TimeoutError as exc:
            raise TimeoutException(f"secret {name!r}: {str(path)!r} cannot be read: {exc.strerror}") from None
        except (OSError, ValueError) as exc:
            # A NUL in a path is a ValueError.
            reason = exc.strerror if isinstance(exc, OSError) else "not a file name"
            raise MissingSecret(
                f"secret {name!r}: {str(path)!r} cannot be read: {reason}",
                hint="put the secret into this file, mode 0600",
            ) from exc
        if len(raw) > _LARGEST:
            raise MissingSecret(f"secret {name!r}: {path} is larger than 1 MiB", hint="name the file of the secret")
        try:
            text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            # The exception quotes what it could not decode.
            raise MissingSecret(f"secret {name!r}: {path} is not UTF-8", hint="save it as UTF-8 text") from None
        if not text.strip():
            raise MissingSecret(f"secret {name!r}: {path} is empty", hint="put the secret into this file, mode 0600")
        return text

    def _from_json(self, name: str, path: Path, text: str, place: str) -> str:
        try:
            value = pointer(json.loads(text), place)
        except LookupError:
            raise MissingSecret(f"secret {name!r}: {path} has no {place!r}", hint="correct its `pointer`") from None
        except (ValueError, RecursionError):
            # The exception holds the whole text.
            raise MissingSecret(
                f"secret {name!r}: {path} is not JSON", hint="leave out `pointer` for plain text"
            ) from None
        if not isinstance(value, str) or not value:
            raise MissingSecret(f"secret {name!r}: {place!r} in {path} is not a text", hint="correct its `pointer`")
        return value

    def _from_person(self, name: str, text: str) -> str:
        if self._prompt is None:
            raise _needs_person(name)
        value = self._prompt(text)
        if not value:
            raise MissingSecret(f"secret {name!r}: nothing was entered", hint="type it when asked")
        return value

    def _opened(self, where: Where) -> Any:
        """The storage that a secret is kept in, None for one that is not.

        Called without a lock: to open it may take locks of others, and secrets such as its password; these
        cannot be kept in it themselves.
        """
        wanted = isinstance(where, CommandSecret) and where.ttl is not None
        if not wanted or self._storage is None or getattr(self._opening, "now", False):
            return None
        self._opening.now = True
        try:
            return self._storage()
        finally:
            self._opening.now = False

    def _kept(self, name: str, where: CommandSecret, storage: Any) -> str:
        """What the program printed not longer ago than `ttl`, by whichever thread or process."""
        life = duration(where.ttl or 0)
        key = f"secret:{self._digest(f'{self.reference(name)} {life:g}')}"
        if (value := self._fresh(storage, key)) is not None:
            return value
        deadline = self._deadline()
        wait = _LONGEST_LOCK if deadline is None else max(0.0, min(_LONGEST_LOCK, deadline.remaining()))
        with storage_lock(storage, key, wait):
            # Whoever had the lock before has run the program.
            if (value := self._fresh(storage, key)) is not None:
                return value
            value = self._printed(name, where)
            now = self._now()
            try:
                storage.set(
                    key, TokenData(value, "", now + timedelta(seconds=life), issued_at=now, meta={"secret": name})
                )
            except StorageError as exc:
                self._notice(f"{exc.message}: secret {name!r} is used now and not kept")
        return value

    def _fresh(self, storage: Any, key: str) -> str | None:
        found: TokenData | None = storage.get(key)
        return found.access_token or None if found is not None and found.fresh(self._now(), 0.0) else None

    def _printed(self, name: str, where: CommandSecret) -> str:
        value: str = _SOURCES.load("command")(name, where, self._environ, self._base_dir, self._deadline())
        return value

    def _from_keyring(self, name: str, entry: KeyringEntry) -> str:
        try:
            value: str | None = _SOURCES.load("keyring")(entry.service).entry(entry.username)
        except StorageError as exc:
            # Its own hint is about tokens.
            raise StorageError(
                f"secret {name!r}: {exc.message}", hint="unlock the keyring, or give the secret another source"
            ) from exc.__cause__
        if not value:
            raise MissingSecret(
                f"secret {name!r}: the keyring has no entry {entry.username!r} of {entry.service!r}",
                hint="python -m keyring set SERVICE USERNAME",
            )
        return value

    def _path(self, file: str) -> Path:
        """The file's full path; `~` is the home directory of the environment given."""
        home = self._environ.get("HOME")
        if home and (file == "~" or file.startswith("~/")):
            return Path(home, file[2:])
        return self._base_dir / Path(file).expanduser()


def _needs_person(name: str) -> NeedsPerson:
    variable = name.upper().replace("-", "_")
    return NeedsPerson(
        f"secret {name!r} is typed by a person, and there is no terminal, or input is off",
        service_name=name,
        hint=f'run this on a terminal, or give it a source: {name} = {{ env = "{variable}" }}',
    )
