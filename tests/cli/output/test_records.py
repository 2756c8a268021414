"""JSON as a table while it arrives: whole rows, columns by the first of them, and little in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output import FORMATS
from forge_cli.cli.output.content import Content, Look, NotSuited
from forge_cli.cli.output.table import LOOKED_AHEAD
from tests.children import ROOT
from tests.server import Reply, Server

PIPE = Look(layout=False, color=False)
KINDS = ["application/json", "application/x-ndjson"]
MIB = 1024 * 1024


def body(rows: list[Any], kind: str = "application/json") -> str:
    return json.dumps(rows) if kind == "application/json" else "".join(f"{json.dumps(row)}\n" for row in rows)


def table(*pieces: str, look: Look = PIPE, kind: str = "application/json") -> Iterator[str]:
    found: Iterator[str] = FORMATS.load("table")(Content([piece.encode() for piece in pieces], kind), look)
    return found


def shown(text: str, look: Look = PIPE, kind: str = "application/json") -> tuple[str, str | None]:
    """The table, and what is left where the text stops being one; None: it is all shown."""
    lines: list[str] = []
    try:
        lines.extend(table(text, look=look, kind=kind))
    except NotSuited as exc:
        return "".join(lines), "".join(exc.text or ())
    return "".join(lines), None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.booleans())), st.data())
def test_where_the_text_is_cut_into_pieces_changes_nothing(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    text = json.dumps(rows, indent=data.draw(st.sampled_from([None, 2])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(table(*pieces)) == "".join(table(text))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_shown_before_the_last_one_came(kind: str) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        yield b"[" if kind == KINDS[0] else b""
        for number in range(100_000):
            read += 1
            yield b'{"a": %d}' % number + (b"," if kind == KINDS[0] else b"\n")

    lines = FORMATS.load("table")(Content(pieces(), kind), PIPE)
    assert [next(lines), next(lines)[:4]] == ["a\n", "0\n1\n"]
    assert read <= LOOKED_AHEAD + 1001


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_cell_that_is_wider_moves_its_row_in_a_pipe(kind: str) -> None:
    rows = [{"a": "x", "b": "y"}] * LOOKED_AHEAD + [{"a": "wide", "b": "z"}, {"a": "x", "b": "y"}]
    lines = shown(body(rows, kind), kind=kind)[0].splitlines()
    assert [lines[0], *lines[-3:]] == ["a  b", "x  y", "wide  z", "x  y"]


def test_it_is_folded_on_a_terminal() -> None:
    rows = [{"a": "x", "b": "y"}] * LOOKED_AHEAD + [{"a": "wide", "b": "z"}]
    lines = shown(body(rows), Look(width=80))[0].splitlines()
    assert lines[-4:] == ["w  z", "i", "d", "e"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("look", "last"), [(PIPE, ["x  c=1 d=[2]"]), (Look(width=6), ["x", "c=1", "d=[2]"])])
def test_a_name_that_comes_late_is_said_in_its_row(kind: str, look: Look, last: list[str]) -> None:
    rows = [{"a": "x"}] * LOOKED_AHEAD + [{"a": "x", "c": 1, "d": [2]}]
    lines = shown(body(rows, kind), look, kind)[0].splitlines()
    assert lines[0] == "a"
    assert lines[-len(last) :] == last


@pytest.mark.parametrize("before", [0, 3, LOOKED_AHEAD, 2 * LOOKED_AHEAD])
@pytest.mark.parametrize(
    "rest",
    ['{"a": 7', "7, {}]", '{"a": 7} {}]', '{"a": 7},]', '{"a" 7}]', ""],
    ids=["cut", "number", "comma", "end", "colon", "gone"],
)
def test_of_what_stops_being_a_table_nothing_is_lost(before: int, rest: str) -> None:
    start = "[" + '{"a": 1},' * before
    found, left = shown(start + rest)
    if before < LOOKED_AHEAD:
        assert (found, left) == ("", start + rest)
        return
    assert found.startswith("a\n" + "1\n" * before)
    assert left is not None
    whole = found.removeprefix("a\n" + "1\n" * before) + left.strip()
    assert whole.replace("7\n", '{"a": 7}').replace(" ", "") in (
        rest.replace(" ", ""),
        rest.replace(" ", "")[:-2] + "]",
    )


def test_of_lines_that_stop_being_objects_the_rest_is_shown_as_it_is() -> None:
    rows = '{"a":1}\n' * LOOKED_AHEAD
    assert shown(rows + 'x\n{"a":2}\n', kind=KINDS[1]) == ("a\n" + "1\n" * LOOKED_AHEAD, 'x\n{"a":2}\n')


LAUNCHER = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ), 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A process inherits the peak of who started it: this one is small, as the one of the tests is not."""


def test_fifty_megabytes_of_rows_take_seventy_of_memory(server: Server) -> None:
    row = b'{"id": 1234567, "name": "somebody or other", "tags": ["a", "b"], "text": "' + b"x" * 900 + b'"},'
    text = b"[" + row * (50 * MIB // len(row)) + b"{}]"
    url = server.reply("/x", Reply(200, text, {"Content-Type": "application/json"}))
    command = [sys.executable, "-c", LAUNCHER, "-m", "forge_cli", "get", url, "--format", "table"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as child:
        assert child.stdout is not None and child.stderr is not None
        size = 0
        while piece := child.stdout.read(MIB):
            size += len(piece)
        peak = int(child.stderr.read())
    assert child.returncode == 0
    assert size > 45 * MIB
    assert peak * (1 if sys.platform == "darwin" else 1024) < 70 * MIB
