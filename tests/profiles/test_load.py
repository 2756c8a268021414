"""Which file, which profile, and what a profile that cannot be used says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.document import Document, load_document
from forge_cli.profiles.load import find, profile, select


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    return load_document(path)


def test_the_file_of_the_option_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".forge.toml").touch()
    source = find("mine.toml", {"FORGE_CONFIG": "/other.toml"}, tmp_path, False)
    assert (source.path, source.named_by) == (tmp_path / "mine.toml", "--config")


def test_the_file_of_the_environment_comes_next(tmp_path: Path) -> None:
    (tmp_path / ".forge.toml").touch()
    source = find(None, {"FORGE_CONFIG": "/other.toml"}, tmp_path, False)
    assert (source.path, source.named_by) == (Path("/other.toml"), "FORGE_CONFIG")


def test_the_user_file_comes_last(tmp_path: Path) -> None:
    source = find(None, {"FORGE_CONFIG_DIR": str(tmp_path), "FORGE_CONFIG": ""}, tmp_path, False)
    assert (source.path, source.named_by) == (tmp_path / "profiles.toml", "user")


@pytest.mark.parametrize("folder", ["", "a", "a/b/c"])
def test_a_project_file_stops_and_says_how_to_go_on(tmp_path: Path, folder: str) -> None:
    (tmp_path / ".forge.toml").write_text("not even TOML")
    cwd = tmp_path / folder
    cwd.mkdir(parents=True, exist_ok=True)
    environ = {"FORGE_CONFIG_DIR": str(tmp_path)}
    with pytest.raises(ProfileError, match="not trusted") as caught:
        find(None, environ, cwd, False)
    hint = caught.value.hint or ""
    assert "--no-project" in hint
    named = hint.split("--config ")[1].split("`")[0]
    assert find(named, environ, cwd, False).path.resolve() == (tmp_path / ".forge.toml").resolve()
    assert find(None, environ, cwd, True).named_by == "user"


def test_a_directory_of_that_name_is_no_project_file(tmp_path: Path) -> None:
    (tmp_path / ".forge.toml").mkdir()
    assert find(None, {"FORGE_CONFIG_DIR": "/c"}, tmp_path, False).named_by == "user"


THREE = '[profiles.base]\nabstract = true\n[profiles.dev]\nextends = "base"\n[profiles.prod]\n'


@pytest.mark.parametrize(
    ("text", "name", "environ", "chosen"),
    [
        pytest.param(f'default_profile = "dev"\n{THREE}', "prod", {"FORGE_PROFILE": "x"}, "prod", id="the option"),
        pytest.param(
            f'default_profile = "dev"\n{THREE}', None, {"FORGE_PROFILE": "prod"}, "prod", id="the environment"
        ),
        pytest.param(f'default_profile = "dev"\n{THREE}', None, {"FORGE_PROFILE": ""}, "dev", id="the default"),
        pytest.param('[profiles.a]\nabstract = true\n[profiles.b]\nextends = "a"', None, {}, "b", id="the only one"),
    ],
)
def test_a_profile_is_chosen(tmp_path: Path, text: str, name: str | None, environ: dict[str, str], chosen: str) -> None:
    assert select(document(tmp_path, text), name, environ) == chosen


@pytest.mark.parametrize(
    ("text", "name", "message", "hint"),
    [
        pytest.param(THREE, "prdo", "no profile 'prdo' (nearest: prod)", "the profiles are: dev, prod", id="a typo"),
        pytest.param(THREE, "base", "abstract", "the profiles are: dev, prod", id="an abstract one"),
        pytest.param(THREE, None, "no profile is chosen", "--profile NAME; one of: dev, prod", id="two to choose from"),
        pytest.param("", None, "no profile is chosen", "forge profile init", id="none to choose from"),
        pytest.param("", "dev", "no profile 'dev'", "forge profile init", id="none by that name"),
    ],
)
def test_a_profile_that_cannot_be_chosen_is_explained(
    tmp_path: Path, text: str, name: str | None, message: str, hint: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        select(document(tmp_path, text), name, {})
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        pytest.param("\n[profile.a]\n", None, ":2: profile: unknown key (nearest: profiles)", id="one letter short"),
        pytest.param("\n[profile.a]\n", "a", ":2: profile: unknown key (nearest: profiles)", id="with a name"),
        pytest.param("versoin = 1\n", None, ":1: versoin: unknown key (nearest: version)", id="a key with a typo"),
        pytest.param("version = 2\n", None, ":1: version: must be 1", id="a later version"),
        pytest.param("profiles = 1\n", "a", ":1: profiles: must be a table, not a whole number", id="no table"),
        pytest.param(
            f'\ndefault_profile = "dve"\n{THREE}',
            None,
            ":2: default_profile: unknown profile 'dve' (nearest: dev)",
            id="a default that is not there",
        ),
        pytest.param(
            f'default_profile = "base"\n{THREE}',
            None,
            ":1: default_profile: profile 'base' is abstract: it may only be extended",
            id="an abstract default",
        ),
    ],
)
def test_problems_outside_the_profiles_come_first(tmp_path: Path, text: str, name: str | None, problem: str) -> None:
    found = document(tmp_path, text)
    with pytest.raises(ProfileError, match=r"profiles\.toml has 1 problem") as caught:
        select(found, name, {})
    assert list(caught.value.problems) == [f"{found.path}{problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [("version = 2", "version: must be 1"), ("versoin = 1", "versoin: unknown key"), ("profile.b = {}", "profile: ")],
)
def test_they_are_problems_of_a_profile_that_is_there_too(tmp_path: Path, line: str, problem: str) -> None:
    found = document(tmp_path, f"{line}\n[profiles.a]\n")
    with pytest.raises(ProfileError, match="profile 'a' has 1 problem") as caught:
        profile(found, select(found, "a", {}))
    assert f"{found.path}:1: {problem}" in caught.value.problems[0]


def test_a_default_that_is_not_there_is_no_obstacle_to_a_named_profile(tmp_path: Path) -> None:
    found = document(tmp_path, f'default_profile = "dve"\n{THREE}')
    assert profile(found, select(found, "dev", {})).name == "dev"


@pytest.mark.parametrize("attempt", [lambda found: select(found, "base", {}), lambda found: profile(found, "base")])
def test_an_abstract_profile_is_answered_with_those_that_can_be_used(
    tmp_path: Path, attempt: Callable[[Document], object]
) -> None:
    with pytest.raises(ProfileError, match=r"profiles\.toml: profile 'base' is abstract") as caught:
        attempt(document(tmp_path, THREE))
    assert caught.value.hint == "the profiles are: dev, prod"


def test_a_profile_comes_with_its_parents_merged_in(tmp_path: Path) -> None:
    found = document(tmp_path, THREE.replace("true\n", 'true\nbase_url = "https://a.example"\n'))
    result = profile(found, "dev")
    assert (result.name, result.table.base_url, result.path) == ("dev", "https://a.example", found.path)
    assert result.origins[("base_url",)] == "base"


def test_a_var_is_overridden_when_it_is_declared(tmp_path: Path) -> None:
    found = document(tmp_path, '[profiles.dev]\nvars = { shop = "acme", page = 1 }\n')
    assert profile(found, "dev", overrides_vars={"shop": "other"}).vars == {"shop": "other", "page": 1}
    with pytest.raises(ProfileError, match=r"declares no var 'shpo' \(nearest: shop\)"):
        profile(found, "dev", overrides_vars={"shpo": "other"})


def test_all_problems_of_a_profile_and_its_parents_are_raised_at_once(tmp_path: Path) -> None:
    text = """\
