"""`token explain --trace`: the login as it runs, without its secrets."""

from __future__ import annotations

import re
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
request = { method = "POST", url = "/app", form = { client_secret = "client-secret-1", name = "ada" } }
extract = { token = "/token" }
expires = "never"
[profiles.api.auth.steps.user]
request = { method = "POST", url = "/user", headers = { X-App = "${steps.app.token}" }, json = { a = 1 } }
extract = { token = "/token", region = "/region" }
expires = { in = "/expires_in" }
"""
APP, USER = "app-token-1-abcdefghijkl", "user-token-1-abcdefghijkl"


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    profile_file(TWO.replace("@URL@", server.url))
    server.reply("/app", Reply(200, {"token": APP, "note": "x y " * 750}), optional=True)
    return server


def test_each_request_and_answer_is_shown_without_secrets(forge: Forge, api: Server) -> None:
    api.reply("/user", Reply(200, {"token": USER, "region": "north-eu", "expires_in": 600}))
    result = forge("token", "explain", "--trace")
    assert result.exit_code == 0
    for secret in (APP, USER, "client-secret-1"):
        assert secret not in result.stdout
    app, user = result.stdout.split("\n\n")
    assert app.startswith("step app\n> POST /app HTTP/1.1\n")
    assert "> client_secret=***&name=ada\n" in app
    assert "< HTTP/1.1 200 OK\n" in app
    assert "… 1" in app  # the body is cut
    assert len(app) < 3500
    assert app.endswith("  took token app-…ijkl, token_type Bearer\n  never expires")
    assert user.startswith("step user\n> POST /user HTTP/1.1\n")
    assert re.search(r'^> \{"a": ?1\}$', user, re.MULTILINE)
    assert "> X-App: ***\n" in user
    assert re.search(r"^  [0-9]+ ms$", user, re.MULTILINE)
    assert "took token user…ijkl, token_type Bearer, region north-eu" in user
    assert "expires in 10 min" in user


def test_what_fails_is_shown_and_the_exit_code_is_the_logins(forge: Forge, api: Server) -> None:
    api.reply("/user", Reply(401, {"error": "no\x1b[2J", "password": "pass-word-1"}))
    result = forge("token", "explain", "--trace")
    assert result.exit_code == 7
    assert "< HTTP/1.1 401 Unauthorized\n" in result.stdout
    assert "pass-word-1" not in result.stdout
    assert "\x1b" not in result.stdout
    assert "login step 'user': refused" in result.stderr


def test_what_cannot_be_reached_is_exit_8(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(TWO.replace("@URL@", "http://127.0.0.1:1") + "[profiles.api.retry]\nstrategy = 'none'\n")
    result = forge("token", "explain", "--trace")
    assert result.exit_code == 8
    assert "> POST /app HTTP/1.1\n" in result.stdout


def test_a_token_that_can_be_used_is_used(forge: Forge, api: Server) -> None:
    api.reply("/user", Reply(200, {"token": USER, "region": "north-eu", "expires_in": 600}))
    assert forge("token", "refresh").exit_code == 0
    seen = len(api.seen)
    result = forge("token", "explain", "--trace")
    assert (result.exit_code, result.stdout, len(api.seen)) == (0, "", seen)
    assert "nothing had to run" in result.stderr
    assert "forge token refresh --all" in result.stderr


def test_trace_and_json_cannot_go_together(forge: Forge, api: Server) -> None:
    assert forge("token", "explain", "--trace", "--json").exit_code == 2


def test_a_step_that_sends_nothing_is_named(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    steps = '[profiles.api.auth.steps.key]\nkind = "value"\nvalue = "key-token-1"\n'
    profile_file(TWO.replace("@URL@", server.url).replace('name = "ada"', 'key = "${steps.key.token}"') + steps)
    server.reply("/app", Reply(200, {"token": APP}))
    server.reply("/user", Reply(200, {"token": USER, "region": "north-eu", "expires_in": 600}))
    result = forge("token", "explain", "--trace")
    assert result.exit_code == 0
    assert "without a request of its own: key (value)" in result.stderr
    assert "key-token-1" not in result.stdout


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("302", "302"),
        ("[201, 202]", "201 or 202"),
        ("{ in = [301, 302] }", "301 or 302"),
        ("{ not = 200 }", "anything but 200"),
        ("{ not = [200, 204] }", "anything but 200 or 204"),
        ('{ matches = "^3" }', "another"),
        ("{ in = [200, 302], not = 200 }", "another"),
    ],
)
def test_a_status_that_success_does_not_want_says_both(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], status: str, wanted: str
) -> None:
    text = TWO.replace("@URL@", server.url).replace(
        'name = "ada" } }', f'name = "ada" }} }}\nsuccess = {{ status = {status} }}'
    )
    profile_file(text)
    server.reply("/app", Reply(200, {"token": APP}))
    result = forge("token", "explain", "--trace")
    assert result.exit_code == 7
    assert f"refused: the status is 200, and `success` wants {wanted}\n" in result.stderr


def test_without_success_a_status_is_only_named(forge: Forge, api: Server) -> None:
    api.reply("/user", Reply(403, {}))
    result = forge("token", "explain", "--trace")
    assert "refused: the status is 403\n" in result.stderr
