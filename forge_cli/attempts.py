"""One call over all its attempts: whether a failed one is repeated, and whether its server is to be left alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .breaker import CircuitBreaker, RetryBudget
from .config import HttpClientConfig
from .errors import (
    AuthenticationException,
    CircuitOpenException,
    ConnectionException,
    HttpClientException,
    HttpStatusException,
    IncompleteResponseException,
    MaxRetryException,
    RedirectException,
    RequestBuildException,
    SSLException,
    TimeoutException,
)
from .events import Listener, RetryStopped
from .interfaces import AuthRetryStrategyInterface, RetryStrategyInterface
from .models import HttpResponse, RequestContext, decode_text
from .preparation import Draft
from .redact import REDACTOR
from .retry import retry_after
from .streaming import StreamedResponse

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.2
# Asking again cannot change these, or not yet.
_PERMANENT = (AuthenticationException, SSLException, RequestBuildException, RedirectException, CircuitOpenException)
# Failures of whoever is at the other end.
_UNANSWERED = (ConnectionException, TimeoutException, SSLException, IncompleteResponseException)
_MAX_RETRY_AFTER = 60.0
_MOST_RENEWALS = 10


class Exchange:
    """One request and its answer, about which the circuit breaker hears once.

    Entering asks whether it may be sent (CircuitOpenException); leaving reports a failure, unless it was
    answered before. `breaker` None: nobody asks.
    """

    def __init__(self, breaker: CircuitBreaker | None, key: str) -> None:
        self._breaker = breaker
        self._key = key

    def __enter__(self) -> Self:
        if self._breaker is not None:
            self._breaker.before(self._key)
        return self

    def answered(self, status: int) -> None:
        """The answer is there, as far as anybody wants it."""
        breaker = self._breaker
        if breaker is None:
            return
        self._breaker = None
        report = breaker.failure if breaker.counts(status) else breaker.success
        report(self._key)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A body that is longer than we allow is no failure of the server's.
        if self._breaker is not None and isinstance(error, _UNANSWERED) and "limit" not in error.context:
            self._breaker.failure(self._key)


_UNASKED = Exchange(None, "")


@dataclass(eq=False, repr=False)
class Call:
    """One request of a caller's, over all its attempts.

    `answered`: this attempt has had an answer of any kind. `key` is the origin of the last exchange and
    `first_key` that of the first; both are empty before there was one.
    """

    context: RequestContext
    strategy: RetryStrategyInterface
    started: float
    stream: bool
    breaker: CircuitBreaker | None
    budget: RetryBudget
    draft: Draft | None = None
    answered: bool = False
    key: str = ""
    first_key: str = ""

    def exchange(self, key: str) -> Exchange:
        """The next exchange, with the origin `key`."""
        self.key = key
        if not self.first_key:
            self.first_key = key
            self.budget.request(key)
        return _UNASKED if self.breaker is None else Exchange(self.breaker, key)


class Repetition:
    """Decides on one more attempt. The `listener` hears why there is none, where there could be one."""

    def __init__(self, config: HttpClientConfig, clock: Callable[[], float], listener: Listener | None) -> None:
        self._unsafe_methods = config.retry_unsafe_methods
        self._clock = clock
        self._listener = listener

    def delay(self, error: HttpClientException, call: Call, response: StreamedResponse | None = None) -> float | None:
        """Seconds to wait before sending once more; None for no. `response` is the answer that failed, if any."""
        strategy, context = call.strategy, call.context
        if isinstance(error, _PERMANENT):
            return None
        if call.draft is not None and not call.draft.replayable:
            if self._listener is not None and strategy.should_retry(context, error):
                self._listener(RetryStopped("the body could be read only once"))
            return None
        if not self._repeatable(error, call):
            return None
        if not strategy.should_retry(context, error):
            return None
        delay = seconds(strategy, strategy.get_delay(context))
        asked = retry_after(response.headers) if response is not None else None
        delay = max(delay, asked or 0.0)
        obstacle = self._obstacle(call, delay, asked)
        if obstacle is None:
            return delay
        if self._listener is not None:
            self._listener(RetryStopped(obstacle))
        return None

    def _obstacle(self, call: Call, delay: float, asked: float | None) -> str | None:
        """Why there is no attempt after `delay` seconds. The budget comes last: what is spent is gone."""
        most = number(call.strategy, "max_retry_after", _MAX_RETRY_AFTER)
        if asked is not None and asked > most:
            return f"the server asks for {span(asked)}, more than the {span(most)} allowed"
        limit = number(call.strategy, "max_elapsed", math.inf)
        if self._clock() - call.started + delay > limit:
            return f"no time left for another attempt within {span(limit)}"
        deadline = call.context.deadline
        if deadline is not None and delay >= deadline.remaining():
            wish = f"the server asks for {span(asked)}; " if asked is not None else ""
            return f"{wish}no time left for another attempt within {span(deadline.seconds)}"
        if call.key and call.breaker is not None and call.breaker.remaining(call.key) > delay:
            return f"the circuit of {call.key} is open"
        if call.first_key and not call.budget.spend(call.first_key):
            return f"the retry budget of {call.first_key} is used up"
        return None

    def _repeatable(self, error: HttpClientException, call: Call) -> bool:
        """Whether sending again can do no harm (RFC 9110, section 9.2.2)."""
        if call.draft is None:
            return True
        prepared = call.draft.prepared
        return (
            self._unsafe_methods
            or prepared.method in _IDEMPOTENT
            or "idempotency-key" in prepared.headers
            # After a redirect it is only the last hop that was not sent.
            or (error.context.get("sent") is False and not call.answered)
        )


def final(error: HttpClientException, context: RequestContext) -> HttpClientException:
    """What the caller gets when `error` ended the last attempt."""
    attempts, most = context.attempt + 1, context.max_retries
    if attempts == 1 and isinstance(error, CircuitOpenException):
        return error  # nothing was tried
    if context.attempt >= most:
        message = f"Max retries ({most}) exceeded"
    elif attempts == 1:
        message = "Request failed and was not retried"
    else:
        message = f"Request failed after {attempts} attempts and was not retried again"
    return MaxRetryException(message, attempts, error, {"request": context.request}, hint=error.hint)


def status_failure(strategy: RetryStrategyInterface, response: StreamedResponse) -> HttpStatusException | None:
    """The answer as a failure, when its status is one that the strategy lists."""
    # Looked up on the class: an object that answers to any name lists no statuses.
    if not hasattr(type(strategy), "is_retryable_status"):
        return None
    listing: Any = strategy
    if not listing.is_retryable_status(response.status_code):
        return None
    return HttpStatusException(f"HTTP {response.status_code}", response.status_code, _preview(response))


def renewals_left(strategy: AuthRetryStrategyInterface, response: HttpResponse, renewed: int) -> bool:
    """Whether a refused credential may be renewed once more, after so many renewals of one request.

    The strategy's `should_retry` has to say yes. There are at most `max_retries` renewals, and one at least, where
    that is a number. Where it is none (a stand-in), a `should_retry` that answers True or False decides alone, up to
    10 renewals; any other answer is good for one. A strategy that always says yes must not send for ever.
    """
    most: object = strategy.max_retries
    if isinstance(most, int | float):
        return renewed < max(1, most) and bool(strategy.should_retry(response, renewed))
    if renewed >= _MOST_RENEWALS:
        return False
    answer: object = strategy.should_retry(response, renewed)
    return answer if isinstance(answer, bool) else bool(answer) and renewed < 1


def number(strategy: object, name: str, default: float) -> float:
    """A limit that a strategy may have or not."""
    value = getattr(strategy, name, None)
    return value if isinstance(value, int | float) else default


def seconds(strategy: object, delay: object) -> float:
    """What `get_delay` of a strategy returned. RequestBuildException when that is no number of seconds."""
    if isinstance(delay, int | float) and not math.isnan(delay):
        return delay
    raise RequestBuildException(
        f"get_delay of {type(strategy).__name__} returned {type(delay).__name__}, which is no number of seconds",
        hint="return seconds, such as 0.5; a stand-in has to be told to",
    )


def span(seconds: float) -> str:
    """A time span as people say it: 90 s, 1 min, 24 h."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds == size and unit != "d"):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def reason(error: HttpClientException) -> str:
    """Why an attempt failed, in a word or two."""
    if isinstance(error, HttpStatusException):
        return str(error.status_code)
    return error.message.partition(": ")[2] or error.message


def _preview(response: StreamedResponse) -> str:
    value = response.response()
    return REDACTOR.content(decode_text(value.content[:4000], value.encoding))[:1000]
