"""What the steps of a login need of the machine: programs, time, a person, numbers that only grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..errors import ProfileError
from ..login.work import Person


class World:
    """As `login.step.World` says."""

    def __init__(self, person: Person | None = None, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.person = person
        self.sleep = sleep

    def command(self, argv: Sequence[str], env: Sequence[str]) -> str:
        raise ProfileError("commands cannot be run yet")

    def nonce(self) -> int:
        return time.time_ns() // 1000
