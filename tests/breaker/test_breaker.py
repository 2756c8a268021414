from __future__ import annotations

import logging
import pickle
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forge_cli.breaker import BREAKER_STATES, CLOSED, HALF_OPEN, OPEN, Change, Circuit, CircuitBreaker
from forge_cli.errors import CircuitOpenException, ForgeError, HttpClientException, StorageError

KEY = "https://api.example.com"
OTHER = "https://other.example.com"


class Clock:
    """A clock that stands still until it is told to go."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


def admitted(breaker: CircuitBreaker, key: str = KEY) -> bool:
    try:
        breaker.before(key)
    except CircuitOpenException:
        return False
    return True


def opened(clock: Callable[[], float], trials: int = 1) -> CircuitBreaker:
    breaker = CircuitBreaker(2, 30.0, trials, clock=clock)
    for _ in range(2):
        breaker.before(KEY)
        breaker.failure(KEY)
    return breaker


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_new_circuit_is_closed_and_admits_everything() -> None:
    breaker = CircuitBreaker()
    assert breaker.state(KEY) == CLOSED
    assert all(admitted(breaker) for _ in range(20))


def test_by_default_5_failures_open_it_for_30_seconds_and_then_one_trial_is_admitted(clock: Clock) -> None:
    breaker = CircuitBreaker(clock=clock)
    for _ in range(5):
        assert admitted(breaker)
        breaker.failure(KEY)
    assert breaker.remaining(KEY) == 30
    clock.go(30)
    assert [admitted(breaker) for _ in range(2)] == [True, False]


def test_failures_in_a_row_open_it(clock: Clock) -> None:
    breaker = opened(clock)
    assert breaker.state(KEY) == OPEN
    assert not admitted(breaker)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = CircuitBreaker(2)
    for _ in range(5):
        breaker.failure(KEY)
        breaker.success(KEY)
    assert breaker.state(KEY) == CLOSED


def test_the_refusal_says_when_to_ask_again(clock: Clock) -> None:
    breaker = opened(clock)
    clock.go(17.5)
    with pytest.raises(CircuitOpenException) as caught:
        breaker.before(KEY)
    error = caught.value
    assert isinstance(error, HttpClientException)
    assert error.retry_after == breaker.remaining(KEY) == 12.5
    assert KEY in error.message and "2 failures in a row" in error.message and "in 13 s" in error.message
    assert error.hint
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.message, copy.retry_after, copy.hint) == (error.message, 12.5, error.hint)


def test_the_refusal_during_a_trial_says_so(clock: Clock) -> None:
    breaker = opened(clock)
    clock.go(30)
    breaker.before(KEY)
    with pytest.raises(CircuitOpenException, match="another call is trying it"):
        breaker.before(KEY)


def test_asking_the_state_or_the_time_admits_nobody(clock: Clock) -> None:
    breaker = opened(clock)
    clock.go(30)
    assert (breaker.state(KEY), breaker.remaining(KEY)) == (OPEN, 0)
    assert (breaker.state(KEY), breaker.remaining(KEY)) == (OPEN, 0)
    assert admitted(breaker)
    assert (breaker.state(KEY), breaker.remaining(KEY)) == (HALF_OPEN, 30)


@pytest.mark.parametrize("trials", [1, 3])
def test_half_open_admits_exactly_so_many(clock: Clock, trials: int) -> None:
    breaker = opened(clock, trials)
    clock.go(30)
    assert [admitted(breaker) for _ in range(5)] == [True] * trials + [False] * (5 - trials)


def test_the_first_success_of_a_trial_closes_it(clock: Clock) -> None:
    breaker = opened(clock, 3)
    clock.go(30)
    breaker.before(KEY)
    breaker.success(KEY)
    assert breaker.state(KEY) == CLOSED
    assert all(admitted(breaker) for _ in range(20))


def test_a_failed_trial_opens_it_for_the_whole_time_again(clock: Clock) -> None:
    breaker = opened(clock)
    clock.go(30)
    breaker.before(KEY)
    clock.go(5)
    breaker.failure(KEY)
    assert (breaker.state(KEY), breaker.remaining(KEY)) == (OPEN, 30)


def test_a_trial_that_never_reports_gives_its_place_back(clock: Clock) -> None:
    breaker = opened(clock)
    clock.go(30)
    assert admitted(breaker)
    clock.go(29)
    assert not admitted(breaker)
    clock.go(1)
    assert admitted(breaker)
    assert not admitted(breaker)


def test_origins_know_nothing_of_each_other(clock: Clock) -> None:
    breaker = opened(clock)
    assert admitted(breaker, OTHER)
    assert breaker.state(OTHER) == CLOSED


def test_reset_closes_one_origin(clock: Clock) -> None:
    breaker = opened(clock)
    breaker.failure(OTHER)
    breaker.failure(OTHER)
    breaker.reset(KEY)
    assert (breaker.state(KEY), breaker.state(OTHER)) == (CLOSED, OPEN)
    breaker.failure(KEY)
    assert breaker.state(KEY) == CLOSED


@pytest.mark.parametrize("trials", [1, 4])
def test_32_threads_at_half_open_are_admitted_exactly_so_often(clock: Clock, trials: int) -> None:
    breaker = opened(clock, trials)
    clock.go(30)
    barrier, results = threading.Barrier(32), list[bool]()

    def ask() -> None:
        barrier.wait()
        results.append(admitted(breaker))

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results.count(True), results.count(False)) == (trials, 32 - trials)


class Failing:
    """A state whose back end is down."""

    def __init__(self) -> None:
        self.asked = 0

    def update(self, key: str, change: Change) -> Circuit:
        self.asked += 1
        raise StorageError("the disk is full")


def test_a_state_that_fails_costs_the_sharing_and_not_the_breaker(clock: Clock) -> None:
    told: list[str] = []
    breaker = CircuitBreaker(2, 30.0, state=Failing(), clock=clock, notice=told.append)
    assert admitted(breaker)
    breaker.failure(KEY)
    breaker.failure(KEY)
    assert not admitted(breaker)
    assert told == ["the circuit breaker is not shared with other processes: the disk is full"]


def test_a_state_that_fails_is_left_alone_for_a_while(clock: Clock) -> None:
    state, told = Failing(), list[str]()
    breaker = CircuitBreaker(2, 30.0, state=state, clock=clock, notice=told.append)
    breaker.before(KEY)
    breaker.before(KEY)
    assert state.asked == 1
    clock.go(30)
    breaker.before(KEY)
    assert (state.asked, len(told)) == (2, 1)


def test_without_a_notice_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        CircuitBreaker(state=Failing()).before(KEY)
    assert "the disk is full" in caplog.text


def test_the_states_are_named_in_the_table() -> None:
    assert list(BREAKER_STATES) == ["memory", "file", "redis"]
    with pytest.raises(ForgeError, match="breaker state 'disk' does not exist"):
        BREAKER_STATES.load("disk")


def test_a_state_whose_library_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "forge_cli.breaker.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ForgeError, match="breaker state 'redis' needs redis") as caught:
        BREAKER_STATES.load("redis")
    assert caught.value.hint == "pip install 'forge-http[redis]'"


class AgainstAModel(RuleBasedStateMachine):
    """The breaker beside a list of what happened, from which the model works everything out anew."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.row = 0
        self.blocked_until: float | None = None
        self.trials: list[float] = []

    @initialize(threshold=st.integers(1, 4), recovery=st.sampled_from([1, 5, 30]), most=st.integers(1, 3))
    def begin(self, threshold: int, recovery: int, most: int) -> None:
        self.threshold, self.recovery, self.most = threshold, recovery, most
        self.breaker = CircuitBreaker(threshold, float(recovery), most, clock=self.clock)

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.go(seconds)

    @rule()
    def a_call_asks(self) -> None:
        now = self.clock.now
        running = [begun for begun in self.trials if now < begun + self.recovery]
        expected = self.blocked_until is None or (now >= self.blocked_until and len(running) < self.most)
        assert admitted(self.breaker) == expected
        if expected and self.blocked_until is not None:
            self.trials = [*running, now]

    @rule()
    def a_call_fails(self) -> None:
        self.breaker.failure(KEY)
        self.row += 1
        if self.row >= self.threshold:
            self.blocked_until = self.clock.now + self.recovery
            self.trials = []

    @rule()
    def a_call_succeeds(self) -> None:
        self.breaker.success(KEY)
        if self.blocked_until is None or self.trials:
            self.row, self.blocked_until, self.trials = 0, None, []

    @rule()
    def someone_resets(self) -> None:
        self.breaker.reset(KEY)
        self.row, self.blocked_until, self.trials = 0, None, []

    @invariant()
    def the_state_is_the_models(self) -> None:
        if hasattr(self, "breaker"):
            expected = CLOSED if self.blocked_until is None else HALF_OPEN if self.trials else OPEN
            assert self.breaker.state(KEY) == expected


TestAgainstAModel = AgainstAModel.TestCase
