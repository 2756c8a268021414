"""Streams that cannot take every character, and readers that are gone."""

from __future__ import annotations

import errno
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forge_cli.cli.streams import closed, descriptor, draws, take_any_character, widened
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", True), ("UTF8", True), ("utf_8", True), ("cp1252", False), ("cp437", False), ("ascii", False)],
)
def test_only_unicode_has_lines_to_draw_with(encoding: str, expected: bool) -> None:
    assert draws(stream(encoding)) is expected


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_a_character_that_a_console_lacks_is_shown_as_an_escape(encoding: str) -> None:
    console = stream(encoding)
    with pytest.raises(UnicodeEncodeError):
        console.write("\u4e16")
    take_any_character(console)
    console.write("a \u4e16")
    console.flush()
    assert console.buffer.getvalue() == b"a \\u4e16"  # type: ignore[attr-defined]  # a BytesIO


@pytest.mark.parametrize(
    ("error", "platform", "expected"),
    [
        (BrokenPipeError(), "linux", True),
        (BrokenPipeError(), "win32", True),
        (OSError(errno.EINVAL, "Invalid argument"), "win32", True),
        (OSError(errno.EINVAL, "Invalid argument"), "linux", False),
        (OSError(errno.ENOSPC, "No space left on device"), "win32", False),
    ],
    ids=str,
)
def test_windows_says_of_a_closed_pipe_that_the_argument_is_invalid(
    error: OSError, platform: str, expected: bool
) -> None:
    assert closed(error, platform=platform) is expected


def test_the_program_in_an_old_console_shows_what_it_can(server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200, {"name": "\u4e16 caf\u00e9"}))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "forge_cli", "get", url, "--pretty", "format", "--print", "hbm"]
    result = subprocess.run(command, capture_output=True, env=env, timeout=60)
    assert result.returncode == 0, result.stderr
    shown = result.stdout.decode("cp1252")
    assert "caf\u00e9" in shown or "caf\\u00e9" in shown
    assert "\\u4e16" in shown and "\\u2588" not in shown


@pytest.mark.parametrize(
    ("path", "number"),
    [("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/7", 7), ("/dev/fd/x", None), ("stdout", None), (None, None)],
)
def test_a_path_may_be_an_open_file(path: str | None, number: int | None) -> None:
    assert descriptor(path, platform="linux") == number
    assert descriptor(path, platform="win32") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there a pipe can be resized")
def test_a_pipe_is_made_to_hold_more_and_other_streams_stay_as_they_are(tmp_path: Path) -> None:
    fcntl = importlib.import_module("fcntl")
    ours, theirs = os.pipe()
    with open(ours, "rb") as reading, open(theirs, "wb") as writing:
        before = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)
        widened(writing)
        assert fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ) > before
    with (tmp_path / "file").open("wb") as file:
        widened(file)
    widened(io.BytesIO())
    widened(object())
