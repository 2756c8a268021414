"""An answer whose bytes are no text: what is damaged is no token, and is not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

LOGIN = """
[profiles.demo]
base_url = "@URL@"
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.login]
request = { method = "POST", url = "/login" }
extract = @EXTRACT@
"""
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("extract", "body"),
    [
        ('{ token = "/token" }', b'{"token": "abc\xff\xfe-token"}'),
        ('{ token = "/token", more = "/more" }', b'{"token": "good-token-1", "more": ["a\xff"]}'),
        ("{ token = { body = true } }", b"abc\xff\xfe-token"),
        ("{ token = { regex = 'token=(\\S+)' } }", b"token=abc\xff-token"),
    ],
    ids=["token", "another output", "body", "regex"],
)
def test_a_damaged_output_is_exit_7_and_nothing_is_stored(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], extract: str, body: bytes
) -> None:
    profile = profile_file(LOGIN.replace("@URL@", server.url).replace("@EXTRACT@", extract))
    server.reply("/login", Reply(200, body, headers=JSON))
    result = forge("get", "/users")
    assert (result.exit_code, len(server.seen)) == (7, 1)
    assert "is bytes that are no text" in result.stderr
    stored = [path for path in profile.parent.rglob("*") if path.is_file() and "tokens" in path.parts]
    assert all("token-1" not in path.read_text() and "abc" not in path.read_text() for path in stored)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"token": "good-token-1", "name": "J\xf6rg"}', "application/json"),
        (b'{"token": "good-token-1", "name": "J\xf6rg"}', "application/json; charset=latin-1"),
        ('{"token": "good-token-1", "name": "\ufffd"}'.encode(), "application/json"),
    ],
    ids=["damage elsewhere", "another charset", "the character itself"],
)
def test_what_is_not_taken_from_the_answer_may_be_damaged(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], body: bytes, kind: str
) -> None:
    extract = '{ token = "/token", name = "/name" }' if "charset" in kind else '{ token = "/token" }'
    profile_file(LOGIN.replace("@URL@", server.url).replace("@EXTRACT@", extract))
    server.reply("/login", Reply(200, body, headers={"Content-Type": kind}))
    server.reply("/users", Reply())
    assert forge("get", "/users").exit_code == 0
    assert server.seen[1].headers["Authorization"] == "Bearer good-token-1"
