"""`forge demo`: on a terminal as in a pipe, interrupted, and kept running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.children import ROOT
from tests.conftest import Forge

_EXPORT = re.compile(r"export (\w+)=(\S+)")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program puts its temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def terminal(place: Path) -> Iterator[pexpect.spawn[str]]:
    child = pexpect.spawn(
        sys.executable, ["-m", "forge_cli", "demo"], cwd=str(ROOT), encoding="utf-8", timeout=30, dimensions=(40, 100)
    )
    yield child
    child.close(force=True)


@contextmanager
def serving() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "forge_cli", "demo", "--serve"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        # Nobody waits for longer for anything it says.
        limit = threading.Timer(120, child.kill)
        limit.start()
        try:
            yield child
        finally:
            limit.cancel()
            child.kill()


def read_until(child: subprocess.Popen[str], word: str) -> str:
    text = ""
    assert child.stdout is not None
    for line in child.stdout:
        text += line
        if word in line:
            break
    return text


def finish(child: subprocess.Popen[str], number: signal.Signals) -> int:
    child.send_signal(number)
    child.communicate(timeout=10)
    return child.returncode


def test_on_a_terminal_the_commands_write_as_they_do_by_hand(terminal: Any, place: Path) -> None:
    terminal.expect_exact("\x1b[1m$ forge get /users\x1b[0m")
    terminal.expect_exact("HTTP/1.1 \x1b[32m200 OK\x1b[0m")
    terminal.expect_exact("# 3 token requests (device, app, user), 1 API request")


def test_ctrl_c_in_the_middle_leaves_nothing_behind(terminal: Any, place: Path) -> None:
    terminal.expect_exact("retry 1 of 3")
    assert len(list(place.iterdir())) == 1
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert "Traceback" not in terminal.before
    assert list(place.iterdir()) == []


def test_a_reader_that_leaves_ends_it_silently(place: Path) -> None:
    command = f"{sys.executable} -m forge_cli demo | head -n 1"
    result = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.stdout.startswith("An API whose login takes three steps")
    assert result.stderr == ""
    assert list(place.iterdir()) == []


def test_serve_says_how_to_reach_the_api(place: Path, forge: Forge) -> None:
    with serving() as child:
        said = read_until(child, "profiles.toml")
        settings = dict(_EXPORT.findall(said))
        assert set(settings) == {"FORGE_CONFIG_DIR", "DEMO_CLIENT_SECRET", "DEMO_PASSWORD"}
        result = forge("get", "/users", env=settings)
        assert result.exit_code == 0, result.stderr
        assert '"Ada"' in result.stdout
        assert finish(child, signal.SIGINT) == 130
    assert list(place.iterdir()) == []


def test_every_command_that_serve_offers_runs(place: Path) -> None:
    with serving() as child:
        said = read_until(child, "profiles.toml")
        commands = [line.partition("#")[0].split() for line in said.splitlines() if line.startswith("forge ")]
        settings = {**os.environ, **dict(_EXPORT.findall(said)), "FORGE_RETRY": "0"}
        codes = {
            " ".join(words): subprocess.run(
                [sys.executable, "-m", "forge_cli", *words[1:]],
                cwd=ROOT,
                env=settings,
                capture_output=True,
                timeout=60,
            ).returncode
            for words in commands
        }
        finish(child, signal.SIGINT)
    assert codes.pop("forge get /flaky") == 5  # the waits that it takes otherwise are left out
    assert set(codes.values()) == {0}, codes


def test_serve_ends_on_sigterm_too(place: Path) -> None:
    with serving() as child:
        read_until(child, "profiles.toml")
        assert finish(child, signal.SIGTERM) == 143
    assert list(place.iterdir()) == []
