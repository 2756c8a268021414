"""Nonces: greater than all before, whoever made those, whatever the clock says."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from forge_cli import files
from forge_cli.errors import LockTimeout, StorageError
from forge_cli.profiles.nonce import Nonces
from forge_cli.profiles.world import World
from tests.children import run, start

_IMPORT = "from forge_cli.profiles.nonce import Nonces\nenviron = {'FORGE_CONFIG_DIR': str(path)}\n"
COUNTING = (
    _IMPORT
    + """
go = path.parent / "go"
nonces = Nonces(environ)
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
for _ in range(200):
    begun = time.monotonic_ns()
    number = nonces.next()
    print(begun, number, time.monotonic_ns())
"""
)
ENDLESS = (
    _IMPORT
    + """
nonces = Nonces(environ, clock=lambda: 0)
while True:
    print(nonces.next(), flush=True)
"""
)
FULL = (
    _IMPORT
    + """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
told = []
nonces = Nonces(environ, notice=told.append, clock=lambda: 5_000_000)
found = [nonces.next() for _ in range(3)]
os.write(1, repr((found, len(told))).encode())
"""
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def environ(config: Path) -> dict[str, str]:
    return {"FORGE_CONFIG_DIR": str(config)}


def test_a_nonce_is_the_time_in_microseconds(environ: dict[str, str]) -> None:
    assert Nonces(environ, clock=lambda: 1_499_827_319_559_000_999).next() == 1_499_827_319_559_000


def test_nonces_grow_while_the_clock_stands_still_or_goes_back(environ: dict[str, str]) -> None:
    times = iter([9_000_000, 9_000_000, 3_000, 0, 9_500_000])
    nonces = Nonces(environ, clock=lambda: next(times))
    assert [nonces.next() for _ in range(5)] == [9000, 9001, 9002, 9003, 9500]


def test_nonces_grow_from_run_to_run(environ: dict[str, str]) -> None:
    assert Nonces(environ, clock=lambda: 9_000_000).next() == 9000
    assert Nonces(environ, clock=lambda: 0).next() == 9001
    assert Nonces(environ, clock=lambda: 0).next() == 9002


def test_they_are_kept_where_only_their_user_can_read(config: Path, environ: dict[str, str]) -> None:
    Nonces(environ, clock=lambda: 7_000).next()
    place = config / "state" / "nonce"
    assert int(place.read_bytes()) == 7
    assert {child.name for child in place.parent.iterdir()} == {"nonce", "nonce.lock"}
    if sys.platform != "win32":
        assert [stat.S_IMODE(each.stat().st_mode) for each in (place, place.parent, config)] == [0o600, 0o700, 0o700]


def test_eight_processes_never_make_the_same_nonce_nor_a_smaller_one(config: Path) -> None:
    children = [start(COUNTING, config) for _ in range(8)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", child.communicate()[1]
    (config.parent / "go").touch()
    made: list[tuple[int, int, int]] = []
    for child in children:
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        own = [tuple(map(int, line.split())) for line in out.splitlines()]
        assert len(own) == 200
        assert [number for _, number, _ in own] == sorted({number for _, number, _ in own})
        made += [(begun, number, ended) for begun, number, ended in own]
    assert len({number for _, number, _ in made}) == 1600
    # Whoever asked after another had its answer, in any process, got a greater one. The clock is the machine's.
    by_end = sorted(made, key=lambda found: found[2])
    highest, done = 0, 0
    for begun, number, _ in sorted(made):
        while by_end[done][2] < begun:
            highest = max(highest, by_end[done][1])
            done += 1
        assert number > highest
    assert done > 1000
    assert int((config / "state" / "nonce").read_bytes()) == max(number for _, number, _ in made)


def test_threads_never_make_the_same_nonce(environ: dict[str, str]) -> None:
    shared = Nonces(environ)
    found: list[list[int]] = [[] for _ in range(8)]

    def work(own: list[int]) -> None:
        # One of them all, and one of this thread's: as profiles of one program have them.
        for nonces in (shared, Nonces(environ)):
            own += [nonces.next() for _ in range(25)]

    threads = [threading.Thread(target=work, args=(own,)) for own in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(own == sorted(set(own)) for own in found)
    assert len({number for own in found for number in own}) == 400


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_loses_no_nonce(config: Path, environ: dict[str, str]) -> None:
    last = 0
    for _ in range(5):
        with start(ENDLESS, config) as child:
            assert child.stdout is not None
            told = [child.stdout.readline() for _ in range(20)]
            child.kill()
            told += child.stdout.readlines()
        numbers = [int(line) for line in told if line.endswith("\n")]
        assert numbers[0] > last
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        last = Nonces(environ, clock=lambda: 0).next()
        # At most one was made and never told.
        assert last in (numbers[-1] + 1, numbers[-1] + 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"7", b"x" * 20, b"0" * 19 + b"\n", b"9" * 20, b"1" * 21, b"\0" * 20, b"1" * 4096, "٣".encode() * 10],
    ids=lambda content: repr(content[:8]),
)
def test_a_damaged_file_is_replaced_and_told(content: bytes, config: Path, environ: dict[str, str]) -> None:
    Nonces(environ).next()
    (config / "state" / "nonce").write_bytes(content)
    told: list[str] = []
    nonces = Nonces(environ, notice=told.append, clock=lambda: 9_000_000)
    assert [nonces.next(), nonces.next()] == [9000, 9001]
    assert (config / "state" / "nonce").read_bytes() == b"00000000000000009001"
    assert told == ([f"{config / 'state' / 'nonce'} was damaged: nonces begin again with the clock"] if content else [])


def test_where_nothing_can_be_kept_the_clock_alone_makes_them_and_it_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for environ in ({"FORGE_CONFIG_DIR": str(tmp_path / "file" / "config")}, {}):
        told: list[str] = []
        nonces = Nonces(environ, notice=told.append, clock=lambda: 5_000_000)
        assert [nonces.next() for _ in range(3)] == [5000, 5001, 5002]
        [line] = told
        assert line.endswith(": nonces are made from the clock alone")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits")
def test_a_full_disk_is_such_a_place(config: Path) -> None:
    assert run(FULL, config) == "([5001, 5002, 5003], 1)"


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
def test_a_symbolic_link_is_refused(tmp_path: Path, config: Path, environ: dict[str, str]) -> None:
    Nonces(environ).next()
    (tmp_path / "elsewhere").write_text("precious")
    (config / "state" / "nonce").unlink()
    (config / "state" / "nonce").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        Nonces(environ).next()
    assert (tmp_path / "elsewhere").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_a_loose_mode_is_repaired_and_told(config: Path, environ: dict[str, str]) -> None:
    Nonces(environ).next()
    place = config / "state" / "nonce"
    place.chmod(0o644)
    told: list[str] = []
    Nonces(environ, notice=told.append).next()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert told == [f"{place} was open to other users: its mode is now 0600"]


def test_a_lock_that_is_never_free_is_an_error_and_no_nonce(
    config: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_cli.profiles.nonce._LOCK_SECONDS", 0.05)
    with files.lock(config / "state" / "nonce.lock", 1), pytest.raises(LockTimeout):
        Nonces(environ).next()


def test_steps_get_the_nonces_of_their_user(own_home: Path) -> None:
    first, second = World().nonce(), World().nonce()
    assert second > first
    assert int((files.config_dir(os.environ) / "state" / "nonce").read_bytes()) == second
    assert World(nonce=lambda: 5).nonce() == 5
