"""One pace for all processes and machines that share a Redis: the rate, and what the server asks for."""

from __future__ import annotations

import threading
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
# the API wants nothing, how many turns are left until when, how many were taken in all, and how many had been when an
# answer last told of a quota. `due` is when the next slot would be if nobody had ever come late.
_KNOWN = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local known = redis.call('HMGET', KEYS[1], 'slot', 'paused', 'reset', 'left', 'number', 'known', 'due')
for n = 1, 7 do known[n] = tonumber(known[n] or 0) end
local slot, paused, reset, left, number, heard, due = unpack(known)
local function keep(...)
    local fields = {...}
    for n = 2, #fields, 2 do fields[n] = string.format('%.0f', fields[n]) end
    redis.call('HSET', KEYS[1], unpack(fields))
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
"""
# Whether the turn is granted, its number, the microseconds until it comes, whether there is a quota, and by how many
# microseconds it is late.
_TAKE = f"""{_KNOWN}
local wanted = paused
if left <= 0 then wanted = math.max(wanted, reset) end
if wanted > now then return {{0, number, string.format('%.0f', wanted - now), 1, 0}} end
if reset > now then left = left - 1 end
if due == 0 then due = now end
local at = math.max(now, slot, due)
keep('slot', at + ARGV[2], 'left', left, 'number', number + 1, 'due', due + ARGV[2])
return {{1, number + 1, string.format('%.0f', at - now), reset > now and 1 or 0, string.format('%.0f', at - due)}}
"""
_HELD = f"""{_KNOWN}
if left < 0 then paused = math.max(paused, reset) end
return string.format('%.0f', paused - now)
"""
# What is under way may not be in the API's count yet: the turns that were taken since the one that was answered.
# Answers overtake each other, so that only one to a turn that was taken when the last one was known can tell of more.
# Of an older one, most turns taken since are answered too, and told of: only this process's are under way for sure.
_TOLD = f"""{_KNOWN}
if tonumber(ARGV[2]) > 0 then keep('paused', math.max(paused, now + ARGV[2])) end
if tonumber(ARGV[4]) <= 0 then return end
local turn = tonumber(ARGV[5])
local ends = now + ARGV[4]
if now >= reset or turn > heard then
    keep('left', ARGV[3] - math.max(0, number - turn, tonumber(ARGV[6])), 'reset', ends, 'known', number)
elseif ARGV[3] - ARGV[6] < left then
    keep('left', ARGV[3] - ARGV[6], 'reset', math.max(reset, ends), 'known', number)
end
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
        # By how much everybody was late when this process began, which is not its own doing.
        self._late: float | None = None
        self._out = 0
        self._lock = threading.Lock()
        self._name = f"{prefix}:pace:{name}"
        client = self._client = connection(url, "the shared rate")
        self._take, self._held, self._told = map(client.register_script, (_TAKE, _HELD, _TOLD))

    def take(self, now: float) -> Turn:
        if now < self._free_until:
            self._count(1)
            return Turn(self._number, now)
        granted, number, wait, limited, late = self._asked(self._take, self._interval)
        at = now + int(wait) / 1e6
        if not granted:
            return Turn(int(number), at, granted=False)
        self._count(1)
        if not self._rated:
            if not limited:
                self._number, self._free_until = int(number), now + _FREE
            return Turn(int(number), at)
        behind = int(late) / 1e6
        if self._late is None:
            self._late = behind
        return Turn(int(number), at, at - max(0.0, behind - self._late))

    def held_until(self, now: float) -> float:
        return now + int(self._asked(self._held)) / 1e6 - _NEARLY

    def told(self, now: float, turn: Turn, pause: float, quota: Quota | None) -> None:
        self._free_until = NEVER
        remaining, seconds = (0, 0.0) if quota is None else (quota.remaining, quota.seconds)
        # The answer is there. Whoever takes the next turn hears that Redis is down.
        with suppress(StorageError):
            others = self._out - turn.granted
            self._asked(self._told, round(pause * 1e6), remaining, round(seconds * 1e6), turn.number, others)

    def done(self, turn: Turn) -> None:
        self._count(-turn.granted)

    def close(self) -> None:
        self._client.close()

    def _count(self, more: int) -> None:
        """So many more turns of this process are under way."""
        with self._lock:
            self._out += more

    def _asked(self, script: Script, *values: int) -> Any:
        try:
            return script([self._name], [_LIFE, *values])
        except redis.RedisError as exc:
            # The original may quote the URL, and with it a password.
            raise StorageError(
                f"the redis server of the shared rate failed: {type(exc).__name__}", hint="check that it is up"
            ) from None
