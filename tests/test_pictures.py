"""The pictures show what a run shows, are small, hold no secret, and stand on a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from docs import picture
from forge_cli.demo.profile import ENVIRON

ROOT = Path(__file__).parents[1]
EVERY = pytest.mark.parametrize("path", picture.PICTURES, ids=lambda path: path.stem)
LARGEST = 60_000


@pytest.fixture(scope="module")
def shown() -> Mapping[Path, str]:
    """What a terminal shows of the runs now."""
    return picture.sessions()


@EVERY
def test_a_picture_shows_what_a_run_shows(shown: Mapping[Path, str], path: Path) -> None:
    drawn = picture.words(path.read_text(encoding="utf-8"))
    assert drawn == picture.words(picture.svg(shown[path])), "run `python docs/picture.py`"
    assert len(drawn) > 5


@EVERY
def test_a_picture_is_small_and_loads_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert (
        re.findall(
            r"(?:href|src|url\()\s*=?\s*[\"']?(?!#)[a-z]+:", text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        )
        == []
    )


@EVERY
def test_a_picture_holds_no_secret_and_no_place_of_this_machine(shown: Mapping[Path, str], path: Path) -> None:
    text = f"{path.read_text(encoding='utf-8')}{shown[path]}"
    # The demo's tokens begin and end so; whole ones are longer.
    assert [value for value in (*ENVIRON.values(), "/tmp/", str(ROOT)) if value in text] == []
    assert re.search(r"(?i)bearer (?!\*)[\w.-]{8,}", text) is None


@EVERY
def test_a_picture_stands_on_a_page_with_words_for_who_cannot_see_it(path: Path) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = [
        words
        for page in pages
        for words, target in re.findall(r"!\[([^]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if (page.parent / target).resolve() == path
    ]
    assert found and all(len(words) > 20 for words in found)


def test_there_is_no_picture_that_nothing_makes() -> None:
    assert {*(ROOT / "docs").rglob("*.svg")} == set(picture.PICTURES)
