"""Programs that a profile names: run without a shell, with little of the environment, for a short time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, NamedTuple

from .redact import REDACTOR

LIMIT = 10.0
"""Seconds for one program."""
# Windows finds its own libraries by this one.
_PASSED_ON = ("PATH", "HOME", "LANG", "TERM", *(("SystemRoot",) if os.name == "nt" else ()))
_MOST_OUTPUT = 1024 * 1024
_MOST_ERRORS = 8192
_MOST_SHOWN = 200
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


class ProgramFailed(Exception):
    """A program could not be run, or gave nothing; whoever wanted it says what that means.

    The text names the program and holds no secret. `started` is whether it ran at all.
    """

    def __init__(self, text: str, *, started: bool = True) -> None:
        super().__init__(text)
        self.started = started


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


def located(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The words with an absolute path of the program; it starts at `folder` or at home. A bare name stays one."""
    program = argv[0]
    home = environ.get("HOME")
    if home and program.startswith("~/"):
        program = str(Path(home, program[2:]))
    elif any(separator in program for separator in _SEPARATORS):
        program = str(folder.absolute() / program)
    return (program, *argv[1:])


def output(argv: Sequence[str], env: Sequence[str], environ: Mapping[str, str], *, limit: float = LIMIT) -> str:
    """What a program prints, without the last line end. ProgramFailed when it fails or prints nothing.

    Of `environ` it sees PATH, HOME, LANG, TERM and the variables named in `env`. Its standard input is empty.
    """
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
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: environ[name] for name in (*_PASSED_ON, *env) if name in environ},
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a program's name"
        raise ProgramFailed(f"cannot run {argv[0]!r}: {reason.lower()}", started=False) from exc
    until = time.monotonic() + limit
    try:
        if process.stdin is not None:
            _apart(_feed, process.stdin, given)
        printed, said = _apart(_start, process.stdout), _apart(_end, process.stderr)
        found = printed.result(max(0.0, until - time.monotonic()))
        if len(found) > _MOST_OUTPUT:
            raise ProgramFailed(f"{argv[0]!r} printed more than 1 MiB")
        errors = said.result(max(0.0, until - time.monotonic()))
        code = process.wait(max(0.0, until - time.monotonic()))
    except BaseException as exc:
        _kill(process)
        if not isinstance(exc, TimeoutError | subprocess.TimeoutExpired):
            raise
        raise ProgramFailed(f"{argv[0]!r} did not end within {limit:g} s") from None
    return Ended(argv[0], code, found, errors)


def _apart(work: Callable[..., bytes], *arguments: object) -> Future[bytes]:
    """Do this in a thread that nobody has to wait for: what a program left behind may hold a pipe for ever."""
    result: Future[bytes] = Future()

    def carry_out() -> None:
        try:
            result.set_result(work(*arguments))
        except Exception as exc:
            result.set_exception(exc)

    threading.Thread(target=carry_out, daemon=True).start()
    return result


def _feed(pipe: IO[bytes], given: bytes) -> bytes:
    # A program need not read its input.
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(given)
    return b""


def _start(pipe: IO[bytes]) -> bytes:
    with pipe:
        return pipe.read(_MOST_OUTPUT + 1)


def _end(pipe: IO[bytes]) -> bytes:
    kept = b""
    with pipe:
        while piece := pipe.read(_MOST_ERRORS):
            kept = (kept + piece)[-_MOST_ERRORS:]
    return kept


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and all it started, as far as they stayed together."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
