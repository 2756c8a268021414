"""Recipes: found, read, and made into profiles."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.recipe import BUILT_IN, Recipe, find, recipe, recipes, trouble

HEAD = """\
# Prepare: nothing.
[recipe]
title = "Demo"
summary = "a demo"
docs = "https://docs.example.com/login"
tested = "nothing"
"""
DEMO = (
    HEAD
    + """
[recipe.asks.app_id]
text = "App id"
matches = "^[0-9]+$"

[recipe.asks.key_file]
text = "Key file"
into = "secrets"
fills = ["key", "email"]

[profile]
base_url = "${vars.api}"

[profile.vars]
api = "https://api.example.com"

[profile.secrets]
key = { file = "~/key.json", pointer = "/private_key" }
email = { file = "~/key.json", pointer = "/client_email" }

[profile.auth]
type = "basic"
username = "${vars.app_id}"
password = "${secrets.key}"
"""
)
NAMES = [name for name, _, _ in recipes(None)]


def own(folder: Path, text: str, name: str = "demo") -> Recipe:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return recipe(name, path, built_in=False)


def wrong(folder: Path, text: str) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        own(folder, text)
    return caught.value


def test_it_knows_what_can_be_given_and_what_has_to_be(tmp_path: Path) -> None:
    demo = own(tmp_path, DEMO)
    assert demo.vars == {"app_id": None, "api": "https://api.example.com"}
    assert demo.secrets["key_file"] == {"file": "~/key.json"}
    assert demo.preface == "Prepare: nothing."
    assert not demo.person


def test_one_file_fills_several_secrets(tmp_path: Path) -> None:
    text = own(tmp_path, DEMO).made("x", {"app_id": "1"}, {"key_file": {"file": "/k.json"}})
    assert tomllib.loads(text)["profiles"]["x"]["secrets"] == {
        "key": {"file": "/k.json", "pointer": "/private_key"},
        "email": {"file": "/k.json", "pointer": "/client_email"},
    }
    assert text.startswith("# Demo, from the recipe demo.\n# https://docs.example.com/login\n[profiles.x]\n")


def test_what_a_recipe_says_of_itself_stays_a_comment(tmp_path: Path) -> None:
    lines = r'title = "x\ny = 1"'
    text = own(tmp_path, DEMO.replace('title = "Demo"', lines).replace('"App id"', r'"App\nz = 1"')).made(
        "x", {"app_id": "1"}, {}
    )
    assert text.startswith("# x y = 1, from the recipe demo.\n")
    assert 'app_id = "1"  # App z = 1\n' in text


def test_a_secret_without_a_place_is_in_a_variable_named_after_the_profile(tmp_path: Path) -> None:
    text = DEMO.replace('fills = ["key", "email"]\n', "").replace("key_file", "the-key")
    assert own(tmp_path, text).place("the-key", "my.api") == {"env": "MY_API_THE_KEY"}


def test_what_makes_no_valid_profile_is_named_in_the_recipe(tmp_path: Path) -> None:
    demo = own(tmp_path, DEMO.replace("${secrets.key}", "${secrets.kye}"))
    with pytest.raises(ProfileError) as caught:
        demo.made("x", {"app_id": "1"}, {})
    line = DEMO.splitlines().index('password = "${secrets.key}"') + 1
    assert caught.value.problems == (f"{demo.path}:{line}: profile.auth.password: unknown secret 'kye' (nearest: key)",)


def test_a_profile_that_is_not_written_as_tables_is_said_to_be(tmp_path: Path) -> None:
    demo = own(tmp_path, "profile = { base_url = 'https://a.example' }\n" + HEAD)
    with pytest.raises(ProfileError, match="cannot be filled in"):
        demo.made("x", {}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[recipe]\n[profile]\n", "recipe: missing key: title", id="no title"),
        pytest.param(HEAD, "missing key: profile", id="no profile"),
        pytest.param(HEAD.replace("title", "titel") + "[profile]\n", "(nearest: title)", id="a typo"),
        pytest.param(DEMO.replace("matches", "macthes"), "(nearest: matches)", id="a typo in an ask"),
        pytest.param(DEMO.replace('"email"]', '"emial"]'), "unknown secret 'emial' (nearest: email)", id="fills"),
        pytest.param(DEMO.replace('= "^[0-9]+$"', '= "("'), "app_id.matches: ", id="no pattern"),
        pytest.param(
            DEMO.replace('into = "secrets"\nfills = ["key", "email"]', 'into = "secrets"\ndefault = "s3cret"'),
            "a secret is not written into a profile",
            id="a secret as its own place",
        ),
        pytest.param(DEMO.replace('"^[0-9]+$"', '"x"\ndefault = []'), "must be a plain text", id="a list"),
    ],
)
def test_all_that_is_wrong_with_a_recipe_is_said(tmp_path: Path, text: str, said: str) -> None:
    error = wrong(tmp_path, text)
    assert f"{tmp_path / 'demo.toml'} is no recipe" == error.message
    assert any(said in problem for problem in error.problems), error.problems
    assert "s3cret" not in str(error.problems)


def test_a_recipe_that_is_no_toml_is_named_with_its_line(tmp_path: Path) -> None:
    error = wrong(tmp_path, HEAD + "[profile\n")
    assert error.message.startswith(f"{tmp_path / 'demo.toml'}:7: not TOML")
    assert error.hint == "correct the recipe there"


def test_a_persons_own_recipe_comes_before_one_of_the_same_name(tmp_path: Path) -> None:
    own(tmp_path, DEMO, NAMES[0])
    found = find(NAMES[0], tmp_path, tmp_path)
    assert (found.path, found.built_in, found.hides) == (tmp_path / f"{NAMES[0]}.toml", False, True)
    assert (NAMES[0], tmp_path / f"{NAMES[0]}.toml", False) in list(recipes(tmp_path))


def test_an_unknown_recipe_gets_the_nearest_name(tmp_path: Path) -> None:
    own(tmp_path, DEMO)
    with pytest.raises(ProfileError, match=r"no recipe 'dmeo' \(nearest: demo\)"):
        find("dmeo", tmp_path, tmp_path)
    with pytest.raises(ProfileError, match=r"no such recipe: .*/x\.toml"):
        find("./x.toml", tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [("12", None), ("", "is empty"), ("a", "does not fit"), ("1\x1b", "character"), ("${vars.x}", "templates")],
)
def test_answers_are_looked_at(tmp_path: Path, answer: str, said: str | None) -> None:
    found = trouble(own(tmp_path, DEMO).head.asks["app_id"], answer)
    assert found == said if said is None else said in (found or "")


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_with_forge_makes_valid_profiles(name: str) -> None:
    found = recipe(name, BUILT_IN / f"{name}.toml", built_in=True)
    answers = {var: "https://id.example.com" for var, value in found.vars.items() if value is None}
    places = {each: found.place(each, "x") for each, ask in found.head.asks.items() if ask.into == "secrets"}
    made = tomllib.loads(found.made("x", answers, places))["profiles"]["x"]
    assert made["vars"] == {**found.vars, **answers}
    assert found.preface and found.head.docs.startswith("https://")
    assert len(found.head.summary) <= 100, "one line of the list"
