"""Tables: whole in a pipe, fitted to a terminal, and text only."""

from __future__ import annotations

import io
import os
import time

import pytest

from forge_cli.cli.output import LISTINGS

ROWS = [["dev", "https://api.example.com/v1"], ["prod", ""]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(
    rows: list[list[str]], stream: io.StringIO | None = None, environ: dict[str, str] | None = None, *columns: str
) -> str:
    stream = stream or io.StringIO()
    LISTINGS.load("table")(stream, columns or ("name", "url"), rows, environ=environ or {})
    return stream.getvalue()


def test_columns_are_aligned_and_lines_have_no_spaces_at_their_end() -> None:
    assert drawn(ROWS) == "name  url\ndev   https://api.example.com/v1\nprod\n"


def test_without_rows_there_are_headings_only() -> None:
    assert drawn([]) == "name  url\n"


def test_a_pipe_gets_each_row_on_one_line() -> None:
    assert drawn([["a", "x" * 5000]]).splitlines() == ["name  url", f"a     {'x' * 5000}"]


def test_a_tab_does_not_move_what_follows_it() -> None:
    assert drawn([["a\tb", "x"]]) == "name  url\na\\tb  x\n"


def test_what_is_too_wide_is_folded_between_words_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "16")
    rows = [["ab", "one two three"], ["日本語日本語日", "z" * 9]]
    assert drawn(rows, Terminal(), {"NO_COLOR": "1"}).splitlines() == [
        "name     url", "ab       one two", "         three", "日本語   zzzzzzz", "日本語   zz", "日",
    ]  # fmt: skip


def test_ten_thousand_rows_take_no_second_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    rows = [[f"row {number}", "word " * 10] for number in range(10_000)]
    for stream in (io.StringIO(), Terminal()):
        began = time.process_time()
        assert len(drawn(rows, stream, {"NO_COLOR": "1"})) > 500_000
        assert time.process_time() - began < 2


def test_wide_characters_are_aligned() -> None:
    assert drawn([["日本", "x"], ["abcd", "y"]]).splitlines() == ["name  url", "日本  x", "abcd  y"]


@pytest.mark.parametrize("cell", ["[red]x[/red]", "[/nope]", ":smile:", "http://a.example/[b]"])
def test_a_cell_is_text_and_no_markup(cell: str) -> None:
    assert drawn([[cell, "x"]]).splitlines()[1] == f"{cell}  x"


@pytest.mark.parametrize("cell", ["a\x1b[31mb", "a\nb", "a\u202eb", "a\x85b", "a\rb"], ids=ascii)
def test_a_cell_cannot_drive_the_terminal(cell: str) -> None:
    lines = drawn([[cell, "x"]], Terminal(), {"NO_COLOR": "1"}).splitlines()
    assert len(lines) == 2
    assert all(char.isprintable() for char in lines[1])


@pytest.mark.parametrize(
    ("environ", "colored"),
    [
        pytest.param({"TERM": "xterm"}, True, id="a terminal"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb one"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="NO_COLOR"),
    ],
)
def test_headings_are_bold_where_that_is_wanted(environ: dict[str, str], colored: bool) -> None:
    assert ("\x1b[1m" in drawn(ROWS, Terminal(), environ)) is colored
    assert "\x1b" not in drawn(ROWS, None, {**environ, "FORCE_COLOR": "1"})


@pytest.mark.parametrize("width", [1, 20, 0], ids=["tiny", "narrow", "unknown"])
def test_a_terminal_gets_every_character_however_narrow_it_is(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((0, 0)))
    text = drawn([["abc", "defghijklmnopqrstuvwxyz"]], Terminal(), {"NO_COLOR": "1"})
    assert sorted("".join(text.split())) == sorted("nameurlabcdefghijklmnopqrstuvwxyz")


def test_rows_that_do_not_fit_the_terminal_are_sheets_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(columns: str, *, sheets: bool) -> str:
        monkeypatch.setenv("COLUMNS", columns)
        stream = Terminal()
        rows = [["demo", "", "x" * 20], ["\x1b[2J", "b", "y"]]
        LISTINGS.load("table")(stream, ("profile", "scope", "storage"), rows, environ={"NO_COLOR": "1"}, sheets=sheets)
        return stream.getvalue()

    assert shown("36", sheets=True) == shown("36", sheets=False)
    assert "x" * 20 in shown("36", sheets=True)
    assert shown("35", sheets=True) == (
        "profile  demo\nstorage  xxxxxxxxxxxxxxxxxxxx\n\nprofile  \\x1b[2J\nscope    b\nstorage  y\n"
    )
    assert "x" * 20 not in shown("35", sheets=False)
