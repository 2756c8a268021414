"""When requests may go, and what servers say about it."""

from __future__ import annotations

import pytest

from forge_cli.batch.pace import EvenPace, Window
from forge_cli.batch.quota import Quota, delay_asked, quotas
from forge_cli.batch.shard import shard
from forge_cli.errors import UsageError
from forge_cli.models import Headers


def test_a_rate_is_spaced_evenly_from_the_first_request_on() -> None:
    pace = EvenPace(10)
    assert [pace.reserve(5.0)[1] for _ in range(3)] == pytest.approx([5.0, 5.1, 5.2])


def test_after_a_stall_there_is_no_burst_and_the_schedule_stays() -> None:
    pace = EvenPace(10)
    pace.reserve(0.0)
    late = [pace.reserve(2.0) for _ in range(3)]
    assert [scheduled for scheduled, _ in late] == pytest.approx([0.1, 0.2, 0.3])
    assert [sent for _, sent in late] == pytest.approx([2.0, 2.1, 2.2])


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
