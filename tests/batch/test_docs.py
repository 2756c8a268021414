"""What docs/batch.md shows runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.testing import ScriptedServer
from tests.conftest import STRICT, Forge
from tests.server import Reply

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The code blocks of a kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]
PLAIN, DASK = blocks("python")


@pytest.fixture
def api(server: ScriptedServer, profile_file: Callable[[str], Path]) -> ScriptedServer:
    """The API of the profile `prod`, and the files that the page speaks of."""
    server.reply("/login", Reply(200, {"token": "user-token-1"}), optional=True)
    server.reply("/users", Reply(201), method="POST", optional=True)
    for number in range(1, 9):
        server.reply(f"/users/{number}", Reply(200, {"id": number}), optional=True)
    profile_file(
        f'[profiles.prod]\nbase_url = "{server.url}"\n[profiles.prod.auth]\ntype = "pipeline"\n'
        '[profiles.prod.auth.steps.one]\nrequest = { url = "/login" }\nextract = { token = "/token" }\n'
        'expires = { ttl = "1h" }\n'
    )
    [lines] = blocks("json")
    Path("requests.jsonl").write_text(lines)
    Path("people.csv").write_text("id,name\n1,Ada\n2,Grace\n")
    return server


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(api: ScriptedServer, forge: Forge, command: str) -> None:
    words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command.partition(" > ")[0])]
    result = forge(*words[1:])
    assert result.exit_code == 0, result.stderr
    results = Path("results.jsonl").read_text() if "--resume" in words else result.stdout
    wanted = ["ada", 2] if "requests.jsonl" in words else ["1", "2"] if '"id"' in command else [1, 2]
    assert [json.loads(line)["id"] for line in results.splitlines()] == wanted
    assert len(api.seen_at("/login")) == 1


def ran(text: str) -> str:
    """What a program prints."""
    Path("program.py").write_text(text)
    result = subprocess.run(
        [sys.executable, "program.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_program_of_the_page_runs(api: ScriptedServer) -> None:
    assert ran(PLAIN) == "1 200 None\n2 200 None\n"
    assert len(api.seen_at("/login")) == 1


def test_the_dask_task_of_the_page_runs(api: ScriptedServer) -> None:
    if importlib.util.find_spec("dask") is None:
        assert not STRICT, "dask is missing: pip install dask"
        pytest.skip("dask is missing: pip install dask")
    assert ran(DASK) == f"{[(f'/users/{number}', 200) for number in range(1, 9)]}\n"
    # Two processes at the same time, and one login.
    assert len(api.seen_at("/login")) == 1
