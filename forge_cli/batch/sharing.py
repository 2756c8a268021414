"""What processes that use one profile have in common beside its tokens."""

from __future__ import annotations

from ..profiles.build import Profile
from ..registry import Registry
from .pace import Pace

_PACES = Registry("pace", {"redis": "forge_cli.batch.shared_pace:RedisPace"}, extras={"redis": "redis"})


def shared_pace(profile: Profile | None, rate: float | None) -> Pace | None:
    """The pace that this profile's processes share in the Redis that has its tokens; None: there is none."""
    shared = None if profile is None else profile.transport().redis
    if shared is None or profile is None:
        return None
    pace: Pace = _PACES.load("redis")(rate, profile.name, **shared)
    return pace
