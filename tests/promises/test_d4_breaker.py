"""D4: the breaker counts the right answers, per origin, and admits exactly so many trials to threads and processes."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from forge_cli.breaker import CLOSED, OPEN, BreakerState, Circuit, CircuitBreaker
from forge_cli.breaker.file import FileBreakerState
from forge_cli.breaker.memory import MemoryBreakerState
from forge_cli.errors import CircuitOpenException
from forge_cli.files import config_dir
from tests.children import start
from tests.conftest import Forge
from tests.crowd import together
from tests.server import Reply, Server

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


PROFILE = """
[profiles.api]
base_url = "{url}"
[profiles.api.retry]
strategy = "circuit-breaker"
base_delay = 0
max_retries = {retries}
failure_threshold = 3
recovery_timeout = {recovery}
"""


def test_the_command_line_stops_asking_a_server_that_fails(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/x", Reply(503))
    profile_file(PROFILE.format(url=server.url, retries=1, recovery=60))
    results = [forge("get", "/x") for _ in range(3)]
    assert [result.exit_code for result in results] == [5, 5, 11]
    assert len(server.seen) == 3
    assert f"the circuit of {server.url} is open" in results[1].stderr
    assert "not sent" in results[2].stderr and re.search("again in [56][0-9] s", results[2].stderr)
    path = config_dir() / "state" / "breaker.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert forge("get", "/x", "--retry", "0").exit_code == 11


def test_a_sound_answer_closes_the_circuit_for_everybody(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/x", Reply(503), Reply(503), Reply(503), Reply(200))
    profile_file(PROFILE.format(url=server.url, retries=0, recovery=0))
    assert [forge("get", "/x").exit_code for _ in range(5)] == [5, 5, 5, 0, 0]


def test_logins_are_asked_about_too(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    server.reply("/login", Reply(503))
    profile_file(
        PROFILE.format(url=server.url, retries=0, recovery=60)
        + '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.user]\n'
        'request = { method = "POST", url = "/login" }\nextract = { token = "/token" }\n'
    )
    codes = [forge("get", "/x").exit_code for _ in range(5)]
    assert (len(server.seen), codes[3:]) == (3, [11, 11])


def test_processes_that_fail_together_open_one_circuit(server: Server, profile_file: Callable[[str], Path]) -> None:
    server.reply("/x", Reply(503))
    profile_file(PROFILE.format(url=server.url, retries=0, recovery=60))
    assert set(together(["get", "/x"], size=8).codes) <= {5, 11}
    assert together(["get", "/x"], size=8).codes == [11] * 8
    assert len(server.seen) <= 8
