"""The secrets of a profile: where each one is, and its value once it is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import MissingSecret, NeedsPerson
from ..login.extract import pointer
from ..redact import REDACTOR
from .schema import EnvSecret, FileSecret, PromptSecret

Where = EnvSecret | FileSecret | PromptSecret

_LARGEST = 1024 * 1024


class Secrets:
    """Secrets by name, each resolved when it is first used and kept in memory only.

    Relative files start at `base_dir`. Without `prompt` nobody is asked.
    """

    def __init__(
        self,
        table: Mapping[str, Where],
        *,
        environ: Mapping[str, str],
        prompt: Callable[[str], str] | None,
        base_dir: Path,
    ) -> None:
        self._table = table
        self._environ = environ
        self._prompt = prompt
        self._base_dir = base_dir
        self._values: dict[str, str] = {}
        # Steps run side by side, and a person is to be asked once.
        self._lock = threading.Lock()

    def get(self, name: str) -> str:
        """The value. MissingSecret when it is not there, NeedsPerson when only a person has it."""
        where = self._where(name)
        with self._lock:
            if name not in self._values:
                value = self._resolve(name, where)
                REDACTOR.add(value)
                self._values[name] = value
            return self._values[name]

    def check(self, name: str) -> None:
        """Raise what `get` would raise, but ask nobody."""
        where = self._where(name)
        if not isinstance(where, PromptSecret):
            self.get(name)
        elif self._prompt is None:
            raise _needs_person(name)

    def reference(self, name: str) -> str:
        """Where the secret comes from, as part of a cache key: nothing is read or asked.

        The value of an environment variable is part of it, so that another value misses the cache.
        """
        match self._where(name):
            case EnvSecret(env=variable):
                value = self._environ.get(variable, "")
                REDACTOR.add(value)
                return f"env:{variable}={value}"
            case FileSecret(file=file, pointer=place):
                return f"file:{self._path(file)}#{place or ''}"
            case PromptSecret(prompt=text):
                return f"prompt:{text}"

    def source(self, name: str) -> tuple[str, str]:
        """The kind of place, `env`, `file` or `prompt`, and the variable, the path or the question."""
        match self._where(name):
            case EnvSecret(env=variable):
                return "env", variable
            case FileSecret(file=file):
                return "file", str(self._path(file))
            case PromptSecret(prompt=text):
                return "prompt", text

    def _where(self, name: str) -> Where:
        try:
            return self._table[name]
        except KeyError:
            raise MissingSecret(
                f"the profile has no secret {name!r}", hint=f"add {name} to its `secrets` table"
            ) from None

    def _resolve(self, name: str, where: Where) -> str:
        match where:
            case EnvSecret(env=variable):
                return self._from_environment(name, variable)
            case FileSecret(file=file, pointer=place):
                text = self._from_file(name, self._path(file))
                return text if place is None else self._from_json(name, self._path(file), text, place)
            case PromptSecret(prompt=text):
                return self._from_person(name, text)

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
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
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
