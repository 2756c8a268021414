"""Which challenge a path was answered with, remembered across runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..files import lock, read_private, write_private
from .challenge import Challenge

_MOST = 500
_SECONDS = 5.0


class Challenges:
    """The last challenge for each method and path of one login, in a 0600 file that processes share.

    Where the file cannot be written, `notice` is told once, and this process remembers for itself.
    """

    def __init__(self, path: Path | None, login: str, *, notice: Callable[[str], None] = lambda text: None) -> None:
        self._path = path
        self._login = login
        self._notice = notice
        self._known: dict[str, Challenge] | None = None

    def get(self, method: str, path: str) -> Challenge | None:
        """The challenge that this method and path were last answered with."""
        return self._loaded().get(f"{method} {path}")

    def known(self) -> list[Challenge]:
        """Every challenge that is remembered, the latest last."""
        return list(self._loaded().values())

    def remember(self, method: str, path: str, challenge: Challenge) -> None:
        """Keep a challenge; of very many the oldest go."""
        if self.get(method, path) != challenge:
            self._change(f"{method} {path}", challenge)

    def forget(self, method: str, path: str) -> None:
        """Do not answer this challenge again before the server asks."""
        if self.get(method, path) is not None:
            self._change(f"{method} {path}", None)

    def _loaded(self) -> dict[str, Challenge]:
        if self._known is None:
            self._known = {key: Challenge(*value) for key, value in self._read().get(self._login, {}).items()}
        return self._known

    def _change(self, key: str, challenge: Challenge | None) -> None:
        rest = {k: v for k, v in self._loaded().items() if k != key}
        self._known = rest if challenge is None else {**rest, key: challenge}
        if self._path is None:
            return
        try:
            with lock(self._path.with_suffix(".lock"), _SECONDS):
                whole = self._read()
                entries = {k: v for k, v in whole.get(self._login, {}).items() if k != key}
                if challenge is not None:
                    entries[key] = [challenge.scheme, dict(challenge.params)]
                whole[self._login] = dict(list(entries.items())[-_MOST:])
                write_private(self._path, json.dumps(whole, indent=1).encode())
        except StorageError as exc:
            self._notice(f"{exc.message}: what servers asked for is not remembered")
            self._path = None

    def _read(self) -> dict[str, Any]:
        """The whole file; one that is damaged counts as empty, for it can be had again."""
        try:
            raw = None if self._path is None else read_private(self._path)
            whole = json.loads(raw) if raw else {}
        except (StorageError, ValueError, RecursionError):
            return {}
        return {login: entries for login, entries in _tables(whole).items() if _fit(entries)}


def _tables(whole: Any) -> Mapping[str, Any]:
    return whole if isinstance(whole, dict) else {}


def _fit(entries: Any) -> bool:
    return isinstance(entries, dict) and all(
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
        and all(isinstance(param, str) for param in value[1].values())
        for value in entries.values()
    )
