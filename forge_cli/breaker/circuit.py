"""One origin's circuit: what is known of it, and how each event changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, Literal

from ..frozen import immutable

State = Literal["closed", "open", "half_open"]
CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half_open"

# Seconds. However soon a server may be tried again, a trial is not lost because its answer takes a moment.
_SHORTEST_TRIAL = 1.0
# No count and no time reaches this; what is read is not calculated with beyond it.
_IMPOSSIBLE = 1e15


@immutable
class Circuit:
    """What is known of one origin; times are seconds of the clock of whoever keeps it.

    `failures` are in a row, `failed_at` is the last of them, and `admitted` the beginnings of the trials
    of a half-open circuit that nobody has reported on.
    """

    state: State = CLOSED
    failures: int = 0
    failed_at: float = 0.0
    admitted: tuple[float, ...] = ()


Change = Callable[[Circuit, float], Circuit]
"""The circuit as it is and the present time -> the circuit as it shall be."""


@immutable
class Limits:
    """When a circuit opens, for how long, and how many trials it then admits. ValueError for impossible ones."""

    failure_threshold: int
    recovery_timeout: float
    half_open_max_calls: int

    def __post_init__(self) -> None:
        if self.failure_threshold < 1:
            raise ValueError("failure_threshold must be at least 1")
        if not self.recovery_timeout >= 0:
            raise ValueError("recovery_timeout must not be negative")
        if self.half_open_max_calls < 1:
            raise ValueError("half_open_max_calls must be at least 1")

    def remaining(self, circuit: Circuit, now: float) -> float:
        """Seconds until a call may be admitted; 0 when one may be now."""
        if circuit.state == CLOSED:
            return 0.0
        if circuit.state == OPEN:
            return _left(circuit.failed_at, self.recovery_timeout, now)
        trials = sorted(_left(begun, self._trial, now) for begun in circuit.admitted)
        # Those who share a circuit may have other limits, so there can be more trials than this one admits.
        surplus = len(trials) - self.half_open_max_calls
        return trials[surplus] if surplus >= 0 else 0.0

    def admit(self, circuit: Circuit, now: float) -> Circuit:
        """The circuit after it let a call through, which it may do only when nothing remains."""
        if circuit.state == CLOSED:
            return circuit
        earlier = circuit.admitted if circuit.state == HALF_OPEN else ()
        running = (begun for begun in earlier if _left(begun, self._trial, now) > 0)
        return Circuit(HALF_OPEN, circuit.failures, circuit.failed_at, (*running, now))

    def failed(self, circuit: Circuit, now: float) -> Circuit:
        """The circuit after a failure. One that comes late, while it is open, makes it stay open for longer."""
        failures = circuit.failures + 1
        stays_closed = circuit.state == CLOSED and failures < self.failure_threshold
        return Circuit(CLOSED if stays_closed else OPEN, failures, now)

    def succeeded(self, circuit: Circuit) -> Circuit:
        """The circuit after a success. One that comes late, while it is open, says nothing about now."""
        return circuit if circuit.state == OPEN else Circuit()

    @property
    def _trial(self) -> float:
        return max(self.recovery_timeout, _SHORTEST_TRIAL)


def _left(begun: float, seconds: float, now: float) -> float:
    """What is left of a span. Nothing when it begins in the future: then the clock was set back."""
    elapsed = now - begun
    return max(0.0, seconds - elapsed) if elapsed >= 0 else 0.0


def to_record(circuit: Circuit) -> dict[str, Any]:
    """The circuit as JSON has it."""
    return asdict(circuit)


def from_record(record: Any) -> Circuit:
    """The circuit of a record. ValueError when `to_record` did not make it."""
    match record:
        case {
            "state": "closed" | "open" | "half_open" as state,
            "failures": int(failures),
            "failed_at": int() | float() as failed_at,
            "admitted": list(admitted),
        } if failures >= 0 and all(map(_possible, (failures, failed_at, *admitted))):
            return Circuit(state, failures, failed_at, tuple(admitted))
    raise ValueError("not a circuit")


def _possible(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < _IMPOSSIBLE  # which is also false for NaN
