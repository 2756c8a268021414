"""The token commands with a profile that names shared logins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.logins import numbered
from tests.server import Server

SHARED = """
[auth.one]
base_url = "@URL@"
type = "pipeline"
[auth.one.steps.user]
request = { method = "POST", url = "/one" }
extract = { token = "/token" }
expires = "never"
[auth.two]
base_url = "@URL@"
type = "pipeline"
[auth.two.steps.user]
request = { method = "POST", url = "/two" }
extract = { token = "/token" }
expires = "never"
[[auth.two.inject]]
in = "header"
name = "X-Two"
value = "${steps.user.token}"

[profiles.single]
base_url = "@URL@"
auth = "one"
[profiles.both]
base_url = "@URL@"
auth = { type = "composite", strategy = "all", parts = ["one", "two"] }
"""


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    profile_file(SHARED.replace("@URL@", server.url))
    server.reply("/one", numbered("one"), optional=True)
    server.reply("/two", numbered("two"), optional=True)
    return server


def steps(forge: Forge, *words: str) -> list[str]:
    return [row["step"] for row in json.loads(forge("token", *words, "--json").stdout)]


def test_a_shared_login_is_used_by_its_profile(forge: Forge, api: Server) -> None:
    assert forge("token", "show", "--raw", "-p", "single").stdout == "one-token-1\n"
    [row] = json.loads(forge("token", "show", "--json", "-p", "single").stdout)
    assert row["step"] == "user"
    assert row["storage"].endswith("tokens/auth/one.toml")
    assert row["source"] == "http POST /one"
    [row] = json.loads(forge("token", "list", "--json").stdout)
    assert (row["profile"], row["step"]) == ("auth/one", "user")


def test_steps_of_several_logins_are_told_apart(forge: Forge, api: Server) -> None:
    assert forge("token", "refresh", "-p", "both").exit_code == 0
    assert steps(forge, "show", "-p", "both") == ["one/user", "two/user"]
    assert forge("token", "show", "--raw", "--step", "two/user", "-p", "both").stdout == "two-token-1\n"
    unclear = forge("token", "show", "--raw", "--step", "user", "-p", "both")
    assert unclear.exit_code == 2
    assert "one of: one/user, two/user" in unclear.stderr
    several = forge("token", "show", "--raw", "-p", "both")
    assert several.exit_code == 2
    assert "one/user, two/user" in several.stderr


def test_a_token_of_one_login_is_the_same_for_every_profile(forge: Forge, api: Server) -> None:
    assert forge("token", "refresh", "-p", "both").exit_code == 0
    assert forge("token", "show", "--raw", "-p", "single").stdout == "one-token-1\n"
    assert len(api.seen_at("/one")) == 1


def test_headers_and_variables_of_all_logins(forge: Forge, api: Server) -> None:
    found = forge("token", "show", "--header", "-p", "both")
    assert found.stdout == "Authorization: Bearer one-token-1\nX-Two: two-token-1\n"
    assert forge("token", "show", "--env", "-p", "both").stdout == (
        "export FORGE_TOKEN_ONE_USER=one-token-1\nexport FORGE_TOKEN_TWO_USER=two-token-1\n"
    )


def test_one_is_renewed_and_forgotten_alone(forge: Forge, api: Server) -> None:
    assert forge("token", "refresh", "-p", "both").exit_code == 0
    assert forge("token", "refresh", "--step", "two/user", "-p", "both").exit_code == 0
    assert (len(api.seen_at("/one")), len(api.seen_at("/two"))) == (1, 2)
    assert forge("token", "clear", "--step", "one/user", "-p", "both").exit_code == 0
    assert steps(forge, "show", "-p", "both") == ["two/user"]
    assert forge("token", "clear", "-p", "both").exit_code == 0
    assert steps(forge, "list") == []


def test_all_profiles_means_shared_logins_too(forge: Forge, api: Server) -> None:
    assert forge("token", "refresh", "-p", "both").exit_code == 0
    assert "forgot 2 tokens" in forge("token", "clear", "--all-profiles").stderr
    assert steps(forge, "list") == []


def test_status_explain_and_trace_look_at_all_of_them(forge: Forge, api: Server) -> None:
    found = json.loads(forge("token", "status", "--json", "-p", "both").stdout)
    assert [(step["step"], step["would"]) for step in found["steps"]] == [
        ("one/user", "log in"),
        ("two/user", "log in"),
    ]
    assert forge("token", "explain", "-p", "both").stdout == (
        "one/user (http): no token -> log in\ntwo/user (http): no token -> log in\n"
    )
    traced = forge("token", "explain", "--trace", "-p", "both").stdout
    assert "> POST /one HTTP/1.1" in traced
    assert "> POST /two HTTP/1.1" in traced


def test_login_goes_through_all_of_them(forge: Forge, api: Server) -> None:
    result = forge("token", "login", "-p", "both")
    assert result.exit_code == 0
    assert "renewed one/user" in result.stderr
    assert "renewed two/user" in result.stderr
