"""Tokens in Redis, shared by every process that reaches the server."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import StorageError
from ...interfaces import TokenStorageInterface
from ...models import TokenData, aware
from ...redact import REDACTOR
from .lease import LIFE, Leases, lost
from .text import from_text, to_text

logger = logging.getLogger(__name__)

# Seconds, to connect and for each answer.
_LIMIT = 3.0
# Seconds that a token is kept at least: its reader decides by a clock of its own.
_SHORTEST = 60.0
# Milliseconds that the proof of writability stays.
_PROBE_LIFE = 1000
_KEY_BYTES = 32

_RENEW = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) end return 0'
_RELEASE = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0'
# One script, so that the lock cannot be lost between the look and the save.
_SAVE = """
if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == "0" then
    redis.call("set", KEYS[2], ARGV[2])
else
    redis.call("set", KEYS[2], ARGV[2], "px", ARGV[3])
end
return 1
"""
_SCHEMES = "write redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix://PATH"


class RedisTokenStorage(TokenStorageInterface):
    """Keeps each token as JSON under ``<prefix>:<key>``, until it ends if nothing can renew it.

    The lock of a key, ``<prefix>.lock:<key>``, ends `lease` seconds after its holder died. A `client` of one's
    own (`redis.Redis`) stands in for `url`, and brings its own time limits. `notice` gets a line when an entry is
    damaged or a lock is waited for; the default logs it.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        prefix: str = "forge",
        *,
        client: redis.Redis | None = None,
        notice: Callable[[str], None] | None = None,
        lease: float = LIFE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client: Any = _connect(url) if client is None else client
        self._prefix = prefix
        self._notice = notice or logger.warning
        self._now = now
        self._leases = Leases(lease, on_wait=self._waiting)

    def get(self, key: str) -> TokenData | None:
        with _reported("read"):
            text = self._client.get(self._name(key))
        try:
            return None if text is None else from_text(text)
        except ValueError:
            self._notice(f"an entry of redis under {self._prefix!r} is damaged and is ignored")
            return None

    def set(self, key: str, token: TokenData) -> None:
        text, life, mark = to_text(token), self._life(token), self._leases.held(key)
        with _reported("write"):
            if not isinstance(mark, _Mark):
                self._client.set(self._name(key), text, px=life or None)
                return
            saved = self._client.eval(_SAVE, 2, mark.name, self._name(key), mark.owner, text, life)
        if not saved:
            raise lost(mark)

    def delete(self, key: str) -> None:
        with _reported("delete"):
            self._client.delete(self._name(key))

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def keys(self) -> list[str]:
        """The keys that have an entry."""
        start = _raw(f"{self._prefix}:")
        with _reported("read"):
            names = [_raw(name) for name in self._client.scan_iter(match=_literal(start) + b"*", count=1000)]
        return sorted({name.removeprefix(start).decode("utf-8", "surrogatepass") for name in names})

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        return self._locked(key, timeout)

    def reserve(self, key: str) -> None:
        """As the interface says: a server that is full, or takes no writes, refuses the probe."""
        with _reported("write"):
            self._client.set(_raw(f"{self._prefix}.probe"), "", px=_PROBE_LIFE)
        self._leases.check(key)

    def shared_key(self) -> bytes:
        """The random key by which all who share this server and prefix tell tokens apart; made by the first of them."""
        name = _raw(f"{self._prefix}.key")
        with _reported("read"):
            found = self._client.get(name)
            if found is None:
                self._client.set(name, os.urandom(_KEY_BYTES).hex(), nx=True)
                found = self._client.get(name)
        if not found:
            raise StorageError("redis does not keep what is written to it", hint="check its memory, and `url`")
        return _raw(found)

    @contextmanager
    def _locked(self, key: str, timeout: float) -> Iterator[None]:
        begun = time.monotonic()
        # The threads of this process wait for each other here, which costs the server nothing.
        with super().lock(key, timeout):
            left = max(0.0, timeout - (time.monotonic() - begun))
            with self._leases.hold(key, _Mark(self._client, f"{self._prefix}.lock:{key}"), left):
                yield

    def _name(self, key: str) -> bytes:
        return _raw(f"{self._prefix}:{key}")

    def _life(self, token: TokenData) -> int:
        """Milliseconds to the end of a token that nothing can renew; 0 for ever."""
        if token.expires_at is None or token.refresh_token:
            return 0
        left = (aware(token.expires_at) - self._now()).total_seconds()
        return math.ceil(max(left, _SHORTEST) * 1000)

    def _waiting(self, seconds: float) -> None:
        self._notice("waiting for another process that renews a token in redis")


class _Mark:
    def __init__(self, client: Any, label: str) -> None:
        self.label = f"the lock {label!r} in redis"
        self.name = _raw(label)
        self.owner = os.urandom(16).hex()
        self._client = client

    def take(self, life: float) -> bool:
        with _reported("lock"):
            return bool(self._client.set(self.name, self.owner, nx=True, px=_milliseconds(life)))

    def renew(self, life: float) -> bool:
        with _reported("lock"):
            return bool(self._client.eval(_RENEW, 1, self.name, self.owner, _milliseconds(life)))

    def release(self) -> None:
        with _reported("unlock"):
            self._client.eval(_RELEASE, 1, self.name, self.owner)


def _connect(url: str) -> Any:
    # The library would repeat each attempt, and so multiply the limit.
    settings: dict[str, Any] = {
        "socket_connect_timeout": _LIMIT,
        "socket_timeout": _LIMIT,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    try:
        REDACTOR.add(unquote(urlsplit(url).password or ""))
        return redis.Redis.from_url(url, **settings)
    except ValueError:
        # The original may quote the URL, which may hold a password.
        raise StorageError("the url of the redis token storage is not one", hint=_SCHEMES) from None


@contextmanager
def _reported(doing: str) -> Iterator[None]:
    """Turn the library's errors into StorageError. Theirs quote addresses and answers, so they are not chained."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        message, hint = "redis refuses the user or the password", "check the user and the password in `url`"
    except redis.TimeoutError:
        message, hint = "redis does not answer in time", "check that the server is well, and `url`"
    except (redis.ConnectionError, OSError):
        message, hint = "redis cannot be reached", "check that the server runs, and `url`"
    except redis.RedisError as exc:
        message = f"redis refuses it ({type(exc).__name__})"
        hint = "check that the server has memory left and takes writes, and `url`"
    else:
        return
    raise StorageError(f"cannot {doing} a token: {message}", hint=hint) from None


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))


def _raw(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")


def _literal(name: bytes) -> bytes:
    """The name as a pattern that matches nothing else."""
    return re.sub(rb"([*?\[\]\\])", rb"\\\1", name)
