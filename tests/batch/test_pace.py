"""When requests may go, and what servers say about it."""

from __future__ import annotations

import pytest

from forge_cli.batch.pace import Gate, OwnPace, Window
from forge_cli.batch.quota import Quota, delay_asked, quotas
from forge_cli.batch.shard import shard
from forge_cli.errors import UsageError
from forge_cli.models import Headers
from tests.clock import Clock


def test_a_rate_is_spaced_evenly_from_the_first_request_on() -> None:
    pace = OwnPace(10)
    assert [pace.take(5.0).at for _ in range(3)] == pytest.approx([5.0, 5.1, 5.2])


def test_after_a_stall_there_is_no_burst_and_the_schedule_stays() -> None:
    pace = OwnPace(10)
    pace.take(0.0)
    late = [pace.take(2.0) for _ in range(3)]
    assert [turn.scheduled for turn in late] == pytest.approx([0.1, 0.2, 0.3])
    assert [turn.at for turn in late] == pytest.approx([2.0, 2.1, 2.2])


def test_nothing_is_granted_while_the_server_wants_a_pause_and_the_rate_goes_on_after_it() -> None:
    pace = OwnPace(10)
    pace.told(1.0, pace.take(0.0), 7.0, None)
    assert (pace.take(2.0).granted, pace.take(2.0).at, pace.held_until(2.0)) == (False, 8.0, 8.0)
    # A shorter pause of a later answer does not end it.
    pace.told(3.0, pace.take(2.0), 1.0, None)
    assert pace.take(4.0).at == 8.0
    late = [pace.take(8.0) for _ in range(3)]
    assert [turn.at for turn in late] == pytest.approx([8.0, 8.1, 8.2])
    assert all(turn.granted for turn in late)


def test_as_many_turns_are_granted_as_a_quota_has_left_beside_those_that_were_taken_since() -> None:
    pace = OwnPace()
    first, *since = [pace.take(0.0) for _ in range(3)]
    pace.told(1.0, first, 0.0, Quota(5, 30))
    turns = [pace.take(1.0) for _ in range(4)]
    assert [turn.granted for turn in turns] == [True, True, True, False]
    assert (turns[-1].at, pace.held_until(1.0) <= 1.0) == (31.0, True)
    # Of those that were taken, more are under way than there are left.
    pace.told(2.0, since[0], 0.0, Quota(1, 40))
    assert pace.held_until(2.0) == 42.0
    assert pace.take(42.0).granted


def test_whoever_waits_for_the_turn_of_a_rate_hears_of_a_pause_meanwhile() -> None:
    clock = Clock()
    gate: Gate

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            assert first is not None
            gate.told(first, first.at, 429, Headers({"Retry-After": "60"}))

    gate = Gate(8, OwnPace(0.2), clock, sleep)
    first = gate.enter()
    second, third = gate.enter(), gate.enter()
    assert first is not None and second is not None and third is not None
    assert (first.at, first.scheduled) == (1000, 1000)
    # Its latency counts from when it should have been sent.
    assert second.at == pytest.approx(1060.6, abs=5) and second.scheduled == 1005
    assert third.at >= second.at + 5


def test_a_login_does_not_wait_for_its_turn_for_ever() -> None:
    clock = Clock()
    gate = Gate(8, OwnPace(0.01), clock, clock.sleep)
    assert gate.turn() is not None
    turn = gate.turn(most=10)
    assert turn is not None and turn.at == pytest.approx(1010)
    # It has taken a turn all the same.
    following = gate.turn()
    assert following is not None and following.at == pytest.approx(1200)


def test_a_stopped_gate_lets_nobody_through_that_waits() -> None:
    clock = Clock()
    gate: Gate

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        gate.stop()

    gate = Gate(8, OwnPace(0.01), clock, sleep)
    assert gate.enter() is not None
    assert gate.enter() is None


def test_overload_halves_the_window_once_for_what_was_under_way_and_it_grows_back() -> None:
    window = Window(8)
    for _ in range(3):
        window.overloaded(started=1.0, now=2.0)
    assert window.size == 4
    window.overloaded(started=2.5, now=3.0)
    assert window.size == 2
    for _ in range(2 + 3 + 4 + 5 + 6 + 7):
        window.answered()
    assert window.size == 8
    window.answered()
    assert window.size == 8


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"RateLimit": '"default";r=5;t=30'}, [Quota(5, 30)]),
        ({"RateLimit": '"a;r=9";r=5;t=30, "day";r=0;t=60;pk=:cHsdsRa894==:'}, [Quota(5, 30), Quota(0, 60)]),
        ({"RateLimit": "limit=100, remaining=7, reset=3"}, [Quota(7, 3)]),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "2"}, [Quota(0, 2)]),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1700000010"}, [Quota(1, 10)]),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1700000010000"}, [Quota(1, 10)]),
        ({"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "2"}, []),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1600000000"}, []),
        ({"RateLimit": '"default";r=5'}, []),
    ],
)
def test_quotas_are_read_in_every_spelling(headers: dict[str, str], expected: list[Quota]) -> None:
    assert quotas(Headers(headers), lambda: 1_700_000_000.0) == expected


def test_retry_after_counts_for_a_server_that_turns_away() -> None:
    headers = Headers({"Retry-After": "7"})
    assert (delay_asked(429, headers), delay_asked(503, headers), delay_asked(200, headers)) == (7.0, 7.0, 0.0)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_a_shard_that_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no part of a whole"):
        shard(text)


def test_an_answer_that_was_overtaken_does_not_give_back_what_is_used_up() -> None:
    pace = OwnPace()
    slow, quick = pace.take(0.0), pace.take(0.0)
    pace.told(0.1, quick, 0.0, Quota(2, 30))
    pace.done(quick)
    pace.told(0.2, slow, 0.0, Quota(3, 30))
    pace.done(slow)
    assert [pace.take(0.3).granted for _ in range(3)] == [True, False, False]


def test_what_is_sent_when_an_answer_is_known_may_tell_of_more() -> None:
    pace = OwnPace()
    first = pace.take(0.0)
    pace.told(0.1, first, 0.0, Quota(1, 30))
    pace.done(first)
    later = pace.take(0.2)
    assert not pace.take(0.2).granted
    pace.told(0.3, later, 0.0, Quota(9, 30))
    pace.done(later)
    assert [pace.take(0.4).granted for _ in range(10)] == [True] * 9 + [False]


def test_what_is_under_way_counts_in_a_quota_and_what_failed_does_not() -> None:
    pace = OwnPace()
    first, failed, _ = [pace.take(0.0) for _ in range(3)]
    pace.done(failed)
    pace.told(0.1, first, 0.0, Quota(3, 30))
    pace.done(first)
    assert [pace.take(0.2).granted for _ in range(3)] == [True, True, False]
