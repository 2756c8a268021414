from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from forge_cli import files
from forge_cli.breaker import CLOSED, OPEN, Circuit, CircuitBreaker
from forge_cli.breaker.file import MOST_ENTRIES, FileBreakerState, boot_id
from forge_cli.errors import CircuitOpenException, StorageError
from tests.children import start

KEY = "https://api.example.com"

ASK = """
from forge_cli.breaker import CircuitBreaker
from forge_cli.breaker.file import FileBreakerState
from forge_cli.errors import CircuitOpenException
breaker = CircuitBreaker(1, 60.0, int(path.with_name("trials").read_text()), state=FileBreakerState(path))
print("ready", flush=True)
while not path.with_name("go").exists():
    time.sleep(0.001)
try:
    breaker.before("https://api.example.com")
    print("admitted")
except CircuitOpenException:
    print("refused")
"""


def failed(circuit: Circuit, now: float) -> Circuit:
    return Circuit(CLOSED, circuit.failures + 1, now)


def unchanged(circuit: Circuit, now: float) -> Circuit:
    return circuit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "breaker.json"


def test_what_one_object_writes_another_reads(path: Path) -> None:
    first, second = FileBreakerState(path), FileBreakerState(path)
    written = first.update(KEY, failed)
    assert second.update(KEY, unchanged) == written
    assert second.update("https://other.example.com", unchanged) == Circuit()


def test_the_file_and_its_directory_are_the_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        FileBreakerState(path).update(KEY, failed)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]


def test_a_sound_server_touches_nothing(path: Path) -> None:
    breaker = CircuitBreaker(state=FileBreakerState(path))
    breaker.before(KEY)
    breaker.success(KEY)
    assert not path.parent.exists()


def test_a_call_that_changes_nothing_needs_no_lock(path: Path) -> None:
    state = FileBreakerState(path)
    state.update(KEY, failed)
    with files.lock(path.with_name("breaker.json.lock"), 0):
        assert state.update(KEY, unchanged).failures == 1


def test_a_closed_circuit_leaves_no_entry(path: Path) -> None:
    breaker = CircuitBreaker(state=FileBreakerState(path))
    breaker.failure(KEY)
    assert KEY in path.read_text()
    breaker.success(KEY)
    assert KEY not in path.read_text()


def test_the_file_keeps_a_bounded_number_of_circuits(path: Path) -> None:
    state = FileBreakerState(path)
    state.update("first", failed)
    content = json.loads(path.read_text())
    for number in range(MOST_ENTRIES):
        content["circuits"][str(number)] = content["circuits"]["first"]
    path.write_text(json.dumps(content))
    state.update("last", failed)
    kept = json.loads(path.read_text())["circuits"]
    assert len(kept) == MOST_ENTRIES
    assert "first" not in kept and "last" in kept


def test_no_change_of_any_thread_is_lost(path: Path) -> None:
    def work() -> None:
        state = FileBreakerState(path)
        for _ in range(5):
            state.update(KEY, failed)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FileBreakerState(path).update(KEY, unchanged).failures == 40


@pytest.mark.parametrize("trials", [1, 3])
def test_8_processes_at_half_open_are_admitted_exactly_so_often(path: Path, trials: int) -> None:
    FileBreakerState(path).update(KEY, lambda circuit, now: Circuit(OPEN, 1, now - 60))
    path.with_name("trials").write_text(str(trials))
    children = [start(ASK, path) for _ in range(8)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    path.with_name("go").touch()
    answers = [child.communicate(timeout=60) for child in children]
    assert sorted(answers) == [("admitted\n", "")] * trials + [("refused\n", "")] * (8 - trials)


def test_times_are_monotonic_however_the_wall_clock_is_set(path: Path) -> None:
    walls = iter([1e9, 2e9, 0.0])
    breaker = CircuitBreaker(
        1, 30.0, state=FileBreakerState(path, boot="boot-1", monotonic=lambda: 50.0, wall=lambda: next(walls))
    )
    breaker.failure(KEY)
    assert breaker.remaining(KEY) == 30


@pytest.mark.parametrize("boot", ["boot-2", ""], ids=["another", "unknown"])
def test_what_another_boot_wrote_counts_for_nothing(path: Path, boot: str) -> None:
    CircuitBreaker(1, state=FileBreakerState(path, boot="boot-1")).failure(KEY)
    later = CircuitBreaker(1, state=FileBreakerState(path, boot=boot))
    assert later.state(KEY) == CLOSED


def test_without_a_boot_id_the_wall_clock_counts_and_may_be_set_back(path: Path) -> None:
    now = [5000.0]
    breaker = CircuitBreaker(1, 30.0, state=FileBreakerState(path, boot="", wall=lambda: now[0]))
    breaker.failure(KEY)
    now[0] += 10
    assert breaker.remaining(KEY) == 20
    now[0] -= 3600
    assert breaker.remaining(KEY) == 0


def test_a_machine_without_a_boot_id_has_none(tmp_path: Path) -> None:
    assert boot_id(tmp_path / "missing") == ""
    (tmp_path / "id").write_text("boot-1\n")
    assert boot_id(tmp_path / "id") == "boot-1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"version": 1}',
        b'{"version": "1", "circuits": {}}',
        b'{"version": 1, "boot": "boot-1", "circuits": []}',
        b'{"version": 1, "boot": "boot-1", "circuits": {"https://api.example.com": {"state": "open"}}}',
        b" " * 2_000_000,
    ],
    ids=lambda data: f"{data[:30]!r}",
)
def test_a_damaged_file_is_none_and_is_replaced(path: Path, data: bytes) -> None:
    path.parent.mkdir(0o700)
    path.write_bytes(data)
    path.chmod(0o600)
    state = FileBreakerState(path, boot="boot-1")
    assert state.update(KEY, unchanged) == Circuit()
    state.update(KEY, failed)
    assert json.loads(path.read_text())["circuits"][KEY]["failures"] == 1


def test_a_newer_file_is_left_alone_and_the_breaker_goes_on_without(path: Path) -> None:
    path.parent.mkdir(0o700)
    path.write_text('{"version": 2}')
    path.chmod(0o600)
    state = FileBreakerState(path)
    with pytest.raises(StorageError, match="newer forge"):
        state.update(KEY, failed)
    told: list[str] = []
    breaker = CircuitBreaker(1, state=state, notice=told.append)
    breaker.failure(KEY)
    with pytest.raises(CircuitOpenException):
        breaker.before(KEY)
    assert path.read_text() == '{"version": 2}'
    assert len(told) == 1


def test_a_loose_file_is_repaired_and_told_once(path: Path) -> None:
    told: list[str] = []
    FileBreakerState(path).update(KEY, failed)
    path.chmod(0o644)
    state = FileBreakerState(path, notice=told.append)
    state.update(KEY, unchanged)
    path.chmod(0o644)
    state.update(KEY, unchanged)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(told) == 1


def test_an_open_circuit_holds_for_other_processes(path: Path) -> None:
    CircuitBreaker(1, state=FileBreakerState(path)).failure(KEY)
    path.with_name("trials").write_text("1")
    path.with_name("go").touch()
    with start(ASK, path) as child:
        out, err = child.communicate(timeout=60)
    assert (out, err) == ("ready\nrefused\n", "")
    assert CircuitBreaker(1, state=FileBreakerState(path)).state(KEY) == OPEN
