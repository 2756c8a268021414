"""The tables of docs/scripting.md say what items and expectations mean; each row is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

PAGE = (Path(__file__).parents[2] / "docs" / "scripting.md").read_text(encoding="utf-8")
CODE = re.compile("`([^`]+)`")


def rows(title: str) -> list[list[str]]:
    """The rows of the tables below a heading, without their heads."""
    text = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [
        line.strip("| ").split(" | ")
        for line in lines
        if not line.startswith(("| item |", "| target |", "| operator |"))
    ]


ITEMS = [(CODE.findall(item)[0], what) for item, what in rows("Items")]
HOLDS = [(each, 0) for row in rows("Expectations") for each in CODE.findall(row[1])]
FAILS = [(each, 12) for row in rows("Expectations") for each in CODE.findall(row[2])]


def test_the_tables_are_there() -> None:
    assert len(ITEMS) > 25
    assert len(HOLDS) > 20
    assert len(FAILS) > 10


@pytest.mark.parametrize(("words", "what"), ITEMS, ids=[item for item, _ in ITEMS])
def test_an_item_is_sent_as_the_table_says(forge: Forge, words: str, what: str) -> None:
    for name, content in {"note.txt": "noted", "n.json": "[1, 2]", "photo.png": "image"}.items():
        Path(name).write_text(content)
    options = ["http://h.example/x", *shlex.split(words)]
    at = options.index("--") if "--" in options else len(options)
    # A header or query parameter from a file may be a secret, and is masked unless that is asked for.
    shown = ["--curl", "--reveal"] if re.search("(?<!=)(:|==)@", words) else ["--offline"]
    result = forge("post", *options[:at], *shown, *options[at:], input="from stdin")
    assert result.exit_code == 0, result.stderr
    for absent, text in re.findall(
        "(no )?`([^`]+)`", re.sub(r"before `\\.*?` of|the `@` or `=`|`-` is|`-f`", "", what)
    ):
        assert (text in result.stdout) is (not absent), result.stdout


@pytest.mark.parametrize(("text", "code"), HOLDS + FAILS)
def test_an_expectation_holds_where_the_table_says(forge: Forge, server: Server, text: str, code: int) -> None:
    body = {"id": 1, "name": "Ada", "tags": ["a"], "ok": True, "none": None}
    url = server.reply("/x", Reply(200, body, {"X-Team": "blue"}))
    assert forge("get", url, "--expect", text).exit_code == code
