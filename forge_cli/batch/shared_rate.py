"""One rate for all processes and machines that share a Redis."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..errors import StorageError

_PATIENCE = 3.0
# Takes the next slot on the server's clock: microseconds until it comes.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
redis.call('SET', KEYS[1], string.format('%.0f', slot + tonumber(ARGV[1])), 'PX', ARGV[2])
return string.format('%.0f', slot - now)
"""


class RedisPace:
    """`rate` a second over all who use this `name`, evenly spaced. StorageError when Redis does not answer."""

    def __init__(self, rate: float, name: str, url: str = "redis://localhost:6379/0", prefix: str = "forge") -> None:
        self._interval = max(1, round(1e6 / rate))
        self._name = f"{prefix}:rate:{name}"
        try:
            self._client = redis.Redis.from_url(
                url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
            )
        except ValueError:
            # The original may quote the URL.
            raise StorageError("the redis URL of the shared rate is not one", hint="redis://host:6379/0") from None

    def reserve(self, now: float) -> tuple[float, float]:
        try:
            wait = int(self._client.eval(_RESERVE, 1, self._name, self._interval, self._interval // 1000 + 60_000))
        except redis.RedisError as exc:
            # The original may quote the URL, and with it a password.
            raise StorageError(
                f"the redis server of the shared rate failed: {type(exc).__name__}", hint="check that it is up"
            ) from None
        return now + wait / 1e6, now + wait / 1e6
