"""What a command loads: nothing heavy where nothing is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
HEAVY = {"requests", "urllib3", "rich", "platformdirs", "ssl", "email", "http.client", "asyncio"}

_RUN = """
import json, sys
sys.argv = ["forge", *json.loads(sys.argv[1])]
from forge_cli.__main__ import main
code = main()
sys.stdout.flush()
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def loaded(*words: str) -> set[str]:
    """The modules that are loaded when the command has run."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _RUN, json.dumps(words)]
    result = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--version"], ["--help"]], ids=" ".join)
def test_version_and_help_load_almost_nothing(words: list[str]) -> None:
    found = loaded(*words)
    assert found & HEAVY == set()
    assert {name for name in found if name.startswith("forge_cli.")} <= {
        "forge_cli.__main__",
        "forge_cli.cli",
        "forge_cli.cli.app",
        "forge_cli.cli.completers",
        "forge_cli.cli.exit_codes",
        "forge_cli.cli.failure",
        "forge_cli.cli.group",
        "forge_cli.cli.output",
        "forge_cli.cli.output.text",
        "forge_cli.cli.run",
        "forge_cli.cli.signals",
        "forge_cli.cli.streams",
        "forge_cli.cli.variables",
        "forge_cli.compiled",
        "forge_cli.errors",
        "forge_cli.redact",
        "forge_cli.registry",
    }


@pytest.mark.parametrize("command", ["get", "curl", "token", "profile"])
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    assert loaded(command, "--help") & HEAVY == set()


@pytest.fixture
def warm(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/one" }\nextract = { token = "/token" }\n'
    )
    server.reply("/one", Reply(200, {"token": "user-token-1"}))
    assert forge("token", "refresh", "-s").exit_code == 0


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    "words",
    [["token", "show", "--raw"], ["token", "show", "--header"], ["token", "status"], ["curl", "GET", "/x"]],
    ids=" ".join,
)
def test_what_needs_no_network_loads_no_http_library(words: list[str]) -> None:
    assert loaded(*words) & HEAVY == set()


@pytest.mark.usefixtures("warm")
def test_an_answer_in_a_pipe_needs_no_rich(server: Server) -> None:
    server.reply("/x", Reply(200, "body"))
    assert "rich" not in loaded("get", "/x")
