"""The stage has what a command needs, keeps the outside out, and leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_cli.demo.stage import Stage, stage
from forge_cli.errors import StorageError
from forge_cli.profiles.load import load_document
from forge_cli.profiles.validate import problems


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def running(place: Path) -> Iterator[Stage]:
    with stage("forge") as stage_:
        yield stage_


def test_nothing_is_left_of_it(place: Path) -> None:
    with stage("forge") as running:
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(running.url)


def test_nothing_is_left_of_it_after_an_interruption(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), stage("forge"):
        raise KeyboardInterrupt
    assert list(place.iterdir()) == []


def test_without_a_place_for_files_it_says_what_it_needs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "nowhere"))
    with pytest.raises(StorageError, match="the demo cannot start: no such file") as caught, stage("forge"):
        pass
    assert "TMPDIR" in str(caught.value.hint)


def test_its_profile_has_no_problems(running: Stage) -> None:
    assert problems(load_document(running.config_dir / "profiles.toml")) == []


def test_its_environment_leaves_out_what_leads_elsewhere(place: Path) -> None:
    outside = {
        "FORGE_PROFILE": "mine",
        "FORGE_RETRY": "0",
        "https_proxy": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "XDG_CONFIG_HOME": "/nowhere",
        "LANG": "C.UTF-8",
    }
    with stage("forge", outside) as running:
        assert outside.keys() & running.environ.keys() == {"LANG"}


@pytest.mark.parametrize("program", ["forge", "forge-http"])
def test_a_command_is_this_forge_by_the_name_it_was_called(place: Path, program: str) -> None:
    with stage(program, {}) as running:
        result = subprocess.run(
            running.command("--version"), cwd=running.folder, env=running.environ, capture_output=True, text=True
        )
    assert result.stdout.startswith(f"{program} ")


def test_a_shell_finds_it_too(running: Stage) -> None:
    result = subprocess.run(
        ["sh", "-c", "forge get /users | cat"],
        cwd=running.folder,
        env=running.environ,
        capture_output=True,
        text=True,
    )
    assert '"Ada"' in result.stdout, result.stderr


def test_the_next_user_token_lives_as_long_as_is_said(running: Stage) -> None:
    running.api.user_life(2)
    assert subprocess.run(running.command("get", "/users"), env=running.environ, capture_output=True).returncode == 0
    shown = subprocess.run(running.command("token", "show"), env=running.environ, capture_output=True, text=True)
    assert re.search("in [12] s", shown.stdout), shown.stdout


def test_answers_are_counted_by_status_and_path(running: Stage) -> None:
    subprocess.run(running.command("get", "/users"), cwd=running.folder, env=running.environ, capture_output=True)
    running.api.expire_user()
    subprocess.run(running.command("get", "/users"), cwd=running.folder, env=running.environ, capture_output=True)
    assert running.api.answers == {
        "200 /v1/devices/token": 1,
        "200 /v1/apps/token": 1,
        "200 /v1/users/login": 1,
        "200 /v1/users/refresh": 1,
        "401 /users": 1,
        "200 /users": 2,
    }
