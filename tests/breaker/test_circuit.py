from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.breaker.circuit import CLOSED, HALF_OPEN, OPEN, Circuit, Limits, State, from_record, to_record

LIMITS = Limits(failure_threshold=3, recovery_timeout=30.0, half_open_max_calls=2)
TIMES = st.floats(min_value=0, max_value=1e9)
STATES: list[State] = [CLOSED, OPEN, HALF_OPEN]
CIRCUITS = st.builds(
    Circuit, st.sampled_from(STATES), st.integers(0, 10**6), TIMES, st.lists(TIMES, max_size=5).map(tuple)
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Circuit(), Circuit(CLOSED, 1, 100), id="the first"),
        pytest.param(Circuit(CLOSED, 1, 90), Circuit(CLOSED, 2, 100), id="below the threshold"),
        pytest.param(Circuit(CLOSED, 2, 90), Circuit(OPEN, 3, 100), id="at the threshold"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (95, 96)), Circuit(OPEN, 4, 100), id="a trial"),
        pytest.param(Circuit(OPEN, 3, 90), Circuit(OPEN, 4, 100), id="a late one"),
        pytest.param(Circuit(HALF_OPEN, 1, 60, (95,)), Circuit(OPEN, 2, 100), id="a trial, others open it sooner"),
    ],
)
def test_a_failure_counts_and_opens(before: Circuit, after: Circuit) -> None:
    assert LIMITS.failed(before, 100) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Circuit(), Circuit(), id="nothing to forget"),
        pytest.param(Circuit(CLOSED, 2, 90), Circuit(), id="failures in a row end"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (95, 96)), Circuit(), id="a trial closes"),
        pytest.param(Circuit(OPEN, 3, 90), Circuit(OPEN, 3, 90), id="a late one says nothing"),
    ],
)
def test_a_success_closes_what_is_not_open(before: Circuit, after: Circuit) -> None:
    assert LIMITS.succeeded(before) == after


@pytest.mark.parametrize(
    ("circuit", "now", "seconds"),
    [
        pytest.param(Circuit(CLOSED, 2, 100), 100, 0, id="closed"),
        pytest.param(Circuit(CLOSED, 2, 100, (99, 100)), 100, 0, id="closed, whatever was admitted"),
        pytest.param(Circuit(OPEN, 3, 100), 100, 30, id="just opened"),
        pytest.param(Circuit(OPEN, 3, 100), 129, 1, id="nearly over"),
        pytest.param(Circuit(OPEN, 3, 100), 130, 0, id="over"),
        pytest.param(Circuit(OPEN, 3, 100), 99, 0, id="the clock was set back while open"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (100,)), 101, 0, id="a trial is free"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (105, 100)), 110, 20, id="until the first trial is lost"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (100, 105)), 130, 0, id="the first trial is lost"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (100, 105)), 50, 0, id="the clock was set back while half open"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (100, 104, 108)), 110, 24, id="others admit more trials"),
    ],
)
def test_what_remains_until_a_call_may_be_admitted(circuit: Circuit, now: float, seconds: float) -> None:
    assert LIMITS.remaining(circuit, now) == seconds


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Circuit(CLOSED, 2, 90), Circuit(CLOSED, 2, 90), id="closed"),
        pytest.param(Circuit(OPEN, 3, 70), Circuit(HALF_OPEN, 3, 70, (100,)), id="the first trial"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (95,)), Circuit(HALF_OPEN, 3, 60, (95, 100)), id="the second trial"),
        pytest.param(Circuit(HALF_OPEN, 3, 60, (70, 95)), Circuit(HALF_OPEN, 3, 60, (95, 100)), id="after a lost one"),
        pytest.param(
            Circuit(HALF_OPEN, 3, 60, (70.5,)),
            Circuit(HALF_OPEN, 3, 60, (70.5, 100)),
            id="after one that is nearly lost",
        ),
    ],
)
def test_an_admitted_call_is_remembered_only_as_a_trial(before: Circuit, after: Circuit) -> None:
    assert LIMITS.admit(before, 100) == after


def test_a_short_recovery_does_not_make_a_running_trial_lost() -> None:
    limits = Limits(1, 0.0, 1)
    opened = limits.failed(Circuit(), 100)
    assert limits.remaining(opened, 100) == 0
    tried = limits.admit(opened, 100)
    assert limits.remaining(tried, 100.25) == 0.75
    assert limits.remaining(tried, 101) == 0


@given(CIRCUITS, TIMES)
def test_nothing_is_waited_for_longer_than_the_recovery(circuit: Circuit, now: float) -> None:
    assert 0 <= LIMITS.remaining(circuit, now) <= LIMITS.recovery_timeout


@given(CIRCUITS, TIMES)
def test_what_may_be_admitted_never_makes_more_trials_than_allowed(circuit: Circuit, now: float) -> None:
    if LIMITS.remaining(circuit, now) == 0:
        assert circuit.state == CLOSED or len(LIMITS.admit(circuit, now).admitted) <= LIMITS.half_open_max_calls


@pytest.mark.parametrize(
    ("threshold", "recovery", "trials", "name"),
    [
        (0, 30.0, 1, "failure_threshold"),
        (5, -1.0, 1, "recovery_timeout"),
        (5, math.nan, 1, "recovery_timeout"),
        (5, 30.0, 0, "half_open_max_calls"),
    ],
)
def test_impossible_limits_are_refused(threshold: int, recovery: float, trials: int, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(threshold, recovery, trials)


@given(CIRCUITS)
def test_a_record_gives_the_circuit_back(circuit: Circuit) -> None:
    assert from_record(json.loads(json.dumps(to_record(circuit)))) == circuit


SOUND = {"state": "open", "failures": 3, "failed_at": 1.5, "admitted": [2.5]}


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {**SOUND, "state": "ajar"},
        {**SOUND, "failures": -1},
        {**SOUND, "failures": 1.5},
        {**SOUND, "failures": 10**400},
        {**SOUND, "failed_at": "1"},
        {**SOUND, "failed_at": math.nan},
        {**SOUND, "failed_at": 10**400},
        {**SOUND, "failed_at": 1e15},
        {**SOUND, "admitted": None},
        {**SOUND, "admitted": [None]},
        {**SOUND, "admitted": [math.inf]},
    ],
    ids=lambda record: str(record)[:40],
)
def test_what_is_no_record_is_a_value_error(record: Any) -> None:
    with pytest.raises(ValueError, match="not a circuit"):
        from_record(record)
