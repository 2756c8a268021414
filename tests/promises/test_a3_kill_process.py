"""A3, A5: killed at any moment of a renewal, a command leaves a store that can be read, and no lock."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from forge_cli.files import config_dir
from tests.children import ROOT
from tests.conftest import Forge
from tests.server import Reply, Seen, Server

KILLS = int(os.environ.get("FORGE_TEST_KILLS", "20"))
"""How many commands are killed; 200 by hand."""

PROFILE = """
[profiles.default]
base_url = "@URL@"
[profiles.default.auth]
type = "pipeline"
[profiles.default.auth.steps.user]
request = { method = "POST", url = "/token" }
extract = { token = "/token", refresh_token = "/refresh" }
expires = { ttl = "1h" }
[profiles.default.auth.steps.user.refresh]
request = { method = "POST", url = "/token", form = { refresh_token = "${self.refresh_token}" } }
"""


def test_a_killed_command_leaves_a_sound_store(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    counted = threading.Lock()
    issued: list[str] = []

    def token(seen: Seen) -> Reply:
        with counted:
            number = len(issued)
            issued.append(f"user-token-{number}-{'x' * 3000}")
        return Reply(200, {"token": issued[number], "refresh": f"refresh-token-{number}"})

    server.reply("/token", token)
    server.reply("/x", Reply(200, "ok"))
    assert forge("get", "/x").exit_code == 0
    store = config_dir() / "tokens" / "default.toml"
    chance = random.Random(KILLS)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # The command is started once and forked for each kill, so that all the time is spent on the store.
    script = (
        "import os, signal, sys, time\n"
        "from forge_cli.cli.app import main\n"
        "main(['token', 'refresh', '-s'])\n"
        "for line in sys.stdin:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        while True:\n"
        "            main(['token', 'refresh', '-s'])\n"
        "    time.sleep(float(line))\n"
        "    os.kill(child, signal.SIGKILL)\n"
        "    os.waitpid(child, 0)\n"
        "    print('killed', flush=True)\n"
    )
    sizes = set()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as children:
        assert children.stdin is not None and children.stdout is not None
        for _ in range(KILLS):
            children.stdin.write(f"{chance.uniform(0.001, 0.12)}\n")
            children.stdin.flush()
            assert children.stdout.readline() == "killed\n"
            [entry] = tomllib.loads(store.read_text())["tokens"].values()
            assert entry["access_token"] in issued
            assert entry["refresh_token"] == f"refresh-token-{issued.index(entry['access_token'])}"
            sizes.add(entry["access_token"])
        children.stdin.close()
    # Some were killed after they had saved: otherwise this shows nothing.
    assert len(sizes) > 3
    begun = time.monotonic()
    assert forge("token", "refresh", "-s").exit_code == 0
    assert time.monotonic() - begun < 5
    assert not list(store.parent.glob("*.corrupt-*"))
