from __future__ import annotations

import errno
import gc
import os
import time
from datetime import UTC, datetime
from pathlib import Path, PosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_cli import files
from forge_cli.errors import StorageError
from forge_cli.files import private
from tests.children import ordinary_home, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "a.toml"


def leftovers(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if each != path)


def test_a_file_that_is_not_there_reads_as_none(path: Path) -> None:
    assert files.read_private(path) is None


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100_000))
def test_what_was_written_is_read(path: Path, data: bytes) -> None:
    files.write_private(path, data)
    assert files.read_private(path) == data
    assert leftovers(path) == []


def test_a_file_above_the_limit_is_refused(path: Path) -> None:
    files.write_private(path, b"12345")
    assert files.read_private(path, limit=5) == b"12345"
    with pytest.raises(files.TooLarge, match="larger than 4 bytes"):
        files.read_private(path, limit=4)


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_regular_file_is_refused(path: Path, kind: str) -> None:
    path.parent.mkdir(mode=0o700)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(StorageError, match="not a regular file"):
        files.read_private(path)


@pytest.mark.parametrize("size", [1, 10_000], ids=["less than needed", "more than needed"])
def test_reserved_room_becomes_the_file(path: Path, size: int) -> None:
    room = files.reserve(path, size)
    assert room.temporary.stat().st_size == size
    assert not path.exists()
    room.commit(b"content")
    assert path.read_bytes() == b"content"
    assert leftovers(path) == []


def test_reserved_room_can_be_given_back_more_than_once(path: Path) -> None:
    files.write_private(path, b"old")
    room = files.reserve(path, 100)
    room.discard()
    room.discard()
    assert path.read_bytes() == b"old"
    assert leftovers(path) == []


def test_forgotten_room_is_given_back(path: Path) -> None:
    files.reserve(path, 100)
    gc.collect()
    assert leftovers(path) == []


def test_room_is_given_back_when_the_program_ends(path: Path) -> None:
    run("room = files.reserve(path, 100); assert room.temporary.exists()", path)
    assert leftovers(path) == []


def test_a_forked_child_leaves_its_parents_room_alone(path: Path) -> None:
    run(
        """
room = files.reserve(path, 100)
if (pid := os.fork()) == 0:
    sys.exit(0)
os.waitpid(pid, 0)
room.commit(b"content")
""",
        path,
    )
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("step", ["write_private(path, bytes(20_000))", "reserve(path, 20_000)"])
def test_without_room_the_old_file_stays_and_the_error_says_what_to_do(path: Path, step: str) -> None:
    files.write_private(path, b"old")
    out = run(
        f"""
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.{step}
except StorageError as exc:
    print(exc, exc.hint, files.unwritable(exc), sep="|")
""",
        path,
    )
    assert out.startswith(f"cannot write {path}: file too large|free some space")
    assert out.endswith("|True\n")
    assert path.read_bytes() == b"old"
    assert leftovers(path) == []


def test_a_directory_without_permission_is_an_error_with_a_hint() -> None:
    with ordinary_home() as home:
        out = run(
            """
path.chmod(0o500)
try:
    files.write_private(path / "a.toml", b"x")
except StorageError as exc:
    print(exc.hint, files.unwritable(exc), sep="|")
""",
            home,
            ordinary=True,
        )
    assert out == "set FORGE_CONFIG_DIR to a directory that you can write to|True\n"


def test_what_a_killed_writer_left_is_removed_after_a_day(path: Path) -> None:
    young, old = files.PendingWrite(path, tag="young"), files.PendingWrite(path, tag="old")
    other = files.PendingWrite(path.with_name("b.toml"), tag="other")
    yesterday = time.time() - 2 * 86400
    for room in (old, other):
        os.utime(room.temporary, (yesterday, yesterday))
    files.write_private(path, b"x")
    assert leftovers(path) == [young.temporary.name, other.temporary.name]


def test_a_damaged_file_is_set_aside_under_the_time(path: Path) -> None:
    files.write_private(path, b"x")
    aside = files.set_aside(path, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert aside.name == "a.toml.corrupt-20260102T030405.000000Z"
    assert (aside.read_bytes(), path.exists()) == (b"x", False)


def test_a_stamp_is_only_given_once_the_file_has_settled(path: Path) -> None:
    files.write_private(path, b"x")
    with files.opened(path) as file:
        assert file is not None
        assert file.stamp is None
    past = time.time() - 10
    os.utime(path, (past, past))
    with files.opened(path) as file:
        assert file is not None
        assert file.stamp is not None


class _Busy(PosixPath):
    """A file whose target a reader has open for the first few tries, as Windows sees it."""

    refusals: list[bool]

    def replace(self, target: str | os.PathLike[str]) -> _Busy:
        if self.refusals.pop(0):
            raise PermissionError(errno.EACCES, "in use")
        return super().replace(target)


@pytest.mark.parametrize(("refusals", "tries"), [([False], 0), ([True, True, False], 2)], ids=["free", "in use"])
def test_on_windows_a_file_that_is_open_elsewhere_is_replaced_a_moment_later(
    tmp_path: Path, refusals: list[bool], tries: int
) -> None:
    (tmp_path / "new").write_text("new")
    source = _Busy(tmp_path / "new")
    source.refusals = list(refusals)
    slept: list[float] = []
    private.replace(source, tmp_path / "old", platform="win32", sleep=slept.append)
    assert (tmp_path / "old").read_text() == "new"
    assert len(slept) == tries


def test_on_windows_a_file_that_stays_open_elsewhere_is_an_error_in_the_end(tmp_path: Path) -> None:
    source = _Busy(tmp_path / "new")
    source.refusals = [True] * 30
    slept: list[float] = []
    with pytest.raises(PermissionError):
        private.replace(source, tmp_path / "old", platform="win32", sleep=slept.append)
    assert sum(slept) == pytest.approx(0.2)


def test_windows_opens_no_directory_to_have_it_written_to_the_disk(tmp_path: Path) -> None:
    private.sync_directory(tmp_path)
    private.sync_directory(tmp_path / "gone", platform="win32")
    with pytest.raises(FileNotFoundError):
        private.sync_directory(tmp_path / "gone", platform="linux")
