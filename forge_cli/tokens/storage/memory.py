"""Tokens in memory: they end with the process."""

from __future__ import annotations

import threading

from ...interfaces import TokenStorageInterface
from ...models import TokenData


class InMemoryTokenStorage(TokenStorageInterface):
    """Keeps the objects themselves, for the threads of one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, TokenData] = {}
        self._guard = threading.RLock()

    def get(self, key: str) -> TokenData | None:
        with self._guard:
            return self._tokens.get(key)

    def set(self, key: str, token: TokenData) -> None:
        with self._guard:
            self._tokens[key] = token

    def delete(self, key: str) -> None:
        with self._guard:
            self._tokens.pop(key, None)

    def exists(self, key: str) -> bool:
        with self._guard:
            return key in self._tokens

    def clear(self) -> None:
        """Forget every token."""
        with self._guard:
            self._tokens.clear()

    def keys(self) -> list[str]:
        """The keys that have a token."""
        with self._guard:
            return list(self._tokens)
