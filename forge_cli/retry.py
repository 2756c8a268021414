"""When a failed attempt is repeated, and after how long; likewise for a refused credential."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

from .breaker import CLOSED, HALF_OPEN, OPEN, CircuitBreaker
from .breaker.memory import MemoryBreakerState
from .compiled import compiled
from .errors import (
    CircuitOpenException,
    ConnectionException,
    HttpStatusException,
    IncompleteResponseException,
    TimeoutException,
)
from .interfaces import AuthRetryStrategyInterface, RetryStrategyInterface
from .models import HttpResponse, RequestContext
from .registry import Registry

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
BREAKER_ASKED = "circuit_breaker"
"""The key of a context's metadata by which a client says that it asks the breaker itself."""
_JITTER = 0.25
# The circuit of callers who ask the strategy themselves, and name no origin.
_DIRECT = ""
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_IMF_FIXDATE = compiled(r"\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")


class NoRetryStrategy(RetryStrategyInterface):
    """Every request is sent once."""

    @property
    def max_retries(self) -> int:
        return 0

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        return False

    def get_delay(self, context: RequestContext) -> float:
        return 0.0


class _Limited(RetryStrategyInterface):
    """At most so many retries; listed statuses count as failures."""

    def __init__(self, max_retries: int, statuses: Iterable[int]) -> None:
        self._max_retries = max_retries
        self._statuses = frozenset(statuses)

    @property
    def max_retries(self) -> int:
        return self._max_retries

    def is_retryable_status(self, code: int) -> bool:
        return code in self._statuses


class SimpleRetryStrategy(_Limited):
    """Repeat up to `max_retries` times, `delay` seconds apart.

    `retryable_exceptions` limits it to these types (None: any); `retryable_status_codes` names statuses
    that count as failures (None: none).
    """

    def __init__(
        self,
        max_retries: int = 3,
        delay: float = 1.0,
        retryable_exceptions: Iterable[type[Exception]] | None = None,
        *,
        retryable_status_codes: Iterable[int] | None = None,
        max_retry_after: float = 60.0,
        max_elapsed: float | None = None,
    ) -> None:
        super().__init__(max_retries, retryable_status_codes or ())
        self._delay = delay
        self._exceptions = None if retryable_exceptions is None else tuple(retryable_exceptions)
        self.max_retry_after = max_retry_after
        self.max_elapsed = max_elapsed

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        if context.attempt >= self._max_retries:
            return False
        return self._exceptions is None or isinstance(exception, self._exceptions)

    def get_delay(self, context: RequestContext) -> float:
        return self._delay


