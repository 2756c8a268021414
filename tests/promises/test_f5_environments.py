"""F5: the command works where little is there: no locale, no terminal, no home, no standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]


def run(
    words: list[str], environ: dict[str, str], stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[bytes]:
    """Run forge with nothing in its environment but these variables."""
    command = [sys.executable, "-m", "forge_cli", *words]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run(command, stdin=stdin, capture_output=True, env=env, timeout=60, start_new_session=True)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb"},
        {"COLUMNS": "0", "LINES": "0"},
        {"COLUMNS": "nonsense"},
        {"HOME": "/nonexistent"},
    ],
    ids=str,
)
def test_a_request_works_anywhere(server: Server, environ: dict[str, str]) -> None:
    url = server.reply("/x", Reply(200, "é\u202e😀".encode()))
    result = run(["get", url, "-v", "é==ü"], environ)
    assert (result.returncode, result.stdout) == (0, "é\u202e😀".encode())
    assert server.seen[0].query == [("é", "ü")]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["get", "--help"]], ids=" ".join)
@pytest.mark.parametrize(
    "environ", [{}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "0"}, {"COLUMNS": "1"}], ids=str
)
def test_help_works_anywhere(words: list[str], environ: dict[str, str]) -> None:
    result = run(words, environ)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_path_without_a_home_is_a_clear_error() -> None:
    result = run(["get", "/x"], {})
    assert result.returncode in (2, 9)
    assert b"Traceback" not in result.stderr
    assert result.stderr.startswith(b"forge: ")


@pytest.mark.parametrize("script", ['"$@" <&-', '"$@" < /dev/null'], ids=["closed", "empty"])
def test_standard_input_is_not_needed(server: Server, script: str) -> None:
    url = server.reply("/x", Reply(200, b"body"))
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "forge_cli", "get", url]
    result = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"body", b"")
    assert server.seen[0].method == "GET"


def test_an_open_pipe_that_says_nothing_does_not_hang(server: Server) -> None:
    url = server.reply("/x", Reply(200, b"body"))
    ours, theirs = os.pipe()
    try:
        assert run(["get", url], {}, stdin=ours).stdout == b"body"
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_closed_standard_input_that_is_asked_for_is_exit_2(server: Server) -> None:
    command = ["bash", "-c", '"$@" <&-', "bash", sys.executable, "-m", "forge_cli", "post", f"{server.url}/x", "@-"]
    result = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert (result.returncode, server.seen) == (2, [])
    assert b"standard input is closed" in result.stderr


def test_a_loop_that_reads_lines_keeps_them(server: Server) -> None:
    server.reply("/1", Reply())
    server.reply("/2", Reply())
    loop = 'printf "1\\n2\\n" | while read -r id; do "$@" get "$URL/$id" || exit; done'
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "URL": server.url}
    command = ["bash", "-c", loop, "bash", sys.executable, "-m", "forge_cli"]
    assert subprocess.run(command, capture_output=True, env=environ, timeout=60).returncode == 0
    assert [(seen.method, seen.path, seen.body) for seen in server.seen] == [("GET", "/1", b""), ("GET", "/2", b"")]
