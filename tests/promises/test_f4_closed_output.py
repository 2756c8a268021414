"""F4: a reader that goes away is no error to speak of; a disk that is full is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
BIG = b"0123456789abcdef" * 65536


def shell(script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a bash script in which `"$@"` is forge with these words."""
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "forge_cli", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, env=env, timeout=60)


def test_a_reader_that_stops_reading_gets_silence_and_141(server: Server) -> None:
    url = server.reply("/x", Reply(200, BIG))
    result = shell('"$@" | head -c 10; exit ${PIPESTATUS[0]}', "get", url)
    assert (result.returncode, result.stdout, result.stderr) == (141, BIG[:10], b"")


@pytest.mark.parametrize("words", [["--help"], ["token", "list", "--json"]], ids=" ".join)
def test_a_reader_that_was_never_there_gets_141(words: list[str]) -> None:
    result = shell('"$@" | true; exit ${PIPESTATUS[0]}', *words)
    assert result.returncode in (0, 141)  # 0 when all was written before the reader went
    assert b"Traceback" not in result.stderr
    assert b"Broken pipe" not in result.stderr


def test_a_full_disk_is_exit_9(server: Server) -> None:
    url = server.reply("/x", Reply(200, b"body"))
    result = shell('"$@" > /dev/full', "get", url)
    assert (result.returncode, result.stderr) == (
        9,
        b"forge: the output cannot be written: no space left on device\n",
    )


@pytest.mark.parametrize("words", [["--version"], ["token", "list", "--json"]], ids=" ".join)
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"], ids=["full", "closed"])
def test_what_cannot_be_written_is_exit_9(words: list[str], where: str) -> None:
    result = shell(f'"$@" {where}', *words)
    assert (result.returncode, result.stdout) == (9, b"")
    assert result.stderr.startswith(b"forge: the output cannot be written: ")
    assert result.stderr.count(b"\n") == 1


def test_a_closed_stdout_is_exit_9(server: Server) -> None:
    result = shell('"$@" >&-', "get", server.reply("/x", Reply(200, b"body")))
    assert (result.returncode, result.stderr) == (9, b"forge: the output cannot be written: bad file descriptor\n")


def test_a_closed_stdout_hurts_nobody_who_writes_elsewhere(server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/one" }\nextract = { token = "/token" }\n'
    )
    server.reply("/one", Reply(200, {"token": "user-token-1"}))
    server.reply("/x", Reply(200, b"body"))
    assert shell('"$@" <&- >&- 2>&-', "get", "/x", "-o", "out").returncode == 0
    assert Path("out").read_bytes() == b"body"
    assert shell('"$@"', "token", "show", "--raw").stdout == b"user-token-1\n"


def test_a_closed_stderr_loses_only_the_notices(server: Server) -> None:
    result = shell('"$@" 2>&-', "get", server.reply("/x", Reply(404, b"body")))
    assert (result.returncode, result.stdout) == (4, b"body")


def test_a_full_stderr_loses_only_the_notices(server: Server) -> None:
    result = shell('"$@" 2>/dev/full', "get", server.reply("/x", Reply(404, b"body")), "-v")
    assert (result.returncode, result.stdout) == (4, b"body")


@pytest.mark.parametrize(
    ("words", "code"),
    [(["get", "{url}", "--retry", "0"], 5), (["get"], 2), (["token"], 2), (["nonsense"], 2)],
    ids=["status", "argument", "help", "command"],
)
def test_an_error_that_cannot_be_told_keeps_its_exit_code(server: Server, words: list[str], code: int) -> None:
    url = server.reply("/x", Reply(500), optional=True)
    result = shell('"$@" 2>/dev/full >/dev/null', *(word.format(url=url) for word in words))
    assert result.returncode == code
