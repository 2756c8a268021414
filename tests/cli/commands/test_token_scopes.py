"""The token commands for a login that answers challenges: a token, and a row, for each scope."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Forge
from tests.logins import numbered
from tests.server import Reply, Seen, Server

ASKED = """
[profiles.api]
base_url = "@URL@"
retry = { strategy = "none" }
[profiles.api.secrets]
password = { env = "PASSWORD" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.app]
request = { method = "POST", url = "/app" }
extract = { token = "/token" }
expires = "never"
[profiles.api.auth.steps.token]
request = { url = "${challenge.realm}", query = { scope = "${challenge.scope}" }, basic = ["ada", "${secrets.password}"], headers = { X-App = "${steps.app.token}" } }
extract = { token = "/token" }
expires = "never"
scope = "${challenge.scope}"
revoke = { request = { method = "POST", url = "/gone", form = { token = "${self.token}" } } }
[[profiles.api.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${steps.token.token}"
"""  # noqa: E501  # a table of one line, as a person would write it
A, B = "token [a:pull]", "token [b:pull]"


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Server:
    profile_file(ASKED.replace("@URL@", server.url))
    monkeypatch.setenv("PASSWORD", "password-1")

    def answer(seen: Seen) -> Reply:
        if (seen.headers["Authorization"] or "").startswith("Bearer registry-"):
            return Reply(200)
        asks = f'Bearer realm="{server.url}/token",scope="{seen.path[1:]}:pull"'
        return Reply(401, headers={"WWW-Authenticate": asks})

    server.reply("/token", numbered("registry"), optional=True)
    server.reply("/app", numbered("app"), optional=True)
    for path in ("/a", "/b"):
        server.reply(path, answer, optional=True)
    return server


@pytest.fixture
def warm(api: Server, forge: Forge) -> Server:
    """The same, with a token for each of two scopes."""
    for path in ("/a", "/b"):
        assert forge("get", path).exit_code == 0
    api.seen.clear()
    return api


def shown(forge: Forge, *words: str) -> list[tuple[Any, ...]]:
    rows = json.loads(forge("token", "show", "--json", "--reveal", *words).stdout)
    return [(row["step"], row["scope"], row["token"]) for row in rows]


def test_each_scope_is_a_row_of_show(forge: Forge, warm: Server) -> None:
    tokens = [(A, "a:pull", "registry-token-1"), (B, "b:pull", "registry-token-2")]
    assert shown(forge) == [("app", None, "app-token-1"), *tokens]
    assert shown(forge, "--step", "token") == tokens
    assert shown(forge, "--step", B) == tokens[1:]
    assert warm.seen == []


def test_each_scope_is_a_row_of_list(forge: Forge, warm: Server) -> None:
    rows = json.loads(forge("token", "list", "--json").stdout)
    assert [(row["step"], row["scope"]) for row in rows] == [("app", None), ("token", "a:pull"), ("token", "b:pull")]


def test_one_of_several_scopes_is_chosen_with_step(forge: Forge, warm: Server) -> None:
    several = forge("token", "show", "--raw")
    assert several.exit_code == 2
    assert f"{A}, {B}" in several.stderr
    assert forge("token", "show", "--raw", "--step", A).stdout == "registry-token-1\n"


def test_explain_has_each_scope_in_its_tree(forge: Forge, warm: Server) -> None:
    assert forge("token", "explain").stdout == (
        f"{A} (http): never expires -> use\n"
        "└─ app (http): never expires -> use\n"
        f"{B} (http): never expires -> use\n"
        "└─ app (http): never expires -> use: see above\n"
    ).replace(" never expires -> use: see above", " see above")
    steps = json.loads(forge("token", "explain", "--json").stdout)["steps"]
    assert [step["step"] for step in steps] == ["app", A, B]


def test_status_has_each_scope(forge: Forge, warm: Server) -> None:
    assert forge("token", "status").stdout == "ready\n"
    found = json.loads(forge("token", "status", "--json").stdout)
    assert [(step["step"], step["would"]) for step in found["steps"]] == [("app", "use"), (A, "use"), (B, "use")]
    assert forge("token", "clear", "--step", A).exit_code == 0
    assert forge("token", "status").stdout == f"ready, after renewing {A}\n"
    assert forge("token", "status", env={"PASSWORD": ""}).exit_code == 7
    assert warm.seen == []


def test_clear_forgets_one_scope_or_each_or_all_that_was_made_from_a_parent(forge: Forge, warm: Server) -> None:
    assert forge("token", "clear", "--step", A).exit_code == 0
    assert [row[0] for row in shown(forge)] == ["app", B]
    assert forge("token", "clear", "--step", "token").stderr == "forge: forgot token\n"
    assert [row[0] for row in shown(forge)] == ["app"]
    forge("get", "/b")
    assert forge("token", "clear", "--step", "app").stderr == "forge: forgot app, token\n"
    assert shown(forge) == []


def test_clear_forgets_each_scope_in_a_storage_that_is_no_file(
    forge: Forge, warm: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    script = (
        'read = ["sh", "-c", "cat \\"$0/$(printf %s \\"$1\\" | tr -c a-z0-9 _)\\" 2>/dev/null || true", "@", "{key}"]\n'
    )
    script += 'write = ["sh", "-c", "cat > \\"$0/$(printf %s \\"$1\\" | tr -c a-z0-9 _)\\"", "@", "{key}"]\n'
    script += 'delete = ["sh", "-c", "rm -f \\"$0/$(printf %s \\"$1\\" | tr -c a-z0-9 _)\\"", "@", "{key}"]\n'
    table = f'[profiles.api.tokens]\nstorage = "command"\n{script}'.replace("@", str(keep))
    profile_file(ASKED.replace("@URL@", warm.url) + table)
    for path in ("/a", "/b"):
        assert forge("get", path).exit_code == 0
    assert len(list(keep.iterdir())) == 3
    assert forge("token", "clear").exit_code == 0
    assert list(keep.iterdir()) == []


def test_revoke_gives_each_scope_back_once(forge: Forge, warm: Server) -> None:
    warm.reply("/gone", Reply(200))
    assert forge("token", "clear", "--revoke", "--step", "app").exit_code == 0
    given_back = [dict(seen.form)["token"] for seen in warm.seen_at("/gone")]
    assert given_back == ["registry-token-1", "registry-token-2"]
    assert shown(forge) == []
    for path in ("/a", "/b"):
        forge("get", path)
    warm.seen.clear()
    assert forge("token", "clear", "--revoke").exit_code == 0
    assert len(warm.seen_at("/gone")) == 2


def test_refresh_renews_each_scope(forge: Forge, warm: Server) -> None:
    assert forge("token", "refresh").exit_code == 0
    assert [row[2] for row in shown(forge)] == ["app-token-1", "registry-token-3", "registry-token-4"]


def test_before_a_challenge_came_it_is_said_that_one_has_to(forge: Forge, api: Server) -> None:
    assert forge("token", "explain").stdout.startswith("token (http): no token -> log in, once an answer asks for it\n")
    assert forge("token", "status").stdout == "ready, after renewing app\n"
    for words in (["refresh"], ["show", "--raw"], ["explain", "--trace"], ["login"]):
        result = forge("token", *words)
        assert (result.exit_code, api.seen) == (2, [])
        assert "step 'token' runs when an answer asks for it, and none has yet" in result.stderr


def test_explain_says_of_what_several_scopes_need_that_it_runs_when_one_of_them_needs_it(
    forge: Forge, warm: Server
) -> None:
    assert forge("token", "clear", "--step", A).exit_code == 0
    steps = json.loads(forge("token", "explain", "--json").stdout)["steps"]
    assert [step["would"] for step in steps] == ["use", "log in", "use"]


def test_revoke_begins_with_what_was_made_from_others(
    forge: Forge, warm: Server, profile_file: Callable[[str], Path]
) -> None:
    first = 'expires = "never"\n[profiles.api.auth.steps.token]'
    assert first in ASKED
    revoke = 'revoke = { request = { method = "POST", url = "/gone", form = { token = "${self.token}" } } }\n'
    profile_file(ASKED.replace(first, revoke + first).replace("@URL@", warm.url))
    for path in ("/a", "/b"):  # another definition has tokens of its own
        assert forge("get", path).exit_code == 0
    warm.reply("/gone", Reply(200))
    assert forge("token", "clear", "--revoke", "--step", "app").exit_code == 0
    given_back = [dict(seen.form)["token"] for seen in warm.seen_at("/gone")]
    assert given_back == ["registry-token-3", "registry-token-4", "app-token-2"]
