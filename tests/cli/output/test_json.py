"""JSON is laid out and coloured, and not a character of it is changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output.json import pretty, pretty_chunks

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@given(VALUES, st.sampled_from([None, 0, 4]), st.sampled_from([1, 2, 3]))
def test_any_json_looks_as_the_standard_library_would_write_it(
    value: Any, given_indent: int | None, indent: int
) -> None:
    text = json.dumps(value, indent=given_indent)
    assert pretty(text, color=False, indent=indent) == json.dumps(value, indent=indent)
    assert plain(pretty(text, color=True, indent=indent)) == json.dumps(value, indent=indent)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"b":1,"a":2,"b":3}', '{\n  "b": 1,\n  "a": 2,\n  "b": 3\n}'),
        (
            "[1.10,-0.0,1E5,123456789012345678901234567890]",
            "[\n  1.10,\n  -0.0,\n  1E5,\n  123456789012345678901234567890\n]",
        ),
        ("[NaN,Infinity,-Infinity]", "[\n  NaN,\n  Infinity,\n  -Infinity\n]"),
        (r'["\q\u00e9\/\""]', '[\n  "\\q\\u00e9\\/\\""\n]'),
        ("[[],{},[{}]]", "[\n  [],\n  {},\n  [\n    {}\n  ]\n]"),
        (' \r\n\t{ "a" :\n[ ] } \n', '{\n  "a": []\n}'),
        ('"x"', '"x"'),
        ('{"a":1}\n{"a":2}\n', '{\n  "a": 1\n}\n{\n  "a": 2\n}'),
        ("\ufeff1", "1"),
        ('["\x1b[2J\u202e"]', '[\n  "\\x1b[2J\\u202e"\n]'),
        ('["two\nlines"]', '[\n  "two\nlines"\n]'),
    ],
    ids=["keys", "digits", "nan", "escapes", "empty", "space", "scalar", "lines", "bom", "control", "raw newline"],
)
def test_everything_stays_as_it_came(text: str, expected: str) -> None:
    assert pretty(text, color=False) == expected


def test_each_kind_of_value_has_its_colour() -> None:
    assert pretty('{"a":["b",1,true]}', color=True) == (
        '{\n  \x1b[94m"a"\x1b[0m: [\n    \x1b[32m"b"\x1b[0m,\n    \x1b[36m1\x1b[0m,\n    \x1b[35mtrue\x1b[0m\n  ]\n}'
    )


NO_JSON = [
    "",
    " \n",
    "plain text",
    "404 page not found",
    "<html>",
    "[1,]",
    "[,1]",
    "[1 2]",
    '["a" "b"]',
    '{"a"}',
    '{"a":}',
    '{"a":,"b":1}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{"a" 1}',
    "{1:2}",
    "{[]}",
    '["a":1]',
    '"a":1',
    "[}",
    "{]",
    "]",
    "1,2",
    ",",
    ":",
    "[[1][2]]",
    "[1[2]]",
    "[",
    '{"a":[1',
    '{"a":',
    '"open',
    "[1]x",
    "True",
    "[undefined]",
    "['a']",
]


@pytest.mark.parametrize("text", NO_JSON, ids=ascii)
@pytest.mark.parametrize("color", [True, False], ids=["colour", "plain"])
def test_what_is_not_json_is_shown_as_it_is(text: str, color: bool) -> None:
    assert pretty(text, color=color) == text
    assert "".join(pretty_chunks(text, color=color)) == text


@given(st.text(st.sampled_from('[]{},:"\\ a1-.etrufalsn\n\x1b')), st.booleans())
def test_any_text_is_shown_whole(text: str, color: bool) -> None:
    shown = plain(pretty(text, color=color))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text.replace("\x1b", "\\x1b"))
    assert re.sub(r"\s", "", plain("".join(pretty_chunks(text, color=color)))) == re.sub(r"\s", "", shown)


def test_a_hundred_thousand_levels_are_shown() -> None:
    text = "[" * 100_000 + "]" * 100_000
    shown = pretty(text, color=True)
    assert re.sub(r"\s", "", shown) == text
    assert len(shown) < 100 * len(text)


@pytest.mark.parametrize(
    "text",
    ['"' + '\\"' * 200_000, "[" + " " * 200_000 + "x", '{"a"' * 50_000, "1" * 200_000 + "x", '"a"' * 50_000 + "x"],
    ids=["escapes", "space", "keys", "digits", "documents"],
)
def test_hostile_text_takes_no_longer_than_other_text(text: str) -> None:
    assert pretty(text, color=False) == text


def test_a_long_text_comes_in_pieces_and_what_follows_bad_json_is_kept() -> None:
    text = json.dumps([{"a": number} for number in range(20_000)])
    pieces = list(pretty_chunks(text, color=False))
    assert len(pieces) > 10
    assert "".join(pieces) == json.dumps(json.loads(text), indent=2)
    broken = "".join(pretty_chunks(text + " and more", color=False))
    assert broken.endswith(" and more")
    assert broken.startswith('[\n  {\n    "a": 0\n  },')
