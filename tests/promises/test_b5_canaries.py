"""B5: whatever a run writes for people or for files, no secret is in it, in no spelling."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.canaries import Canaries
from tests.conftest import Forge
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[2]
CLIENT, TOKEN, KEY, USER, BODY = (
    "canary-client+/5517",
    "canary-token-5517-abcdefghij",
    'canary"key"é5517',
    "canary-user-pass-5517",
    "canary-body-5517-klmno",
)

PROFILE = """
[profiles.api]
base_url = "@URL@"
retry = { base_delay = 0, max_retries = 1 }
[profiles.api.secrets]
client = { env = "CLIENT" }
key = { env = "KEY" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.one]
extract = { token = "/token" }
[profiles.api.auth.steps.one.request]
method = "POST"
url = "/login"
basic = ["ada", "${secrets.client}"]
json = { k = "${secrets.key}" }
[[profiles.api.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${steps.one.token}"
[[profiles.api.auth.inject]]
in = "query"
name = "k"
value = "${secrets.client}"
[[profiles.api.auth.inject]]
in = "cookie"
name = "sid"
value = "${steps.one.token | hex}"
[profiles.api.requests.saved]
url = "/me"
"""

RUNS = {
    "verbose": ("get", "/me", "-vv"),
    "headers of a request": ("get", "/me", "--print", "Hhm"),
    "offline": ("post", "/me", "--offline", "a=1"),
    "exchange": ("get", "/me", "--format", "exchange"),
    "curl": ("curl", "GET", "/me"),
    "curl of a request": ("get", "/me", "--curl"),
    "curl by variables": ("curl", "GET", "/me", "--as", "env"),
    "har": ("get", "/me", "--har", "x.har"),
    "har of a failure": ("get", "/fail", "--har", "x.har", "--debug"),
    "har of a cut answer": ("get", "/cut", "--har", "x.har", "--debug"),
    "a failure": ("get", "/fail", "--debug", "-v"),
    "a failure as json": ("get", "/cut", "--debug"),
    "a redirect": ("get", "/moved", "-vv", "--no-follow"),
    "a loop": ("get", "/loop", "-vv", "--debug"),
    "saved": ("run", "saved", "-v"),
    "batch": ("batch", "in.jsonl", "--report", "r.html", "--report", "r.xml", "--report", "r.json"),
    "show": ("token", "show"),
    "show as json": ("token", "show", "--json"),
    "list": ("token", "list"),
    "status": ("token", "status", "--json"),
    "explain": ("token", "explain"),
    "trace": ("token", "explain", "--trace"),
    "refresh": ("token", "refresh", "--debug"),
    "clear": ("token", "clear", "--debug"),
    "profile": ("profile", "show", "--expand"),
    "validate": ("profile", "validate"),
    "doctor": ("doctor",),
    "doctor as json": ("doctor", "--json"),
    "expect": ("get", "/me", "--expect", "body:/ok==false", "-v"),
}


@pytest.fixture
def api(
    server: Server, profile_file: Callable[[str], Path], canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> Server:
    for secret in (CLIENT, TOKEN, KEY):
        canaries(secret)
    monkeypatch.setenv("CLIENT", CLIENT)
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("COLUMNS", "400")
    profile_file(PROFILE.replace("@URL@", server.url))
    Path("in.jsonl").write_text("/me\n/fail\n/cut\n")

    def echo(seen: Seen) -> Reply:
        # A server that repeats what it was sent, as debugging answers and redirects do.
        said = {"error": f"bad {seen.headers['Authorization']}", "cookie": seen.headers["Cookie"]}
        return Reply(400, said, headers={"X-Echo": seen.headers["Authorization"] or "", "Location": seen.target})

    def moved(seen: Seen) -> Reply:
        return Reply(302, headers={"Location": f"/loop?{seen.target.partition('?')[2]}"})

    server.reply("/login", Reply(body={"token": TOKEN}), optional=True)
    server.reply("/me", Reply(body={"ok": True}, headers={"Set-Cookie": f"sid={TOKEN}"}), optional=True)
    server.reply("/fail", lambda seen: Reply(echo(seen).status, headers=echo(seen).headers), optional=True)
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"
    server.reply("/cut", Reply(raw=cut), optional=True)
    server.reply("/moved", moved, optional=True)
    server.reply("/loop", moved, optional=True)
    return server


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("words", list(RUNS.values()), ids=list(RUNS))
def test_nothing_that_is_written_holds_one(forge: Forge, api: Server, words: tuple[str, ...], warm: bool) -> None:
    # The fixture looks at all of it: here nothing is left but to run it.
    if warm:
        assert forge("get", "/me", "--body").exit_code == 0
    env = {"FORGE_ERRORS": "json"} if "json" in words else {}
    assert forge(*words, env=env).exit_code in (0, 2, 3, 4, 6, 10, 12)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_refused_login_that_repeats_everything_holds_none(
    forge: Forge, api: Server, profile_file: Callable[[str], Path], status: int
) -> None:
    def refuse(seen: Seen) -> Reply:
        given = base64.b64decode((seen.headers["Authorization"] or "").split()[1]).decode()
        return Reply(
            status, {"message": f"{given} is wrong", "you": json.loads(seen.body), "hex": given.encode().hex()}
        )

    api.reply("/refuse", refuse)
    text = PROFILE.replace("@URL@", api.url).replace('url = "/login"', 'url = "/refuse"')
    profile_file(text.replace("max_retries = 1", "max_retries = 0"))
    for words in (("get", "/me"), ("get", "/me", "-vv", "--debug"), ("token", "explain", "--trace")):
        assert forge(*words).exit_code in (0, 5, 7)


def test_another_process_holds_none_either(api: Server) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in (("get", "/me", "-vv"), ("get", "/fail", "--debug", "--har", "x.har")):
        result = subprocess.run([sys.executable, "-m", "forge_cli", *words], env=env, capture_output=True, timeout=60)
        assert result.returncode in (0, 4)


@pytest.mark.parametrize(
    "words",
    [("--bearer", USER), ("-u", f"ada:{USER}"), ("-H", f"X-Api-Key: {USER}"), ("-q", f"api_key={USER}")],
    ids=lambda words: words[0],
)
def test_what_the_command_line_states_is_not_repeated(
    forge: Forge, api: Server, canaries: Canaries, words: tuple[str, ...]
) -> None:
    canaries(USER)
    for more in (("-vv",), ("--debug",), ("--har", "y.har"), ("--curl",)):
        assert forge(
            "get", f"{api.url}/me", "--no-auth" if "X" in words[-1] else "--debug", *words, *more
        ).exit_code in (0, 2)
