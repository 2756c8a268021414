"""F3: a signal ends the command within two seconds, with its code, and nothing is left half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forge_cli.files import config_dir
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
IDS = ["SIGINT", "SIGTERM"]


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "forge_cli", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as child:
        # Nobody waits for longer for anything it says.
        limit = threading.Timer(60, child.kill)
        limit.start()
        try:
            yield child
        finally:
            limit.cancel()
            child.kill()


def until(condition: Callable[[], object]) -> None:
    """Wait for what the child does: there is no event to wait for."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def stopped(child: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    child.send_signal(number)
    out, err = child.communicate(timeout=2)
    return child.returncode, out, err


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_while_waiting_for_an_answer(server: Server, number: int, code: int) -> None:
    with started("get", server.reply("/x", Reply(hold=threading.Event()))) as child:
        until(lambda: server.seen)
        assert stopped(child, number) == (code, "", "")


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_while_waiting_for_a_retry(server: Server, profile_file: Callable[[str], Path], number: int, code: int) -> None:
    with started("get", server.reply("/x", Reply(503, headers={"Retry-After": "30"}))) as child:
        assert child.stderr is not None
        assert "retry 1 of 3 in 30.0 s" in child.stderr.readline()
        assert stopped(child, number) == (code, "", "")


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_while_the_body_comes_the_old_file_stays(server: Server, number: int, code: int) -> None:
    never = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"new"
        never.wait(30)

    Path("out").write_text("old")
    with started("get", server.reply("/x", lambda seen: Reply(body=body())), "-o", "out") as child:
        until(lambda: [path for path in Path().iterdir() if path.name != "out" and path.stat().st_size])
        exit_code, stdout, stderr = stopped(child, number)
        assert (exit_code, stdout) == (code, "")
        assert "holds what came, 3 bytes: --continue resumes it" in stderr
    never.set()
    assert {path.name: path.read_text() for path in Path().iterdir()} == {"out": "old", "out.part": "new"}


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_in_the_middle_of_a_login_leaves_no_lock_and_no_damage(
    server: Server, profile_file: Callable[[str], Path], number: int, code: int
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/one" }\nextract = { token = "/token" }\n'
        '[profiles.api.auth.steps.two]\nneeds = ["one"]\nrequest = { url = "/two" }\nextract = { token = "/token" }\n'
    )
    server.reply("/one", Reply(200, {"token": "user-token-1"}))
    server.reply("/two", Reply(hold=threading.Event()), Reply(200, {"token": "user-token-2"}))
    server.reply("/x", Reply())
    with started("get", "/x") as child:
        until(lambda: server.seen_at("/two"))
        assert stopped(child, number) == (code, "", "")
    with started("get", "/x") as child:
        assert child.communicate(timeout=20) == ("", "")
        assert child.returncode == 0
    assert len(server.seen_at("/one")) == 1
    left = {path.name for path in (config_dir() / "tokens").iterdir() if path.is_file()}
    assert left <= {"api.toml", "api.toml.lock"}
