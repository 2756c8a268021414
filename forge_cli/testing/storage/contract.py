"""The contract of a token storage, as tests to run over one's own."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime

import pytest

from ...errors import LockTimeout
from ...interfaces import TokenStorageInterface, storage_lock
from ...models import TokenData

TOKEN = TokenData(
    "user-token-1",
    token_type="token",
    expires_at=datetime(2090, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    refresh_token="refresh-token-1",
    scope="read write",
    extra={"id": 7, "none": None, "list": [1, {"a": None}], "table": {"deep": {"er": 1.5}}},
    issued_at=datetime(2029, 1, 1, tzinfo=UTC),
    meta={"parents": {"login": "abc"}},
)
OTHER = TokenData("user-token-2")

# Seconds: long enough for any machine, and never waited for where all is well.
_LONG = 30.0


class StorageContract:
    """What every token storage promises. Inherit in a test module, and give the fixture `storage`: an empty one."""

    @pytest.fixture
    def storage(self) -> TokenStorageInterface:
        """The storage under test, with nothing in it."""
        raise NotImplementedError("a test class of StorageContract has a fixture `storage` of its own")

    @pytest.mark.parametrize(
        "token",
        [
            pytest.param(TOKEN, id="everything"),
            pytest.param(OTHER, id="the least"),
            pytest.param(TokenData("", token_type=""), id="empty"),
            pytest.param(TokenData("user-token-" + "x" * 9000, extra={"text": "é\n\0'\"\\ud83d"}), id="long"),
            pytest.param(TokenData("user-token-3", expires_at=datetime(2090, 1, 1, tzinfo=UTC)), id="one that ends"),
            pytest.param(TokenData("user-token-4", expires_at=datetime(2090, 1, 1)), id="ends in local time"),
        ],
    )
    def test_what_was_set_is_got_whole(self, storage: TokenStorageInterface, token: TokenData) -> None:
        storage.set("key", token)
        found = storage.get("key")
        assert found == token
        assert found is not None
        assert (found.issued_at, found.meta) == (token.issued_at, token.meta)
        assert storage.exists("key")

    def test_a_key_that_was_never_set_is_none(self, storage: TokenStorageInterface) -> None:
        assert storage.get("key") is None
        assert not storage.exists("key")

    def test_a_later_value_replaces_an_earlier_one(self, storage: TokenStorageInterface) -> None:
        for token in (TOKEN, OTHER, TOKEN):
            storage.set("key", token)
            assert storage.get("key") == token

    def test_a_deleted_key_is_gone_and_the_others_stay(self, storage: TokenStorageInterface) -> None:
        storage.set("one", TOKEN)
        storage.set("two", TOKEN)
        storage.delete("one")
        assert (storage.exists("one"), storage.exists("two")) == (False, True)

    def test_deleting_what_is_not_there_is_no_error(self, storage: TokenStorageInterface) -> None:
        storage.delete("key")
        assert not storage.exists("key")

    @pytest.mark.parametrize(
        "key", ["auth_token:my service", "", "a.b", 'quo"te', "new\nline", "ключ", "a/../b", "#", "..", "-x", "x" * 300]
    )
    def test_any_text_is_a_key(self, storage: TokenStorageInterface, key: str) -> None:
        storage.set(key, TOKEN)
        storage.set(f"{key}.", OTHER)
        with storage_lock(storage, key, 0):
            assert storage.get(key) == TOKEN
        assert storage.get(f"{key}x") is None

    def test_what_is_got_cannot_be_changed(self, storage: TokenStorageInterface) -> None:
        storage.set("key", TOKEN)
        found = storage.get("key")
        assert found is not None
        with pytest.raises(dataclasses.FrozenInstanceError):
            found.access_token = "other"  # type: ignore[misc]  # that it is refused is the point
        with pytest.raises(TypeError):
            found.extra["id"] = 8  # type: ignore[index]  # that it is refused is the point

    def test_reserving_changes_nothing_and_may_be_repeated(self, storage: TokenStorageInterface) -> None:
        if not hasattr(storage, "reserve"):
            return
        storage.set("key", TOKEN)
        with storage_lock(storage, "key", 0):
            storage.reserve("key")
            storage.reserve("key")
            assert storage.get("key") == TOKEN
            storage.set("key", OTHER)
        assert storage.get("key") == OTHER

    def test_the_lock_of_a_key_excludes_other_threads(self, storage: TokenStorageInterface) -> None:
        assert _counted([storage] * 4) == 20

    def test_a_lock_that_is_not_had_in_time_is_an_error(self, storage: TokenStorageInterface) -> None:
        with storage_lock(storage, "key", 0), pytest.raises(LockTimeout), storage_lock(storage, "key", 0.01):
            pass

    def test_keys_are_locked_one_by_one(self, storage: TokenStorageInterface) -> None:
        with storage_lock(storage, "one", 0), storage_lock(storage, "two", 0):
            storage.set("one", TOKEN)
        assert storage.get("one") == TOKEN

    def test_a_lock_is_free_again_also_after_a_failure(self, storage: TokenStorageInterface) -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), storage_lock(storage, "key", 0):
                raise ZeroDivisionError


class SharedStorageContract(StorageContract):
    """What a storage promises besides when several processes use it: one of them renews a token.

    Give the fixture `twin` too: another object for the same tokens, as another process would make it.
    """

    @pytest.fixture
    def twin(self, storage: TokenStorageInterface) -> TokenStorageInterface:
        """Another object for the tokens of `storage`."""
        raise NotImplementedError("a test class of SharedStorageContract has a fixture `twin` of its own")

    def test_each_sees_at_once_what_the_other_did(
        self, storage: TokenStorageInterface, twin: TokenStorageInterface
    ) -> None:
        assert twin.get("key") is None
        storage.set("key", TOKEN)
        assert twin.get("key") == TOKEN
        twin.set("key", OTHER)
        assert storage.get("key") == OTHER
        twin.delete("key")
        assert storage.get("key") is None

    def test_the_lock_of_a_key_excludes_the_other(
        self, storage: TokenStorageInterface, twin: TokenStorageInterface
    ) -> None:
        with storage_lock(storage, "key", 0), pytest.raises(LockTimeout), storage_lock(twin, "key", 0.01):
            pass
        with storage_lock(twin, "key", 0):
            pass
        assert _counted([storage, twin] * 2) == 20

    def test_saving_and_reading_need_no_lock(self, storage: TokenStorageInterface, twin: TokenStorageInterface) -> None:
        with storage_lock(storage, "key", 0):
            twin.set("other", OTHER)
            assert twin.get("key") is None
        assert storage.get("other") == OTHER


def _counted(storages: list[TokenStorageInterface]) -> int:
    """How far a thread per storage gets in counting to 5 each: all the way only if none disturbs another."""
    total = 0

    def count(storage: TokenStorageInterface) -> None:
        nonlocal total
        for _ in range(5):
            with storage_lock(storage, "key", _LONG):
                seen = total
                storage.exists("key")
                total = seen + 1

    threads = [threading.Thread(target=count, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total
