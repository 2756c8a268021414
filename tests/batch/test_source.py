"""Input that comes when somebody writes it."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

from forge_cli.batch.source import interruptible


def test_a_line_of_a_pipe_is_read_as_soon_as_it_is_there_and_the_reader_can_be_sent_home() -> None:
    reading, writing = os.pipe()
    ended, found = threading.Event(), list[bytes]()
    with open(reading, "rb") as pipe:
        source = interruptible(pipe, lambda: not ended.is_set())
        os.write(writing, b"one\ntwo\nthr")
        assert [source.readline(), source.readline()] == [b"one\n", b"two\n"]
        reader = threading.Thread(target=lambda: found.extend(source))
        reader.start()
        reader.join(0.05)
        assert reader.is_alive()
        ended.set()
        reader.join(10)
        assert not reader.is_alive() and found == [b"thr"]
    os.close(writing)


def test_a_pipe_that_ends_ends() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one")
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert list(interruptible(pipe, lambda: True)) == [b"one"]


def test_what_keeps_nobody_waiting_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one\n")
    with open(tmp_path / "in", "rb") as file:
        assert interruptible(file, lambda: False) is file
    memory = io.BytesIO(b"one\n")
    assert interruptible(memory, lambda: False) is memory


def test_where_only_sockets_can_be_waited_for_a_pipe_is_read_as_it_is() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        assert interruptible(pipe, lambda: True, platform="win32") is pipe
    os.close(writing)
