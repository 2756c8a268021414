"""A profile that is added to a file: nothing that somebody else writes at the same time is lost."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.addition import ProfileFile
from forge_cli.profiles.load import Source

TABLE = '[profiles.{name}]\nbase_url = "http://127.0.0.1:1"\n'
NAMES = [f"api{number}" for number in range(12)]


def quiet(text: str) -> None:
    """Nobody reads it."""


def names(path: Path) -> set[str]:
    return set(tomllib.loads(path.read_text())["profiles"])


@pytest.mark.parametrize("there", [True, False], ids=["a file that is there", "a new file"])
@pytest.mark.parametrize("named_by", ["user", "--config"])
def test_profiles_that_are_added_at_once_are_all_in_the_file(
    profile_file: Callable[[str], Path], own_home: Path, there: bool, named_by: str
) -> None:
    path = profile_file(TABLE.format(name="first"))
    if named_by == "--config":
        path = own_home / "project" / "other.toml"
        path.write_text(TABLE.format(name="first"))
    if not there:
        path.unlink()
    gate = Barrier(len(NAMES))

    def add(name: str) -> None:
        file = ProfileFile(Source(path, "user" if named_by == "user" else "--config"), quiet)
        gate.wait(20)
        file.add(name, TABLE.format(name=name))

    with ThreadPoolExecutor(len(NAMES)) as pool:
        list(pool.map(add, NAMES))
    assert names(path) == {*NAMES, *(["first"] if there else [])}


def test_of_two_that_take_one_name_the_second_is_told(profile_file: Callable[[str], Path]) -> None:
    path = profile_file(TABLE.format(name="first"))
    one, other = (ProfileFile(Source(path, "user"), quiet) for _ in range(2))
    one.add("demo", TABLE.format(name="demo"))
    before = path.read_bytes()
    with pytest.raises(ProfileError, match="there is such a profile already"):
        other.add("demo", TABLE.format(name="demo"))
    assert path.read_bytes() == before


def test_what_a_person_wrote_while_the_questions_were_asked_stays(profile_file: Callable[[str], Path]) -> None:
    path = profile_file(TABLE.format(name="first"))
    file = ProfileFile(Source(path, "user"), quiet)
    path.write_text(path.read_text() + "\n" + TABLE.format(name="by-hand"))
    file.add("demo", TABLE.format(name="demo"))
    assert names(path) == {"first", "by-hand", "demo"}


@pytest.mark.parametrize("there", [True, False], ids=["changed", "made"])
def test_a_file_that_changes_at_this_very_moment_is_not_replaced(
    profile_file: Callable[[str], Path], there: bool
) -> None:
    path = profile_file(TABLE.format(name="first"))
    if not there:
        path.unlink()
    path.parent.chmod(0o755)

    def edit(text: str) -> None:
        # The notice about the directory's mode comes between the look at the file and the rename.
        path.write_text(TABLE.format(name="by-hand"))

    with pytest.raises(ProfileError, match="was changed meanwhile"):
        ProfileFile(Source(path, "user"), edit).add("demo", TABLE.format(name="demo"))
    assert names(path) == {"by-hand"}
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == ["profiles.toml"]


def test_without_a_place_for_a_lock_a_profile_is_added_all_the_same(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    path = own_home / "project" / "profiles.toml"
    ProfileFile(Source(path, "--config"), quiet).add("demo", TABLE.format(name="demo"))
    assert names(path) == {"demo"}
