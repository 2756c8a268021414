from __future__ import annotations

import errno
import os
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import platformdirs
import pytest

from forge_cli import files
from forge_cli.errors import StorageError
from forge_cli.files.places import open_own


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"FORGE_CONFIG_DIR": "/a/b", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/a/b", id="own variable"),
        pytest.param({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/forge", id="XDG"),
        pytest.param({"XDG_CONFIG_HOME": "x", "HOME": "/h"}, "/h/.config/forge", id="relative XDG is ignored"),
        pytest.param({"XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/forge", id="empty XDG"),
        pytest.param({"FORGE_CONFIG_DIR": "", "HOME": "/h"}, "/h/.config/forge", id="empty own variable"),
    ],
)
def test_the_first_variable_that_says_something_decides(environ: dict[str, str], expected: str) -> None:
    assert files.config_dir(environ, platform="linux") == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}], ids=["unset", "empty"])
def test_without_a_home_the_error_names_the_variable_that_helps(environ: dict[str, str]) -> None:
    with pytest.raises(StorageError) as caught:
        files.config_dir(environ, platform="linux")
    assert "FORGE_CONFIG_DIR" in (caught.value.hint or "")


LOCAL = r"C:\Users\ada\AppData\Local"


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("win32", {"LOCALAPPDATA": LOCAL, "APPDATA": r"C:\Users\ada\AppData\Roaming"}, PureWindowsPath(LOCAL, "forge")),
        ("win32", {"LOCALAPPDATA": LOCAL, "XDG_CONFIG_HOME": "/x"}, PureWindowsPath(LOCAL, "forge")),
        ("win32", {"LOCALAPPDATA": LOCAL, "FORGE_CONFIG_DIR": r"D:\forge"}, PureWindowsPath(r"D:\forge")),
        ("darwin", {"HOME": "/Users/ada"}, PurePosixPath("/Users/ada/Library/Application Support/forge")),
        ("darwin", {"HOME": "/Users/ada", "XDG_CONFIG_HOME": "/x"}, PurePosixPath("/x/forge")),
        ("darwin", {"HOME": "/Users/ada", "FORGE_CONFIG_DIR": "/a"}, PurePosixPath("/a")),
    ],
    ids=str,
)
def test_elsewhere_the_platform_has_a_place_of_its_own(
    platform: str, environ: dict[str, str], expected: PurePath
) -> None:
    # A path of this system is only written otherwise.
    assert type(expected)(str(files.config_dir(environ, platform=platform))) == expected


def test_windows_without_its_variable_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.config_dir({}, platform="win32") == Path(platformdirs.user_config_dir("forge", appauthor=False))


def test_on_windows_there_are_no_modes_to_repair_and_no_owner_to_ask_for(tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "a"
    files.private_directory(folder, notice=told.append, platform="win32")
    folder.chmod(0o1777)
    files.private_directory(folder, notice=told.append, platform="win32")
    (folder / "b").write_bytes(b"x")
    (folder / "b").chmod(0o644)
    os.close(open_own(folder / "b", os.O_RDONLY, told.append, platform="win32"))
    assert told == []
    assert (folder / "b").stat().st_mode & 0o777 == 0o644


def test_on_windows_a_link_is_refused_without_a_flag_for_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links") as caught:
        open_own(tmp_path / "b", os.O_RDONLY, platform="win32")
    assert caught.value.errno == errno.ELOOP


def test_missing_directories_are_made_private(tmp_path: Path) -> None:
    files.private_directory(tmp_path / "a" / "b")
    assert [each.stat().st_mode & 0o777 for each in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_loose_directory_is_repaired_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    files.private_directory(tmp_path / "a", notice=told.append)
    files.private_directory(tmp_path / "a", notice=told.append)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert told == [f"{tmp_path / 'a'} was open to other users: its mode is now 0700"]


def test_a_directory_that_all_users_share_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o1777)
    with pytest.raises(StorageError, match="shared by all users"):
        files.private_directory(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o1777


def test_a_file_where_a_directory_should_be_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        files.private_directory(tmp_path / "a" / "b")
    assert caught.value.hint is not None
    assert files.unwritable(caught.value)


def test_only_a_place_that_refuses_counts_as_unwritable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(StorageError) as caught:
        files.read_private(tmp_path / "a")
    assert not files.unwritable(caught.value)


def test_where_modes_cannot_be_changed_that_is_said_and_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, mode: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    told: list[str] = []
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o644)
    monkeypatch.setattr("os.fchmod", refuse)
    assert files.read_private(tmp_path / "a", notice=told.append) == b"x"
    assert told == [f"{tmp_path / 'a'} may be open to other users, and its mode cannot be changed"]


def test_windows_alone_is_windows() -> None:
    assert [files.on_windows(platform=name) for name in ("win32", "linux", "darwin")] == [True, False, False]
