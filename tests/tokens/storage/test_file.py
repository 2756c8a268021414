from __future__ import annotations

import logging
import os
import threading
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import MOST_ENTRIES, FileTokenStorage
from tests.children import ordinary_home, run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TokenData("user-token-1", expires_at=NOW + timedelta(hours=1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "dev.toml"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def storage(path: Path, told: list[str]) -> FileTokenStorage:
    return FileTokenStorage(path, notice=told.append, now=lambda: NOW)


def written(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def temporaries(path: Path) -> list[str]:
    return [each.name for each in path.parent.glob(".*.tmp")]


def test_the_file_is_toml_that_a_person_can_read(storage: FileTokenStorage, path: Path) -> None:
    storage.set("app", TOKEN)
    assert path.read_text() == (
        'version = 1\n\n[tokens.app]\naccess_token = "user-token-1"\ntoken_type = "Bearer"\n'
        'expires_at = "2026-01-01T01:00:00+00:00"\n'
    )


def test_another_storage_of_the_same_file_sees_every_change_at_once(storage: FileTokenStorage, path: Path) -> None:
    reader = FileTokenStorage(path)
    for number in range(50):
        token = TokenData(f"user-token-{number:02}")
        storage.set("key", token)
        assert reader.get("key") == token


def test_a_settled_file_is_parsed_once(storage: FileTokenStorage, path: Path) -> None:
    storage.set("key", TOKEN)
    past = time.time() - 10
    os.utime(path, (past, past))
    assert storage.get("key") is storage.get("key")


def test_keys_and_items_list_what_is_stored(storage: FileTokenStorage) -> None:
    assert storage.keys() == []
    storage.set("one", TOKEN)
    storage.set("two", TokenData("user-token-2"))
    assert storage.keys() == ["one", "two"]
    assert storage.items() == [("one", TOKEN), ("two", TokenData("user-token-2"))]


def test_reading_and_deleting_nothing_make_no_file(storage: FileTokenStorage, path: Path) -> None:
    storage.get("key")
    storage.delete("key")
    assert not path.parent.exists()


def test_threads_that_write_different_keys_lose_nothing(storage: FileTokenStorage) -> None:
    def work(name: int) -> None:
        for number in range(5):
            storage.set(f"{name}-{number}", TOKEN)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(storage.keys()) == 20


def test_processes_that_write_different_keys_lose_nothing(storage: FileTokenStorage, path: Path) -> None:
    run(
        """
storage = FileTokenStorage(path)
children = []
for name in range(4):
    if (pid := os.fork()) == 0:
        for number in range(10):
            storage.set(f"{name}-{number}", TokenData("user-token-1"))
            if number:
                storage.delete(f"{name}-{number - 1}")
        os._exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
""",
        path,
    )
    assert sorted(storage.keys()) == ["0-9", "1-9", "2-9", "3-9"]
    assert temporaries(path) == []


def test_reserved_room_is_used_by_the_next_set(storage: FileTokenStorage, path: Path) -> None:
    storage.reserve("key")
    assert len(temporaries(path)) == 1
    storage.set("key", TOKEN)
    assert temporaries(path) == []
    assert storage.get("key") == TOKEN


def test_unused_room_is_given_back_when_the_lock_ends(storage: FileTokenStorage, path: Path) -> None:
    with storage.lock("key"):
        storage.reserve("key")
        storage.set("other", TOKEN)
        assert len(temporaries(path)) == 1
    assert temporaries(path) == []


def test_a_set_after_reserve_succeeds_on_a_disk_that_filled_up_since(path: Path) -> None:
    run(
        """
storage = FileTokenStorage(path)
storage.set("key", TokenData("user-token-1"))
with storage.lock("key"):
    storage.reserve("key")
    # The token's file may grow to what it is by now, and no new one may hold a byte.
    size = max(each.stat().st_size for each in path.parent.iterdir() if each.is_file())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    storage.set("key", TokenData("user-token-2"))
assert storage.get("key") == TokenData("user-token-2")
""",
        path,
    )


def test_on_a_full_disk_reserve_and_set_fail_and_the_old_tokens_stay(path: Path) -> None:
    out = run(
        """
storage = FileTokenStorage(path)
storage.set("key", TokenData("user-token-1"))
before = path.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for attempt in (lambda: storage.reserve("key"), lambda: storage.set("key", TokenData("user-token-2" * 20))):
    with storage.lock("key"):
        try:
            attempt()
        except StorageError as exc:
            print(exc.hint)
assert path.read_bytes() == before
assert storage.get("key") == TokenData("user-token-1")
""",
        path,
    )
    assert out.count("free some space") == 2
    assert temporaries(path) == []


def test_in_a_directory_that_refuses_locks_are_per_process_and_only_writing_fails() -> None:
    with ordinary_home() as home:
        out = run(
            """
storage = FileTokenStorage(path / "tokens" / "dev.toml")
path.chmod(0o500)
with storage.lock("key", 0):
    assert storage.get("key") is None
    try:
        with storage.lock("key", 0.01):
            pass
    except LockTimeout:
        print("locked")
    for attempt in (lambda: storage.reserve("key"), lambda: storage.set("key", TokenData("user-token-1"))):
        try:
            attempt()
        except StorageError as exc:
            print(exc.hint)
""",
            home,
            ordinary=True,
        )
    assert out.splitlines() == ["locked", *["set FORGE_CONFIG_DIR to a directory that you can write to"] * 2]


def test_a_file_of_a_newer_forge_is_left_as_it_is(storage: FileTokenStorage, path: Path) -> None:
    write(path, "version = 2\n[tokens]\n")
    with pytest.raises(StorageError, match="newer forge"):
        storage.get("a")
    with pytest.raises(StorageError, match="newer forge"):
        storage.set("a", TOKEN)
    assert path.read_text() == "version = 2\n[tokens]\n"


def test_a_damaged_entry_goes_with_the_next_write_and_the_others_stay(
    storage: FileTokenStorage, path: Path, told: list[str]
) -> None:
    write(path, 'version = 1\n[tokens.a]\naccess_token = "user-token-1"\n[tokens.bad]\naccess_token = 1\n')
    assert storage.get("bad") is None
    storage.set("b", TOKEN)
    assert sorted(written(path)["tokens"]) == ["a", "b"]
    assert told == [f"an entry of {path} is damaged and is ignored", f"an entry of {path} was damaged and is dropped"]


def test_what_a_newer_forge_added_is_kept(storage: FileTokenStorage, path: Path) -> None:
    write(path, 'version = 1\nnote = "n"\n[tokens.a]\naccess_token = "user-token-1"\ncolour = 1979-05-27\n')
    storage.set("b", TOKEN)
    assert written(path)["note"] == "n"
    assert str(written(path)["tokens"]["a"]["colour"]) == "1979-05-27"
    assert storage.get("a") == TokenData("user-token-1")


def test_beyond_the_most_entries_the_oldest_ended_ones_go_first(storage: FileTokenStorage, path: Path) -> None:
    def entry(key: str, hours: float | None, refresh: str = "") -> str:
        end = "" if hours is None else f'expires_at = "{(NOW + timedelta(hours=hours)).isoformat()}"\n'
        return f'[tokens.{key}]\naccess_token = "user-token-1"\n{end}{refresh}'

    rows = [entry(f"live{number}", None if number % 2 else 1) for number in range(MOST_ENTRIES - 3)]
    rows += [entry("ended2", -2), entry("ended3", -3), entry("renewable", -9, 'refresh_token = "r"\n')]
    rows += [entry("ended1", -1)]
    write(path, "version = 1\n" + "".join(rows))
    storage.set("new", TokenData("user-token-2", expires_at=NOW - timedelta(days=1)))
    keys = set(storage.keys())
    assert len(keys) == MOST_ENTRIES
    assert {"ended3", "ended2"}.isdisjoint(keys)
    assert {"new", "ended1", "renewable", "live0", "live1"} <= keys


def test_tokens_that_can_still_be_used_are_never_dropped(storage: FileTokenStorage, path: Path) -> None:
    rows = [f'[tokens.live{number}]\naccess_token = "user-token-1"\n' for number in range(MOST_ENTRIES)]
    write(path, "version = 1\n" + "".join(rows))
    storage.set("new", TOKEN)
    assert len(storage.keys()) == MOST_ENTRIES + 1


@pytest.mark.parametrize("value", ["\ud800user-token", "x" * 9_000_000], ids=["no text", "too large"])
def test_a_token_that_could_not_be_read_again_is_not_written(storage: FileTokenStorage, path: Path, value: str) -> None:
    storage.set("key", TOKEN)
    before = path.read_bytes()
    with pytest.raises(StorageError) as caught:
        storage.set("key", TokenData(value))
    assert "user-token" not in str(caught.value)
    assert path.read_bytes() == before


def test_without_a_listener_notices_are_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, "damaged")
    with caplog.at_level(logging.WARNING, "forge_cli"):
        assert FileTokenStorage(path).get("key") is None
    assert "was damaged" in caplog.text


def test_a_damaged_file_is_no_empty_one_while_its_lock_cannot_be_had(storage: FileTokenStorage, path: Path) -> None:
    write(path, "damaged")
    path.with_name(f"{path.name}.lock").mkdir()
    with pytest.raises(StorageError):
        storage.get("key")
    assert path.read_text() == "damaged"


@pytest.mark.parametrize(
    ("end", "refresh", "stays"),
    [(NOW, None, False), (NOW + timedelta(microseconds=1), None, True), (NOW, "refresh-token-1", True)],
    ids=["ends now", "lives a moment more", "can be renewed"],
)
def test_of_too_many_entries_one_goes_that_nobody_can_use_again(
    storage: FileTokenStorage, path: Path, end: datetime, refresh: str | None, stays: bool
) -> None:
    rows = [f'[tokens.live{number}]\naccess_token = "user-token-1"\n' for number in range(MOST_ENTRIES - 1)]
    write(path, "version = 1\n" + "".join(rows))
    storage.set("last", TokenData("user-token-2", expires_at=end, refresh_token=refresh))
    storage.set("new", TOKEN)
    assert storage.exists("last") is stays


def test_the_token_that_is_just_written_stays_though_it_has_ended(storage: FileTokenStorage, path: Path) -> None:
    rows = [f'[tokens.live{number}]\naccess_token = "user-token-1"\n' for number in range(MOST_ENTRIES)]
    write(path, "version = 1\n" + "".join(rows))
    storage.set("new", TokenData("user-token-2", expires_at=NOW - timedelta(days=1)))
    assert storage.exists("new")
