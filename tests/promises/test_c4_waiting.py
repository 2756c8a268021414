"""C4: what a command is given may be a pipe that never ends; the time limit holds for it too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge_cli.errors import MissingSecret
from forge_cli.profiles.build import load_profile
from tests.conftest import Forge
from tests.server import Reply, Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its pipes cannot be waited for")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def endless() -> Iterator[int]:
    """A pipe that somebody holds open and writes nothing to."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    "words",
    [("post", "@-"), ("post", "-d", "@-"), ("get", "--bearer", "-"), ("post", "a=@-"), ("get", "-H", "@-")],
    ids=" ".join,
)
def test_standard_input_ends_with_the_limit(server: Server, endless: int, words: tuple[str, ...]) -> None:
    url = server.reply("/x", Reply(), optional=True)
    verb, *rest = words
    command = [sys.executable, "-m", "forge_cli", verb, url, *rest, "--timeout", "0.5"]
    began = time.monotonic()
    done = subprocess.run(command, stdin=endless, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, server.seen) == (28, []), done.stderr
    assert "standard input has not ended" in done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("way", ["--config", "FORGE_CONFIG"])
@pytest.mark.parametrize("words", [("get", "/x"), ("profile", "validate"), ("doctor",)], ids=" ".join)
def test_a_profile_file_that_is_a_fifo_is_refused_at_once(forge: Forge, way: str, words: tuple[str, ...]) -> None:
    os.mkfifo("fifo")
    option, env = (("--config", "fifo"), {}) if way == "--config" else ((), {way: "fifo"})
    result = forge(*words, *option, env=env)
    assert result.exit_code == 2
    assert "not a regular file" in result.stderr + result.stdout


def test_one_that_a_shell_hands_over_is_used(forge: Forge, server: Server) -> None:
    server.reply("/x", Reply(200, "ok"))
    reading, writing = os.pipe()
    os.write(writing, f'[profiles.api]\nbase_url = "{server.url}"\n'.encode())
    os.close(writing)
    result = forge("get", "/x", "--config", f"/dev/fd/{reading}")
    os.close(reading)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "ok", "")


def test_one_that_does_not_end_is_exit_28(forge: Forge, endless: int) -> None:
    result = forge("get", "/x", "--config", f"/dev/fd/{endless}", "--timeout", "0.2")
    assert result.exit_code == 28
    assert "did not end" in result.stderr


def test_the_file_of_a_secret_is_no_fifo(profile_file: Callable[[str], Path]) -> None:
    os.mkfifo("fifo")
    profile_file(f'[profiles.api]\nbase_url = "http://127.0.0.1:9"\nsecrets.t.file = "{Path("fifo").absolute()}"\n')
    with pytest.raises(MissingSecret, match="not a regular file"):
        load_profile().secrets.get("t")


def test_secrets_from_a_pipe_end_with_the_commands_limit(
    forge: Forge, profile_file: Callable[[str], Path], endless: int
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "http://127.0.0.1:9"\nsecrets.t.file = "/dev/fd/{endless}"\n'
        'auth = { type = "bearer", token = "${secrets.t}" }\n'
    )
    result = forge("get", "/x", "--timeout", "0.2")
    assert result.exit_code == 28
    assert "did not end" in result.stderr
