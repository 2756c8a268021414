"""`token clear --revoke`: tokens go back to the server, and away from here in any case."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

TWO = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.app]
request = { method = "POST", url = "/app" }
extract = { token = "/token" }
expires = "never"
revoke = { request = { method = "POST", url = "/gone", form = { token = "${self.token}" } } }
[profiles.api.auth.steps.user]
request = { method = "POST", url = "/user", headers = { X-App = "${steps.app.token}" } }
extract = { token = "/token" }
expires = "never"
revoke = { request = { method = "POST", url = "/gone", form = { token = "${self.token}" }, headers = { X-App = "${steps.app.token}" } } }
[profiles.api.retry]
strategy = "none"
"""  # noqa: E501  # a table of one line, as a person would write it


@pytest.fixture
def api(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> Server:
    """A login of two steps, logged in."""
    profile_file(TWO.replace("@URL@", server.url))
    server.reply("/app", Reply(200, {"token": "app-token-1"}))
    server.reply("/user", Reply(200, {"token": "user-token-1"}))
    assert forge("token", "refresh").exit_code == 0
    return server


def kept(forge: Forge) -> list[str]:
    return [row["step"] for row in json.loads(forge("token", "show", "--json").stdout)]


def given_back(server: Server) -> list[str]:
    return [dict(seen.form)["token"] for seen in server.seen_at("/gone")]


def test_what_was_made_from_others_goes_first(forge: Forge, api: Server) -> None:
    api.reply("/gone", Reply(200))
    result = forge("token", "clear", "--revoke")
    assert (result.exit_code, given_back(api), kept(forge)) == (0, ["user-token-1", "app-token-1"], [])
    assert "revoked user" in result.stderr
    assert "forgot" in result.stderr
    assert api.seen_at("/gone")[0].headers["X-App"] == "app-token-1"


def test_one_step_and_what_was_made_from_it(forge: Forge, api: Server) -> None:
    api.reply("/gone", Reply(200))
    assert forge("token", "clear", "--revoke", "--step", "user").exit_code == 0
    assert (given_back(api), kept(forge)) == (["user-token-1"], ["app"])


@pytest.mark.parametrize(
    ("reply", "code"), [(Reply(503), 7), (Reply(400), 7), (Reply(raw=b""), 8)], ids=["503", "400", "no answer"]
)
def test_tokens_are_forgotten_also_when_the_server_fails(forge: Forge, api: Server, reply: Reply, code: int) -> None:
    api.reply("/gone", reply)
    result = forge("token", "clear", "--revoke")
    assert (result.exit_code, len(given_back(api)), kept(forge)) == (code, 2, [])
    assert "step 'user': the token is forgotten here, but may still be good" in result.stderr
    assert "user-token-1" not in result.stderr


def test_they_are_forgotten_also_when_nobody_says_where_to_give_them_back(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    metadata = {"issuer": server.url, "token_endpoint": f"{server.url}/token"}
    server.reply("/.well-known/openid-configuration", Reply(200, metadata))
    server.reply("/token", Reply(200, {"access_token": "access-token-1", "expires_in": 60}))
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nissuer = "{server.url}"\n'
        'grant = "client-credentials"\nclient_id = "client-1"\nclient_auth = "none"\n'
    )
    assert forge("token", "refresh").exit_code == 0
    result = forge("token", "clear", "--revoke")
    assert (result.exit_code, kept(forge)) == (2, [])
    assert "step 'token': the token is forgotten here, but may still be good" in result.stderr
    assert "revocation_endpoint' has no value" in result.stderr


def test_without_the_option_nothing_is_sent(forge: Forge, api: Server) -> None:
    assert forge("token", "clear").exit_code == 0
    assert (given_back(api), kept(forge)) == ([], [])


def test_nothing_stored_means_nothing_to_give_back(forge: Forge, api: Server) -> None:
    assert forge("token", "clear").exit_code == 0
    assert forge("token", "clear", "--revoke").exit_code == 0
    assert given_back(api) == []


def test_all_profiles_and_revoke_cannot_go_together(forge: Forge, api: Server) -> None:
    assert forge("token", "clear", "--revoke", "--all-profiles").exit_code == 2
