from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis as library

from forge_cli.errors import LockTimeout, StorageError
from forge_cli.interfaces import TokenProviderInterface
from forge_cli.models import TokenData
from forge_cli.redact import REDACTOR
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.storage import lease
from forge_cli.tokens.storage import redis as module
from forge_cli.tokens.storage.redis import RedisTokenStorage
from tests.children import start
from tests.conftest import Require
from tests.redis_server import RedisServer, redis_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TokenData("user-token-1")
OTHER = TokenData("user-token-2")

HOLD = """
from forge_cli.tokens.storage.redis import RedisTokenStorage
with RedisTokenStorage("unix://" + str(path), lease=0.4).lock("key"):
    print("held", flush=True)
    signal.pause()
"""

USES: dict[str, Callable[[RedisTokenStorage], object]] = {
    "get": lambda storage: storage.get("key"),
    "exists": lambda storage: storage.exists("key"),
    "set": lambda storage: storage.set("key", TOKEN),
    "delete": lambda storage: storage.delete("key"),
    "keys": lambda storage: storage.keys(),
    "reserve": lambda storage: storage.reserve("key"),
    "lock": lambda storage: storage.lock("key", 0).__enter__(),
}


def said(error: StorageError) -> str:
    assert error.__suppress_context__
    return f"{error} {error.hint} {error.__cause__}"


def test_an_entry_is_json_text(redis: RedisServer) -> None:
    RedisTokenStorage(redis.url, "team").set("key", TOKEN)
    with redis.client() as client:
        assert client.keys() == [b"team:key"]
        assert client.get("team:key") == b'{"access_token":"user-token-1","token_type":"Bearer"}'


@pytest.mark.parametrize(
    ("token", "life"),
    [
        (TokenData("t", expires_at=NOW + timedelta(hours=1)), 3600),
        (TokenData("t", expires_at=(NOW + timedelta(hours=1)).astimezone().replace(tzinfo=None)), 3600),
        (TokenData("t", expires_at=NOW + timedelta(seconds=5)), 60),
        (TokenData("t", expires_at=NOW - timedelta(days=1)), 60),
        (TokenData("t", expires_at=NOW + timedelta(hours=1), refresh_token="refresh-token-1"), None),
        (TokenData("t"), None),
    ],
    ids=["an hour", "local time", "short", "ended", "can be renewed", "no end"],
)
@pytest.mark.parametrize("locked", [False, True], ids=["free", "locked"])
def test_an_entry_ends_with_a_token_that_nothing_can_renew(
    redis: RedisServer, token: TokenData, life: int | None, locked: bool
) -> None:
    storage = RedisTokenStorage(redis.url, now=lambda: NOW)
    storage.set("key", TokenData("older", expires_at=NOW + timedelta(seconds=99)))
    if locked:
        with storage.lock("key", 0):
            storage.set("key", token)
    else:
        storage.set("key", token)
    with redis.client() as client:
        left = client.pttl("forge:key")
    assert left == -1 if life is None else life - 30 < left / 1000 <= life


@pytest.mark.parametrize("content", [b"{", b"user-token-9", b"\x80\x04\x95\xff", b"[]"])
def test_a_damaged_entry_is_ignored_and_told_without_its_content(redis: RedisServer, content: bytes) -> None:
    told: list[str] = []
    storage = RedisTokenStorage(redis.url, notice=told.append)
    with redis.client() as client:
        client.set("forge:key", content)
    assert storage.get("key") is None
    assert not storage.exists("key")
    assert "damaged" in told[0]
    assert "user-token" not in told[0]
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN


def test_keys_are_those_of_the_prefix(redis: RedisServer) -> None:
    storage = RedisTokenStorage(redis.url, "a*[b]?\\")
    RedisTokenStorage(redis.url, "axb").set("foreign", TOKEN)
    for key in ("one", "", "k:l", "ключ"):
        storage.set(key, TOKEN)
    with storage.lock("one", 0):
        storage.reserve("one")
        assert storage.keys() == sorted(["", "k:l", "one", "ключ"])


def test_a_client_of_ones_own_is_used_whatever_it_decodes(redis: RedisServer) -> None:
    with library.Redis.from_url(redis.url, decode_responses=True) as client:
        storage = RedisTokenStorage(client=client)
        with storage.lock("key", 0):
            storage.set("key", TOKEN)
        assert (storage.get("key"), storage.keys()) == (TOKEN, ["key"])


@pytest.mark.parametrize("use", USES)
def test_a_server_that_is_down_is_an_error_at_once(own_redis: RedisServer, use: str) -> None:
    storage = RedisTokenStorage(own_redis.url)
    storage.get("key")
    own_redis.kill()
    begun = time.monotonic()
    with pytest.raises(StorageError, match="redis cannot be reached") as caught:
        USES[use](storage)
    assert time.monotonic() - begun < 2
    assert "server" in said(caught.value)
    assert own_redis.url not in said(caught.value)


def test_a_server_that_comes_back_is_used_again(own_redis: RedisServer) -> None:
    storage = RedisTokenStorage(own_redis.url)
    storage.set("key", TOKEN)
    own_redis.kill()
    own_redis.start()
    assert storage.get("key") is None
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN


@pytest.mark.parametrize("connected", [False, True], ids=["new", "connected"])
@pytest.mark.parametrize("use", USES)
def test_a_server_that_does_not_answer_is_waited_for_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, use: str, connected: bool
) -> None:
    monkeypatch.setattr(module, "_LIMIT", 0.1)
    storage = RedisTokenStorage(redis.url)
    if connected:
        storage.get("key")
    with redis.paused():
        begun = time.monotonic()
        with pytest.raises(StorageError, match="redis does not answer in time"):
            USES[use](storage)
        assert 0.1 <= time.monotonic() - begun < 1


