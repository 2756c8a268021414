"""JSON is laid out and coloured, and not a character of it is changed."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output.json import coloured, laid_out, pretty

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
    assert re.sub(r"\s", "", plain("".join(laid_out(text, color=color)))) == re.sub(r"\s", "", text)


@given(st.text(st.sampled_from('[]{},:"\\ a1-.etrufalsn\n\x1b')), st.booleans())
def test_any_text_is_shown_whole(text: str, color: bool) -> None:
    shown = plain(pretty(text, color=color))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text.replace("\x1b", "\\x1b"))
    assert re.sub(r"\s", "", plain("".join(laid_out((text,), color=color)))) == re.sub(r"\s", "", shown)


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


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(VALUES, st.lists(st.integers(0, 10_000)), st.sampled_from([None, 1]))
def test_wherever_it_is_cut_the_layout_is_the_same(value: Any, places: list[int], given_indent: int | None) -> None:
    pieces = cut(json.dumps(value, indent=given_indent), places)
    assert "".join(laid_out(pieces, color=False)) == json.dumps(value, indent=2)
    assert "".join(laid_out(pieces, color=True)) == pretty("".join(pieces), color=True)


@given(VALUES, st.lists(st.integers(0, 10_000)))
def test_colour_alone_moves_nothing(value: Any, places: list[int]) -> None:
    text = json.dumps([value, {"a": [1, None, "x"]}])
    assert plain("".join(coloured(cut(text, places)))) == text
    assert "".join(coloured(cut(text, places))).count("\x1b[94m") >= 1


@given(st.text(st.sampled_from('[]{},:"\\ a1-.etrufalsn\n\r\x1b\u202e')), st.lists(st.integers(0, 100)))
def test_nothing_is_lost_of_any_text_however_it_is_cut(text: str, places: list[int]) -> None:
    for shown in (laid_out(cut(text, places), color=False), coloured(cut(text, places))):
        found = plain("".join(shown))
        for character in "\x1b\u202e":
            assert character not in found
        there = re.sub(r"\s|\\r|\\x1b|\\u202e", "", found)
        assert there == re.sub(r"\s|\x1b|\u202e|\\r", "", text)


def test_the_beginning_is_there_before_the_end_comes() -> None:
    def pieces() -> Iterator[str]:
        yield '[{"a": 1}, {"b'
        pytest.fail("more was asked for")

    assert next(laid_out(pieces(), color=False)) == '[\n  {\n    "a": 1\n  },\n  {'


def test_what_follows_bad_json_is_kept() -> None:
    text = json.dumps([{"a": number} for number in range(20_000)])
    pieces = [text[start : start + 1000] for start in range(0, len(text), 1000)]
    broken = "".join(laid_out([*pieces, " and more"], color=False))
    assert broken == json.dumps(json.loads(text), indent=2) + " and more"


def test_a_text_over_many_pieces_takes_no_longer_than_one() -> None:
    pieces = ['"', *["x" * 1000] * 20_000, '"']
    started = time.process_time()
    assert len("".join(laid_out(pieces, color=False))) == 20_000_002
    assert time.process_time() - started < 10  # once for each piece would be minutes
