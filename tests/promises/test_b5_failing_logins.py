"""B5: a login that fails, in whatever way, shows no credential: neither its own nor one of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

PROFILE = """
[profiles.api]
base_url = "@URL@"
retry = { max_retries = 0 }
[profiles.api.secrets]
client = { env = "CLIENT" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.user]
success = { status = [200, 302], body = { "/ok" = { not = "Canary-status-7171" } } }
extract = { token = "/data/at", other = "/data/ot", x = { header = "X-Given", optional = true } }
[profiles.api.auth.steps.user.request]
method = "POST"
url = "/login"
redirects = @REDIRECTS@
headers = { X-S = "${secrets.client}", X-Device = "${secrets.client | upper}" }
query = { device = "${secrets.client | b64}", password = "Canary-query-7171" }
form = { o = "${secrets.client | sha256 | hex}", passcode = "${secrets.client}" }
basic = ["ada", "${secrets.client}"]
"""
DATA: dict[str, Any] = {"at": "Canary-at-7171", "ot": "Canary-ot-7171", "more": ["Canary-more-7171"]}
HEADERS = [
    ("Set-Cookie", "sid=Canary-cookie-7171; Path=/"),
    ("X-Given", "Canary-given-7171"),
    (
        "Location",
        "/next?code=Canary-code-7171&ticket=ST-Canary-7171&odd=Canary-odd-717171#access_token=Canary-frag-7171",
    ),
]


def answers(**body: Any) -> str:
    return json.dumps({"data": DATA, **body})


CASES: dict[str, tuple[int, Reply]] = {
    "refused inside a 200": (0, Reply(200, answers(ok="Canary-status-7171"), HEADERS)),
    "an output is missing": (0, Reply(200, '{"data": {"ot": "Canary-ot-7171", "odd": "Canary-odd-7171"}}', HEADERS)),
    "cut off": (0, Reply(200, answers()[:-20], HEADERS)),
    "a page": (0, Reply(200, "<p>Your code: CanaryCode7171717171</p>", HEADERS)),
    "a token with a line break": (0, Reply(200, r'{"data": {"at": "Canary-at\n7171", "ot": "Canary-ot-7171"}}')),
    "a token that is a table": (0, Reply(200, json.dumps({"data": {"at": {"v": "Canary-at-7171"}, "ot": 1}}))),
    "redirected and not followed": (0, Reply(303, answers(), HEADERS)),
    "redirected in a circle": (3, Reply(307, answers(), [("Location", "/login?device=Canary-odd-717171")])),
    "redirected to nowhere": (3, Reply(302, answers(), [("Location", "ftp://ada:Canary-pw-7171@x/Canary-path-7171717")])),
    "redirected twice": (3, Reply(302, answers(), [("Location", "/a"), ("Location", "/b?token=Canary-b-7171")])),
    "a 400": (0, Reply(400, json.dumps({"error": "invalid_grant", "access_token": "Canary-at-7171"}), HEADERS)),
    "a 500 that repeats what was said": (0, Reply(500, "you sent canary-secret-7171 and CANARY-SECRET-7171")),
    "no HTTP": (0, Reply(raw=b"Canary-raw-7171\r\n\r\n")),
    "a reason": (0, Reply(raw=b"HTTP/1.1 403 canary-secret-7171\r\nContent-Length: 0\r\n\r\n")),
}  # fmt: skip
COMMANDS = {
    "get": ("get", "/me"),
    "get -v": ("get", "/me", "-v"),
    "get -vv": ("get", "/me", "-vv"),
    "get --debug": ("--debug", "get", "/me", "-vv"),
    "explain --trace": ("token", "explain", "--trace"),
    "refresh": ("token", "refresh"),
    "raw": ("token", "show", "--raw"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", CASES)
def test_no_credential_is_shown(
    forge: Forge,
    server: Server,
    profile_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    command: str,
) -> None:
    monkeypatch.setenv("CLIENT", "canary-secret-7171")
    redirects, reply = CASES[case]
    profile_file(PROFILE.replace("@URL@", server.url).replace("@REDIRECTS@", str(redirects)))
    server.reply("/login", reply)
    result = forge(*COMMANDS[command])
    assert result.exit_code not in (0, 1), result.stderr
    shown = (result.stdout + result.stderr).lower()
    assert [line for line in shown.splitlines() if "canary" in line] == []
    assert "y2fuyxj5" not in shown  # its base64
