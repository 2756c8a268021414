"""A recipe's text as a profile's."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.profiles.fill import filled

HEAD = '# a comment at the top\n[recipe]\ntitle = "x"\n\n'


def test_headers_get_the_name_and_comments_stay() -> None:
    text = HEAD + (
        '# over the profile\n[profile]  # its name\nbase_url = "u"\n\n# over steps\n[profile.auth.steps.one]\nx = 1\n'
        "[[profile.auth.inject]]\n# inside\ny = 2\n# the end\n"
    )
    assert filled(text, "a.b", {}) == (
        '# over the profile\n[profiles."a.b"]  # its name\nbase_url = "u"\n\n# over steps\n'
        '[profiles."a.b".auth.steps.one]\nx = 1\n[[profiles."a.b".auth.inject]]\n# inside\ny = 2\n# the end\n'
    )


@pytest.mark.parametrize(
    ("profile", "written"),
    [
        pytest.param("[profile.vars]\napi = 'x'  # where\n", 'api = "new"  # where', id="over the value"),
        pytest.param("[profile.vars]\napi = 'a # b'# c\n", 'api = "new"# c', id="a value like a comment"),
        pytest.param("[profile.vars]\nother = 1\n\n# far below\n", 'other = 1\napi = "new"', id="beside others"),
        pytest.param("[profile.vars]\n", '[profiles.p.vars]\napi = "new"', id="into an empty table"),
        pytest.param("[profile]\nvars = { api = 'x', b = 1 }\n", 'vars = { api = "new", b = 1 }', id="on one line"),
        pytest.param("[profile]\nvars.api = 'x' # c\n", 'vars.api = "new" # c', id="dotted"),
        pytest.param("[profile]\nquery = {}\n", '\n\n[profiles.p.vars]\napi = "new"', id="a table of its own"),
        pytest.param("[profile.auth]\ntype = 'none'\n", '[profiles.p.vars]\napi = "new"', id="no head"),
        pytest.param("[profile.vars]\napi = 'new'   # as it is\n", "api = 'new'   # as it is", id="the same"),
    ],
)
def test_an_answer_is_written_where_it_belongs(profile: str, written: str) -> None:
    text = filled(HEAD + profile, "p", {"vars": {"api": "new"}})
    assert written in text
    before = tomllib.loads(profile)["profile"]
    after = tomllib.loads(text)["profiles"]["p"]
    assert after == {**before, "vars": {**before.get("vars", {}), "api": "new"}}


def test_a_secret_with_a_table_of_its_own_is_written_anew() -> None:
    text = HEAD + "[profile.secrets.key]\nfile = 'x'\n[profile.secrets.other]\nenv = 'O'\n"
    made = filled(text, "p", {"secrets": {"key": {"env": "K"}, "other": {"env": "O"}}})
    assert tomllib.loads(made)["profiles"]["p"]["secrets"] == {"key": {"env": "K"}, "other": {"env": "O"}}


def test_a_new_entry_has_what_was_asked_as_its_comment() -> None:
    assert 'id = "1"  # Client id\n' in filled(HEAD + "[profile]\n", "p", {"vars": {"id": "1"}}, {"id": "Client id"})


@given(
    variables=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True),
        st.one_of(st.text(max_size=12), st.booleans(), st.integers(-9, 9)),
        max_size=4,
    ),
    answers=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True), st.text(max_size=12), max_size=4),
)
def test_any_answers_are_what_the_profile_then_says(variables: dict[str, Any], answers: dict[str, str]) -> None:
    profile = {"profile": {"base_url": "u", "vars": variables, "auth": {"type": "none"}}}
    text = filled("[recipe]\n" + tomli_w.dumps(profile), "p", {"vars": answers})
    assert tomllib.loads(text)["profiles"]["p"] == {**profile["profile"], "vars": {**variables, **answers}}
