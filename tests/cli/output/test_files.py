"""Files that are there whole, or as they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from forge_cli.cli.output.files import output_file
from forge_cli.errors import StorageError


def test_it_appears_when_all_went_well() -> None:
    with output_file("out") as file:
        file.write(b"new")
        assert not Path("out").exists()
    assert Path("out").read_bytes() == b"new"


def test_the_old_one_stays_after_a_failure() -> None:
    Path("out").write_text("old")
    writing = output_file("out")
    writing.__enter__().write(b"new")
    assert writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("out", "old")]


def test_the_umask_decides_the_mode_of_a_new_one() -> None:
    mask = os.umask(0o027)
    try:
        with output_file("out"):
            pass
    finally:
        os.umask(mask)
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o640


def test_an_old_one_keeps_its_mode() -> None:
    Path("out").write_text("old")
    Path("out").chmod(0o600)
    with output_file("out") as file:
        file.write(b"new")
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600


def test_a_link_stays_a_link() -> None:
    Path("real").write_text("old")
    Path("link").symlink_to("real")
    with output_file("link") as file:
        file.write(b"new")
    assert Path("link").is_symlink()
    assert Path("real").read_text() == "new"


def test_a_device_is_written_to() -> None:
    with output_file("/dev/null") as file:
        file.write(b"new")
    assert not Path("/dev/null").is_file()


def test_the_home_directory_may_be_a_tilde(own_home: Path) -> None:
    with output_file("~/out"):
        pass
    assert (own_home / "out").exists()


@pytest.mark.parametrize("path", [".", "no/such/out", "a" * 300], ids=["a folder", "no folder", "a long name"])
def test_what_cannot_be_made_is_said_at_once(path: str) -> None:
    with pytest.raises(StorageError, match="cannot write"), output_file(path):
        pytest.fail("nothing must be sent")


def test_a_private_one_is_its_owners_alone_whatever_was_there() -> None:
    Path("out").write_text("old")
    Path("out").chmod(0o644)
    mask = os.umask(0)
    try:
        with output_file("out", private=True, option="--har") as file:
            [part] = Path().glob(".out.*.part")
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
            file.write(b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600


def test_the_option_that_names_it_is_in_the_hint() -> None:
    with pytest.raises(StorageError) as caught, output_file("no/such/out", option="--har"):
        pytest.fail("nothing must be sent")
    assert "--har" in str(caught.value.hint)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_link_of_another_user_is_not_followed() -> None:
    Path("victim").write_text("KEEP")
    Path("link").symlink_to("victim")
    os.lchown("link", 65534, 65534)
    with pytest.raises(StorageError, match="a link that another user made"), output_file("link"):
        raise AssertionError("nothing may be written")
    assert Path("victim").read_text() == "KEEP"


def test_an_open_file_is_written_to_where_it_stands() -> None:
    with Path("out").open("wb") as file:
        file.write(b"before ")
        file.flush()
        with output_file(f"/dev/fd/{file.fileno()}") as copy:
            copy.write(b"new")
    assert Path("out").read_bytes() == b"before new"
