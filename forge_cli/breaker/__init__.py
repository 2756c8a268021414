"""The circuit breaker: an origin that keeps failing is left alone for a while."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

from ..errors import CircuitOpenException, StorageError
from ..registry import Registry
from .budget import RetryBudget
from .circuit import CLOSED, HALF_OPEN, OPEN, Change, Circuit, Limits, State
from .memory import MemoryBreakerState

__all__ = [
    "BREAKER_STATES",
    "CLOSED",
    "HALF_OPEN",
    "OPEN",
    "BreakerState",
    "Change",
    "Circuit",
    "CircuitBreaker",
    "RetryBudget",
    "State",
]

logger = logging.getLogger(__name__)

_COUNTED = frozenset({408, 429})


class BreakerState(Protocol):
    """Keeps circuits by key, and the clock that everyone who shares them goes by. Raises StorageError."""

    def update(self, key: str, change: Change) -> Circuit:
        """Replace a circuit by what `change` makes of it, in one step, and return the new one.

        A key that is not there is a closed circuit. `change` may be called several times; only the last
        call counts.
        """
        ...


BREAKER_STATES = Registry(
    "breaker state",
    {
        "memory": "forge_cli.breaker.memory:MemoryBreakerState",
        "file": "forge_cli.breaker.file:FileBreakerState",
        "redis": "forge_cli.breaker.redis:RedisBreakerState",
    },
    extras={"redis": "redis"},
)


class CircuitBreaker:
    """Refuses calls to an origin after `failure_threshold` failures in a row. Safe between threads.

    `recovery_timeout` seconds after the last failure the circuit is half open: it admits
    `half_open_max_calls` trials, whose first success closes it and whose first failure opens it again. A
    trial that is never reported on ends after the same time (at least 1 s).

    Ask `before` each attempt, then report `success` or `failure`; a key is an origin, as text. `clock`
    is for circuits in memory, the default; other states bring their own. When the state fails, this
    process goes on with circuits of its own for `recovery_timeout` seconds, and `notice` is told once;
    the default logs it. ValueError for impossible limits.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 30.0,
        half_open_max_calls: int = 1,
        *,
        state: BreakerState | None = None,
        clock: Callable[[], float] = time.monotonic,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self._limits = Limits(failure_threshold, recovery_timeout, half_open_max_calls)
        self._clock = clock
        self._own: BreakerState = MemoryBreakerState(clock=clock)
        self._shared = state or self._own
        self._alone_until = -math.inf
        self._notice = notice or logger.warning
        self._told = False

    @staticmethod
    def counts(status: int) -> bool:
        """Whether an answer of this status is a failure of the server: 5xx, 408 and 429."""
        return status >= 500 or status in _COUNTED

    def before(self, key: str) -> None:
        """Ask to make a call now. CircuitOpenException when nothing may be sent."""
        wait = 0.0

        def ask(circuit: Circuit, now: float) -> Circuit:
            nonlocal wait
            wait = self._limits.remaining(circuit, now)
            return circuit if wait > 0 else self._limits.admit(circuit, now)

        circuit = self._update(key, ask)
        if wait > 0:
            raise _refusal(key, circuit, wait)

    def success(self, key: str) -> None:
        """Report a call that was answered, with any status that does not count."""
        self._update(key, lambda circuit, now: self._limits.succeeded(circuit))

    def failure(self, key: str) -> None:
        """Report a call that failed: no answer, a broken one, or one whose status counts."""
        self._update(key, self._limits.failed)

    def state(self, key: str) -> State:
        """The circuit's state. An open one stays open until `before` admits a trial."""
        return self._update(key, _unchanged).state

    def remaining(self, key: str) -> float:
        """Seconds until a call may be admitted; 0 when one may be now."""
        wait = 0.0

        def look(circuit: Circuit, now: float) -> Circuit:
            nonlocal wait
            wait = self._limits.remaining(circuit, now)
            return circuit

        self._update(key, look)
        return wait

    def reset(self, key: str) -> None:
        """Close the circuit and forget its failures."""
        self._update(key, lambda circuit, now: Circuit())

    def _update(self, key: str, change: Change) -> Circuit:
        if self._clock() >= self._alone_until:
            try:
                return self._shared.update(key, change)
            except StorageError as exc:
                # The breaker is there to spare a failing server; it must not stop requests to a sound one,
                # nor make each of them wait for a back end that is down.
                self._alone_until = self._clock() + self._limits.recovery_timeout
                if not self._told:
                    self._told = True
                    self._notice(f"the circuit breaker is not shared with other processes: {exc.message}")
        return self._own.update(key, change)


def _unchanged(circuit: Circuit, now: float) -> Circuit:
    return circuit


def _refusal(key: str, circuit: Circuit, wait: float) -> CircuitOpenException:
    why = f"{circuit.failures} failures in a row" if circuit.state == OPEN else "another call is trying it"
    seconds = math.ceil(wait)
    return CircuitOpenException(
        f"not sent: the circuit of {key} is open ({why}) and may be asked again in {seconds} s",
        retry_after=wait,
        hint=f"wait {seconds} s, or look at why the server fails",
    )
