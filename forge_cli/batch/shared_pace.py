"""One pace for all processes and machines that share a Redis: the rate, and what the server asks for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from redis.commands.core import Script

from ..breaker.redis import connection
from ..errors import StorageError
from .pace import NEVER, Turn
from .quota import Quota

# Seconds for which clocks that run apart may disagree over the end of a wait.
_NEARLY = 0.005
# Seconds for which a process without a rate believes that there is no limit: to ask each time costs it a fifth.
_FREE = 0.05
# Milliseconds after which a pace that nobody takes turns from is forgotten.
_LIFE = 24 * 3600 * 1000

# Each begins with what is known, in microseconds of the server's clock: when the next slot of the rate is, until when
# the API wants nothing, and how many turns are left until when.
_KNOWN = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local known = redis.call('HMGET', KEYS[1], 'slot', 'paused', 'reset', 'left', 'number')
for n = 1, 5 do known[n] = tonumber(known[n] or 0) end
local slot, paused, reset, left, number = unpack(known)
local function keep(...)
    local fields = {...}
    for n = 2, #fields, 2 do fields[n] = string.format('%.0f', fields[n]) end
    redis.call('HSET', KEYS[1], unpack(fields))
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
"""
# Whether the turn is granted, its number, the microseconds until it comes, and whether there is a quota.
_TAKE = f"""{_KNOWN}
local wanted = paused
if left <= 0 then wanted = math.max(wanted, reset) end
if wanted > now then return {{0, number, string.format('%.0f', wanted - now), 1}} end
if reset > now then left = left - 1 end
local at = math.max(now, slot)
keep('slot', at + ARGV[2], 'left', left, 'number', number + 1)
return {{1, number + 1, string.format('%.0f', at - now), reset > now and 1 or 0}}
"""
_HELD = f"""{_KNOWN}
if left < 0 then paused = math.max(paused, reset) end
return string.format('%.0f', paused - now)
"""
# The turns that were taken since the one that was answered are not in the API's count yet.
_TOLD = f"""{_KNOWN}
if tonumber(ARGV[2]) > 0 then keep('paused', math.max(paused, now + ARGV[2])) end
if tonumber(ARGV[4]) > 0 then keep('left', ARGV[3] - math.max(0, number - ARGV[5]), 'reset', now + ARGV[4]) end
"""


class RedisPace:
    """The pace of all who use this `name`: `rate` a second, evenly spaced; None for no rate.

    StorageError when Redis does not answer.
    """

    def __init__(
        self, rate: float | None, name: str, url: str = "redis://localhost:6379/0", prefix: str = "forge"
    ) -> None:
        self._interval = 0 if rate is None else max(1, round(1e6 / rate))
        self._rated = rate is not None
        self._number, self._free_until = 0, NEVER
        self._name = f"{prefix}:pace:{name}"
        client = connection(url, "the shared rate")
        self._take, self._held, self._told = map(client.register_script, (_TAKE, _HELD, _TOLD))

    def take(self, now: float) -> Turn:
        if now < self._free_until:
            return Turn(self._number, now)
        granted, number, wait, limited = self._asked(self._take, self._interval)
        if granted and not limited and not self._rated:
            self._number, self._free_until = int(number), now + _FREE
        at = now + int(wait) / 1e6
        return Turn(int(number), at, at if granted and self._rated else None, bool(granted))

    def held_until(self, now: float) -> float:
        return now + int(self._asked(self._held)) / 1e6 - _NEARLY

    def told(self, now: float, turn: Turn, pause: float, quota: Quota | None) -> None:
        self._free_until = NEVER
        remaining, seconds = (0, 0.0) if quota is None else (quota.remaining, quota.seconds)
        # The answer is there. Whoever takes the next turn hears that Redis is down.
        with suppress(StorageError):
            self._asked(self._told, round(pause * 1e6), remaining, round(seconds * 1e6), turn.number)

    def _asked(self, script: Script, *values: int) -> Any:
        try:
            return script([self._name], [_LIFE, *values])
        except redis.RedisError as exc:
            # The original may quote the URL, and with it a password.
            raise StorageError(
                f"the redis server of the shared rate failed: {type(exc).__name__}", hint="check that it is up"
            ) from None
