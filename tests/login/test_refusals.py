"""What a person reads when a login was not answered as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.login.said import one_line
from tests.conftest import Forge
from tests.server import Reply, Server

LOGIN = """
[profiles.demo]
base_url = "@URL@"
[profiles.demo.retry]
max_retries = 0
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.login]
request = { method = "POST", url = "/login", redirects = @REDIRECTS@ }
extract = { token = "/token" }
"""


@pytest.fixture
def login(server: Server, profile_file: Callable[[str], Path]) -> Callable[..., None]:
    def answers(reply: Reply, redirects: int = 0) -> None:
        profile_file(LOGIN.replace("@URL@", server.url).replace("@REDIRECTS@", str(redirects)))
        server.reply("/login", reply)

    return answers


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_in_trouble_has_refused_nobody(forge: Forge, login: Callable[..., None], status: int) -> None:
    login(Reply(status, "oh"))
    result = forge("get", "/users")
    assert result.exit_code == 7
    assert f"login step 'login': the login's server failed: {status}" in result.stderr
    assert "try again later" in result.stderr
    assert "refused:" not in result.stderr


def test_who_is_refused_reads_so(forge: Forge, login: Callable[..., None]) -> None:
    login(Reply(401, {"error": "bad password"}))
    result = forge("get", "/users")
    assert (result.exit_code, "refused: the status is 401" in result.stderr) == (7, True)
    assert "server failed" not in result.stderr


def test_a_redirect_that_is_not_followed_says_where_it_leads(forge: Forge, login: Callable[..., None]) -> None:
    login(Reply(302, headers={"Location": "/sso/start?code=4f9a8b7c6d5e4f3a2b1c0d9e8f"}))
    result = forge("get", "/users")
    assert result.exit_code == 7
    assert "302 Found (it leads to /sso/start?code=***)" in result.stderr


def test_a_redirect_too_many_says_where_it_leads(forge: Forge, login: Callable[..., None], server: Server) -> None:
    login(Reply(302, headers={"Location": "/sso/a"}), redirects=1)
    server.reply("/sso/a", Reply(302, headers={"Location": "/sso/b"}))
    result = forge("get", "/users")
    assert result.exit_code == 6
    assert "more than 1 redirects (it leads to /sso/b)" in result.stderr


def test_the_lines_of_an_answer_are_set_in(forge: Forge, login: Callable[..., None]) -> None:
    login(Reply(400, "no\nforge: note: all is well\rhint: pay here"))
    lines = forge("get", "/users").stderr.splitlines()
    assert [line for line in lines if line.startswith(("forge: note", "hint: pay"))] == []
    assert "  forge: note: all is well" in lines


def test_one_line_is_one_line_and_not_longer_than_asked_for() -> None:
    assert one_line("a\nb\x1b\x85\u202e", 10) == r"a\nb\x1b\x85\u202e"
    assert one_line("abcdef", 3) == "abc…"


EXPIRES = 'expires = { in = "/expires_in" }\n'


@pytest.mark.parametrize("said", ["soon", True, ["60"], {"s": 60}, ""])
def test_a_lifetime_that_is_no_number_is_unknown_and_said_once(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], said: object
) -> None:
    profile_file(LOGIN.replace("@URL@", server.url).replace("@REDIRECTS@", "0") + EXPIRES)
    server.reply("/login", Reply(200, {"token": "login-token-1", "expires_in": said}))
    server.reply("/users", Reply())
    result = forge("get", "/users")
    assert result.exit_code == 0
    assert result.stderr.count("expiry unknown") == 1
    assert "step 'login': what is at '/expires_in' is no time: expiry unknown" in result.stderr
    assert forge("get", "/users").stderr == ""


@pytest.mark.parametrize("body", [{}, {"expires_in": None}, {"expires_in": "60"}, {"expires_in": 60.5}])
def test_a_lifetime_that_is_absent_or_a_number_is_not_worth_a_word(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], body: dict[str, object]
) -> None:
    profile_file(LOGIN.replace("@URL@", server.url).replace("@REDIRECTS@", "0") + EXPIRES)
    server.reply("/login", Reply(200, {"token": "login-token-1", **body}))
    server.reply("/users", Reply())
    result = forge("get", "/users")
    assert (result.exit_code, result.stderr) == (0, "")
