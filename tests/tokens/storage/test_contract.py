"""Every storage of the table keeps the contract that others test theirs with; so does one that a user writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from forge_cli import TokenData, TokenStorageInterface
from forge_cli.testing import SharedStorageContract, StorageContract
from forge_cli.tokens.storage import STORAGES
from forge_cli.tokens.storage.text import from_text, to_text
from tests.django_caches import django_cache
from tests.keyrings import MemoryKeyring

ALONE = ("memory", "django file")
SHARED = ("file", "keyring", "redis", "django memory", "django redis", "command")


def programs(directory: Path) -> dict[str, list[str]]:
    directory.mkdir()
    return {
        "read": ["sh", "-c", 'cat "$0/$1"', str(directory), "{key}"],
        "write": ["sh", "-c", 'cat >"$0/$1"', str(directory), "{key}"],
        "delete": ["rm", f"{directory}/{{key}}"],
    }


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], TokenStorageInterface]]:
    """Makes storages of the kind in the test's parameter, all for the same tokens."""
    name, _, cache = request.param.partition(" ")
    kind: Any = STORAGES.load(name)
    with ExitStack() as stack:
        match name:
            case "memory":
                yield kind
            case "file":
                yield lambda: kind(tmp_path / "tokens" / "dev.toml")
            case "keyring":
                backend = MemoryKeyring()
                yield lambda: kind(backend=backend)
            case "redis":
                url = request.getfixturevalue("redis").url
                yield lambda: kind(url)
            case "django":
                location = request.getfixturevalue("redis").url if cache == "redis" else str(tmp_path / "cache")
                stack.enter_context(django_cache(cache, location))
                yield kind
            case "command":
                words = programs(tmp_path / "pass")
                yield lambda: kind(**words)


def test_every_storage_of_the_table_keeps_the_contract() -> None:
    assert {name.partition(" ")[0] for name in ALONE + SHARED} == set(STORAGES)


@pytest.mark.parametrize("name", sorted(STORAGES))
def test_its_lock_is_typed_as_the_interface_s(name: str) -> None:
    """Else a subclass with a lock of its own does not pass a type checker."""
    kind: Any = STORAGES.load(name)
    assert get_type_hints(kind.lock)["return"] == AbstractContextManager[None]


@pytest.mark.parametrize("make", ALONE, indirect=True)
class TestAlone(StorageContract):
    @pytest.fixture
    def storage(self, make: Callable[[], TokenStorageInterface]) -> TokenStorageInterface:
        return make()


@pytest.mark.parametrize("make", SHARED, indirect=True)
class TestShared(SharedStorageContract):
    @pytest.fixture
    def storage(self, make: Callable[[], TokenStorageInterface]) -> TokenStorageInterface:
        return make()

    @pytest.fixture
    def twin(self, make: Callable[[], TokenStorageInterface]) -> TokenStorageInterface:
        return make()


class SqliteTokenStorage(TokenStorageInterface):
    """What a user writes to keep tokens in a place of his own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._do("CREATE TABLE IF NOT EXISTS tokens (key TEXT PRIMARY KEY, token TEXT)")

    def get(self, key: str) -> TokenData | None:
        rows = self._do("SELECT token FROM tokens WHERE key = ?", key)
        return from_text(rows[0][0]) if rows else None

    def set(self, key: str, token: TokenData) -> None:
        self._do("REPLACE INTO tokens VALUES (?, ?)", key, to_text(token))

    def delete(self, key: str) -> None:
        self._do("DELETE FROM tokens WHERE key = ?", key)

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def _do(self, statement: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as database, database:
            return database.execute(statement, values).fetchall()


class TestOneOfAUser(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> SqliteTokenStorage:
        return SqliteTokenStorage(tmp_path / "tokens.db")