def test_a_wrong_password_is_said_to_be_one_and_never_shown(require: Require) -> None:
    with redis_server(require("redis-server", "apt-get install redis-server"), "--requirepass", "right-pass") as server:
        right, wrong = (server.url.replace("//", f"//:{word}@") for word in ("right-pass", "wrong-pass"))
        storage = RedisTokenStorage(right)
        storage.set("key", TOKEN)
        assert storage.get("key") == TOKEN
        for url in (wrong, server.url):
            with pytest.raises(StorageError, match="refuses the user or the password") as caught:
                RedisTokenStorage(url).get("key")
            assert "wrong-pass" not in said(caught.value)
    assert REDACTOR.text("it was wrong-pass") == "it was ***"


@pytest.mark.parametrize(
    "url",
    [
        "http://user:user-secret@host",
        "user-secret",
        "redis://:user-secret@h:port",
        "redis://:user-secret@h?socket_timeout=user-secret",
        "",
    ],
)
def test_a_url_that_is_none_is_not_quoted(url: str) -> None:
    with pytest.raises(StorageError, match="url") as caught:
        RedisTokenStorage(url)
    assert "user-secret" not in said(caught.value)


def test_tls_is_asked_for_by_the_scheme() -> None:
    assert isinstance(RedisTokenStorage("rediss://localhost:1/0"), RedisTokenStorage)


def test_a_server_without_memory_is_noticed_before_a_refresh_token_is_spent(own_redis: RedisServer) -> None:
    storage = RedisTokenStorage(own_redis.url)
    storage.set("key", TOKEN)
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
    for use in ("reserve", "set"):
        with pytest.raises(StorageError, match="refuses"):
            USES[use](storage)
    assert storage.get("key") == TOKEN


@pytest.mark.parametrize("thief", [None, "another owner"], ids=["ended", "stolen"])
def test_a_lost_lock_stops_the_save_and_the_spending_of_a_refresh_token(redis: RedisServer, thief: str | None) -> None:
    storage = RedisTokenStorage(redis.url)
    storage.set("key", TOKEN)
    with redis.client() as client:
        with storage.lock("key", 0):
            client.delete("forge.lock:key")
            if thief:
                client.set("forge.lock:key", thief)
            for use in ("reserve", "set"):
                with pytest.raises(StorageError, match="was lost"):
                    USES[use](storage)
        assert client.get("forge.lock:key") == (thief.encode() if thief else None)
    assert storage.get("key") == TOKEN
    storage.set("key", OTHER)
    assert storage.get("key") == OTHER


def test_a_lock_lives_as_long_as_its_holder(redis: RedisServer) -> None:
    with (
        RedisTokenStorage(redis.url, lease=0.15).lock("key", 0),
        pytest.raises(LockTimeout, match=r"forge\.lock:key") as caught,
        RedisTokenStorage(redis.url).lock("key", 0.5),
    ):
        pass
    assert caught.value.hint


def test_a_lock_ends_by_itself_within_15_seconds_and_has_an_owner_of_its_own(redis: RedisServer) -> None:
    owners = set()
    with redis.client() as client:
        for _ in range(2):
            with RedisTokenStorage(redis.url).lock("key", 0):
                left: Any = client.pttl("forge.lock:key")
                assert 0 < left <= 15_000
                owners.add(client.get("forge.lock:key"))
    assert len(owners) == 2


def test_a_lock_is_renewed_at_a_third_of_its_life(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    kept = threading.Event()

    class Recorded(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if timeout == lease.LIFE / 3:
                kept.set()
            return super().wait(timeout)

    monkeypatch.setattr("threading.Event", Recorded)
    with RedisTokenStorage(redis.url).lock("key", 0):
        assert kept.wait(10), waits


def test_who_waits_for_a_lock_is_told_so(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_NOTICE_AFTER", 0)
    told: list[str] = []
    waiting = RedisTokenStorage(redis.url, notice=told.append)
    with RedisTokenStorage(redis.url).lock("key", 0), pytest.raises(LockTimeout), waiting.lock("key", 0.05):
        pass
    assert told == ["waiting for another process that renews a token in redis"]


def test_the_lock_of_a_killed_process_ends(redis: RedisServer) -> None:
    socket = Path(redis.url.removeprefix("unix://").partition("?")[0])
    with start(HOLD, socket) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        storage = RedisTokenStorage(redis.url)
        with pytest.raises(LockTimeout), storage.lock("key", 0.5):
            pass
        child.kill()
        with storage.lock("key", 10):
            pass


class _Provider(TokenProviderInterface):
    service_name = "service"

    def __init__(self, during: Callable[[], None]) -> None:
        self._during = during
        self.asked = 0

    def fetch_token(self) -> TokenData:
        self.asked += 1
        self._during()
        return TokenData("user-token-1", refresh_token="refresh-token-1")

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


def test_a_token_that_was_obtained_while_the_server_died_is_used_all_the_same(own_redis: RedisServer) -> None:
    provider = _Provider(own_redis.kill)
    manager = TokenManager(provider, RedisTokenStorage(own_redis.url))
    assert manager.get_token().access_token == "user-token-1"
    assert manager.get_token().access_token == "user-token-1"
    assert provider.asked == 1
