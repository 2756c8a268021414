"""The page on security: every promise is there once, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
PROMISES = ROOT / "tests/promises"
_ROW = re.compile(r"^\| ([A-F]\d*) \| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
ROWS = _ROW.findall(PAGE)
# How many promises each letter has; `E` is one.
COUNTS = {"A": 11, "B": 10, "C": 7, "D": 6, "F": 6}


def files_of(cell: str) -> list[Path]:
    names = re.findall(r"`([^`]+)`", cell)
    return [ROOT / name if name.startswith("tests/") else PROMISES / name for name in names]


def test_every_promise_is_a_row_once() -> None:
    wanted = [f"{letter}{n}" for letter, most in COUNTS.items() for n in range(1, most + 1)] + ["E"]
    assert sorted(row[0] for row in ROWS) == sorted(wanted)
    assert len(re.findall(r"^\| [A-F]\d* \|", PAGE, re.MULTILINE)) == len(ROWS)


@pytest.mark.parametrize(("row", "promise", "shown", "others"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_exist_and_are_about_it(row: str, promise: str, shown: str, others: str) -> None:
    files = files_of(shown)
    assert files
    for file in files:
        assert file.is_file(), f"{row}: {file} is not there"
        text = file.read_text(encoding="utf-8")
        assert re.search(r"^ *def test_", text, re.MULTILINE)
        if file.parent == PROMISES:
            # A file may show several promises of one letter.
            assert file.name.startswith((f"test_{row.lower()}_", f"test_{row[0].lower()}_")), file
            assert re.match(rf'"""(.*\b)?{row}\b', text), f"{file} does not open with {row}"


def test_every_test_of_a_promise_is_named() -> None:
    named = {file for row in ROWS for file in files_of(row[2])}
    assert {path.name for path in PROMISES.glob("test_*.py")} - {path.name for path in named} == set()


def test_what_others_do_is_said_of_versions_that_are_named() -> None:
    tools = {"curl", "HTTPie", "requests", "urllib3", "rich"}
    measured = re.search(r"^Other tools as measured .*$", PAGE, re.MULTILINE)
    assert measured is not None
    assert all(re.search(rf"\b{tool} \d+(\.\d+)*", measured[0]) for tool in tools)
    for row in ROWS:
        said = {tool for tool in tools | {"xh", "wget", "httpx", "aiohttp"} if re.search(rf"\b{tool}\b", row[3])}
        assert said <= tools, row


def test_no_two_pages_are_one_where_case_does_not_count() -> None:
    names = [path.relative_to(ROOT).as_posix().lower() for path in (ROOT / "docs").rglob("*")]
    assert len(names) == len(set(names))
