"""Positions against tomllib: every key that it sees has a line, and the right one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.profiles import positions as module
from forge_cli.profiles.positions import Path, nesting_line, positions

_BARE = st.text("abcXYZ01_-", min_size=1, max_size=4)
_ODD = st.text("a.b \"'\\#=[]é\U0001f600\t", max_size=5)
_KEYS = _BARE | _ODD
_STRINGS = st.text("ab\"'\\#=[]{},\n é.", max_size=12)
_SCALARS = st.one_of(
    _STRINGS, st.integers(-(10**20), 10**20), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_TABLES = st.dictionaries(_KEYS, _VALUES, max_size=4)
_STYLES = st.lists(st.integers(0, 5), min_size=1, max_size=40)


class _Writer:
    """Writes a table as TOML in one of many spellings, and notes on which line each key starts."""

    def __init__(self, styles: list[int]) -> None:
        self._styles = styles
        self._choices = 0
        self._text = ""

    def document(self, table: dict[str, Any]) -> str:
        self._body(table, [])
        return self._text

    def _choose(self, options: int) -> int:
        self._choices += 1
        return self._styles[self._choices % len(self._styles)] % options

    def _add(self, text: str) -> None:
        self._text += text

    def _body(self, table: dict[str, Any], path: list[str]) -> None:
        later: list[tuple[str, Any]] = []
        for name, value in table.items():
            tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            if (isinstance(value, dict) or tables) and self._choose(2):
                later.append((name, value))
            elif isinstance(value, dict) and len(value) == 1 and self._choose(2):
                ((inner, below),) = value.items()
                self._pair([name, inner], below)
            else:
                self._pair([name], value)
        for name, value in later:
            if isinstance(value, dict):
                self._add(f"[{self._dotted([*path, name])}] # [not.a.header]\n")
                self._body(value, [*path, name])
            for item in value if isinstance(value, list) else ():
                self._add(f"[[ {self._dotted([*path, name])} ]]\n\n")
                self._body(item, [*path, name])

    def _pair(self, names: list[str], value: Any) -> None:
        self._add(("", "  ", "# a = 1\n", "\n")[self._choose(4)] + self._dotted(names) + " =\t")
        self._value(value)
        self._add(("\n", ' # b = "\n', "\r\n")[self._choose(3)])

    def _dotted(self, names: list[str]) -> str:
        return (".", " . ")[self._choose(2)].join(map(self._name, names))

    def _name(self, name: str) -> str:
        bare = name and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name)
        if bare and self._choose(2):
            return name
        if self._choose(2) and "'" not in name:
            return f"'{name}'"
        return json.dumps(name, ensure_ascii=bool(bare))

    def _value(self, value: Any) -> None:
        match value:
            case dict():
                self._add("{ ")
                for index, (name, inner) in enumerate(value.items()):
                    self._add(", " if index else "")
                    self._add(self._name(name) + " = ")
                    self._value(inner)
                self._add(" }")
            case list():
                self._add("[")
                for inner in value:
                    self._add(("", "\n  ", " # ]\n")[self._choose(3)])
                    self._value(inner)
                    self._add(",")
                self._add(("", "\n")[self._choose(2)] + "]")
            case str():
                self._string(value)
            case _:
                self._add(json.dumps(value))

    def _string(self, value: str) -> None:
        style = self._choose(4)
        if style == 0 and "'''" not in value and not value.endswith("'"):
            self._add(f"'''\n{value}'''")
        elif style == 1 and '"' not in value:
            self._add('"""\n' + value.replace("\\", "\\\\") + '"""')
        elif style == 2 and "'" not in value and "\n" not in value:
            self._add(f"'{value}'")
        else:
            self._add(json.dumps(value))


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


@given(_TABLES, _STYLES)
def test_every_key_that_tomllib_sees_has_a_line(table: dict[str, Any], styles: list[int]) -> None:
    text = _Writer(styles).document(table)
    data = tomllib.loads(text)
    assert data == table
    assert set(positions(text)) == set(_paths(data))


@given(_TABLES, _STYLES)
def test_the_line_of_a_key_holds_the_key(table: dict[str, Any], styles: list[int]) -> None:
    text = _Writer(styles).document(table)
    lines = text.replace("\r\n", "\n").split("\n")
    for path, line in positions(text).items():
        name = path[-1]
        if isinstance(name, str):
            spellings = (name, json.dumps(name), json.dumps(name, ensure_ascii=False))
            assert any(spelling in lines[line - 1] for spelling in spellings)


@given(st.text("[]{}=.,\"'\\# \n\rab1", max_size=40))
def test_a_text_that_is_not_toml_is_survived(text: str) -> None:
    positions(text)
    nesting_line(text, 3)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        pytest.param("\n\na = 1", ("a",), 3, id="after blank lines"),
        pytest.param("[a.b]\nc = 1\n[a]\nd = 1", ("a",), 3, id="a table's own header wins"),
        pytest.param("[[a]]\n[[a]]\nb = 1", ("a", 1, "b"), 3, id="the second table of an array"),
        pytest.param(
            "[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc = 1", ("a", 1, "b", 0, "c"), 5, id="arrays of tables in another"
        ),
        pytest.param("a = [\n1,\n2, # x\n3]", ("a", 2), 4, id="an element"),
        pytest.param('a = """\n[b]\nc = 1\n"""\nd = 1', ("d",), 5, id="after a text of several lines"),
        pytest.param('a = """x"""""\nb = 1', ("b",), 2, id="quotes at the end of a text"),
        pytest.param("a = { b = { c = 1 } }\nd = 1", ("a", "b", "c"), 1, id="tables in a line"),
        pytest.param('"\\u0061" = 1', ("a",), 1, id="an escaped key"),
        pytest.param("a = 1979-05-27 07:32:00Z\nb = 1", ("b",), 2, id="after a date with a space"),
    ],
)
def test_a_key_is_on_its_line(text: str, path: Path, line: int) -> None:
    tomllib.loads(text)
    assert positions(text)[path] == line


def test_a_group_is_never_possessive() -> None:
    # Early releases of Python 3.11 take such patterns and miss matches.
    patterns = [value.pattern for value in vars(module).values() if isinstance(getattr(value, "pattern", None), str)]
    assert len(patterns) == 4
    assert not [pattern for pattern in patterns if re.search(r"\)(?:[*+?]|\{[0-9,]+\})\+", pattern)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a = """' + "\\n" * 200_000 + '"""\nb = 1', id="escapes"),
        pytest.param("a = '''" + "''x" * 200_000 + "'''\nb = 1", id="quotes"),
        pytest.param("#\n" * 200_000 + 'a = ""\nb = 1', id="comments"),
    ],
)
def test_a_long_text_is_read_to_its_end(text: str) -> None:
    tomllib.loads(text)
    assert positions(text)[("b",)] == text.count("\n") + 1


def test_a_long_text_without_an_end_is_given_up() -> None:
    assert {("b",), ("a",)} <= set(positions('b = 1\na = """' + "\\n" * 200_000))


def test_nesting_is_found_on_the_line_where_it_gets_too_deep() -> None:
    assert nesting_line('a = "[[[["\nb = [[\n[[1]]]]\n', 3) == 3
    assert nesting_line("a = [[1]]", 3) is None
