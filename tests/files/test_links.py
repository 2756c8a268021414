"""Links on the way to a file: one's own lead somewhere, those of other users do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forge_cli.errors import StorageError
from forge_cli.files import followed, open_to_write

SOMEBODY = 65534
as_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only the superuser gives files away")


def link(path: str, target: str, owner: int | None = None) -> str:
    os.symlink(target, path)
    if owner is not None:
        os.lchown(path, owner, owner)
    return path


@pytest.mark.parametrize(
    "path",
    ["x", "a/../x", "./a/b", "own", "chain", "folder/x", "folder/../x", "missing/x/..", "/", "/tmp", "", "nothing"],
)
def test_what_is_ones_own_leads_where_the_system_says(path: str) -> None:
    Path("a").mkdir()
    link("own", "a/file")
    link("chain", "own")
    link("folder", "a")
    link("nothing", "not-there")
    assert followed(path) == os.path.realpath(path)


def test_a_circle_is_an_error() -> None:
    link("one", "two")
    link("two", "one")
    with pytest.raises(OSError, match=r"[Ss]ymbolic links"):
        followed("one")


@as_root
@pytest.mark.parametrize("path", ["planted", "own", "folder/x", "folder/below/x"])
def test_a_link_of_another_user_is_followed_nowhere(path: str) -> None:
    Path("a/below").mkdir(parents=True)
    link("planted", "a/file", SOMEBODY)
    link("own", "planted")
    link("folder", "a", SOMEBODY)
    with pytest.raises(StorageError, match="is a link that another user made"):
        followed(path)


@as_root
def test_in_a_directory_of_theirs_their_link_is() -> None:
    Path("a").mkdir()
    os.chown("a", SOMEBODY, SOMEBODY)
    link("a/link", "../x", SOMEBODY)
    assert followed("a/link") == os.path.realpath("x")


def test_a_link_that_came_later_is_not_followed() -> None:
    Path("victim").write_text("KEEP")
    path = followed("new")
    link("new", "victim")
    for append in (False, True):
        with pytest.raises(OSError, match=r"[Ss]ymbolic links"):
            open_to_write(path, append=append)
    assert Path("victim").read_text() == "KEEP"


@pytest.mark.parametrize(("append", "left"), [(False, "new"), (True, "oldnew")])
def test_a_file_is_written_anew_or_added_to(append: bool, left: str) -> None:
    Path("file").write_text("old")
    with os.fdopen(open_to_write(followed("file"), append=append), "wb") as file:
        file.write(b"new")
    assert Path("file").read_text() == left
