"""XML is indented, and not a character of it is changed but the space between elements."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output.xml import xml

TREE = st.recursive(
    st.text(st.sampled_from("ab <>&\n"), max_size=5).map(
        lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    ),
    lambda inner: st.tuples(st.sampled_from(["a", "b:c", "d-e"]), st.lists(inner, max_size=4)).map(
        lambda pair: f'<{pair[0]} x="1>2">{"".join(pair[1])}</{pair[0]}>'
    ),
).map(lambda inside: f"<root>{inside}</root>")


def shown(text: str, *, color: bool = False) -> str:
    return "".join(xml((text,), color=color))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a><b/><c>x</c></a>", "<a>\n  <b/>\n  <c>x</c>\n</a>"),
        ("<a>x <b>y</b> z<c/></a>", "<a>x <b>y</b> z<c/></a>"),
        ("<a><b>x<c/></b><d/></a>", "<a>\n  <b>x<c/></b>\n  <d/>\n</a>"),
        ("<a>\n\n <b></b>\n</a>\n", "<a>\n  <b></b>\n</a>"),
        ('<?xml version="1.0"?><!-- < --><a/>', '<?xml version="1.0"?>\n<!-- < -->\n<a/>'),
        ("<a><![CDATA[<b>]]></a>", "<a><![CDATA[<b>]]></a>"),
        ('<!DOCTYPE a [<!ENTITY b "]>">]><a>&b;</a>', '<!DOCTYPE a [<!ENTITY b "]>">]>\n<a>&b;</a>'),
        ("<a b='<'/>", "<a b='<'/>"),
        ("<a><b></a>", "<a>\n  <b></a>"),
        ("<a><b/>", "<a>\n  <b/>"),
        ("<a/><b/>", "<a/><b/>"),
        ("no xml", "no xml"),
        ("<a>\x1b[2J</a>", "<a>\\x1b[2J</a>"),
    ],
)
def test_layout(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_colours() -> None:
    assert shown('<a b="c">x</a>', color=True) == (
        '\x1b[94m<a \x1b[0m\x1b[36mb\x1b[0m=\x1b[32m"c"\x1b[0m\x1b[94m>\x1b[0mx\x1b[94m</a>\x1b[0m'
    )


@given(TREE, st.lists(st.integers(0, 1000)))
def test_wherever_it_is_cut_nothing_is_lost(text: str, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    found = "".join(xml(pieces, color=False))
    assert found == shown(text)
    assert re.sub(r"\s", "", found) == re.sub(r"\s", "", text)
    assert re.sub(r"\s|\x1b\[[0-9;]*m", "", shown(text, color=True)) == re.sub(r"\s", "", text)


@given(st.text(st.sampled_from("<>/ab=\"'!-?[] &\x1b")))
def test_any_text_is_shown_whole(text: str) -> None:
    assert re.sub(r"\s", "", shown(text)) == re.sub(r"\s", "", text.replace("\x1b", "\\x1b"))


def test_an_entity_bomb_is_only_text() -> None:
    lines = "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};">' for n in range(1, 100))
    text = f"<!DOCTYPE a [{lines}]><a>&l99;</a>"
    assert len(shown(text)) == len(text) + 1


@pytest.mark.parametrize(
    "text", ["<a>" * 100_000, "<!--" + "-" * 300_000, "<a " + "b='c' " * 50_000, "<!DOCTYPE a [" + "'" * 99_999],
    ids=["deep", "comment", "attributes", "doctype"],
)  # fmt: skip
def test_hostile_text_is_shown_too(text: str) -> None:
    pieces = [text[start : start + 4096] for start in range(0, len(text), 4096)]
    assert re.sub(r"\s", "", "".join(xml(pieces, color=False))) == re.sub(r"\s", "", text)
