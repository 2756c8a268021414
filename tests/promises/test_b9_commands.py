"""B9: a profile's programs are lists of words without a shell, see little, end soon, and say nothing secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

SECRET = """
[profiles.dev]
base_url = "{base}"
secrets.token = {{ command = ["{folder}/helper", "$(touch made)", "a b"], env = ["VAULT"] }}
auth = {{ type = "bearer", token = "${{secrets.token}}" }}
"""
STEP = """
[profiles.dev]
base_url = "{base}"
[profiles.dev.auth]
type = "pipeline"
[profiles.dev.auth.steps.helper]
kind = "command"
command = ["{folder}/helper", "$(touch made)", "a b"]
env = ["VAULT"]
"""
Write = Callable[[str], Path]


@pytest.fixture(params=[SECRET, STEP], ids=["secret", "step"])
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def prepare(write: Write, text: str, base: str, script: str) -> None:
    """A profile file with this text, and the program that it names."""
    folder = Path.cwd()
    (folder / "helper").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "helper").chmod(0o700)
    write(text.format(base=base, folder=folder))


def test_it_gets_its_words_and_the_variables_named(
    forge: Forge, server: Server, profile_file: Write, text: str
) -> None:
    url = server.reply("/x", Reply())
    prepare(profile_file, text, url.removesuffix("/x"), 'echo "$# $1 $2 $VAULT $OTHER-helper-token-1"')
    result = forge("get", "/x", "-p", "dev", env={"VAULT": "v1", "OTHER": "o1"})
    assert result.exit_code == 0, result.stderr
    assert server.seen[0].headers["Authorization"] == "Bearer 2 $(touch made) a b v1 -helper-token-1"
    assert not Path("made").exists()


def test_what_it_says_when_it_fails_is_shown_without_secrets(forge: Forge, profile_file: Write, text: str) -> None:
    script = "echo hidden-output-1; echo first >&2; echo 'password=hidden-word-1 is wrong' >&2; exit 6"
    prepare(profile_file, text, "http://127.0.0.1:9", script)
    result = forge("get", "/x", "-p", "dev")
    assert result.exit_code == (2 if text is SECRET else 7)
    assert "helper' failed with 6: password=*** is wrong" in result.stderr
    assert "hidden-" not in result.stderr
