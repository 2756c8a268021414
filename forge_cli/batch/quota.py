"""What an answer says about how much more may be asked: `RateLimit`, its forerunners, and `Retry-After`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..compiled import compiled
from ..models import Headers
from ..retry import retry_after

# `RateLimit: "default";r=50;t=30` (draft-ietf-httpapi-ratelimit-headers, 08 and later).
_ITEM = compiled(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)((?:\s*;\s*[a-z*][a-z0-9_.*-]*(?:=[^;,\s]+)?)*)', re.IGNORECASE)
_PARAMETER = compiled(r";\s*([rt])=([0-9]+)")
# `RateLimit: limit=100, remaining=50, reset=30` (07 of the same draft).
_DICTIONARY = compiled(r"\b(remaining|reset)\s*=\s*([0-9]+)")
_DELAYING = frozenset({429, 503})
_LONGEST = 3600.0
# A larger number is a moment of our days and no number of seconds.
_EPOCH, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests more may be sent within so many seconds."""

    remaining: int
    seconds: float


def quotas(headers: Headers, now: Callable[[], float] = time.time) -> list[Quota]:
    """Every quota that an answer tells of."""
    if not any("limit" in name.lower() for name, _ in headers.pairs):
        return []
    field = headers.get("RateLimit") or ""
    found = [dict(_PARAMETER.findall(item)) for item in _ITEM.findall(field)]
    rules = [(rule["r"], rule.get("t")) for rule in found if "r" in rule]
    pairs = dict(_DICTIONARY.findall(field))
    if not rules and "remaining" in pairs:
        rules.append((pairs["remaining"], pairs.get("reset")))
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        remaining = headers.get(f"{prefix}Remaining")
        if remaining is not None:
            rules.append((remaining, headers.get(f"{prefix}Reset")))
    made = (_quota(remaining, reset, now) for remaining, reset in rules)
    return [quota for quota in made if quota is not None]


def delay_asked(status: int, headers: Headers) -> float:
    """Seconds for which the server wants nothing more: `Retry-After` of a 429 or 503."""
    if status not in _DELAYING:
        return 0.0
    return min(retry_after(headers) or 0.0, _LONGEST)


def _quota(remaining: str, reset: str | None, now: Callable[[], float]) -> Quota | None:
    try:
        left, until = float(remaining), float(reset or "nan")
    except ValueError:
        return None
    if not math.isfinite(left) or not math.isfinite(until):
        return None
    if until > _EPOCH:
        until = until / (1000 if until > _EPOCH_MS else 1) - now()
    return Quota(max(0, int(left)), min(until, _LONGEST)) if until > 0 else None
