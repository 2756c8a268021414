"""The pace that processes share through a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from forge_cli.batch.pace import Pace, Turn
from forge_cli.batch.quota import Quota
from forge_cli.batch.shared_pace import RedisPace
from forge_cli.errors import StorageError
from tests.conftest import Require
from tests.redis_server import RedisServer, redis_server


@pytest.fixture
def running(require: Require) -> Iterator[RedisServer]:
    with redis_server(require("redis-server", "apt-get install redis-server")) as server:
        yield server


@pytest.fixture
def paces(running: RedisServer) -> Callable[..., Pace]:
    """Makes the pace of one more process."""

    def made(rate: float | None = None, name: str = "api") -> Pace:
        return RedisPace(rate, name, running.url, "t")

    return made


def waits(turns: list[Turn], now: float) -> list[float]:
    return [turn.at - now for turn in turns]


def test_processes_take_turns_of_one_rate(paces: Callable[..., Pace]) -> None:
    first, second = paces(2.0), paces(2.0)
    now = time.monotonic()
    turns = [each.take(now) for each in (first, second, first, second)]
    assert all(turn.granted and turn.scheduled == turn.at for turn in turns)
    # The server's clock goes on between them.
    assert waits(turns, now) == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.2)
    assert len({turn.number for turn in turns}) == 4
    assert waits([paces(2.0, "another").take(now)], now) == pytest.approx([0], abs=0.01)


@pytest.mark.parametrize("rate", [None, 50.0])
def test_a_pause_that_one_process_is_asked_for_holds_for_all(paces: Callable[..., Pace], rate: float | None) -> None:
    first, second = paces(rate), paces(rate)
    now = time.monotonic()
    before = second.take(now)
    assert before.granted and second.held_until(now) <= now
    first.told(now, first.take(now), 7.0, None)
    # A process without a rate looks every now and then only.
    now += 0.1
    turn = second.take(now)
    assert not turn.granted
    assert waits([turn], now) == pytest.approx([7.0], abs=0.3)
    # Who has a turn already hears of it as well, and a shorter pause does not end it.
    first.told(now, turn, 1.0, None)
    assert second.held_until(now) - now == pytest.approx(7.0, abs=0.3)


def test_a_quota_that_one_process_is_told_of_is_that_of_all(paces: Callable[..., Pace]) -> None:
    first, second = paces(), paces()
    now = time.monotonic()
    answered, later = first.take(now), second.take(now)
    first.told(now, answered, 0.0, Quota(3, 30))
    now += 0.1
    turns = [each.take(now) for each in (second, first, second)]
    # One of the three is used up by what was under way.
    assert [turn.granted for turn in turns] == [True, True, False]
    assert waits(turns[2:], now) == pytest.approx([30.0], abs=0.3)
    assert first.held_until(now) <= now
    second.told(now, later, 0.0, Quota(0, 30))
    assert first.held_until(now) - now == pytest.approx(30.0, abs=0.3)


def test_without_a_rate_nobody_waits(paces: Callable[..., Pace]) -> None:
    pace, now = paces(), time.monotonic()
    assert waits([pace.take(now) for _ in range(3)], now) == [0, 0, 0]


def test_a_server_that_is_down_is_an_error_for_the_next_turn_and_none_for_an_answer(
    paces: Callable[..., Pace], running: RedisServer
) -> None:
    pace = paces(1.0)
    turn = pace.take(0.0)
    running.kill()
    pace.told(1.0, turn, 5.0, Quota(0, 5))
    with pytest.raises(StorageError, match="redis server of the shared rate failed"):
        pace.take(1.0)


def test_what_is_kept_ends_by_itself(paces: Callable[..., Pace], running: RedisServer) -> None:
    pace = paces(1.0)
    pace.told(0.0, pace.take(0.0), 5.0, Quota(0, 5))
    client = running.client()
    assert list(client.scan_iter()) == [b"t:pace:api"]
    assert 0 < client.pttl("t:pace:api") <= 24 * 3600 * 1000


def test_whoever_comes_late_was_scheduled_earlier_but_not_before_it_began(paces: Callable[..., Pace]) -> None:
    first = paces(20.0)
    begun = time.monotonic()
    assert first.take(begun).scheduled == pytest.approx(begun, abs=0.03)
    time.sleep(0.3)  # the server's clock is its own
    now = time.monotonic()
    late = [first.take(now) for _ in range(2)]
    assert [turn.at for turn in late] == pytest.approx([now, now + 0.05], abs=0.03)
    assert [turn.scheduled for turn in late] == pytest.approx([begun + 0.05, begun + 0.1], abs=0.03)
    # What others were late for when it began is not its own doing.
    new = paces(20.0).take(now)
    assert new.scheduled == new.at


def test_an_answer_that_was_overtaken_does_not_give_back_what_all_have_used_up(paces: Callable[..., Pace]) -> None:
    first, second = paces(50.0), paces(50.0)
    now = time.monotonic()
    slow, quick = first.take(now), second.take(now)
    second.told(now, quick, 0.0, Quota(2, 30))
    second.done(quick)
    first.told(now, slow, 0.0, Quota(9, 30))
    first.done(slow)
    assert [each.take(now).granted for each in (first, second, first)] == [True, True, False]


def test_what_is_sent_when_an_answer_is_known_may_tell_all_of_more(paces: Callable[..., Pace]) -> None:
    first, second = paces(50.0), paces(50.0)
    now = time.monotonic()
    first.told(now, first.take(now), 0.0, Quota(1, 30))
    later = second.take(now)
    assert not first.take(now).granted
    second.told(now, later, 0.0, Quota(2, 30))
    assert [first.take(now).granted for _ in range(3)] == [True, True, False]
