"""E: a token that is given back is forgotten here, whatever the server does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.login_server import PROFILE, LoginServer, browser
from tests.server import Reply, Server

QUICK = '[profiles.api.retry]\nstrategy = "none"\n'
OAUTH = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "oauth2"
grant = "client-credentials"
issuer = "@URL@"
client_id = "client-1"
client_auth = "none"
"""


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Reply(200), 0),
        (Reply(400, {"error": "unsupported_token_type"}), 7),
        (Reply(401, {"error": "invalid_client"}), 7),
        (Reply(500), 7),
        (Reply(503, "<h1>down</h1>"), 7),
        (Reply(302, headers={"Location": "https://evil.example/"}), 7),
        (Reply(raw=b""), 8),
        (Reply(raw=b"garbage\r\n\r\n"), 10),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"), 10),
    ],
    ids=["taken", "400", "401", "500", "503", "redirect", "closed", "garbage", "cut short"],
)
def test_it_is_forgotten_whatever_the_server_answers(
    server: Server,
    forge: Forge,
    profile_file: Callable[[str], Path],
    tmp_path: Path,
    answer: Reply,
    code: int,
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url) + QUICK)
    LoginServer(server)
    server.reply("/revoke", answer)
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    result = forge("token", "clear", "--revoke")
    assert result.exit_code == code
    assert ("may still be good" in result.stderr) is (code != 0)
    assert dict(server.seen_at("/revoke")[0].form)["token"] == "refresh-token-1-abcdef"
    assert forge("token", "show", "--json").stdout == "[]\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/revoke", "http://login.example/revoke", "ftp://login.example/"])
def test_it_is_forgotten_also_when_nobody_can_be_asked(
    server: Server, forge: Forge, profile_file: Callable[[str], Path], url: str
) -> None:
    server.reply("/token", Reply(200, {"access_token": "access-token-1-abcdef", "expires_in": 3600}))
    text = OAUTH.replace('issuer = "@URL@"', f'token_url = "/token"\nrevocation_url = "{url}"')
    profile_file(text.replace("@URL@", server.url) + QUICK)
    assert forge("token", "refresh").exit_code == 0
    result = forge("token", "clear", "--revoke")
    assert result.exit_code != 0
    assert "Traceback" not in result.stderr
    assert forge("token", "list", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    "endpoint", [{}, {"revocation_endpoint": "http://login.example/revoke"}], ids=["none", "clear"]
)
def test_it_is_forgotten_also_where_the_issuer_names_no_way(
    server: Server, forge: Forge, profile_file: Callable[[str], Path], endpoint: dict[str, str]
) -> None:
    metadata = {"issuer": server.url, "token_endpoint": f"{server.url}/token", **endpoint}
    server.reply("/.well-known/openid-configuration", Reply(200, metadata))
    server.reply("/token", Reply(200, {"access_token": "access-token-1-abcdef", "expires_in": 3600}))
    profile_file(OAUTH.replace("@URL@", server.url) + QUICK)
    assert forge("token", "refresh").exit_code == 0
    result = forge("token", "clear", "--revoke")
    assert "Traceback" not in result.stderr
    assert ("may still be good" in result.stderr) is (result.exit_code != 0)
    assert forge("token", "list", "--json").stdout == "[]\n"
