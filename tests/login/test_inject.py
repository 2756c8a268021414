"""A member of the profile's in a JSON body that is bytes, text or a file, as the command line sends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ProfileError
from forge_cli.login.definition import InjectTable
from forge_cli.login.inject import Placed, injected, stated
from forge_cli.models import HttpRequest
from tests.conftest import Forge
from tests.server import Reply, Server

ENTRY = InjectTable(in_="json", name="key", value="k")
KEY = '[[profiles.api.auth.inject]]\nin = "json"\nname = "key"\nvalue = "${env.KEY}"\n'
JSON = {"Content-Type": "application/json"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Server:
    profile_file(f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n{KEY}')
    monkeypatch.setenv("KEY", "env-key-1")
    return server


def spliced(content: Any, headers: dict[str, str] | None = None) -> Any:
    request = HttpRequest("POST", "/a", headers or JSON, content=content)
    return injected(request, [Placed(ENTRY, "key", "k")]).content


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["a=1", "n:=1.50"], '{"a": "1", "n": 1.50, "key": "env-key-1"}'),
        (["--json", "-d", '{"a": 1e2 }'], '{"a": 1e2, "key": "env-key-1"}'),
        (["--json", "-d", "{}"], '{"key": "env-key-1"}'),
        (["a=}"], '{"a": "}", "key": "env-key-1"}'),
        (["-d", '{"a":1}', "Content-Type:application/vnd.api+json; charset=utf-8"], '{"a":1, "key": "env-key-1"}'),
        (["key=own"], '{"key": "own"}'),
        ([], '{"key": "env-key-1"}'),
    ],
)
def test_a_member_joins_the_json_of_the_command_line(forge: Forge, api: Server, words: list[str], body: str) -> None:
    api.reply("/a", Reply())
    result = forge("post", "/a", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert api.seen[0].body.decode() == body


def test_a_member_joins_the_json_of_a_file_on_each_attempt(forge: Forge, api: Server, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('\ufeff{"a": [1]}\n', encoding="utf-8")
    api.reply("/a", Reply(503, headers={"Retry-After": "0"}), Reply())
    assert forge("put", "/a", f"@{file}", "-s").exit_code == 0
    assert [seen.body for seen in api.seen] == [b'{"a": [1], "key": "env-key-1"}\n'] * 2


@pytest.mark.parametrize("body", ["[1]", '"text"', "{", "", '{"a": 1} 2', "[" * 100_000])
def test_a_body_that_is_no_json_object_is_exit_2_and_said(forge: Forge, api: Server, tmp_path: Path, body: str) -> None:
    file = tmp_path / "body.json"
    file.write_text(body, encoding="utf-8")
    result = forge("post", "/a", f"@{file}")
    assert (result.exit_code, api.seen) == (2, [])
    assert "'key' into the JSON body, and the body of this request is no JSON object" in result.stderr
    assert "env-key-1" not in result.stderr


def test_another_encoding_is_no_json_object() -> None:
    with pytest.raises(ProfileError, match="no JSON object"):
        spliced('{"a": 1}'.encode("utf-16"))


def test_a_body_that_is_made_while_it_is_sent_is_refused() -> None:
    with pytest.raises(ProfileError, match="no JSON object"):
        spliced(iter([b"{}"]))


def test_a_body_that_does_not_call_itself_json_is_in_the_way() -> None:
    with pytest.raises(ProfileError, match="another one"):
        spliced(b"{}", {"Content-Type": "text/plain"})


def test_a_member_that_the_person_stated_needs_no_value() -> None:
    assert stated(ENTRY, HttpRequest("POST", "/a", JSON, content='{"key": 1}'))
    assert not stated(ENTRY, HttpRequest("POST", "/a", JSON, content='{"other": {"key": 1}}'))


def test_a_member_whose_name_a_template_gives_stays_too() -> None:
    assert spliced('{"key": 1}') == '{"key": 1}'


@given(st.dictionaries(st.text().filter(lambda name: name != "key"), VALUES, max_size=4), st.sampled_from([None, 2]))
def test_the_rest_of_the_body_stays_as_it_is_written(whole: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(whole, indent=indent)
    made = spliced(text.encode()).decode()
    assert json.loads(made) == {**whole, "key": "k"}
    assert made.startswith(text[:-1].rstrip())
