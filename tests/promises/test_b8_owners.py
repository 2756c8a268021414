"""B8: whoever puts a profile file there says where credentials go, so it is one's own, or named on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.errors import StorageError
from forge_cli.profiles.build import load_profile
from tests.conftest import Forge
from tests.server import Reply, Server

SOMEBODY = 65534
as_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only the superuser gives files away")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="files have no owners there")
THEIRS = "belongs to another user"
LOOSE = "other users can write to"


@pytest.fixture
def file(server: Server, profile_file: Callable[[str], Path]) -> Path:
    """The user's file, with a program that leaves a mark when it runs."""
    server.reply("/x", Reply(200, "ok"), optional=True)
    return profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\nsecrets.t.command = ["sh", "-c", "touch ran; echo token-1"]\n'
        'auth = { type = "bearer", token = "${secrets.t}" }\n'
    )


@as_root
@pytest.mark.parametrize("which", ["file", "directory", "link"])
@pytest.mark.parametrize("words", [("get", "/x"), ("token", "show", "--raw"), ("profile", "validate")], ids=" ".join)
def test_another_users_is_not_used_in_ones_own_place(
    forge: Forge, server: Server, file: Path, which: str, words: tuple[str, ...]
) -> None:
    if which == "link":
        file.rename(file.with_name("real.toml"))
        file.symlink_to("real.toml")
    os.lchown(file.parent if which == "directory" else file, SOMEBODY, SOMEBODY)
    result = forge(*words)
    assert (result.exit_code, result.stdout, server.seen) == (9, "", [])
    assert THEIRS in result.stderr
    assert not Path("ran").exists()
    with pytest.raises(StorageError, match=THEIRS):
        load_profile()


@as_root
def test_doctor_says_so(forge: Forge, file: Path) -> None:
    os.chown(file, SOMEBODY, SOMEBODY)
    lines = forge("doctor").stdout.splitlines()
    assert any(line.startswith("fix  profile file: ") and THEIRS in line for line in lines)
    assert not Path("ran").exists()


@as_root
@pytest.mark.parametrize("way", ["--config", "FORGE_CONFIG"])
@pytest.mark.parametrize("which", ["file", "directory"])
def test_one_that_is_named_on_purpose_is_told(forge: Forge, file: Path, which: str, way: str) -> None:
    """A checkout in a container is often another user's."""
    os.chown(file if which == "file" else file.parent, SOMEBODY, SOMEBODY)
    words, env = (("--config", str(file)), {}) if way == "--config" else ((), {way: str(file)})
    result = forge("get", "/x", *words, env={**env, "FORGE_CONFIG_DIR": str(Path("own").absolute())})
    assert (result.exit_code, result.stdout) == (0, "ok")
    assert result.stderr.count(THEIRS) == 1


@pytest.mark.parametrize("named", [False, True], ids=["own", "named"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o755])
def test_a_directory_that_others_can_write_to_is_told_once_in_each_run(
    forge: Forge, file: Path, mode: int, named: bool
) -> None:
    words = ("--config", str(file)) if named else ()
    environ = {"FORGE_CONFIG_DIR": str(Path("own").absolute())} if named else {}
    for _ in range(2):
        file.parent.chmod(mode)  # tokens are kept there too, and what is loose is repaired
        result = forge("profile", "list", *words, env=environ)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count(LOOSE) == (mode == 0o777)
        assert ("chmod go-w " in result.stderr) == (mode == 0o777)


@pytest.mark.parametrize(("folder", "told"), [(0o755, True), (0o700, False)])
def test_a_file_that_others_can_write_to_is_told_where_they_can_come_to_it(
    forge: Forge, file: Path, folder: int, told: bool
) -> None:
    file.chmod(0o666)
    file.parent.chmod(folder)
    result = forge("profile", "list")
    assert result.exit_code == 0
    assert (f"{LOOSE} {file}" in result.stderr) is told


def test_completion_says_nothing_of_it(forge: Forge, file: Path) -> None:
    file.parent.chmod(0o777)
    result = forge("completion", "bash", "--", "forge get /x -p ", "")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "api\n", "")
