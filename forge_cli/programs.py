"""Programs that a profile names: run without a shell, with little of the environment, for a short time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from .redact import REDACTOR

_T = TypeVar("_T")

LIMIT = 10.0
"""Seconds for one program."""
_PASSED_ON = ("PATH", "HOME", "LANG", "TERM")
# Windows finds its own libraries, what is a program, the home directory and room for temporary files by these.
_PASSED_ON_WINDOWS = (*_PASSED_ON, "SystemRoot", "PATHEXT", "USERPROFILE", "TEMP", "TMP")
# Seconds that it takes at most until a program runs, or is known not to.
_START = 5.0
_MOST_OUTPUT = 1024 * 1024
_MOST_ERRORS = 8192
_MOST_SHOWN = 200


class ProgramFailed(Exception):
    """A program could not be run, or gave nothing; whoever wanted it says what that means.

    The text names the program and holds no secret. `started` is whether it ran at all.
    """

    def __init__(self, text: str, *, started: bool = True) -> None:
        super().__init__(text)
        self.started = started


class TooLate(ProgramFailed):
    """A program did not end in time."""


class Ended(NamedTuple):
    """How a program ended; a negative code is the signal that ended it."""

    program: str
    code: int
    output: bytes
    errors: bytes

    def failure(self) -> str:
        """What to say about a code that is not 0: with the last line of its standard error, without secrets."""
        said = REDACTOR.body(self.errors.decode("utf-8", "replace"))
        lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in said.splitlines()]
        last = next((line for line in reversed(lines) if line), "")
        return f"{self.program!r} failed with {self.code}" + (f": {last[:_MOST_SHOWN]}" if last else "")


def passed_on(environ: Mapping[str, str], more: Sequence[str], *, platform: str = sys.platform) -> dict[str, str]:
    """What a program sees of the environment: little, and the variables that the profile names."""
    names = _PASSED_ON_WINDOWS if platform == "win32" else _PASSED_ON
    return {name: environ[name] for name in (*names, *more) if name in environ}


def located(
    argv: Sequence[str], folder: Path, environ: Mapping[str, str], *, platform: str = sys.platform
) -> tuple[str, ...]:
    """The words with an absolute path of the program; it starts at `folder` or at home. A bare name stays one."""
    program = argv[0]
    windows = platform == "win32"
    home = environ.get("HOME") or (environ.get("USERPROFILE") if windows else None)
    if home and program.startswith(("~/", "~\\") if windows else "~/"):
        program = str(Path(home, program[2:]))
    elif "/" in program or (windows and "\\" in program):
        program = str(folder.absolute() / program)
    return (program, *argv[1:])


def output(
    argv: Sequence[str], env: Sequence[str], environ: Mapping[str, str], *, folder: Path, limit: float = LIMIT
) -> str:
    """What a program prints, without the last line end. ProgramFailed when it fails or prints nothing.

    Of `environ` it sees PATH, HOME, LANG, TERM and the variables named in `env`. Its standard input is empty.
    For `folder` see `located`.
    """
    argv = located(argv, folder, environ)
    ended = run(argv, env, environ, limit=limit)
    if ended.code != 0:
        raise ProgramFailed(ended.failure())
    try:
        text = ended.output.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # The original quotes what it could not decode.
        raise ProgramFailed(f"what {argv[0]!r} printed is not UTF-8") from None
    if not text.strip():
        raise ProgramFailed(f"{argv[0]!r} printed nothing")
    return text


def run(
    argv: Sequence[str], env: Sequence[str], environ: Mapping[str, str], *, given: bytes = b"", limit: float = LIMIT
) -> Ended:
    """Run a program to its end; `given` is its standard input.

    ProgramFailed when it cannot be run; when it does not end within `limit` seconds or prints more than
    1 MiB, after which it is killed with all it started, as it is after an interrupt.
    """
    until = time.monotonic() + limit
    starting: Future[subprocess.Popen[bytes]] = Future()
    printed: Future[bytes] = Future()
    said: Future[bytes] = Future()

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=passed_on(environ, env),
            start_new_session=True,
        )
        if given:
            _apart(Future(), _feed, process.stdin, given)
        _apart(printed, _start_of, process.stdout)
        _apart(said, _end_of, process.stderr)
        return process

    try:
        # Apart, for an interrupt in the midst of it would leave a program and pipes that nobody knows of.
        _apart(starting, start)
        try:
            process = starting.result()
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a program's name"
            raise ProgramFailed(f"cannot run {argv[0]!r}: {reason.lower()}", started=False) from exc
        found = printed.result(max(0.0, until - time.monotonic()))
        if len(found) > _MOST_OUTPUT:
            raise ProgramFailed(f"{argv[0]!r} printed more than 1 MiB")
        errors = said.result(max(0.0, until - time.monotonic()))
        code = process.wait(max(0.0, until - time.monotonic()))
    except BaseException as exc:
        _kill(starting)
        if not isinstance(exc, TimeoutError | subprocess.TimeoutExpired):
            raise
        raise TooLate(f"{argv[0]!r} did not end within {limit:.3g} s") from None
    return Ended(argv[0], code, found, errors)


def _apart(result: Future[_T], work: Callable[..., _T], *arguments: object) -> None:
    """Do this in a thread that nobody has to wait for: what a program left behind may hold a pipe for ever."""

    def carry_out() -> None:
        try:
            result.set_result(work(*arguments))
        except Exception as exc:
            result.set_exception(exc)

    threading.Thread(target=carry_out, daemon=True).start()


def _feed(pipe: IO[bytes], given: bytes) -> None:
    # A program need not read its input.
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(given)


def _start_of(pipe: IO[bytes]) -> bytes:
    with pipe:
        return pipe.read(_MOST_OUTPUT + 1)


def _end_of(pipe: IO[bytes]) -> bytes:
    kept = b""
    with pipe:
        while piece := pipe.read(_MOST_ERRORS):
            kept = (kept + piece)[-_MOST_ERRORS:]
    return kept


def _kill(starting: Future[subprocess.Popen[bytes]]) -> None:
    """End the program and all it started, as far as they stayed together."""
    try:
        process = starting.result(_START)
    except Exception:
        return  # there is none
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
