"""What is said of retries when there are many requests at a time."""

from __future__ import annotations

from forge_cli.cli.waits import Waits
from forge_cli.events import Retrying
from tests.clock import Clock

FIRST = "503, retry 1 of 3 in 0.4 s (--retry 0)"


def said(times: list[float], *, each: bool) -> list[str]:
    """What is said when a retry is waited for at each of these moments."""
    clock, found = Clock(), list[str]()
    waits = Waits(found.append, each=each, clock=clock)
    for moment in times:
        clock.now = moment
        waits(Retrying("503", 1, 3, 0.4))
    waits.end()
    return found


def test_the_first_wait_is_told_at_once_and_then_one_in_five_seconds() -> None:
    assert said([0.0, 1.0, 4.9, 5.0, 6.0], each=False) == [
        FIRST,
        f"{FIRST}, and 2 more before; -v shows each",
        "1 more notices of this kind; -v shows each",
    ]


def test_each_wait_is_told_when_that_is_asked_for() -> None:
    assert said([0.0, 1.0, 2.0], each=True) == [FIRST] * 3


def test_nothing_is_said_of_what_did_not_happen() -> None:
    assert said([], each=False) == []
