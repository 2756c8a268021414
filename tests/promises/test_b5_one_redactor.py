"""B5: no secret in anything that is written for people, cold or warm, plain or derived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

SECRETS = ("client-secret-5511", "CLIENT-SECRET-5511", "first-token-5511", "second-output-5511", "user-token-5511")

PROFILE = """
[profiles.api]
base_url = "@URL@"
[profiles.api.secrets]
client = { env = "CLIENT" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.first]
request = { method = "POST", url = "/first", json = { c = "${secrets.client}" } }
extract = { token = "/token", other = "/other" }
[profiles.api.auth.steps.user]
extract = { token = "/token" }
[profiles.api.auth.steps.user.request]
method = "POST"
url = "/user"
headers = { X-First = "${steps.first.token}" }
form = { o = "${steps.first.other}" }
[[profiles.api.auth.inject]]
in = "header"
name = "X-One"
value = "${steps.user.token}"
[[profiles.api.auth.inject]]
in = "query"
name = "two"
value = "${steps.first.other}"
[[profiles.api.auth.inject]]
in = "header"
name = "X-Three"
value = "${secrets.client | upper}"
"""


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("CLIENT", "client-secret-5511")
    profile_file(PROFILE.replace("@URL@", server.url))
    server.reply("/first", Reply(body={"token": "first-token-5511", "other": "second-output-5511"}), optional=True)
    server.reply("/user", Reply(body={"token": "user-token-5511"}), optional=True)
    server.reply("/me", Reply(body={"ok": True}), optional=True)
    return server


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "/me", "-vv"),
        ("get", "/me", "--offline"),
        ("get", "/me", "--curl"),
        ("get", "/missing", "-v", "--debug"),
        ("token", "show"),
        ("token", "show", "--json"),
        ("token", "explain"),
        ("token", "status", "--json"),
        ("token", "list"),
        ("profile", "show"),
    ],
    ids=" ".join,
)
def test_nothing_written_for_people_holds_a_secret(
    forge: Forge, api: Server, arguments: tuple[str, ...], warm: bool
) -> None:
    api.reply("/missing", Reply(404), optional=True)
    if warm:
        assert forge("get", "/me").exit_code == 0
    result = forge(*arguments)
    assert result.exit_code in (0, 4)
    assert leaks(result.stdout + result.stderr) == []


def test_a_refused_login_shows_the_answer_without_what_it_echoes(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT", "client-secret-5511")
    profile_file(PROFILE.replace("@URL@", server.url))
    server.reply("/first", Reply(body={"token": "first-token-5511", "other": "second-output-5511"}))
    refusal = {"message": "wrong", "you": {"sent": "second-output-5511", "with": ["first-token-5511"]}}
    server.reply("/user", Reply(401, body=refusal))
    for _ in ("cold", "warm: the first step's outputs come from the store"):
        result = forge("get", "/me")
        assert result.exit_code == 7 and "wrong" in result.stderr
        assert leaks(result.stderr) == []
