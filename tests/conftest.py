"""What every test has: a home of its own, a scripted server, and the real program in process."""

from __future__ import annotations

import importlib
import io
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import hypothesis
import pytest

from forge_cli.files import config_dir
from forge_cli.redact import REDACTOR
from tests.canaries import Canaries
from tests.server import Server

STRICT = os.environ.get("FORGE_REQUIRE_SERVERS") == "1"
"""Whether a missing program or server is a failure: so that a build cannot pass by skipping."""

# What would make a test depend on the machine it runs on.
_AMBIENT = re.compile(
    r"FORGE_.*|XDG_.*|.*_PROXY|.*_CA_BUNDLE|SSL_CERT_(FILE|DIR)|NETRC|REQUEST_METHOD|CI|COLUMNS|LINES"
    # What is left of Python's own says where modules are and where their compiled form goes.
    r"|NO_COLOR|FORCE_COLOR|CLICOLOR.*|PYTHON(?!PATH|HOME|DONTWRITEBYTECODE|PYCACHEPREFIX).*",
    re.IGNORECASE,
)

# A busy machine is no reason to fail: what has to be fast is measured elsewhere.
# Where nobody looks for the failing example, each run looks at the same ones; by hand each looks further.
hypothesis.settings.register_profile("forge", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("forge")

# The address of a login by browser is for the person at the terminal; these two are worth nothing elsewhere.
_SHOWN = re.compile(r"(?<=[?&])(state|nonce)=[\w-]+")

_passed = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """See that child processes of tests can be interrupted: a shell may have told this one to ignore SIGINT."""
    config.addinivalue_line("markers", "shows_secrets(reason): what this test runs shows secrets, and why it may")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory for this test alone, and an environment that says nothing; it starts in `~/project`."""
    home = tmp_path_factory.mktemp("home")
    project = home / "project"
    project.mkdir()
    for name in filter(_AMBIENT.fullmatch, tuple(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.chdir(project)
    return home


@pytest.fixture(autouse=True)
def own_secrets() -> Iterator[None]:
    """What one test made secret is ordinary text for the next: the redactor lives as long as the process."""
    yield
    REDACTOR.clear()


@pytest.fixture(autouse=True)
def canaries(
    request: pytest.FixtureRequest, own_home: Path, own_secrets: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Canaries]:
    """Plants secrets; a run that writes one anywhere but into the store fails its test.

    What the program itself knows to be secret counts as planted in every test, on standard error.
    """
    planted = Canaries(monkeypatch)
    marker = request.node.get_closest_marker("shows_secrets")
    if marker is not None:
        assert marker.kwargs.get("reason"), "shows_secrets needs a reason"
        planted.excused = True
    yield planted
    planted.finish([own_home / "project"])


@pytest.fixture
def profile_file(own_home: Path) -> Callable[[str], Path]:
    """Write the user's profile file; return its path."""

    def write(text: str) -> Path:
        path = config_dir() / "profiles.toml"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def _running(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server() as server:
        yield server
    # A test that failed or was skipped half-way has said enough.
    if request.node.stash.get(_passed, False):
        server.check()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for this test; it fails the test over a request without a route, or a route without a request."""
    yield from _running(request)


@pytest.fixture
def other_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A second server: another origin, with the same rules."""
    yield from _running(request)


class Require:
    """Skips the test when something is not installed; fails it under FORGE_REQUIRE_SERVERS=1."""

    def __call__(self, program: str, install: str) -> str:
        """The path of a program; `install` is the command that brings it."""
        path = shutil.which(program)
        return path if path is not None else self.missing(f"{program} is not installed: {install}")

    def package(self, *names: str, install: str = "pip install 'forge-http[test]'") -> Any:
        """The first of these modules that there is; `install` is the command that brings one."""
        for name in names:
            with suppress(ModuleNotFoundError):
                return importlib.import_module(name)
        return self.missing(f"{' or '.join(names)} is not installed: {install}")

    def missing(self, reason: str) -> NoReturn:
        """Stop here, for this reason."""
        if STRICT:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def require() -> Require:
    return Require()


@dataclass(frozen=True)
class Result:
    """What a run of the program left behind."""

    exit_code: int
    stdout_bytes: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")


class Forge(Protocol):
    """Run the program in this process, as `forge ARGS`.

    `input` is standard input; without it, reading standard input is an error. `tty` makes all three
    streams terminals, or those that are named.
    """

    def __call__(
        self,
        *args: str,
        input: str | bytes | None = None,
        tty: bool | Collection[str] = False,
        env: Mapping[str, str] | None = None,
    ) -> Result: ...


class _NotToBeRead(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        raise AssertionError("standard input was read, and the test gave none")


class _Stream(io.TextIOWrapper):
    def __init__(self, raw: io.RawIOBase | io.BytesIO, terminal: bool) -> None:
        buffer = raw if isinstance(raw, io.BytesIO) else io.BufferedReader(raw)
        super().__init__(buffer, encoding="utf-8", newline="" if terminal else None, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def _run(args: list[str]) -> int:
    # Tests of one module must not need the whole command line to be importable.
    main: Callable[[list[str]], int] = importlib.import_module("forge_cli.cli.app").main
    try:
        return main(args)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, canaries: Canaries) -> Forge:
    def run(
        *args: str,
        input: str | bytes | None = None,
        tty: bool | Collection[str] = False,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        terminals = ("stdin", "stdout", "stderr") if tty is True else tty or ()
        source: io.RawIOBase | io.BytesIO = _NotToBeRead()
        if input is not None:
            source = io.BytesIO(input.encode() if isinstance(input, str) else input)
        out, err = io.BytesIO(), io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", _Stream(source, "stdin" in terminals))
            patch.setattr(sys, "stdout", _Stream(out, "stdout" in terminals))
            patch.setattr(sys, "stderr", _Stream(err, "stderr" in terminals))
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            exit_code = _run(list(args))
            sys.stdout.flush()
            sys.stderr.flush()
            # A stream that is thrown away closes its buffer; the bytes are wanted first.
            result = Result(exit_code, out.getvalue(), err.getvalue().decode("utf-8", "replace"))
        canaries.look("standard output", result.stdout)
        canaries.look("standard error", _SHOWN.sub("", result.stderr), tuple(REDACTOR._values))
        return result

    return run
