"""Circuits in Redis, shared by machines."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..errors import StorageError
from ..redact import REDACTOR
from .circuit import Change, Circuit, from_record, to_record

# Seconds to connect, and again to answer.
_PATIENCE = 3.0
# Seconds after which an origin that nobody talks to is forgotten.
_LIFE = 86_400
# Whenever one caller loses a round another one has won it.
_ROUNDS = 100

# Replaces the value if it still is what was read; an empty text stands for none.
_COMPARE_AND_SET = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""


class RedisBreakerState:
    """Keeps circuits as JSON under ``<prefix>:breaker:<key>``, on the server's clock.

    A circuit that does not change for a day is forgotten. StorageError when the server does not answer
    within 3 s. `client` is a connection of the caller's, used as it is.
    """

    def __init__(
        self, url: str = "redis://localhost:6379/0", prefix: str = "forge", *, client: redis.Redis | None = None
    ) -> None:
        self._prefix = prefix
        self._client = client or connection(url, "the circuit breaker")

    def update(self, key: str, change: Change) -> Circuit:
        name = f"{self._prefix}:breaker:{key}"
        try:
            for _ in range(_ROUNDS):
                text, now = self._read(name)
                before = _circuit(text)
                after = change(before, now)
                if after == before or self._replaced(name, text, after):
                    return after
        except redis.RedisError as exc:
            # The original may quote the URL, and with it a password.
            raise StorageError(
                f"the redis server of the circuit breaker failed: {type(exc).__name__}", hint="check that it is up"
            ) from None
        raise StorageError("too many callers change one circuit in redis at once", hint="try again")

    def _read(self, name: str) -> tuple[bytes | str, float]:
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(name)
            pipeline.time()
            text, (seconds, microseconds) = pipeline.execute()
        return text or b"", seconds + microseconds / 1e6

    def _replaced(self, name: str, before: bytes | str, after: Circuit) -> bool:
        text = "" if after == Circuit() else json.dumps(to_record(after))
        return bool(self._client.eval(_COMPARE_AND_SET, 1, name, before, text, _LIFE))


def _circuit(text: bytes | str) -> Circuit:
    try:
        content: Any = json.loads(text)
        return from_record(content)
    except (ValueError, RecursionError):
        return Circuit()


def connection(url: str, what: str) -> redis.Redis:
    """A connection with a time limit, for what the errors call it. StorageError for what is no URL."""
    try:
        REDACTOR.add(unquote(urlsplit(url).password or ""))
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            # What a command did whose answer got lost must not be done twice.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # The original may quote the URL.
        raise StorageError(f"the redis URL of {what} is not one", hint="redis://host:6379/0") from None
