"""D4: the breaker counts the right answers, per origin, and admits exactly so many trials to threads and processes."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from forge_cli.breaker import CLOSED, OPEN, BreakerState, Circuit, CircuitBreaker
from forge_cli.breaker.file import FileBreakerState
from forge_cli.breaker.memory import MemoryBreakerState
from forge_cli.errors import CircuitOpenException
from tests.children import start

ORIGIN = "https://api.example.com"
TRIALS = 3

# Every process fails once, waits until all have and the recovery is over, and then asks.
RUN = f"""
from forge_cli.breaker import CircuitBreaker
from forge_cli.breaker.file import FileBreakerState
from forge_cli.errors import CircuitOpenException
os.umask(0)
breaker = CircuitBreaker(8, 60.0, {TRIALS}, state=FileBreakerState(path))
breaker.failure({ORIGIN!r})
print("failed", flush=True)
while not path.with_name("go").exists():
    time.sleep(0.001)
try:
    breaker.before({ORIGIN!r})
    print("admitted")
except CircuitOpenException:
    print("refused")
"""


def recovered(circuit: Circuit, now: float) -> Circuit:
    """The circuit, a minute later."""
    return replace(circuit, failed_at=now - 60)


@pytest.fixture(params=["memory", "file"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> BreakerState:
    return MemoryBreakerState() if request.param == "memory" else FileBreakerState(tmp_path / "state" / "breaker.json")


@pytest.mark.parametrize("status", [408, 429, 500, 501, 502, 503, 504, 599])
def test_these_answers_count(status: int) -> None:
    assert CircuitBreaker.counts(status)


@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 401, 403, 404, 409, 418, 422, 451])
def test_these_answers_do_not(status: int) -> None:
    assert not CircuitBreaker.counts(status)


def test_one_origins_failures_are_not_anothers(state: BreakerState) -> None:
    breaker = CircuitBreaker(state=state)
    for _ in range(5):
        breaker.before(ORIGIN)
        breaker.failure(ORIGIN)
    assert breaker.state(ORIGIN) == OPEN
    for other in ("http://api.example.com", f"{ORIGIN}:8443", "https://www.example.com"):
        assert breaker.state(other) == CLOSED
        breaker.before(other)


def test_threads_get_exactly_so_many_trials(state: BreakerState) -> None:
    breaker = CircuitBreaker(5, 60.0, TRIALS, state=state)
    for _ in range(5):
        breaker.failure(ORIGIN)
    state.update(ORIGIN, recovered)
    barrier, results = threading.Barrier(32), list[str]()

    def ask() -> None:
        barrier.wait()
        try:
            breaker.before(ORIGIN)
            results.append("admitted")
        except CircuitOpenException:
            results.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results.count("admitted"), len(results)) == (TRIALS, 32)


def test_processes_share_the_count_and_the_trials_through_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "breaker.json"
    children = [start(RUN, path) for _ in range(8)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "failed\n"
    assert FileBreakerState(path).update(ORIGIN, recovered).state == OPEN
    path.with_name("go").touch()
    answers = sorted(child.communicate(timeout=60) for child in children)
    assert answers == [("admitted\n", "")] * TRIALS + [("refused\n", "")] * (8 - TRIALS)
    owned = [path, *path.parent.glob("*.lock")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in owned} == {0o600}
    assert {each.stat().st_uid for each in owned} == {os.getuid()}
