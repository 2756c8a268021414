from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from forge_cli.errors import LockTimeout, StorageError
from forge_cli.models import TokenData, aware
from forge_cli.tokens.storage import lease
from forge_cli.tokens.storage.django import DjangoCacheTokenStorage, _Mark
from tests.django_caches import django_cache
from tests.redis_server import RedisServer

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TokenData("user-token-1")
OTHER = TokenData("user-token-2")

USES: dict[str, Callable[[DjangoCacheTokenStorage], object]] = {
    "get": lambda storage: storage.get("key"),
    "set": lambda storage: storage.set("key", TOKEN),
    "delete": lambda storage: storage.delete("key"),
    "reserve": lambda storage: storage.reserve("key"),
    "lock": lambda storage: storage.lock("key", 0).__enter__(),
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[None]:
    with django_cache("memory", str(tmp_path)):
        yield


@pytest.mark.usefixtures("memory")
def test_an_entry_is_text_and_no_object() -> None:
    DjangoCacheTokenStorage().set("auth_token:service", TOKEN)
    value = cache.get("token:auth_token:service")
    assert type(value) is str
    assert value == '{"access_token":"user-token-1","token_type":"Bearer"}'


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
def test_an_entry_ends_with_a_token_that_nothing_can_renew(
    redis: RedisServer, token: TokenData, life: int | None
) -> None:
    with django_cache("redis", redis.url), redis.client() as client:
        DjangoCacheTokenStorage(now=lambda: NOW).set("key", token)
        left: Any = client.ttl(":1:token:key")
    assert left == -1 if life is None else life - 30 < left <= life


@pytest.mark.parametrize(
    "end",
    [None, datetime(2030, 1, 1, 12), datetime(2030, 1, 1, 12, tzinfo=UTC), "2030-01-01T12:00:00+00:00"],
    ids=["no end", "local time", "utc", "text"],
)
@pytest.mark.usefixtures("memory")
def test_the_six_fields_that_older_callers_stored_are_a_token(end: Any) -> None:
    fields = {
        "access_token": "user-token-1",
        "token_type": "Bearer",
        "expires_at": end,
        "refresh_token": None,
        "scope": None,
        "extra": {"id": 7, "none": None},
    }
    cache.set("token:key", fields)
    found = DjangoCacheTokenStorage().get("key")
    assert found is not None
    moment = datetime.fromisoformat(end) if isinstance(end, str) else end
    assert found == TokenData("user-token-1", expires_at=moment and aware(moment), extra={"id": 7, "none": None})


@pytest.mark.parametrize(
    "value",
    ["user-token-9", 7, b"{}", TOKEN, {"access_token": None}, {"access_token": "user-token-9", "extra": 1}],
    ids=["text", "number", "bytes", "object", "no token", "wrong type"],
)
@pytest.mark.usefixtures("memory")
def test_a_damaged_entry_is_ignored_and_told_without_its_content(value: object) -> None:
    told: list[str] = []
    storage = DjangoCacheTokenStorage(notice=told.append)
    cache.set("token:key", value)
    assert storage.get("key") is None
    assert "damaged" in told[0]
    assert "user-token" not in told[0]
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN


@pytest.mark.parametrize("key", ["two words", "x" * 250, "new\nline", "\ud800"])
@pytest.mark.usefixtures("memory")
def test_a_key_that_memcached_would_refuse_is_replaced(key: str) -> None:
    # Django warns of such a key, and here every warning is an error.
    storage = DjangoCacheTokenStorage()
    with storage.lock(key, 0):
        storage.set(key, TOKEN)
    assert storage.get(key) == TOKEN
    storage.delete(key)
    assert not storage.exists(key)


def test_a_cache_that_is_not_there_is_named() -> None:
    with django_cache("memory", "x"), pytest.raises(StorageError, match="'nowhere'") as caught:
        DjangoCacheTokenStorage("nowhere").get("key")
    assert "CACHES" in str(caught.value.hint)


def test_a_back_end_that_is_not_installed_is_an_error() -> None:
    with django_cache("memory", "x", BACKEND="nowhere.Cache"), pytest.raises(StorageError) as caught:
        DjangoCacheTokenStorage().get("key")
    assert "CACHES" in str(caught.value.hint)


def test_without_settings_the_hint_says_what_django_needs() -> None:
    script = """
from forge_cli.errors import StorageError
from forge_cli.tokens.storage import lease
from forge_cli.tokens.storage.django import DjangoCacheTokenStorage
try:
    DjangoCacheTokenStorage().get("key")
except StorageError as exc:
    print(exc.hint)
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "DJANGO_SETTINGS_MODULE" in result.stdout, result.stderr


@pytest.mark.parametrize("use", USES)
def test_a_server_that_is_down_is_an_error_that_quotes_no_address(own_redis: RedisServer, use: str) -> None:
    with django_cache("redis", own_redis.url):
        own_redis.kill()
        with pytest.raises(StorageError, match="the Django cache 'default' failed") as caught:
            USES[use](DjangoCacheTokenStorage())
    assert own_redis.url not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("thief", [None, "another owner"], ids=["ended", "stolen"])
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_lost_lock_stops_the_save_and_the_spending_of_a_refresh_token(
    tmp_path: Path, kind: str, thief: str | None
) -> None:
    with django_cache(kind, str(tmp_path / "cache")):
        storage = DjangoCacheTokenStorage()
        storage.set("key", TOKEN)
        with storage.lock("key", 0):
            cache.delete("token.lock:key")
            if thief:
                cache.set("token.lock:key", thief)
            for use in ("reserve", "set"):
                with pytest.raises(StorageError, match="was lost"):
                    USES[use](storage)
        assert cache.get("token.lock:key") == thief
        assert storage.get("key") == TOKEN


def test_a_lock_is_renewed_while_it_is_held_and_named_to_those_who_wait(redis: RedisServer) -> None:
    with django_cache("redis", redis.url), redis.client() as client:
        name = ":1:token.lock:key"
        with DjangoCacheTokenStorage(lease=0.06).lock("key", 0):
            client.persist(name)
            end = time.monotonic() + 20
            while client.ttl(name) == -1:
                assert time.monotonic() < end
            with pytest.raises(LockTimeout, match=r"token\.lock:key"), DjangoCacheTokenStorage().lock("key", 0.01):
                pass
        assert not client.exists(name)


@pytest.mark.usefixtures("memory")
def test_who_waits_for_a_lock_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_NOTICE_AFTER", 0)
    told: list[str] = []
    waiting = DjangoCacheTokenStorage(notice=told.append)
    with DjangoCacheTokenStorage().lock("key", 0), pytest.raises(LockTimeout), waiting.lock("key", 0.05):
        pass
    assert told == ["waiting for another process that renews a token in the Django cache 'default'"]


def test_a_cache_that_keeps_nothing_stops_nobody() -> None:
    with django_cache("dummy", ""):
        storage = DjangoCacheTokenStorage()
        with storage.lock("key", 0):
            storage.reserve("key")
            storage.set("key", TOKEN)
            assert storage.get("key") is None


@pytest.mark.usefixtures("memory")
def test_prefixes_keep_storages_apart() -> None:
    one, two = DjangoCacheTokenStorage(key_prefix="one"), DjangoCacheTokenStorage(key_prefix="two")
    with one.lock("key", 0), two.lock("key", 0):
        one.set("key", TOKEN)
        two.set("key", OTHER)
    assert (one.get("key"), two.get("key")) == (TOKEN, OTHER)


@pytest.mark.usefixtures("memory")
def test_a_lock_that_was_never_taken_is_not_renewed() -> None:
    assert not _Mark("default", "token.lock", "key").renew(60)
