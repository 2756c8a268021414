"""When a failed attempt is repeated, and after how long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli import (
    AuthenticationException,
    CircuitBreakerRetryStrategy,
    ConditionalAuthRetryStrategy,
    ConnectionException,
    ExponentialAuthRetryStrategy,
    ExponentialBackoffRetryStrategy,
    HttpClientException,
    HttpRequest,
    HttpResponse,
    HttpStatusException,
    NoAuthRetryStrategy,
    NoRetryStrategy,
    RequestContext,
    SimpleAuthRetryStrategy,
    SimpleRetryStrategy,
    SSLException,
    TimeoutException,
)
from forge_cli.errors import IncompleteResponseException
from forge_cli.models import Headers
from forge_cli.retry import BREAKER_ASKED, RETRIES, RETRYABLE_STATUSES, retry_after
from tests.clock import Clock

REQUEST = HttpRequest("GET", "/")
FAILURE = ConnectionException("Connection failed")


def at(attempt: int) -> RequestContext:
    return RequestContext(REQUEST, attempt)


def answer(status: int) -> HttpResponse:
    return HttpResponse(status, Headers(), b"", 0.0, "u", REQUEST)


class TestNoRetry:
    def test_never_repeats(self) -> None:
        strategy = NoRetryStrategy()
        assert (strategy.max_retries, strategy.get_delay(at(0))) == (0, 0.0)
        assert strategy.should_retry(at(0), FAILURE) is False


@pytest.mark.parametrize("kind", [SimpleRetryStrategy, ExponentialBackoffRetryStrategy])
def test_how_long_to_wait_and_to_go_on_is_what_was_said(kind: Any) -> None:
    assert (kind().max_retry_after, kind().max_elapsed) == (60.0, None)
    told = kind(max_retry_after=5.0, max_elapsed=9.0)
    assert (told.max_retry_after, told.max_elapsed) == (5.0, 9.0)


class TestSimple:
    def test_repeats_any_failure_up_to_its_limit_after_a_fixed_delay(self) -> None:
        strategy = SimpleRetryStrategy(2, 0.5)
        assert [strategy.should_retry(at(n), ValueError()) for n in range(4)] == [True, True, False, False]
        assert {strategy.get_delay(at(n)) for n in range(5)} == {0.5}
        assert (SimpleRetryStrategy().max_retries, SimpleRetryStrategy().get_delay(at(0))) == (3, 1.0)

    def test_only_what_is_listed_counts_and_an_empty_list_is_nothing(self) -> None:
        strategy = SimpleRetryStrategy(retryable_exceptions={TimeoutException})
        assert strategy.should_retry(at(0), TimeoutException("Request timed out"))
        assert not strategy.should_retry(at(0), FAILURE)
        assert not SimpleRetryStrategy(retryable_exceptions=set()).should_retry(at(0), FAILURE)

    def test_has_no_statuses_unless_it_is_given_some(self) -> None:
        assert not SimpleRetryStrategy().is_retryable_status(503)
        assert SimpleRetryStrategy(retryable_status_codes=[503]).is_retryable_status(503)


class TestExponential:
    def test_without_jitter_the_delays_double_up_to_the_cap(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(jitter=False, max_delay=10)
        assert [strategy.get_delay(at(n)) for n in range(5)] == [1, 2, 4, 8, 10]
        assert strategy.get_delay(at(10)) == 10
        assert ExponentialBackoffRetryStrategy(jitter=False).get_delay(at(10)) == 60

    def test_other_settings_change_the_delays(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(5, 0.5, 100, 3, jitter=False)
        assert [strategy.get_delay(at(n)) for n in range(3)] == [0.5, 1.5, 4.5]
        assert strategy.max_retries == 5

    @pytest.mark.parametrize("jitter", [True, False, "full"])
    def test_no_delay_works(self, jitter: Any) -> None:
        strategy = ExponentialBackoffRetryStrategy(base_delay=0, jitter=jitter)
        assert [strategy.get_delay(at(n)) for n in range(4)] == [0, 0, 0, 0]

    def test_jitter_spreads_by_a_quarter(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(base_delay=4)
        delays = [strategy.get_delay(at(0)) for _ in range(200)]
        assert all(3 <= delay <= 5 for delay in delays)
        assert max(delays) - min(delays) > 1
        assert len({strategy.get_delay(at(1)) for _ in range(5)}) >= 3

    def test_at_the_cap_the_spread_is_below_it(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(max_delay=8)
        delays = [strategy.get_delay(at(20)) for _ in range(200)]
        assert all(6 <= delay <= 8 for delay in delays)
        # Many clients at the cap must not come back as one.
        assert len(set(delays)) > 100

    def test_full_jitter_spreads_over_everything(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(base_delay=4, jitter="full")
        delays = [strategy.get_delay(at(0)) for _ in range(200)]
        assert all(0 <= delay <= 4 for delay in delays)
        assert min(delays) < 1
        assert max(delays) > 3

    @given(
        st.integers(0, 10_000),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
        st.floats(1, 10),
        st.sampled_from([True, False, "full"]),
    )
    def test_no_delay_is_negative_or_above_the_cap(
        self, attempt: int, base: float, cap: float, multiplier: float, jitter: Any
    ) -> None:
        strategy = ExponentialBackoffRetryStrategy(3, base, cap, multiplier, jitter)
        assert 0 <= strategy.get_delay(at(attempt)) <= cap

    def test_repeats_up_to_its_limit(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(2)
        assert [strategy.should_retry(at(n), FAILURE) for n in range(4)] == [True, True, False, False]
        assert [strategy.is_max_retry(at(n)) for n in range(4)] == [False, False, True, True]

    @pytest.mark.parametrize(
        ("failure", "repeated"),
        [
            pytest.param(FAILURE, True, id="connection"),
            pytest.param(TimeoutException("Request timed out"), True, id="timeout"),
            pytest.param(HttpStatusException("HTTP 503", 503), True, id="status"),
            pytest.param(
                IncompleteResponseException("the response broke off", context={"received": 3}), True, id="broken body"
            ),
            pytest.param(IncompleteResponseException("the gzip data is damaged"), False, id="damaged body"),
            pytest.param(SSLException("SSL/TLS error occurred"), False, id="TLS"),
            pytest.param(AuthenticationException("no"), False, id="authentication"),
            pytest.param(HttpClientException("HTTP request failed"), False, id="other"),
            pytest.param(ValueError(), False, id="foreign"),
        ],
    )
    def test_repeats_what_may_pass(self, failure: Exception, repeated: bool) -> None:
        assert ExponentialBackoffRetryStrategy().should_retry(at(0), failure) is repeated

    def test_a_list_of_failures_replaces_the_usual_ones(self) -> None:
        strategy = ExponentialBackoffRetryStrategy(retryable_exceptions={TimeoutException})
        assert strategy.should_retry(at(0), TimeoutException("Request timed out"))
        assert not strategy.should_retry(at(0), FAILURE)
        assert not strategy.should_retry(at(0), HttpStatusException("HTTP 503", 503))
        assert not ExponentialBackoffRetryStrategy(retryable_exceptions=set()).should_retry(at(0), FAILURE)

    def test_its_statuses_can_be_replaced_and_an_empty_set_is_none(self) -> None:
        usual = ExponentialBackoffRetryStrategy()
        assert {code for code in range(100, 600) if usual.is_retryable_status(code)} == RETRYABLE_STATUSES
        assert {408, 429, 500, 502, 503, 504} == RETRYABLE_STATUSES
        assert ExponentialBackoffRetryStrategy(retryable_status_codes={418}).is_retryable_status(418)
        assert not ExponentialBackoffRetryStrategy(retryable_status_codes=set()).is_retryable_status(503)


class TestAuthStrategies:
    def test_none_never_repeats_and_still_knows_a_refusal(self) -> None:
        strategy = NoAuthRetryStrategy()
        assert (strategy.max_retries, strategy.get_delay(0)) == (0, 0.0)
        assert strategy.should_retry(answer(401), attempt=0) is False
        assert strategy.is_auth_error(answer(401))
        assert not strategy.is_auth_error(answer(403))

    def test_simple_repeats_a_refusal_up_to_its_limit(self) -> None:
        strategy = SimpleAuthRetryStrategy(2, 0.5)
        assert [strategy.should_retry(answer(401), attempt=n) for n in range(3)] == [True, True, False]
        assert not strategy.should_retry(answer(200), 0)
        assert (strategy.max_retries, strategy.get_delay(attempt=1)) == (2, 0.5)
        assert (SimpleAuthRetryStrategy().max_retries, SimpleAuthRetryStrategy().get_delay(0)) == (1, 0.0)

    @pytest.mark.parametrize("kind", [SimpleAuthRetryStrategy, NoAuthRetryStrategy])
    def test_other_statuses_may_mean_a_refusal_and_none_may(self, kind: Any) -> None:
        assert kind(auth_error_codes={403}).is_auth_error(answer(403))
        assert not kind(auth_error_codes={403}).is_auth_error(answer(401))
        assert not kind(auth_error_codes=set()).is_auth_error(answer(401))


NOW = datetime(2024, 1, 1, 0, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("0", 0),
        ("Mon, 01 Jan 2024 00:01:00 GMT", 60),
        ("Sun, 31 Dec 2023 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:60 GMT", 59),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Jan 2024 00:01:00 GMT", None),
        ("Mon, 01 Foo 2024 00:01:00 GMT", None),
    ],
    ids=repr,
)
def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    assert retry_after(Headers([("retry-after", value)]), lambda: NOW) == seconds


def test_retry_after_may_be_absent_or_huge() -> None:
    assert retry_after(Headers()) is None
    huge = retry_after(Headers({"Retry-After": "9" * 400}))
    assert huge is not None
    assert huge > 1e9


@given(st.text())
def test_any_retry_after_is_a_number_that_is_not_negative_or_none(value: str) -> None:
    seconds = retry_after(Headers({"Retry-After": value}))
    assert seconds is None or seconds >= 0


def test_the_strategies_have_names() -> None:
    assert {name: RETRIES.load(name) for name in RETRIES} == {
        "none": NoRetryStrategy,
        "simple": SimpleRetryStrategy,
        "exponential": ExponentialBackoffRetryStrategy,
        "circuit-breaker": CircuitBreakerRetryStrategy,
    }
    assert "my.module:Class" in RETRIES


class Yielding(Clock):
    """A clock that lets the other threads go on whenever it is asked."""

    def __call__(self) -> float:
        time.sleep(0)
        return self.now


@pytest.fixture
def eager_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class TestCircuitBreaker:
    """The strategy without a client, which has one circuit of its own."""

    def opened(self, clock: Clock, **settings: Any) -> CircuitBreakerRetryStrategy:
        strategy = CircuitBreakerRetryStrategy(1, 2, 30.0, clock=clock, **settings)
        for _ in range(2):
            assert not strategy.should_retry(at(1), FAILURE)
        return strategy

    def test_it_starts_closed_and_repeats_anything_after_delays_that_grow(self) -> None:
        strategy = CircuitBreakerRetryStrategy()
        assert (strategy.state, strategy.State.CLOSED, strategy.max_retries) == ("closed", "closed", 3)
        assert [strategy.should_retry(at(n), ValueError()) for n in range(4)] == [True, True, True, False]
        assert [strategy.get_delay(at(n)) for n in range(3)] == [1, 2, 3]

    def test_calls_that_no_attempt_is_left_for_open_it(self) -> None:
        strategy = CircuitBreakerRetryStrategy(1, 2)
        assert strategy.should_retry(at(0), FAILURE)
        assert not strategy.should_retry(at(1), FAILURE)
        assert strategy.state == strategy.State.CLOSED
        assert not strategy.should_retry(at(1), FAILURE)
        assert strategy.state == strategy.State.OPEN
        assert not strategy.should_retry(at(0), FAILURE)

    def test_a_success_forgets_failures(self) -> None:
        strategy = CircuitBreakerRetryStrategy(0, 2)
        strategy.should_retry(at(0), FAILURE)
        strategy.record_success()
        strategy.should_retry(at(0), FAILURE)
        assert strategy.state == "closed"

    def test_after_the_recovery_it_is_half_open_and_then_closed_or_open(self) -> None:
        clock = Clock()
        strategy = self.opened(clock)
        clock.now += 30
        assert strategy.should_retry(at(0), FAILURE)
        assert strategy.state == strategy.State.HALF_OPEN
        strategy.record_success()
        assert strategy.state == "closed"
        strategy = self.opened(clock)
        clock.now += 30
        assert strategy.should_retry(at(0), FAILURE)
        assert not strategy.should_retry(at(1), FAILURE)
        assert strategy.state == "open"

    def test_by_default_5_calls_open_it_for_30_seconds_and_then_3_trials_are_admitted(self) -> None:
        clock = Clock()
        strategy = CircuitBreakerRetryStrategy(clock=clock)
        for _ in range(5):
            assert strategy.state == "closed"
            strategy.should_retry(at(3), FAILURE)
        clock.now += 29.5
        assert not strategy.should_retry(at(0), FAILURE)
        clock.now += 0.5
        assert [strategy.should_retry(at(0), FAILURE) for _ in range(4)] == [True, True, True, False]

    def test_a_call_that_is_refused_is_not_counted_and_does_not_prolong_the_wait(self) -> None:
        clock = Clock()
        strategy = self.opened(clock)
        clock.now += 29.5
        assert not strategy.should_retry(at(1), FAILURE)
        clock.now += 0.5
        assert strategy.should_retry(at(0), FAILURE)

    def test_a_client_that_asks_the_breaker_itself_is_only_told_what_is_left(self) -> None:
        strategy = CircuitBreakerRetryStrategy(1, 1)
        asked = {BREAKER_ASKED: True}
        assert not strategy.should_retry(RequestContext(REQUEST, 1, metadata=asked), FAILURE)
        assert strategy.state == "closed"
        assert not strategy.should_retry(at(1), FAILURE)
        assert strategy.state == "open"
        assert strategy.should_retry(RequestContext(REQUEST, 0, metadata=asked), FAILURE)

    def test_the_state_can_be_asked_while_other_threads_fail(self, eager_threads: None) -> None:
        strategy, failures = CircuitBreakerRetryStrategy(), list[Exception]()
        for number in range(2000):  # so many that looking them over takes longer than a thread's turn
            strategy.circuit_breaker.failure(f"https://{number}.example.com")

        def fail(thread: int) -> None:
            for number in range(100):
                strategy.circuit_breaker.failure(f"https://{thread}-{number}.example.com")

        def look() -> None:
            try:
                while any(thread.is_alive() for thread in failing):
                    assert strategy.state == "closed"
            except Exception as exc:
                failures.append(exc)

        failing = [threading.Thread(target=fail, args=(thread,)) for thread in range(4)]
        looking = threading.Thread(target=look)
        for thread in (*failing, looking):
            thread.start()
        for thread in (*failing, looking):
            thread.join()
        assert failures == []

    def test_threads_get_exactly_so_many_trials(self) -> None:
        clock = Yielding()
        strategy = self.opened(clock, half_open_max_calls=3)
        clock.now += 30
        barrier = threading.Barrier(32)

        def ask(_: int) -> bool:
            barrier.wait()
            return strategy.should_retry(at(0), FAILURE)

        with ThreadPoolExecutor(32) as pool:
            assert sum(pool.map(ask, range(32))) == 3

    def test_reset_closes_it(self) -> None:
        strategy = self.opened(Clock())
        strategy.reset()
        assert strategy.state == "closed"
        assert not strategy.should_retry(at(1), FAILURE)
        assert strategy.state == "closed"

    @pytest.mark.parametrize("limits", [{"failure_threshold": 0}, {"half_open_max_calls": 0}, {"recovery_timeout": -1}])
    def test_impossible_limits_are_refused(self, limits: Any) -> None:
        with pytest.raises(ValueError, match="must"):
            CircuitBreakerRetryStrategy(**limits)


class TestAuth:
    def test_exponential_delays_grow_to_their_cap(self) -> None:
        strategy = ExponentialAuthRetryStrategy(jitter=False)
        assert [strategy.get_delay(n) for n in range(5)] == [0.5, 1, 2, 4, 5]
        assert [strategy.should_retry(answer(401), n) for n in range(3)] == [True, True, False]
        assert not strategy.should_retry(answer(403), 0)
        assert ExponentialAuthRetryStrategy(uniform=lambda low, high: high).get_delay(9) == 5
        assert ExponentialAuthRetryStrategy(auth_error_codes={403}).should_retry(answer(403), attempt=0)
        assert strategy.max_retries == 2
        usual = ExponentialAuthRetryStrategy()
        assert len({usual.get_delay(0) for _ in range(20)}) > 1
        assert all(0.375 <= usual.get_delay(0) <= 0.625 for _ in range(20))

    def test_conditions_are_functions_of_the_answer(self) -> None:
        plain = ConditionalAuthRetryStrategy()
        assert (plain.should_retry(answer(401), 0), plain.should_retry(answer(401), 1)) == (True, False)
        assert not plain.should_retry(answer(200), 0)
        assert (plain.max_retries, plain.get_delay(0)) == (1, 0.0)
        strategy = ConditionalAuthRetryStrategy(
            2, 0.5, lambda given: given.status_code == 418, lambda given: given.status_code in (418, 419)
        )
        assert [strategy.is_auth_error(answer(status)) for status in (401, 418, 419)] == [False, True, True]
        assert [strategy.should_retry(answer(status), 0) for status in (401, 418, 419)] == [False, True, False]

    def test_what_a_condition_returns_is_passed_on(self) -> None:
        said: Any = "yes"
        returned: Any = ConditionalAuthRetryStrategy(should_retry_func=lambda given: said).should_retry(answer(401), 0)
        assert returned == "yes"
