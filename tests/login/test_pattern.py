"""Searches that come to an end, whatever the pattern and the text are."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_cli.errors import AuthenticationException
from forge_cli.login.pattern import Found, effort, searched


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*$", "(?:a?a?)*$", "((a|b))+$", "(?P<x>a{1,9}){1,99}$", "a*a*a*a*a*a*a*a*a*$", "(?i:(a*)*)$"],
)
def test_one_that_runs_wild_is_given_up(pattern: str) -> None:
    began = time.monotonic()
    with pytest.raises(AuthenticationException, match=r"takes longer than 0\.3 s"):
        searched(pattern, "a" * 5000 + "!", limit=0.3)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "pattern",
    ['name="csrf" value="([^"]+)"', r"token=(\w+?);", "[)(*+?|{]+", r"\(+\*?", "(?=a)b++", "(abc)*", "a{2,3}?b?"],
)
def test_an_ordinary_one_is_not_taken_for_wild(pattern: str) -> None:
    assert effort(pattern, 1000) <= 7


@pytest.mark.parametrize("size", [10, 400_000], ids=["here", "apart"])
def test_what_is_found_is_the_same_in_a_process_of_its_own(size: int) -> None:
    text = "é" * size + 'id=7 "token-1"\ud800'
    found = searched(r'id=(\d+)|(x)| "([^"]+)"(\ud800)?', text)
    assert found == Found("id=7", ("7", None, None, None))
    assert searched("zz+", text) is None
    assert searched("7* *", text) == Found("", ())


@settings(max_examples=60)
@given(st.text(alphabet="ab()|*?", max_size=7), st.text(alphabet="ab", max_size=30))
def test_it_finds_what_re_finds(pattern: str, text: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return
    if effort(pattern, len(text)) > 7:
        return
    match = compiled.search(text)
    assert searched(pattern, text) == (None if match is None else Found(match[0], match.groups()))
