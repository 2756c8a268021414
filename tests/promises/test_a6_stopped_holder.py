"""A6: a command that is stopped while it renews keeps the others waiting for as long as they have, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.children import ROOT
from tests.conftest import Forge
from tests.server import Reply, Server

PROFILE = """
[profiles.default]
base_url = "@URL@"
[profiles.default.auth]
type = "pipeline"
[profiles.default.auth.steps.user]
request = { method = "POST", url = "/token" }
extract = { token = "/token" }
"""


@pytest.fixture
def holder(server: Server, profile_file: Callable[[str], Path]) -> Iterator[subprocess.Popen[bytes]]:
    """A command that asks for a token and is stopped before it gets one."""
    profile_file(PROFILE.replace("@URL@", server.url))
    asked = threading.Event()

    def hold(seen: object) -> Reply:
        asked.set()
        return Reply(200, {"token": "user-token-1"}, hold=threading.Event())

    server.reply("/token", hold, Reply(200, {"token": "user-token-2"}))
    server.reply("/x", Reply(200, "ok"), optional=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "forge_cli", "get", "/x"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        assert asked.wait(30)
        child.send_signal(signal.SIGSTOP)
        yield child
        child.kill()


def test_the_others_wait_until_their_deadline_and_name_the_lock(
    forge: Forge, server: Server, holder: subprocess.Popen[bytes]
) -> None:
    begun = time.monotonic()
    result = forge("get", "/x", "--timeout", "0.5")
    assert result.exit_code == 9, result.stderr
    assert time.monotonic() - begun < 3
    assert ".lock" in result.stderr
    assert len(server.seen) == 1


def test_once_it_is_killed_they_log_in_at_once(forge: Forge, server: Server, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    begun = time.monotonic()
    result = forge("get", "/x", "--timeout", "20")
    assert (result.exit_code, result.stdout) == (0, "ok"), result.stderr
    assert time.monotonic() - begun < 2
