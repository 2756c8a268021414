"""What a terminal would obey is shown; colour follows the environment."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output.text import STYLES, color_wanted, paint, visible, visible_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é𝄞 [red] [/nope]", "plain é𝄞 [red] [/nope]"),
        ("a\n\tb", "a\n\tb"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\\rb"),
        ("\x1b[31m\x1b]0;x\x07", "\\x1b[31m\\x1b]0;x\\x07"),
        ("\x00\x7f\x9b\x85", "\\x00\\x7f\\x9b\\x85"),
        ("\u202e\u2066\u200f\u061c", "\\u202e\\u2066\\u200f\\u061c"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
    ],
    ids=["plain", "lines", "crlf", "cr", "escape", "control", "bidi", "separator", "surrogate"],
)
def test_only_what_could_drive_a_terminal_is_changed(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_a_line_stays_a_line() -> None:
    assert visible_line("a\r\nb\tc") == "a\\r\\nb\tc"


@given(st.text(st.characters()))
def test_nothing_that_drives_a_terminal_is_left(text: str) -> None:
    for shown in (visible(text), visible_line(text)):
        shown.encode()
        assert all(c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in shown)
        assert not {*shown} & {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
    assert "\n" not in visible_line(text)


@pytest.mark.parametrize(
    ("terminal", "environ", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (False, {"FORCE_COLOR": "0"}, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
    ids=lambda value: str(value),
)
def test_colour_follows_the_environment(terminal: bool, environ: Mapping[str, str], expected: bool) -> None:
    assert color_wanted(Terminal() if terminal else io.StringIO(), environ) is expected


def test_a_stream_that_is_missing_or_closed_has_no_colour() -> None:
    closed = io.StringIO()
    closed.close()
    assert color_wanted(closed, {}) is False
    assert color_wanted(None, {}) is False


@pytest.mark.parametrize("style", STYLES)
def test_paint_starts_and_ends_a_style(style: str) -> None:
    assert paint("x", style) == f"{STYLES[style]}x\x1b[0m"
    assert paint("x", style, color=False) == "x"
    assert paint("", style) == ""
