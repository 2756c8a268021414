"""Commands in a directory that somebody has deleted meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a directory in use cannot be deleted there")


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory is not there any more."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@pytest.mark.usefixtures("gone")
class TestGone:
    def test_the_users_profiles_are_used(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\nauth = {{ type = "bearer", token = "user-token-1" }}\n'
        )
        server.reply("/a", Reply(200, "there"))
        result = forge("get", "/a")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "there", "")
        assert forge("token", "show", "--raw").stdout == "user-token-1\n"

    def test_a_file_that_is_named_is_used(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        path = profile_file(f'[profiles.api]\nbase_url = "{server.url}"\n')
        server.reply("/a", Reply(200, "there"))
        assert forge("get", "/a", "--config", str(path)).stdout == "there"
        assert forge("profile", "validate", str(path)).exit_code == 0

    def test_a_url_needs_no_profile(self, forge: Forge, server: Server) -> None:
        assert forge("get", server.reply("/a", Reply(200, "there"))).stdout == "there"

    @pytest.mark.parametrize(
        "words",
        [
            ["get", "/a", "--config", "here.toml"],
            ["profile", "validate", "here.toml"],
            ["profile", "add", "x", "--from", "./here.toml"],
            ["profile", "add", "--show", "./here.toml"],
        ],
        ids=" ".join,
    )
    def test_a_file_in_it_is_not_there(self, forge: Forge, words: list[str]) -> None:
        result = forge(*words)
        assert result.exit_code == 2
        assert "Traceback" not in result.stderr
        assert "here.toml" in result.stderr + result.stdout

    @pytest.mark.parametrize(
        "words", [["profile", "list"], ["doctor"], ["token", "list"], ["profile", "path"]], ids=" ".join
    )
    def test_no_command_fails_with_a_traceback(
        self, forge: Forge, profile_file: Callable[[str], Path], words: list[str]
    ) -> None:
        profile_file('[profiles.api]\nbase_url = "https://api.example.com"\n')
        result = forge(*words)
        assert result.exit_code == 0, result.stderr
