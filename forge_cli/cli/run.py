"""One run of the command: its global options, its streams, and who is told what; `--help` needs no more than this."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from ..errors import UsageError
from ..redact import REDACTOR
from ..registry import Registry
from .completers import completed
from .failure import Failure
from .output.text import visible

if TYPE_CHECKING:
    from ..models import Deadline
    from ..tokens.unbroken import Ending

_LATER = Registry("stream", {"patient": "forge_cli.cli.patience:patient"})
"""What only a command with a limit needs."""


class Run:
    """One run of the command. Global options may come before or after the command's name."""

    def __init__(self, program: str = "forge", environ: Mapping[str, str] = os.environ) -> None:
        self.program = program
        self.environ = environ
        self.arguments: tuple[str, ...] = ()
        self.profile_name: str | None = None
        self.config: str | None = None
        self.no_project = False
        self.variables: dict[str, str] = {}
        self.no_input = False
        self.debug = 0
        self.silent = 0
        self.stdin: TextIO | None = sys.stdin
        self.stdout: TextIO = sys.stdout
        self.stderr: TextIO = sys.stderr
        # What is open until the command ends.
        self.resources = ExitStack()
        self.ending: Ending | None = None
        """Whoever ends the run when a signal comes."""
        self._stdin_reader: str | None = None
        self.deadline: Deadline | None = None
        """By when the command has to end, where --timeout says so."""
        self.said = False
        """Whether anything was told on standard error."""

    def notice(self, text: str) -> None:
        """Tell the person something that is not the answer; `-s` leaves it out."""
        if not self.silent:
            self.warn(text)

    def fail(self, failure: Failure) -> None:
        """Say why the command failed, once and last; `-ss` leaves it out. FORGE_ERRORS=json makes it an object."""
        if self.silent > 1:
            return
        if self.errors_as_json:
            self.tell(f"{failure.document()}\n")
            return
        for line in failure.lines():
            self.warn(line)

    @property
    def errors_as_json(self) -> bool:
        """Whether a program reads why a command failed."""
        return self.environ.get("FORGE_ERRORS") == "json"

    def warn(self, text: str) -> None:
        """Tell the person something that nothing silences."""
        self.tell(f"{self.program}: {visible(REDACTOR.text(text))}\n")

    def end_line(self) -> None:
        """End the line in which a terminal shows `^C`."""
        if _is_terminal(self.stderr):
            self.tell("\n")

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked: a terminal, and neither `--no-input` nor CI forbids it."""
        off = self.no_input or any(
            self.environ.get(name, "").lower() not in ("", "0", "false") for name in ("FORGE_NO_INPUT", "CI")
        )
        return not off and _is_terminal(self.stdin) and _is_terminal(self.stderr)

    def ask(self, text: str) -> str:
        """Ask for a secret on the terminal, without echo. UsageError when the person ends the input instead."""
        try:
            return getpass.getpass(f"{text}: ", self.stderr)
        except EOFError:
            self.end_line()
            raise UsageError("nothing was entered", hint="type it when asked") from None

    def read_stdin(self, reader: str) -> bytes:
        """All of standard input, for the one `reader` that asks. UsageError for a second one, and when it is closed.

        TimeoutException when it has not ended by the command's deadline.
        """
        return self.open_stdin(reader).read()

    def open_stdin(self, reader: str) -> BinaryIO:
        """Standard input, for the one `reader` that asks. UsageError for a second one, and when it is closed."""
        if self.stdin is None:
            raise UsageError(f"{reader}: standard input is closed", hint="give it by a file: @FILE")
        if self._stdin_reader is not None:
            raise UsageError(
                f"{self._stdin_reader} and {reader} both read standard input", hint="give one of them by a file: @FILE"
            )
        self._stdin_reader = reader
        if self.deadline is None:
            return self.stdin.buffer
        limited: BinaryIO = _LATER.load("patient")(self.stdin.buffer, self.deadline)
        return limited

    def tell(self, text: str) -> None:
        """Write to standard error as it is. A text that nobody can read is no reason to fail."""
        self.said = True
        try:
            self.stderr.write(text)
            self.stderr.flush()
        except (OSError, ValueError):
            discard(self.stderr)


def discard(stream: TextIO) -> None:
    """Let nothing that is still buffered fail a second time when Python ends."""
    with suppress(OSError, ValueError):
        stream.flush()
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:
        return False


Decorator = Callable[[Any], Any]


def bundle(*decorators: Decorator) -> Decorator:
    """Several decorators as one, applied so that options are listed in this order."""

    def apply(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def section(title: str, *decorators: Decorator) -> Decorator:
    """As `bundle`; these options have a section of the help of their own, where there are several."""

    def apply(function: Any) -> Any:
        there = len(getattr(function, "__click_params__", ()))
        function = bundle(*decorators)(function)
        for parameter in function.__click_params__[there:]:
            parameter.section = title
        return function

    return apply


def remembered(*names: str, to: str, **settings: Any) -> Decorator:
    """An option whose value goes into the run, wherever on the command line it was given."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Run), to, value)

    return click.option(*names, expose_value=False, callback=remember, **settings)


def _variables(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", ctx=ctx, param=parameter)
        ctx.ensure_object(Run).variables[name] = text


global_options = section(
    "Everywhere",
    remembered(
        "--profile",
        "-p",
        to="profile_name",
        metavar="NAME",
        shell_complete=completed("profile"),
        help="The profile to use (FORGE_PROFILE; default: as the file says).",
    ),
    remembered(
        "--config",
        to="config",
        metavar="FILE",
        shell_complete=completed("file"),
        help="The profile file to use (FORGE_CONFIG; default: as `forge profile path` says).",
    ),
    remembered("--no-project", to="no_project", is_flag=True, help="Ignore a project's .forge.toml."),
    click.option(
        "--var",
        multiple=True,
        expose_value=False,
        callback=_variables,
        shell_complete=completed("var"),
        metavar="NAME=VALUE",
        help="Override a var of the profile.",
    ),
    remembered("--no-input", to="no_input", is_flag=True, help="Never ask; fail instead (FORGE_NO_INPUT, CI)."),
    remembered(
        "--debug",
        to="debug",
        count=True,
        help="Report a failure so that it can be pasted into a public ticket; twice: with hosts.",
    ),
)
"""Options that every command takes, and that may also stand before its name."""
