"""F3: a signal ends the command within two seconds, with its code, and nothing is left half done."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pyte
import pytest

from forge_cli.files import config_dir, lock
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
IDS = ["SIGINT", "SIGTERM"]


@contextmanager
def started(*words: str, ignoring: int | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "forge_cli", *words]
    if ignoring is not None:
        command = ["sh", "-c", f'trap "" {int(ignoring)}; exec "$@"', "sh", *command]
    # What a profile names is where the test is.
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.getcwd()}"}
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


REFRESHES = int(os.environ.get("FORGE_TEST_SIGNALS", "5"))
"""Rounds for each signal; by hand 150."""


class Endpoint:
    """A token endpoint that signals its client once that has read a new refresh token, and not yet saved it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answers = 0
        self.told = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        self._child: subprocess.Popen[str] | None = None
        self._number = 0

    def aim(self, child: subprocess.Popen[str], number: int) -> None:
        """Signal this process, which may have asked already."""
        self._child, self._number = child, number
        self.told.set()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        self.told.wait(30)
        self.told.clear()
        self.answers += 1
        body = json.dumps(
            {"access_token": f"user-token-{self.answers}", "refresh_token": f"refresh-{self.answers}", "expires_in": 60}
        ).encode()
        # Whoever saves a token takes this lock.
        with lock(config_dir() / "tokens" / "api.toml.lock", 10):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
            if self._number and self._child is not None:
                self._child.send_signal(self._number)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_a_refresh_token_that_has_just_come_is_kept_first(
    endpoint: Endpoint, profile_file: Callable[[str], Path], number: int, code: int
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{endpoint.url}"\nauth = {{ type = "oauth2", grant = "password", '
        'token_url = "/token", client_id = "a", username = "ada", password = "user-password-1" }\n'
    )
    with started("token", "refresh") as child:
        endpoint.aim(child, 0)
        assert (child.wait(20), endpoint.answers) == (0, 1)
    for turn in range(2, REFRESHES + 2):
        with started("token", "refresh") as child:
            endpoint.aim(child, number)
            out, err = child.communicate(timeout=20)
        assert (child.returncode, out, err, endpoint.answers) == (code, "", "", turn)
        stored = (config_dir() / "tokens" / "api.toml").read_text()
        assert f'refresh_token = "refresh-{turn}"' in stored
        left = {path.name for path in (config_dir() / "tokens").iterdir() if path.is_file()}
        assert left <= {"api.toml", "api.toml.lock"}
    # Nobody holds the lock.
    with started("token", "refresh", "--timeout", "5") as child:
        endpoint.aim(child, 0)
        assert child.wait(20) == 0


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_what_is_held_back_for_a_token_acts_at_once_when_it_comes_again(
    server: Server, profile_file: Callable[[str], Path], number: int, code: int
) -> None:
    url = server.reply("/token", Reply(hold=threading.Event()))
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\nauth = {{ type = "oauth2", grant = "client-credentials", '
        f'token_url = "{url}", client_id = "a", client_secret = "user-password-1" }}\n'
    )
    with started("token", "refresh") as child:
        until(lambda: server.seen)
        began = time.monotonic()
        child.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
        assert stopped(child, number) == (code, "", "")
        assert time.monotonic() - began < 1.1


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_while_a_login_waits_for_its_next_try_nothing_is_held_back(
    server: Server, profile_file: Callable[[str], Path], number: int, code: int
) -> None:
    url = server.reply("/token", Reply(503, headers={"Retry-After": "30"}))
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\nauth = {{ type = "oauth2", grant = "client-credentials", '
        f'token_url = "{url}", client_id = "a", client_secret = "user-password-1" }}\n'
    )
    with started("get", "/x") as child:
        assert child.stderr is not None
        assert "retry 1 of 3 in 30.0 s" in child.stderr.readline()
        began = time.monotonic()
        assert stopped(child, number) == (code, "", "")
        assert time.monotonic() - began < 1


STORAGE = '''
import os, pathlib, sys, threading, time
from forge_cli.files import reserve
from forge_cli.interfaces import TokenStorageInterface

class Storage(TokenStorageInterface):
    """One in which an interrupt leaves a lock locked, or that takes it for one more error."""

    def __init__(self, **settings): pass
    def set(self, key, token): pass
    def delete(self, key): pass
    def exists(self, key): return False
    def get(self, key):
        self.room = reserve(pathlib.Path("state"), 10)
        if os.isatty(0):
            import termios
            mode = termios.tcgetattr(0)
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(0, termios.TCSANOW, mode)
            os.write(2, b"\\x1b[?25l42%")
        pathlib.Path("ready").touch()
        lock = threading.Lock()
        lock.acquire()
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pathlib.Path("unwinding").touch()
                if "HANGS" in os.environ:
                    lock.acquire()
'''


@pytest.fixture(params=["hangs", "swallows"])
def stuck(request: pytest.FixtureRequest, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile with which `token show` never comes to its end, nor does its unwinding."""
    Path("stuck.py").write_text(STORAGE)
    if request.param == "hangs":
        monkeypatch.setenv("HANGS", "1")
    profile_file(
        '[profiles.api]\nbase_url = "https://api.example"\ntokens = { storage = "stuck:Storage" }\n'
        'auth = { type = "oauth2", grant = "client-credentials", token_url = "/t", client_id = "a", '
        'client_secret = "user-password-1" }\n'
    )


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_code_that_hangs_or_swallows_the_interrupt_is_ended(stuck: None, number: int, code: int) -> None:
    with started("token", "show") as child:
        until(Path("ready").exists)
        assert {path.suffix for path in Path().iterdir()} >= {".tmp"}
        assert stopped(child, number) == (code, "", "")
    assert Path("unwinding").exists()
    assert {path.suffix for path in Path().iterdir()} & {".tmp"} == set()


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_the_second_signal_does_not_wait_for_the_unwinding(stuck: None, number: int, code: int) -> None:
    with started("token", "show") as child:
        until(Path("ready").exists)
        began = time.monotonic()
        child.send_signal(number)
        until(Path("unwinding").exists)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.2)
        assert stopped(child, number) == (code, "", "")
        assert time.monotonic() - began < 1.2
    assert {path.suffix for path in Path().iterdir()} & {".tmp"} == set()


def test_one_key_press_that_comes_twice_is_one(stuck: None) -> None:
    with started("token", "show") as child:
        until(Path("ready").exists)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        until(Path("unwinding").exists)
        assert stopped(child, signal.SIGINT) == (130, "", "")
    assert time.monotonic() - began > 1


def on_terminal(*words: str) -> pexpect.spawn[str]:
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.getcwd()}"}
    command = ["-m", "forge_cli", *words]
    return pexpect.spawn(sys.executable, command, env=env, encoding="utf-8", timeout=30, dimensions=(24, 80))


def test_ctrl_c_leaves_the_terminal_as_it_was(stuck: None) -> None:
    child = on_terminal("token", "show")
    child.expect_exact("42%")
    until(Path("ready").exists)
    assert not child.getecho()
    child.sendintr()
    until(Path("unwinding").exists)
    time.sleep(0.2)
    child.sendintr()
    child.expect(pexpect.EOF)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(f"\x1b[?25l42%{child.before}")
    assert (screen.cursor.hidden, screen.cursor.x) == (False, 0)
    assert child.getecho()
    child.close()
    assert child.exitstatus == 130


def test_ctrl_c_during_a_progress_line_leaves_a_clean_line(server: Server) -> None:
    never = threading.Event()

    def body() -> Iterator[bytes]:
        for _ in range(400):
            yield b"x" * 65536
            never.wait(0.01)

    child = on_terminal("get", server.reply("/x", lambda seen: Reply(body=body())), "-o", "out")
    child.expect(r"MiB/s")
    shown = f"{child.before}{child.after}"
    child.sendintr()
    began = time.monotonic()
    child.expect(pexpect.EOF)
    assert time.monotonic() - began < 2
    never.set()
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(f"{shown}{child.before}")
    assert (screen.cursor.hidden, screen.cursor.x) == (False, 0)
    assert "MiB/s" not in "".join(screen.display)
    child.close()
    assert child.exitstatus == 130


EARLY = """
import gc, os, signal, sys
from forge_cli.__main__ import command
if {ignored}:
    signal.signal({number}, signal.SIG_IGN)
gc.set_threshold = lambda most: os.kill(os.getpid(), {number})
sys.argv = ["forge", "--version"]
command()
"""


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=IDS)
def test_before_the_command_line_is_there_a_signal_is_its_exit_code_and_no_traceback(number: int, code: int) -> None:
    def ran(ignored: bool) -> subprocess.CompletedProcess[str]:
        text = EARLY.format(number=int(number), ignored=ignored)
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=env, timeout=30)

    assert (ran(False).returncode, ran(False).stdout, ran(False).stderr) == (code, "", "")
    assert ran(True).returncode == 0


def test_what_the_process_was_told_to_ignore_it_ignores(server: Server) -> None:
    with started("get", server.reply("/x", Reply(hold=threading.Event())), ignoring=signal.SIGINT) as child:
        until(lambda: server.seen)
        child.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
        assert stopped(child, signal.SIGTERM) == (143, "", "")
