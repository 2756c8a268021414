"""A clock that only moves when somebody sleeps."""

from __future__ import annotations


class Clock:
    """Pass `clock` and `sleep` to a client; `slept` holds each wait in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
