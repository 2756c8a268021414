"""The real executable: many runs of it side by side, in pipes and on terminals, each with a home of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from tests.server import Answer, Reply, Seen, Server

ROOT = Path(__file__).parents[2]
PEOPLE = [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]
WIDTH, HEIGHT = 100, 40
AT_ONCE = 4
_PYTHON = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "COVERAGE_PROCESS_START")

PROFILES = """
default_profile = "api"

[profiles.api]
base_url = "@URL@"
vars = { tenant = "a" }
headers = { X-Tenant = "${vars.tenant}" }
retry = { base_delay = 0.01 }

[profiles.api.requests.people]
url = "/x"

[profiles.login]
extends = "api"

[profiles.login.auth]
type = "pipeline"

[profiles.login.auth.steps.app]
request = { method = "POST", url = "/app" }
extract = { token = "/token" }

[profiles.login.auth.steps.user]
request = { method = "POST", url = "/user", headers = { X-App = "${steps.app.token}" } }
extract = { token = "/token" }
revoke = { request = { method = "POST", url = "/revoke" } }
"""


@dataclass(frozen=True)
class Ended:
    """A run that has ended: what it wrote, what it left in its directory, and what the server saw of it."""

    exit: int
    out: bytes
    err: str
    home: Path
    seen: Sequence[Seen] = ()

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def screen(self) -> list[str]:
        """The lines on a terminal that all of it was written to."""
        screen = pyte.Screen(WIDTH, HEIGHT)
        pyte.ByteStream(screen).feed(self.out)
        return [line.rstrip() for line in screen.display]


@dataclass(frozen=True)
class Case:
    """One run of a command, and what holds of it.

    In `words`, `{url}` is this run's part of the server. The server answers `/x` in it with `answers` and the
    login's steps with a token. `out` and `err` are pieces of what is written, `holds` what else has to be true.
    `before` are commands that run first. With `interrupt`, Ctrl-C comes after the first line of stdout.
    """

    command: str
    words: str = ""
    answers: Sequence[Answer] = (Reply(200, PEOPLE),)
    exit: int = 0
    out: Sequence[str] = ()
    err: Sequence[str] = ()
    holds: Callable[[Ended], bool] = field(default=lambda ended: True)
    stdin: bytes | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    before: Sequence[str] = ()
    interrupt: bool = False
    terminal: bool = False

    def __str__(self) -> str:
        return f"{self.command} {self.words}".strip()


def prepared(case: Case, number: int, server: Server, home: Path) -> tuple[str, dict[str, str]]:
    """The address of a case's part of the server, and its environment: with its routes, profiles and files."""
    url = f"{server.url}/{number}"
    home.mkdir()
    (home / "forge").mkdir(mode=0o700)
    (home / "forge" / "profiles.toml").write_text(PROFILES.replace("@URL@", url))
    (home / "forge" / "profiles.toml").chmod(0o600)
    for name, content in case.files.items():
        (home / name).write_bytes(content.replace(b"{url}", url.encode()))
    server.reply(f"/{number}/x", *case.answers, optional=True)
    for step in ("app", "user"):
        server.reply(f"/{number}/{step}", Reply(200, {"token": f"{step}-token-1"}), optional=True)
    server.reply(f"/{number}/revoke", Reply(200), optional=True)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "FORGE_CONFIG_DIR": str(home / "forge"),
        "TMPDIR": str(home),
        "TERM": "xterm-256color",
        "API_TOKEN": "api-token-1",
        "API_USER": "ada:password-1",
    }
    environ |= {name: os.environ[name] for name in _PYTHON if name in os.environ}
    return url, {**environ, **{name: value.replace("{url}", url) for name, value in case.env.items()}}


def run(case: Case, number: int, server: Server, home: Path) -> Ended:
    """Run a case from beginning to end."""
    url, environ = prepared(case, number, server, home)

    def argv(text: str) -> list[str]:
        return [sys.executable, "-m", "forge_cli", *shlex.split(text.replace("{url}", url))]

    for words in case.before:
        subprocess.run(argv(words), env=environ, cwd=home, check=True, capture_output=True, timeout=60)
    command = argv(str(case))
    if case.terminal:
        code, out = on_terminal(command, environ, home)
        err = ""
    else:
        code, out, err = in_pipe(command, environ, home, case)
    seen = [request for request in server.seen if request.path.startswith(f"/{number}/")]
    return Ended(code, out, err, home, seen)


def in_pipe(command: list[str], environ: dict[str, str], home: Path, case: Case) -> tuple[int, bytes, str]:
    """Run a command with pipes around it; without input, standard input is one in which nothing ever comes."""
    silent = os.pipe() if case.stdin is None else None
    stdin = subprocess.PIPE if silent is None else silent[0]
    try:
        with subprocess.Popen(
            command, env=environ, cwd=home, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            first = b""
            if case.interrupt:
                assert child.stdout is not None
                first = child.stdout.readline()
                child.send_signal(signal.SIGINT)
            out, err = child.communicate(case.stdin, timeout=60)
            return child.returncode, first + out, err.decode()
    finally:
        for descriptor in silent or ():
            os.close(descriptor)


def on_terminal(command: list[str], environ: dict[str, str], home: Path) -> tuple[int, bytes]:
    """Run a command on a terminal, and return all that was written to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    with subprocess.Popen(
        command, env=environ, cwd=home, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        written = b""
        with suppress(OSError):  # how Linux says that nobody has it open any more
            while piece := os.read(ours, 65536):
                written += piece
        os.close(ours)
        return child.wait(timeout=60), written


def run_all(cases: Sequence[Case], server: Server, folder: Path) -> list[Ended]:
    """Run all cases, some at a time, and return their ends in the same order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = [pool.submit(run, case, number, server, folder / str(number)) for number, case in enumerate(cases)]
        return [each.result() for each in started]


def check(case: Case, ended: Ended) -> None:
    """Whether what was to happen has happened."""
    said = f"$ forge {case}\n{ended.out!r}\n{ended.err}\n{[(seen.method, seen.target) for seen in ended.seen]}"
    assert ended.exit == case.exit, said
    shown = "\n".join(ended.screen) if case.terminal else ended.out.decode("utf-8", "replace")
    for text in case.out:
        assert text in shown, said
    for text in case.err:
        assert text in ended.err, said
    assert "Traceback" not in ended.err, said
    assert case.holds(ended), said


def uses(case: Case, names: list[str]) -> bool:
    """Whether an option is among a case's words, be it repeated as in -vv."""
    words = shlex.split(case.words)
    short = [re.compile(f"-{name[1:]}+") for name in names if re.fullmatch("-[a-z]", name)]
    return any(word.partition("=")[0] in names or any(form.fullmatch(word) for form in short) for word in words)
