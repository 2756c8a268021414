"""An exported command, run by a shell, sends what forge itself sends, and holds no secret."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Forge, Require
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[2]
SHELLS = ["sh", "bash", "dash", "zsh"]
SECRETS = {
    "API_TOKEN": "user-token-1",
    "API_PASSWORD": "pass word-1$x",
    "CLIENT_SECRET": "client-secret-1",
    "LOGIN": "ada:pass word-1$x",
}
# curl writes these itself, and the boundary is new each time.
OWN = {"accept-encoding", "connection"}

Run = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, require: Require) -> dict[str, str]:
    """An environment in which a shell finds `forge` and curl, and the secrets of the profiles."""
    require("curl", "apt-get install curl")
    folder = tmp_path / "bin"
    folder.mkdir()
    start = "import sys; sys.argv[0] = 'forge'; from forge_cli.__main__ import main; sys.exit(main())"
    (folder / "forge").write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", start])} "$@"\n')
    (folder / "forge").chmod(0o700)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **SECRETS, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def comparable(seen: Seen) -> dict[str, Any]:
    """A request without what may differ between two senders."""
    boundary = seen.headers.get_boundary()
    body = seen.body
    if boundary is not None:
        body = body.replace(boundary.encode(), b"BOUNDARY")
    headers = sorted(
        (name.lower(), re.sub(r"boundary=.*", "boundary=…", value))
        for name, value in seen.headers.items()
        if name.lower() not in OWN and not (boundary is not None and name.lower() == "content-length")
    )
    return {"method": seen.method, "target": seen.target, "headers": headers, "body": body}


def run(shell: str, command: str, env: dict[str, str]) -> str:
    """Run the command by the shell; return what it wrote to standard output."""
    # `-s` is no part of the export: only the test wants no progress meter.
    result = subprocess.run([shell, "-c", command], env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode("utf-8", "replace")


def export(forge: Forge, *words: str) -> str:
    """The exported command, without the warnings."""
    result = forge("curl", *words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1 or "'" in result.stdout
    return result.stdout


def hold_no_secret(text: str) -> None:
    for value in [*SECRETS.values(), "YWRhOn", "user-token-2"]:
        assert value not in text


REQUESTS: dict[str, list[str]] = {
    "get": ["GET", "/x"],
    "query": ["GET", "/x?a=[1]&b={2}", "c==d e&f", 'q==it\'s "$(date)" `id` !x', "é==ü"],
    "headers": ["GET", "/x", 'X-Quote:it\'s "$HOME" `id` \\ !', "X-Empty;", "Accept:", "User-Agent:mine/1"],
    "repeated headers": ["GET", "/x", "-H", "A: 1", "-H", "A: 2"],
    "json": ["POST", "/x", "name=it's $(id) `x` !y\n\ttab", "emoji=😀", "big:=12345678901234567890.10", "deep[a][]=1"],
    "at sign": ["POST", "/x", "-d", "\\@not-a-file", "-H", "Content-Type: text/plain"],
    "form": ["POST", "/x", "-f", "name=a b&c=d", "percent=100%"],
    "empty post": ["POST", "/x"],
    "put": ["PUT", "/x", "a=1"],
    "delete": ["DELETE", "/x"],
    "delete with a body": ["DELETE", "/x", "a=1"],
    "head": ["HEAD", "/x"],
    "options": ["OPTIONS", "/x"],
    "own method": ["PURGE", "/x", "a=1"],
    "own method without a body": ["PURGE", "/x"],
    "nought as a length": ["GET", "/x", "Content-Length:0"],
    "raw body": ["POST", "/x", "-d", "a\nb\\n"],
    "body from a file": ["POST", "/x", "@body.json"],
    "binary body": ["POST", "/x", "-d", "@binary.bin"],
    "multipart": ["POST", "/x", "a=it's", "b=\\@not;type=x", "doc@body.json;type=application/json", "raw@binary.bin"],
    "multipart without a file": ["POST", "/x", "--multipart", "a=1"],
    "dots": ["GET", "/x", "-H", "X-Path: ../a"],
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("words", REQUESTS.values(), ids=REQUESTS)
def test_a_shell_sends_the_same_request(
    forge: Forge,
    server: Server,
    profile_file: Callable[[str], Path],
    program: dict[str, str],
    require: Require,
    shell: str,
    words: list[str],
) -> None:
    require(shell, f"apt-get install {shell}")
    more = 'headers = { X-Team = "blue" }\nquery = { l = "en" }\n'
    profile_file(f'[profiles.api]\nbase_url = "{server.url}"\n{more}')
    Path("body.json").write_bytes(b'{"a": 1}\n')
    Path("binary.bin").write_bytes(bytes(range(256)))
    server.reply("/x", Reply(200, "answer"))
    own = forge("request", *words)
    assert own.exit_code == 0, own.stderr
    run(shell, export(forge, *words), program)
    mine, shells = map(comparable, server.seen)
    assert shells == mine


PROFILES = {
    "bearer from a variable": 'auth = { type = "bearer", token = "${secrets.token}" }',
    "bearer from a file": 'auth = { type = "bearer", token = "${secrets.file}" }',
    "bearer as written": 'auth = { type = "bearer", token = "user-token-2" }',
    "api key in a header": 'auth = { type = "api-key", key = "${secrets.token}", in = "header", name = "X-Api-Key" }',
    "api key in the query": 'auth = { type = "api-key", key = "${secrets.token}", in = "query", name = "key" }',
    "api key from a file": 'auth = { type = "api-key", key = "${secrets.file}", in = "query", name = "key" }',
    "api key in a cookie": 'auth = { type = "api-key", key = "${secrets.token}", in = "cookie", name = "sid" }',
    "basic": 'auth = { type = "basic", username = "ada", password = "${secrets.password}" }',
    "oauth2": 'auth = { type = "oauth2", grant = "client-credentials", token_url = "/token", client_id = "me", '
    'client_secret = "${secrets.client}" }',
    "pipeline": """
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.app]
request = { method = "POST", url = "/token", form = { secret = "${secrets.client}" } }
extract = { token = "/access_token" }
[profiles.api.auth.steps.user]
request = { method = "POST", url = "/token", headers = { X-App = "${steps.app.token}" } }
extract = { token = "/access_token", tenant = "/tenant" }
[[profiles.api.auth.inject]]
in = "header"
name = "Authorization"
value = "Token ${steps.user.token}"
[[profiles.api.auth.inject]]
in = "header"
name = "X-Composed"
value = "${steps.app.token};${steps.user.tenant}"
""",
    "a header of the profile": 'headers = { X-Api-Key = "${secrets.token}", X-Env = "${env.API_TOKEN}" }',
}


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path], secrets: None) -> Callable[[str], Server]:
    """A server that gives tokens, and a profile that logs in in the given way."""

    def write(auth: str) -> Server:
        path = profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\n{auth}\n[profiles.api.secrets]\n'
            'token = { env = "API_TOKEN" }\npassword = { env = "API_PASSWORD" }\n'
            'client = { env = "CLIENT_SECRET" }\nfile = { file = "token" }\n'
        )
        (path.parent / "token").write_text("user-token-1")
        answer = {"access_token": "user-token-2", "tenant": "blue", "expires_in": 3600}
        server.reply("/token", Reply(200, answer), optional=True)
        server.reply("/x", Reply(200, "answer"))
        return server

    return write


@pytest.mark.parametrize("auth", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("shell", ["dash", "zsh"])
def test_an_export_without_a_secret_logs_in_when_it_runs(
    forge: Forge, api: Callable[[str], Server], program: dict[str, str], require: Require, auth: str, shell: str
) -> None:
    require(shell, f"apt-get install {shell}")
    server = api(auth)
    command = export(forge, "POST", "/x", "name=Ada")
    hold_no_secret(command)
    assert server.seen == []  # a cold cache logs nobody in
    assert run(shell, command, program) == "answer"
    assert forge("post", "/x", "name=Ada").exit_code == 0
    by_shell, own = map(comparable, server.seen_at("/x"))
    assert by_shell == own


@pytest.mark.parametrize("auth", [PROFILES["bearer from a file"], PROFILES["oauth2"], PROFILES["pipeline"]])
def test_as_env_works_for_somebody_with_the_token_alone(
    forge: Forge, api: Callable[[str], Server], program: dict[str, str], auth: str
) -> None:
    server = api(auth.replace("${steps.app.token};${steps.user.tenant}", "fixed"))
    command = export(forge, "GET", "/x", "--as", "env")
    assert "$FORGE_TOKEN" in command
    assert "forge token" not in command
    hold_no_secret(command)
    setting = forge("token", "show", "--env")
    run("sh", f"{setting.stdout}{command}", program)
    assert forge("get", "/x").exit_code == 0
    by_shell, own = map(comparable, server.seen_at("/x"))
    assert by_shell == own


@pytest.mark.parametrize("auth", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("how", [["--as", "literal"], ["--reveal"]], ids=["--as literal", "--reveal"])
def test_literal_needs_nothing_else(
    forge: Forge, api: Callable[[str], Server], require: Require, auth: str, how: list[str]
) -> None:
    require("curl", "apt-get install curl")
    server = api(auth)
    command = export(forge, "GET", "/x", *how)
    assert "$" not in command.replace("word-1$x", "")
    run("sh", command, {"PATH": os.environ["PATH"]})
    assert forge("get", "/x").exit_code == 0
    by_shell, own = map(comparable, server.seen_at("/x"))
    assert by_shell == own


@pytest.mark.parametrize(
    "words",
    [["-u", "env:LOGIN"], ["-u", "@login"], ["--bearer", "env:API_TOKEN"], ["--bearer", "@it's a token"]],
    ids=" ".join,
)
def test_a_credential_that_is_referred_to_runs_and_is_not_shown(
    forge: Forge, server: Server, program: dict[str, str], secrets: None, words: list[str]
) -> None:
    Path("login").write_text(SECRETS["LOGIN"] + "\n")
    Path("it's a token").write_text("user-token-1\n")
    url = server.reply("/x", Reply())
    assert forge("get", url, *words).exit_code == 0
    command = export(forge, "GET", url, *words)
    hold_no_secret(command)
    run("dash", command, program)
    own, by_shell = map(comparable, server.seen)
    assert by_shell == own


def test_another_file_and_variables_are_part_of_the_command(
    forge: Forge, server: Server, program: dict[str, str]
) -> None:
    Path("it's.toml").write_text(
        f'[profiles."a.b"]\nbase_url = "{server.url}"\nvars = {{ user = "" }}\n'
        '[profiles."a.b".auth]\ntype = "pipeline"\n[profiles."a.b".auth.steps.in]\n'
        'request = { url = "/token", query = { user = "${vars.user}" } }\nextract = { token = "/access_token" }\n'
    )
    server.reply("/token", lambda seen: Reply(200, {"access_token": f"token-of-{dict(seen.query)['user']}"}))
    server.reply("/x", Reply())
    command = export(forge, "GET", "/x", "--config", "it's.toml", "--var", "user=Ada L")
    run("sh", command, program)
    assert server.seen_at("/x")[0].headers["Authorization"] == "Bearer token-of-Ada L"
