"""`forge run`: requests that the profile has saved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

PROFILE = """
[profiles.api]
base_url = "{url}"
vars = {{ team = "blue" }}
secrets = {{ key = {{ env = "API_KEY" }} }}
headers = {{ X-Key = "${{secrets.key}}" }}
[profiles.api.requests.users]
url = "/teams/${{vars.team}}/users"
query = {{ state = ["a", "b"], page = 1 }}
headers = {{ X-Trace = "${{env.TRACE}}" }}
[profiles.api.requests.new-user]
method = "POST"
url = "/users"
json = {{ name = "Ada", tags = ["x", "${{vars.team}}"], "a[b]" = 1.5, nested = {{ deep = true }} }}
expect = ["status==201"]
[profiles.api.requests.login]
method = "POST"
url = "/login"
form = {{ user = "ada", scope = ["r", "w"] }}
[profiles.api.requests.note]
method = "PUT"
url = "/note"
text = "@home ${{vars.team}}"
[profiles.api.requests.list]
method = "POST"
url = "/list"
json = [1, "${{vars.team}}"]
"""
ENV = {"API_KEY": "key-0001", "TRACE": "t1"}


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    profile_file(PROFILE.format(url=server.url))
    return server


def test_it_sends_what_is_saved(forge: Forge, api: Server) -> None:
    api.reply("/teams/blue/users", Reply(200, "there"))
    result = forge("run", "users", env=ENV)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "there", "")
    [seen] = api.seen
    assert seen.method == "GET"
    assert seen.query == [("state", "a"), ("state", "b"), ("page", "1")]
    assert (seen.headers["X-Trace"], seen.headers["X-Key"]) == ("t1", "key-0001")


def test_items_and_options_add_or_replace(forge: Forge, api: Server) -> None:
    api.reply("/teams/red/users", Reply())
    words = ["state==c", "-q", "limit=5", "x-trace:", "X-More:1", "--var", "team=red"]
    assert forge("run", "users", *words, env=ENV).exit_code == 0
    [seen] = api.seen
    assert sorted(seen.query) == [("limit", "5"), ("page", "1"), ("state", "c")]
    assert (seen.headers["X-Trace"], seen.headers["X-More"]) == (None, "1")


def test_fields_go_into_the_saved_object(forge: Forge, api: Server) -> None:
    api.reply("/users", Reply(201))
    assert forge("run", "new-user", "name=Eve", "nested[more]:=2", "age:=7", env=ENV).exit_code == 0
    assert api.seen[0].json() == {
        "tags": ["x", "blue"],
        "a[b]": 1.5,
        "name": "Eve",
        "nested": {"more": 2},
        "age": 7,
    }
    assert api.seen[0].headers["Content-Type"] == "application/json"


def test_a_form_stays_a_form(forge: Forge, api: Server) -> None:
    api.reply("/login", Reply())
    assert forge("run", "login", "user=eve", env=ENV).exit_code == 0
    assert api.seen[0].form == [("scope", "r"), ("scope", "w"), ("user", "eve")]


def test_a_text_is_the_body_as_it_is(forge: Forge, api: Server) -> None:
    api.reply("/note", Reply())
    assert forge("run", "note", env=ENV).exit_code == 0
    assert api.seen[0].body == b"@home blue"
    assert api.seen[0].headers["Content-Type"] == "text/plain; charset=utf-8"


def test_any_json_can_be_a_body(forge: Forge, api: Server) -> None:
    api.reply("/list", Reply())
    assert forge("run", "list", env=ENV).exit_code == 0
    assert api.seen[0].json() == [1, "blue"]
    assert forge("run", "list", "a=1", env=ENV).exit_code == 0
    assert api.seen[1].json() == {"a": "1"}


@pytest.mark.parametrize("name", ["new-user", "login", "note"])
def test_another_body_replaces_the_saved_one(forge: Forge, api: Server, name: str) -> None:
    api.reply({"new-user": "/users", "login": "/login", "note": "/note"}[name], Reply(201))
    assert forge("run", name, "-d", "raw", env=ENV).exit_code == 0
    assert api.seen[0].body == b"raw"


def test_what_the_request_expects_is_checked(forge: Forge, api: Server) -> None:
    api.reply("/users", Reply(200))
    result = forge("run", "new-user", env=ENV)
    assert result.exit_code == 12
    assert "status==201" in result.stderr


def test_the_list_is_a_table_or_json(forge: Forge, api: Server) -> None:
    table = forge("run", "--list").stdout.splitlines()
    assert table[0].split() == ["name", "method", "url", "body"]
    assert table[2].split() == ["new-user", "POST", "/users", "json"]
    assert json.loads(forge("run", "--list", "--json").stdout)[0] == {
        "name": "users",
        "method": "GET",
        "url": "/teams/${vars.team}/users",
        "body": "",
    }


def test_it_becomes_a_curl_command_or_is_only_shown(forge: Forge, api: Server) -> None:
    line = forge("run", "new-user", "name=Eve", "--curl", env=ENV).stdout
    assert '"name": "Eve"' in line
    assert "/users" in line
    shown = forge("run", "new-user", "--offline", env=ENV).stdout
    assert shown.startswith("POST /users")
    assert api.seen == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new-usr"], "no saved request 'new-usr' (nearest: new-user)"),
        ([], "no request is named"),
        (["--list", "users"], "--list and the name 'users' cannot go together"),
        (["users"], "TRACE"),
    ],
    ids=["unknown", "none", "list and name", "missing variable"],
)
def test_what_cannot_be_sent_is_exit_2(forge: Forge, api: Server, words: list[str], said: str) -> None:
    result = forge("run", *words, env={"API_KEY": "key-0001"})
    assert (result.exit_code, api.seen) == (2, [])
    assert said in result.stderr


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('url = "/${secrets.key}"', "a saved request takes no secret"),
        ('url = "/${vars.tem}"', "unknown var 'tem' (nearest: team)"),
        ('url = "/"\njson = 1\ntext = "a"', "more than one body: json, text"),
        ('method = "GET"', "missing key: url"),
        ('url = "/"\nheaders = { "a b" = "c" }', "is not a header name"),
        ('url = "/"\nbody = "a"', "unknown key"),
    ],
)
def test_validate_knows_saved_requests(
    forge: Forge, profile_file: Callable[[str], Path], lines: str, problem: str
) -> None:
    profile_file(PROFILE.format(url="http://127.0.0.1:1") + f"[profiles.api.requests.x]\n{lines}\n")
    result = forge("profile", "validate")
    assert result.exit_code == 2
    assert problem in result.stdout


def test_parts_of_the_command_come_behind_saved_fields_in_their_order(forge: Forge, api: Server) -> None:
    api.reply("/login", Reply())
    Path("f").write_text("x")
    assert forge("run", "login", "a=1", "f@f", "b=2", env=ENV).exit_code == 0
    [seen] = api.seen
    assert re.findall(rb'form-data; name="(\w+)"', seen.body) == [b"user", b"scope", b"scope", b"a", b"f", b"b"]


def test_a_field_of_the_command_may_be_read_from_standard_input(forge: Forge, api: Server) -> None:
    api.reply("/users", Reply(201))
    assert forge("run", "new-user", "name=@-", env=ENV, input="Eve").exit_code == 0
    assert api.seen[0].json()["name"] == "Eve"
