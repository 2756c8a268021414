"""A2: writing goes through a temporary file of one's own; a planted link is never followed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forge_cli import files
from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.children import ROOT
from tests.conftest import Require

TOKEN = TokenData("user-token-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir(mode=0o700)
    return tmp_path / "tokens" / "dev.toml"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o644)
    return victim


def untouched(victim: Path) -> bool:
    return victim.read_text() == "precious" and victim.stat().st_mode & 0o777 == 0o644


def test_a_link_in_the_files_place_is_not_read(path: Path, victim: Path) -> None:
    path.symlink_to(victim)
    with pytest.raises(StorageError) as caught:
        FileTokenStorage(path).get("key")
    assert caught.value.hint == "remove the symbolic link"
    assert untouched(victim)


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_the_files_place_is_replaced_when_writing(path: Path, victim: Path, dangling: bool) -> None:
    path.symlink_to(victim.with_name("missing") if dangling else victim)
    files.write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()
    assert untouched(victim)
    assert not victim.with_name("missing").exists()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_the_temporary_files_place_is_an_error(path: Path, victim: Path, dangling: bool) -> None:
    target = victim.with_name("missing") if dangling else victim
    path.with_name(".dev.toml.known.tmp").symlink_to(target)
    with pytest.raises(StorageError):
        files.PendingWrite(path, tag="known")
    assert untouched(victim)
    assert not victim.with_name("missing").exists()


def test_names_of_temporary_files_cannot_be_guessed(path: Path) -> None:
    names = {files.PendingWrite(path).temporary.name for _ in range(20)}
    assert len(names) == 20
    assert min(map(len, names)) >= len(".dev.toml.") + 16


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_a_locks_place_is_an_error(path: Path, victim: Path, dangling: bool) -> None:
    storage = FileTokenStorage(path)
    with storage.lock("key"):
        [key_lock] = (path.parent / ".locks").iterdir()
    target = victim.with_name("missing") if dangling else victim
    for name in (key_lock, path.with_name("dev.toml.lock")):
        name.unlink(missing_ok=True)
        name.symlink_to(target)
    with pytest.raises(StorageError, match=f"cannot lock {key_lock}"), storage.lock("key"):
        pass
    with pytest.raises(StorageError, match="cannot lock"):
        storage.set("key", TOKEN)
    assert untouched(victim)
    assert not victim.with_name("missing").exists()


def test_a_hard_link_in_the_files_place_is_replaced_and_not_written_through(path: Path, victim: Path) -> None:
    os.link(victim, path)
    files.write_private(path, b"new")
    assert untouched(victim)


def test_the_data_is_synced_before_the_rename_and_the_directory_after_it(path: Path, require: Require) -> None:
    calls = traced(require, path)
    temporary = next(call for call in calls if call.startswith("openat") and ".tmp" in call)
    for flag in ("O_EXCL", "O_NOFOLLOW", "O_CREAT", "0600"):
        assert flag in temporary
    order = [call.partition("(")[0] for call in calls[calls.index(temporary) :]]
    assert order == ["openat", "write", "fsync", "rename", "openat", "fsync"]


def traced(require: Require, path: Path) -> list[str]:
    """What a child asks of the kernel for one `write_private`, between two marks."""
    strace = require("strace", "apt-get install strace")
    imports = "import os, pathlib, sys; from forge_cli import files; path = pathlib.Path(sys.argv[1])"
    code = f"{imports}; os.write(2, b'begin'); files.write_private(path, b'new'); os.write(2, b'end')"
    log = path.with_name("strace.log")
    command = [strace, "-qq", "-o", str(log), "-e", "trace=openat,write,fsync,rename", sys.executable, "-c", code]
    result = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        require.missing("this machine does not allow tracing: in a container, --cap-add SYS_PTRACE")
    text = log.read_text().partition("begin")[2].partition('write(2, "end"')[0]
    return text.splitlines()[1:]
