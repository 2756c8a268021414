"""What goes into one cookie stays one cookie: no answer and no secret adds another beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli import HttpClient, HttpClientConfigBuilder
from forge_cli.errors import MaxRetryException
from tests.conftest import Forge
from tests.server import Reply, Server

LOGIN = """
[profiles.demo]
base_url = "@URL@"
[profiles.demo.auth]
type = "pipeline"
inject = [{ in = "cookie", name = "sid", value = "@VALUE@" }]
[profiles.demo.auth.steps.login]
request = { method = "POST", url = "/login" }
extract = { token = "/token", part = "/part" }
"""
KEY = """
[profiles.demo]
base_url = "@URL@"
auth = { type = "api-key", in = "cookie", name = "sid", key = "@VALUE@" }
"""
UNFIT = ["one; admin=1", "one\x00two", "one\x1ftwo"]


@pytest.mark.parametrize("value", UNFIT, ids=["semicolon", "nul", "control"])
def test_an_output_that_would_add_a_cookie_is_exit_7_with_step_and_output(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], value: str
) -> None:
    profile_file(LOGIN.replace("@URL@", server.url).replace("@VALUE@", "v-${steps.login.part}"))
    server.reply("/login", Reply(200, {"token": "login-token-1", "part": value}))
    result = forge("get", "/users")
    assert (result.exit_code, [seen.path for seen in server.seen]) == (7, ["/login"])
    assert "login step 'login': output 'part' holds" in result.stderr
    assert "admin" not in result.stderr


def test_a_token_that_would_add_a_cookie_is_exit_7(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(LOGIN.replace("@URL@", server.url).replace("@VALUE@", "${steps.login.token}"))
    server.reply("/login", Reply(200, {"token": "one; admin=1", "part": "x"}))
    result = forge("get", "/users")
    assert (result.exit_code, len(server.seen)) == (7, 1)
    assert "output 'token' holds ';'" in result.stderr


@pytest.mark.parametrize("text", [KEY, LOGIN], ids=["api-key", "inject"])
def test_a_secret_that_would_add_a_cookie_is_exit_2(
    forge: Forge,
    server: Server,
    profile_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    monkeypatch.setenv("KEY", "env-key-1; admin=1")
    profile_file(text.replace("@URL@", server.url).replace("@VALUE@", "${env.KEY}"))
    result = forge("get", "/users")
    assert (result.exit_code, server.seen) == (2, [])
    assert "`inject` (cookie sid): the value of cookie 'sid' holds ';'" in result.stderr
    assert "env-key-1" not in result.stderr


@pytest.mark.parametrize("text", [KEY, LOGIN], ids=["api-key", "inject"])
def test_a_literal_that_would_add_a_cookie_is_found_by_validate(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], text: str
) -> None:
    profile_file(text.replace("@URL@", server.url).replace("@VALUE@", "one; admin=1"))
    result = forge("profile", "validate")
    assert result.exit_code == 2
    assert "holds ';', which a cookie cannot have" in result.stdout + result.stderr
    assert "admin" not in result.stdout + result.stderr


def test_a_value_with_blanks_quotes_and_commas_is_one_cookie(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(LOGIN.replace("@URL@", server.url).replace("@VALUE@", "${steps.login.token}"))
    server.reply("/login", Reply(200, {"token": '"a b", c', "part": "x"}))
    server.reply("/users", Reply())
    assert forge("get", "/users").exit_code == 0
    assert server.seen[1].headers["Cookie"] == 'sid="a b", c'


@pytest.mark.parametrize("cookies", [{"a": "1; b=2"}, {"a; b": "1"}, {"a=1; b": "2"}, {"a=b": "1"}])
def test_a_program_cannot_put_two_cookies_into_one(server: Server, cookies: dict[str, str]) -> None:
    config = HttpClientConfigBuilder().with_base_url(server.url).with_cookies(cookies).build()
    with HttpClient(config) as client, pytest.raises(MaxRetryException, match="begin another"):
        client.get("/users")
    assert server.seen == []
