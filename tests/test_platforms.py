"""Each difference between platforms is in the place that the docs name, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import reference

ROOT = Path(__file__).parents[1]
PAGE = reference.DOCS / "platforms.md"
# Each takes the platform as a parameter, but for that in `LINES`, which has a line of its own with its reason.
PLACES = {
    "home.py",
    "files/places.py",
    "files/private.py",
    "files/locks.py",
    "files/links.py",
    "files/reading.py",
    "batch/source.py",
    "cli/patience.py",
    "programs.py",
    "cli/opener.py",
    "cli/person.py",
    "cli/streams.py",
    "cli/commands/token/execute.py",
    "login/callback.py",
}
LINES = {"login/callback.py"}


def test_nothing_else_asks_which_platform_it_is() -> None:
    package = ROOT / "forge_cli"
    asking = re.compile(r"\bsys\.platform\b|\bos\.name\b|platform\.system\(\)")
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if asking.search(path.read_text(encoding="utf-8"))
    }
    # The doctor says it to the person, and does nothing by it.
    assert found - {"cli/commands/doctor.py"} == PLACES


@pytest.mark.parametrize("path", sorted(PLACES - LINES))
def test_a_place_takes_the_platform_as_a_parameter(path: str) -> None:
    text = (ROOT / "forge_cli" / path).read_text(encoding="utf-8")
    bare = [line for line in text.splitlines() if "sys.platform" in line and "platform: str = sys.platform" not in line]
    assert bare == []


def test_every_file_that_the_page_names_is_there() -> None:
    rows = PAGE.read_text(encoding="utf-8").partition("## What to expect")[0]
    named = re.findall(r"`((?:tests/)?[\w/]+(?:\.py)?)`", rows)
    files = [name for name in named if "/" in name or name.endswith(".py")]
    assert len(files) > 15
    assert [name for name in files if not (ROOT / name).exists() and not (ROOT / "forge_cli" / name).exists()] == []


def test_the_page_says_what_was_never_run() -> None:
    assert "never been run on macOS or on Windows" in PAGE.read_text(encoding="utf-8")
