from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from forge_cli import files
from forge_cli.errors import LockTimeout, StorageError
from tests.children import start

COUNTING = """
counter, go = path.parent.parent / "counter", path.parent.parent / "go"
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
for _ in range(125):
    with files.lock(path, 60, remove=True):
        number = int(counter.read_text())
        counter.write_text(str(number + 1))
"""


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".locks" / "a.lock"


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that keeps no locks, which no test machine has at hand."""

    def refuse(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)


def test_a_held_lock_is_refused_after_the_timeout_and_named(path: Path) -> None:
    time = Time()
    with (
        files.lock(path, 1),
        pytest.raises(LockTimeout, match=f"{path} for 1 s"),
        files.lock(path, 1, clock=time.clock, sleep=time.sleep),
    ):
        pass
    assert time.now == pytest.approx(1)


def test_a_free_lock_is_had_without_waiting(path: Path) -> None:
    time = Time()
    for _ in range(2):
        with files.lock(path, 0, clock=time.clock, sleep=time.sleep):
            pass
    assert time.pauses == []


def test_waiting_is_told_once_and_tries_often(path: Path) -> None:
    time, told = Time(), list[float]()
    with (
        files.lock(path, 1),
        pytest.raises(LockTimeout),
        files.lock(path, 5, on_wait=told.append, clock=time.clock, sleep=time.sleep),
    ):
        pass
    assert told == [pytest.approx(2, abs=0.06)]
    assert max(time.pauses) == 0.05


def test_an_error_inside_frees_the_lock(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.lock(path, 0):
        _ = 1 / 0
    with files.lock(path, 0):
        pass


@pytest.mark.parametrize("locks", ["kernel", "lease"])
def test_threads_take_turns(path: Path, locks: str, request: pytest.FixtureRequest) -> None:
    if locks == "lease":
        request.getfixturevalue("no_locks")
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(3):
            with files.lock(path, 30):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_fork_does_not_keep_a_lock_that_was_released(path: Path) -> None:
    reader, writer = os.pipe()
    with files.lock(path, 0):
        pid = os.fork()
        if pid == 0:
            os.read(reader, 1)
            os._exit(0)
    with files.lock(path, 0):
        pass
    os.write(writer, b".")
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("remove", [False, True], ids=["stays", "goes"])
@pytest.mark.parametrize("locks", ["kernel", "lease"])
def test_the_file_stays_or_goes_with_the_lock(
    path: Path, locks: str, remove: bool, request: pytest.FixtureRequest
) -> None:
    if locks == "lease":
        request.getfixturevalue("no_locks")
    with files.lock(path, 0, remove=remove):
        assert path.exists()
    assert list(path.parent.iterdir()) == ([] if remove else [path])


def test_a_file_that_was_removed_while_its_lock_was_waited_for_is_not_locked(path: Path) -> None:
    clock = Time()
    with contextlib.ExitStack() as first, contextlib.ExitStack() as other:
        first.enter_context(files.lock(path, 0, remove=True))

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if len(clock.pauses) == 1:
                # Released, and at once held by someone else: the file of the name is a new one.
                first.close()
                other.enter_context(files.lock(path, 0, remove=True))

        with pytest.raises(LockTimeout), files.lock(path, 1, clock=clock.clock, sleep=sleep):
            pass
    with files.lock(path, 0):
        assert path.exists()


def test_a_file_that_is_not_the_one_that_was_locked_is_not_removed(path: Path) -> None:
    with files.lock(path, 0, remove=True):
        path.unlink()
        path.write_text("someone else's")
    assert path.read_text() == "someone else's"


def test_no_two_processes_hold_a_lock_whose_file_is_removed_and_made_again(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    counter, go = path.parent.parent / "counter", path.parent.parent / "go"
    counter.write_text("0")
    children = [start(COUNTING, path) for _ in range(16)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    go.touch()
    for child in children:
        _, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
    assert counter.read_text() == "2000"
    assert list(path.parent.iterdir()) == []


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_lease_is_used_and_told(path: Path) -> None:
    time, told = Time(), list[str]()
    with files.lock(path, 0, notice=told.append):
        assert path.with_name("a.lock.lease").stat().st_mode & 0o777 == 0o600
        with pytest.raises(LockTimeout), files.lock(path, 1, clock=time.clock, sleep=time.sleep):
            pass
    assert told == [f"{path.parent} is on a file system without locks: a lease file is used instead"]
    assert not path.with_name("a.lock.lease").exists()


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("age", [1000, -1000], ids=["old", "from the future"])
def test_the_lease_of_a_dead_process_ends_with_its_age(path: Path, age: float) -> None:
    lease = path.with_name("a.lock.lease")
    path.parent.mkdir(mode=0o700)
    lease.write_text("someone")
    os.utime(lease, (time.time() - age, time.time() - age))
    with files.lock(path, 1):
        assert lease.read_text() != "someone"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.usefixtures("no_locks")
def test_a_lease_that_someone_else_took_over_is_left_to_them(path: Path) -> None:
    with files.lock(path, 1):
        path.with_name("a.lock.lease").write_text("someone")
    assert path.with_name("a.lock.lease").read_text() == "someone"


def test_a_failure_of_the_lock_itself_is_a_storage_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(StorageError, match=f"cannot lock {path}: input/output error"), files.lock(path, 1):
        pass


def test_the_time_it_was_held_is_rounded(path: Path) -> None:
    clock = Time()
    with (
        files.lock(path, 1),
        pytest.raises(LockTimeout, match=f"{path} for 4 s"),
        files.lock(path, 3.875, clock=clock.clock, sleep=clock.sleep),
    ):
        pass


@pytest.mark.usefixtures("no_locks")
def test_a_lease_begun_while_an_old_one_is_being_ended_goes_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = path.with_name("a.lock.lease")
    path.parent.mkdir(mode=0o700)
    lease.write_text("dead")
    os.utime(lease, (1, 1))
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        self.unlink()
        self.write_text("someone quicker")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    clock = Time()
    with pytest.raises(LockTimeout), files.lock(path, 1, clock=clock.clock, sleep=clock.sleep):
        pass
    assert lease.read_text() == "someone quicker"
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.lock", "a.lock.lease"]


class Msvcrt:
    """The lock of Windows as its documentation has it, on top of this system's own."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int, int]] = []

    def locking(self, fd: int, mode: int, size: int) -> None:
        self.ranges.append((mode, os.lseek(fd, 0, os.SEEK_CUR), size))
        if mode == self.LK_UNLCK:
            fcntl.flock(fd, fcntl.LOCK_UN)
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise PermissionError(errno.EACCES, "Permission denied") from exc


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    module = Msvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    return module


