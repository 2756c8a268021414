"""Small files read whole: what could keep one waiting for ever is refused, or waited for no longer than it may take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_cli.files import read_named

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no such files there")


@pytest.fixture
def pipe() -> Iterator[tuple[str, int]]:
    """What a shell makes of `<(…)`, and the end that its program writes to."""
    reading, writing = os.pipe()
    yield f"/dev/fd/{reading}", writing
    os.close(reading)


def test_a_regular_file_and_a_link_to_one_are_read_as_far_as_is_wanted() -> None:
    Path("file").write_bytes(b"x" * 100_000)
    Path("link").symlink_to("file")
    assert len(read_named("file", 1_000_000).content) == 100_000
    assert read_named("link", 10).content == b"x" * 10


@pytest.mark.parametrize("kind", ["FIFO", "link to a FIFO", "/dev/zero"])
def test_what_never_ends_is_refused_at_once(kind: str) -> None:
    os.mkfifo("fifo")
    Path("link").symlink_to("fifo")
    path = {"FIFO": "fifo", "link to a FIFO": "link"}.get(kind, kind)
    with pytest.raises(OSError, match="not a regular file"):
        read_named(path, 10)


def test_a_directory_is_one() -> None:
    with pytest.raises(IsADirectoryError):
        read_named(".", 10)


def test_a_pipe_that_is_handed_over_is_read_to_its_end(pipe: tuple[str, int]) -> None:
    path, writing = pipe
    os.write(writing, b"text")
    os.close(writing)
    assert read_named(path, 10).content == b"text"


def test_one_that_does_not_end_is_waited_for_so_long(pipe: tuple[str, int]) -> None:
    path, writing = pipe
    os.write(writing, b"text")
    with pytest.raises(TimeoutError, match=r"it did not end within 0\.05 s"):
        read_named(path, 10, 0.05)
    os.close(writing)


def test_the_device_that_holds_nothing_holds_nothing() -> None:
    assert read_named(os.devnull, 10).content == b""
