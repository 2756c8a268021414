"""Parameters in header fields, well-formed or not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.parameter import parameter

names = st.text("abcXYZ-_09", min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        ('Bearer realm="x", token=abc', "token", "abc"),
        ('Bearer realm="x", token=abc', "REALM", "x"),
        ('Bearer realm="a, token=b", token=c', "token", "c"),
        ('Digest qop="auth,auth-int",nonce=abc', "qop", "auth,auth-int"),
        (r'x; v="a \"q\" \\ b"', "v", 'a "q" \\ b'),
        ("private, max-age=60", "max-age", "60"),
        ("a = b ;c=\t'd'", "c", "'d'"),
        ("a=1, a=2", "a", "1"),
        ("xa=1, a=2", "a", "2"),
        ("a=", "a", ""),
        ('a=""', "a", ""),
        ("a=b==; c=d", "a", "b=="),
        ('a="not closed, b=1', "a", "not closed, b=1"),
        ('a="not closed, b=1', "b", None),
        ('"quoted; a=1"; a=2', "a", "2"),
        ("a", "a", None),
        ("", "a", None),
        ("=b", "b", None),
    ],
)
def test_a_parameter_is_found(value: str, name: str, found: str | None) -> None:
    assert parameter(value, name) == found


@given(st.text(), names)
def test_no_value_is_an_error(value: str, name: str) -> None:
    parameter(value, name)


@given(st.dictionaries(names.map(str.lower), st.text(), max_size=4), st.sampled_from([", ", ";", " , "]))
def test_whatever_is_quoted_comes_back(pairs: dict[str, str], between: str) -> None:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in pairs.items()}
    field = "Scheme " + between.join(f'{name}="{value}"' for name, value in escaped.items())
    assert {name: parameter(field, name.upper()) for name in pairs} == pairs


@pytest.mark.parametrize(
    "value", ["a" * 200_000, '"\\' * 100_000, "a   " * 50_000, '"' * 100_000, "a=" * 100_000, "a" + " " * 200_000]
)
def test_a_long_field_takes_no_longer_for_what_is_in_it(value: str) -> None:
    started = time.perf_counter()
    assert parameter(value, "zz") is None
    assert time.perf_counter() - started < 2
