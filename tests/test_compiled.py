"""Regular expressions that wait for their first use."""

from __future__ import annotations

import re

import pytest

from forge_cli.compiled import compiled


def test_it_does_what_the_expression_does() -> None:
    later, now = compiled(r"(?P<a>x+)|y", re.IGNORECASE), re.compile(r"(?P<a>x+)|y", re.IGNORECASE)
    for text in ("XX", "y", "z", ""):
        for name in ("match", "fullmatch", "search"):
            found, expected = getattr(later, name)(text), getattr(now, name)(text)
            assert (found and found.groupdict()) == (expected and expected.groupdict())
        assert later.findall(text) == now.findall(text)
        assert later.sub("-", text) == now.sub("-", text)
    assert (later.pattern, later.groups, later.groupindex) == (now.pattern, now.groups, now.groupindex)


def test_bytes_too() -> None:
    assert compiled(rb"a+").fullmatch(b"aa") is not None


def test_nothing_is_compiled_before_its_first_use() -> None:
    wrong = compiled("(")
    with pytest.raises(re.error):
        wrong.search("x")


def test_what_it_has_not_is_an_error() -> None:
    with pytest.raises(AttributeError):
        compiled("x").nothing_of_the_sort  # type: ignore[attr-defined]  # noqa: B018  # what is refused
