"""`forge profile show`: whatever a file holds, what is printed is a file of the format."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.profiles.load import load_document
from forge_cli.profiles.validate import problems
from tests.conftest import Forge

ProfileFile = Callable[[str], Path]
EVERYTHING = Path(__file__).parents[2] / "profiles" / "everything.toml"
NAMES = [
    name
    for name, table in tomllib.loads(EVERYTHING.read_text(encoding="utf-8"))["profiles"].items()
    if table.get("abstract") is not True
]
SHARED = """\
[profiles.both]
base_url = "https://a.example"
auth = { type = "composite", parts = ["one", "two"], strategy = "all" }
[profiles.single]
base_url = "https://a.example"
auth = "two"
[auth.one]
type = "bearer"
token = "${secrets.t}"
secrets = { t = { env = "T" } }
[auth.two]
type = "oauth2"
grant = "client-credentials"
token_url = "https://id.example/t"
client_id = "c"
client_secret = "fake-secret-1"
"""


@pytest.mark.parametrize("expand", [(), ("--expand",)], ids=["as written", "expanded"])
@pytest.mark.parametrize("name", NAMES)
def test_what_it_prints_has_no_problems_and_no_names_of_the_code(
    forge: Forge, tmp_path: Path, name: str, expand: tuple[str, ...]
) -> None:
    result = forge("profile", "show", name, "--config", str(EVERYTHING), *expand)
    assert result.exit_code == 0, result.stderr
    again = tmp_path / "again.toml"
    text = result.stdout
    if not expand:
        # A shared login is only named then.
        whole = EVERYTHING.read_text(encoding="utf-8")
        text += "[auth.one]" + whole.partition("[auth.one]")[2].partition("[profiles.")[0]
    again.write_text(text, encoding="utf-8")
    assert [problem for problem in problems(load_document(again)) if "no such file" not in problem.message] == []
    assert re.search(r"\b(in_|from_|not_|alternatives|None)\b|@[A-Z_]+@|object at", text) is None


def test_a_composite_is_expanded_with_each_of_its_parts(forge: Forge, profile_file: ProfileFile) -> None:
    profile_file(SHARED)
    result = forge("profile", "show", "both", "--expand")
    found = tomllib.loads(result.stdout)
    assert found["profiles"]["both"]["auth"]["parts"] == ["one", "two"]
    assert found["auth"]["one"]["steps"]["token"] == {"kind": "value", "value": "${secrets.t}"}
    assert found["auth"]["one"]["secrets"] == {"t": {"env": "T"}}
    assert found["auth"]["two"]["steps"]["token"]["request"]["url"] == "https://id.example/t"
    assert "fake-secret-1" not in result.stdout
    assert "# profiles.toml:8, from type bearer" in result.stdout


def test_a_shared_login_is_named_and_expanded_too(forge: Forge, profile_file: ProfileFile) -> None:
    profile_file(SHARED)
    assert 'auth = "two"' in forge("profile", "show", "single").stdout
    found = json.loads(forge("profile", "show", "single", "--expand", "--json").stdout)
    assert found["profile"]["auth"] == "two"
    assert list(found["shared"]) == ["two"]
    assert found["shared_origins"]["auth.two.steps.token.request.url"] == "profiles.toml:12, from type oauth2"