version = 3
[profiles.base]
abstract = true
redirects = "x"
timeout = "x"
[profiles.dev]
extends = "base"
redirects = 5
reqest = 1
[profiles.other]
colour = 1
"""
    found = document(tmp_path, text)
    with pytest.raises(ProfileError, match="profile 'dev' has 4 problems") as caught:
        profile(found, "dev")
    assert [line.split(": ")[:2] for line in caught.value.problems] == [
        [f"{found.path}:1", "version"],
        [f"{found.path}:4", "profiles.base.redirects"],
        [f"{found.path}:5", "profiles.base.timeout"],
        [f"{found.path}:9", "profiles.dev.reqest"],
    ]
    assert "forge profile validate" in (caught.value.hint or "")


def test_another_profile_with_problems_is_no_obstacle(tmp_path: Path) -> None:
    found = document(tmp_path, "[profiles.dev]\n[profiles.other]\ncolour = 1\nextends = 'none'\n")
    assert profile(found, "dev").name == "dev"


def test_a_profile_with_an_unknown_parent_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="has 1 problem") as caught:
        profile(document(tmp_path, "[profiles.dev]\nextends = 'none'\n"), "dev")
    assert caught.value.problems[0].endswith(":2: profiles.dev.extends: unknown profile 'none'")


def test_a_profile_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no profile 'dve' \(nearest: dev\)"):
        profile(document(tmp_path, "[profiles.dev]\n"), "dve")