def test_on_windows_the_first_byte_is_locked_and_freed_from_where_it_is(path: Path, windows: Msvcrt) -> None:
    with files.lock(path, 0, platform="win32"):
        pass
    assert windows.ranges == [(Msvcrt.LK_NBLCK, 0, 1), (Msvcrt.LK_UNLCK, 0, 1)]


@pytest.mark.usefixtures("windows")
def test_on_windows_a_held_lock_is_waited_for_and_named(path: Path) -> None:
    time = Time()
    with (
        files.lock(path, 1, platform="win32"),
        pytest.raises(LockTimeout, match=f"{path} for 1 s"),
        files.lock(path, 1, clock=time.clock, sleep=time.sleep, platform="win32"),
    ):
        pass
    assert time.now == pytest.approx(1)
    with files.lock(path, 0, platform="win32"):
        pass


@pytest.mark.usefixtures("windows")
def test_on_windows_the_lock_file_stays_for_what_is_open_cannot_be_removed(path: Path) -> None:
    with files.lock(path, 0, remove=True, platform="win32"):
        pass
    assert path.exists()


def test_on_windows_another_failure_is_no_held_lock(path: Path, windows: Msvcrt) -> None:
    def fail(fd: int, mode: int, size: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    windows.locking = fail  # type: ignore[method-assign]
    with (
        pytest.raises(StorageError, match=f"cannot lock {path}: invalid argument"),
        files.lock(path, 1, platform="win32"),
    ):
        pass
