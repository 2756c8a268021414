"""What every storage promises."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forge_cli.errors import LockTimeout
from forge_cli.interfaces import TokenStorageInterface
from forge_cli.models import TokenData
from forge_cli.tokens.storage import STORAGES

MAKERS: dict[str, Callable[[Path], TokenStorageInterface]] = {
    "memory": lambda directory: STORAGES.load("memory")(),
    "file": lambda directory: STORAGES.load("file")(directory / "tokens" / "dev.toml"),
}
TOKEN = TokenData(
    "user-token-1",
    token_type="token",
    expires_at=datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    refresh_token="refresh-token-1",
    scope="read write",
    extra={"id": 7, "none": None, "list": [1, {"a": None}], "table": {"deep": {"er": 1.5}}},
    issued_at=datetime(2029, 1, 1, tzinfo=UTC),
    meta={"parents": {"login": "abc"}},
)


@pytest.fixture(params=list(MAKERS))
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStorageInterface:
    return MAKERS[request.param](tmp_path)


def test_every_storage_in_the_table_keeps_this_contract() -> None:
    assert set(MAKERS) == set(STORAGES)


@pytest.mark.parametrize("token", [TOKEN, TokenData("user-token-2"), TokenData("", token_type="")])
def test_what_was_set_is_got_whole(storage: TokenStorageInterface, token: TokenData) -> None:
    storage.set("key", token)
    found = storage.get("key")
    assert found == token
    assert found is not None
    assert (found.issued_at, found.meta) == (token.issued_at, token.meta)


def test_a_key_that_was_never_set_is_none(storage: TokenStorageInterface) -> None:
    assert storage.get("key") is None
    assert not storage.exists("key")


def test_a_later_value_replaces_an_earlier_one(storage: TokenStorageInterface) -> None:
    storage.set("key", TOKEN)
    storage.set("key", TokenData("user-token-2"))
    assert storage.get("key") == TokenData("user-token-2")


def test_a_deleted_key_is_gone_and_the_others_stay(storage: TokenStorageInterface) -> None:
    storage.set("one", TOKEN)
    storage.set("two", TOKEN)
    storage.delete("one")
    assert (storage.exists("one"), storage.exists("two")) == (False, True)


def test_deleting_what_is_not_there_is_no_error(storage: TokenStorageInterface) -> None:
    storage.delete("key")


@pytest.mark.parametrize("key", ["auth_token:my service", "", "a.b", 'quo"te', "new\nline", "ключ", "a/../b", "#"])
def test_any_text_is_a_key(storage: TokenStorageInterface, key: str) -> None:
    storage.set(key, TOKEN)
    with storage.lock(key, 0):
        assert storage.get(key) == TOKEN
    assert storage.get(f"{key}x") is None


def test_what_is_got_cannot_be_changed(storage: TokenStorageInterface) -> None:
    storage.set("key", TOKEN)
    found = storage.get("key")
    assert found is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.access_token = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.extra["id"] = 8  # type: ignore[index]


def test_reserving_changes_nothing_and_may_be_repeated(storage: TokenStorageInterface) -> None:
    storage.set("key", TOKEN)
    storage.reserve("key")
    storage.reserve("key")
    assert storage.get("key") == TOKEN
    storage.set("key", TokenData("user-token-2"))
    assert storage.get("key") == TokenData("user-token-2")


def test_the_lock_of_a_key_excludes_other_threads(storage: TokenStorageInterface) -> None:
    counted = 0

    def count() -> None:
        nonlocal counted
        for _ in range(5):
            with storage.lock("key", 30):
                seen = counted
                storage.exists("key")
                counted = seen + 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == 20


def test_a_lock_that_is_not_had_in_time_is_an_error(storage: TokenStorageInterface) -> None:
    with storage.lock("key", 0), pytest.raises(LockTimeout), storage.lock("key", 0.01):
        pass


def test_keys_are_locked_one_by_one(storage: TokenStorageInterface) -> None:
    with storage.lock("one", 0), storage.lock("two", 0):
        storage.set("one", TOKEN)


def test_a_lock_can_be_had_again(storage: TokenStorageInterface) -> None:
    for _ in range(2):
        with storage.lock("key", 0):
            pass