class ExponentialBackoffRetryStrategy(_Limited):
    """Repeat after `base_delay` seconds, then `multiplier` times as long each time, at most `max_delay`.

    `jitter` spreads each delay: True by ±25 %, ``"full"`` over the whole range from 0 (as the AWS
    Architecture Blog's "Exponential Backoff And Jitter" recommends). A `Retry-After` longer than
    `max_retry_after` seconds is not waited for; after `max_elapsed` seconds no attempt begins. An empty
    set means: nothing.
    """

    def __init__(
        self,
        max_retries: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 60.0,
        multiplier: float = 2.0,
        jitter: bool | Literal["full"] = True,
        retryable_exceptions: Iterable[type[Exception]] | None = None,
        retryable_status_codes: Iterable[int] | None = None,
        *,
        max_retry_after: float = 60.0,
        max_elapsed: float | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__(max_retries, RETRYABLE_STATUSES if retryable_status_codes is None else retryable_status_codes)
        self._exceptions = None if retryable_exceptions is None else tuple(retryable_exceptions)
        self._delays = _Backoff(base_delay, max_delay, multiplier, jitter, uniform)
        self.max_retry_after = max_retry_after
        self.max_elapsed = max_elapsed

    def is_max_retry(self, context: RequestContext) -> bool:
        """Whether this was the last attempt allowed."""
        return context.attempt >= self._max_retries

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        if self.is_max_retry(context):
            return False
        return _transient(exception) if self._exceptions is None else isinstance(exception, self._exceptions)

    def get_delay(self, context: RequestContext) -> float:
        return self._delays.after(context.attempt)


class CircuitBreakerRetryStrategy(_Limited):
    """Repeat, and leave a server alone for `recovery_timeout` seconds after `failure_threshold` failures in a row.

    A client asks before each attempt and counts each of them (transport failures, 5xx, 408, 429), by
    origin; CircuitOpenException when it may not be sent. Then `half_open_max_calls` trials are admitted,
    of which the first success closes the circuit. Delays grow by `base_delay` seconds each time. Whoever
    calls `should_retry` without a client has one circuit, which counts the calls that no attempt is left for.
    Safe between threads. ValueError for impossible limits.
    """

    class State:
        """What `state` can be."""

        CLOSED = CLOSED
        OPEN = OPEN
        HALF_OPEN = HALF_OPEN

    def __init__(
        self,
        max_retries: int = 3,
        failure_threshold: int = 5,
        recovery_timeout: float = 30.0,
        half_open_max_calls: int = 3,
        base_delay: float = 1.0,
        *,
        retryable_status_codes: Iterable[int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(max_retries, retryable_status_codes or ())
        self._base_delay = base_delay
        self._circuits = _Circuits(clock=clock)
        self._breaker = CircuitBreaker(
            failure_threshold, recovery_timeout, half_open_max_calls, state=self._circuits, clock=clock
        )

    @property
    def circuit_breaker(self) -> CircuitBreaker:
        """What a client asks before each attempt."""
        return self._breaker

    @property
    def state(self) -> str:
        """The worst state of all circuits: "open", "half_open" or "closed"."""
        return self._circuits.worst()

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        left = context.attempt < self._max_retries
        if context.metadata.get(BREAKER_ASKED) is True:
            return left
        if self._breaker.remaining(_DIRECT) > 0:
            return False
        if not left:
            self._breaker.failure(_DIRECT)
            return False
        try:
            self._breaker.before(_DIRECT)
        except CircuitOpenException:  # another thread took the last trial
            return False
        return True

    def get_delay(self, context: RequestContext) -> float:
        return self._base_delay * (context.attempt + 1)

    def record_success(self) -> None:
        """Tell that a call succeeded, without a client."""
        self._breaker.success(_DIRECT)

    def reset(self) -> None:
        """Close all circuits and forget their failures."""
        for key in self._circuits.known():
            self._breaker.reset(key)


class _Circuits(MemoryBreakerState):
    """Circuits that can be looked over."""

    def known(self) -> list[str]:
        with self._lock:
            return list(self._circuits)

    def worst(self) -> str:
        with self._lock:
            states = {circuit.state for circuit in self._circuits.values()}
        return next((state for state in (OPEN, HALF_OPEN) if state in states), CLOSED)


def _transient(exception: Exception) -> bool:
    """A listed status, a limit that passed, or a connection that failed or broke within the body."""
    if isinstance(exception, IncompleteResponseException):
        return "received" in exception.context
    return isinstance(exception, HttpStatusException | TimeoutException | ConnectionException)


class _Backoff:
    def __init__(
        self,
        base: float,
        cap: float,
        multiplier: float,
        jitter: bool | Literal["full"],
        uniform: Callable[[float, float], float],
    ) -> None:
        self._base, self._cap, self._multiplier, self._jitter, self._uniform = base, cap, multiplier, jitter, uniform

    def after(self, attempt: int) -> float:
        try:
            delay = min(self._cap, self._base * self._multiplier**attempt)
        except OverflowError:
            delay = self._cap
        if self._jitter == "full":
            return self._uniform(0.0, delay)
        if self._jitter:
            # Spread below the cap as well: many clients at the cap must not come back as one.
            low, high = delay * (1 - _JITTER), min(self._cap, delay * (1 + _JITTER))
            return max(0.0, self._uniform(low, high))
        return max(0.0, delay)


class _AuthAttempts(AuthRetryStrategyInterface):
    """At most so many renewals, each after the same pause, when the status says that the credential was refused."""

    def __init__(self, max_retries: int, delay: float, auth_error_codes: Iterable[int] | None) -> None:
        self._max_retries = max_retries
        self._delay = delay
        self._codes = frozenset({401} if auth_error_codes is None else auth_error_codes)

    @property
    def max_retries(self) -> int:
        return self._max_retries

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code in self._codes

    def should_retry(self, response: HttpResponse, attempt: int) -> bool:
        return attempt < self._max_retries and self.is_auth_error(response)

    def get_delay(self, attempt: int) -> float:
        return self._delay


class NoAuthRetryStrategy(_AuthAttempts):
    """A refused credential is final; 401 is still reported as refused."""

    def __init__(self, auth_error_codes: Iterable[int] | None = None) -> None:
        super().__init__(0, 0.0, auth_error_codes)


class SimpleAuthRetryStrategy(_AuthAttempts):
    """Renew and send again up to `max_retries` times, after `delay` seconds."""

    def __init__(self, max_retries: int = 1, delay: float = 0.0, auth_error_codes: Iterable[int] | None = None) -> None:
        super().__init__(max_retries, delay, auth_error_codes)


class ExponentialAuthRetryStrategy(_AuthAttempts):
    """Renew and send again, after delays that grow as those of `ExponentialBackoffRetryStrategy` do."""

    def __init__(
        self,
        max_retries: int = 2,
        base_delay: float = 0.5,
        max_delay: float = 5.0,
        multiplier: float = 2.0,
        jitter: bool | Literal["full"] = True,
        auth_error_codes: Iterable[int] | None = None,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__(max_retries, base_delay, auth_error_codes)
        self._delays = _Backoff(base_delay, max_delay, multiplier, jitter, uniform)

    def get_delay(self, attempt: int) -> float:
        return self._delays.after(attempt)


class ConditionalAuthRetryStrategy(_AuthAttempts):
    """Renew and send again when functions of the caller's say so.

    `is_auth_error_func` stands in for the test of the status; of what it accepts, `should_retry_func`
    decides what is repeated.
    """

    def __init__(
        self,
        max_retries: int = 1,
        delay: float = 0.0,
        should_retry_func: Callable[[HttpResponse], bool] | None = None,
        is_auth_error_func: Callable[[HttpResponse], bool] | None = None,
        auth_error_codes: Iterable[int] | None = None,
    ) -> None:
        super().__init__(max_retries, delay, auth_error_codes)
        self._decides = should_retry_func
        self._recognises = is_auth_error_func

    def is_auth_error(self, response: HttpResponse) -> bool:
        return super().is_auth_error(response) if self._recognises is None else self._recognises(response)

    def should_retry(self, response: HttpResponse, attempt: int) -> bool:
        if not super().should_retry(response, attempt):
            return False
        return True if self._decides is None else self._decides(response)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds that a `Retry-After` field asks for (RFC 9110, section 10.2.3); None for none or nonsense."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    moment = _http_date(value)
    return None if moment is None else max(0.0, (moment - now()).total_seconds())


def _http_date(text: str) -> datetime | None:
    match = _IMF_FIXDATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = match.groups()
    try:
        return datetime(
            int(year), _MONTHS[match[2]], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
    except ValueError:
        return None


RETRIES = Registry(
    "retry strategy",
    {
        "none": "forge_cli.retry:NoRetryStrategy",
        "simple": "forge_cli.retry:SimpleRetryStrategy",
        "exponential": "forge_cli.retry:ExponentialBackoffRetryStrategy",
        "circuit-breaker": "forge_cli.retry:CircuitBreakerRetryStrategy",
    },
    custom=("should_retry", "get_delay"),
)
