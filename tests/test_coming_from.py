"""Every command of `docs/coming-from.md` does what its row says: run by a shell, against a server."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Require
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+) \| `(forge .+)` \| (?:`(.+)`|nothing) \|$", PAGE, re.MULTILINE)
TOOLS = re.findall(r"^## (\S+)$", PAGE, re.MULTILINE)
API = "https://api.example.com"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with `forge` in it, and in the working directory the files that the page speaks of."""
    folder = tmp_path / "bin"
    folder.mkdir()
    start = "import sys; sys.argv[0] = 'forge'; from forge_cli.__main__ import main; sys.exit(main())"
    (folder / "forge").write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", start])} "$@"\n')
    (folder / "forge").chmod(0o700)
    Path("body.json").write_text('{"a": 1}')
    Path("name.txt").write_text("Ada\n")
    Path("photo.png").write_bytes(b"\x89PNG\r\n")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    secrets = {"LOGIN": "ada:secret", "API_TOKEN": "user-token-2"}
    return {**os.environ, **secrets, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def api(profile_file: Callable[[str], Path]) -> Iterator[Server]:
    """The API of profile `prod`: it answers what the page asks for."""
    with Server() as server:
        profile_file(
            f'[profiles.prod]\nbase_url = "{server.url}"\nvars = {{ tenant = "a" }}\n'
            '[profiles.prod.requests.people]\nurl = "/users"\n'
            '[profiles.prod.auth]\ntype = "pipeline"\n'
            '[profiles.prod.auth.steps.login]\nrequest = { method = "POST", url = "/login" }\n'
            'extract = { token = "/token" }\n'
        )
        server.reply("/login", Reply(200, {"token": "user-token-1"}), method="POST")
        yield server


def run(command: str, server: Server, environ: dict[str, str]) -> list[Seen]:
    """What the API saw but for the login."""
    script = command.replace(API, server.url)
    result = subprocess.run(
        ["sh", "-c", script], env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return [seen for seen in server.seen if seen.path != "/login"]


def answer(server: Server, sends: str) -> tuple[str, str, str]:
    """Set the route of a row; method, target and body that it names."""
    method, target, body = (*sends.split(" ", 2), "")[:3]
    answers: Any = Reply(200, [{"name": "Ada"}])
    server.reply(target.partition("?")[0], answers, method=method)
    return method, target, body


@pytest.mark.parametrize(("theirs", "ours", "sends"), ROWS, ids=[f"{row[1]} ({row[0][:12]})" for row in ROWS])
def test_a_command_sends_what_its_row_says(
    api: Server, environ: dict[str, str], theirs: str, ours: str, sends: str
) -> None:
    if not sends:
        assert run(ours, api, environ) == []
        return
    method, target, body = answer(api, sends)
    [seen] = run(ours, api, environ)
    assert (seen.method, seen.target) == (method, target)
    if body.startswith("{"):
        assert seen.json() == json.loads(body)
        assert "json" in seen.headers["Content-Type"]
    elif body:
        assert seen.body.decode() == body
    if "photo" in ours:
        assert b'filename="photo.png"' in seen.body and b"\x89PNG\r\n" in seen.body
    if "X-Trace" in ours:
        assert seen.headers["X-Trace"] == "1"
    secret = {"env:LOGIN": "Basic YWRhOnNlY3JldA==", "env:API_TOKEN": "Bearer user-token-2"}
    expected = next((value for name, value in secret.items() if name in ours), "Bearer user-token-1")
    assert seen.headers["Authorization"] == expected or ours.startswith(f"forge get {API}")


CURL = [row for row in ROWS if row[0].startswith("`curl ") and "$API_TOKEN" not in row[0]]


@pytest.mark.parametrize(("theirs", "ours", "sends"), CURL, ids=[row[0] for row in CURL])
def test_the_curl_command_of_a_row_sends_that_too(
    api: Server, environ: dict[str, str], require: Require, theirs: str, ours: str, sends: str
) -> None:
    require("curl", "apt-get install curl")
    method, target, body = answer(api, sends)
    if (
        "--json" in theirs
        and "--json" not in subprocess.run(["curl", "--help", "all"], capture_output=True, text=True).stdout
    ):
        pytest.skip("this curl has no --json")
    [seen] = run(theirs.strip("`"), api, environ)
    assert (seen.method, seen.target.replace("%20", "+")) == (method, target)
    if body:
        assert seen.body.decode() == body


def test_the_page_has_all_five_tools_and_many_rows() -> None:
    assert TOOLS == ["HTTPie", "xh", "curl", "restish", "Postman"]
    assert len(ROWS) > 100
    # A row that the tests do not understand would be a row that nobody runs.
    assert len(ROWS) == sum(line.startswith("| ") for line in PAGE.splitlines()) - len(TOOLS)
