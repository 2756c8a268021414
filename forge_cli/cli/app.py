"""The table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from .. import __version__
from ..errors import ForgeError, HttpClientException, ProfileError, StepFailed
from ..redact import quoted
from ..registry import Registry
from .exit_codes import HINTS, MEANINGS, ExitCode, cause_of, exit_code_of, kind_of, passing
from .failure import Failure
from .group import Entry, LazyGroup
from .run import Run, discard, global_options
from .signals import Signals, Terminated, handled
from .streams import closed, take_any_character
from .variables import VARIABLES

_SEND = "forge_cli.cli.commands.send"
_REQUESTS, _LOGINS, _ITSELF = "Requests", "Logins and profiles", "forge itself"

COMMANDS: dict[str, Entry] = {
    "get": Entry(f"{_SEND}:get", "Send a GET request.", _REQUESTS),
    "post": Entry(f"{_SEND}:post", "Send a POST request.", _REQUESTS),
    "put": Entry(f"{_SEND}:put", "Send a PUT request.", _REQUESTS),
    "patch": Entry(f"{_SEND}:patch", "Send a PATCH request.", _REQUESTS),
    "delete": Entry(f"{_SEND}:delete", "Send a DELETE request.", _REQUESTS),
    "head": Entry(f"{_SEND}:head", "Send a HEAD request.", _REQUESTS),
    "options": Entry(f"{_SEND}:options", "Send an OPTIONS request.", _REQUESTS),
    "request": Entry(f"{_SEND}:request", "Send a request with any method.", _REQUESTS),
    "run": Entry("forge_cli.cli.commands.run:run", "Send a request that the profile has saved.", _REQUESTS),
    "batch": Entry("forge_cli.cli.commands.batch:batch", "Send many requests from a file, by one login.", _REQUESTS),
    "curl": Entry(
        "forge_cli.cli.commands.curl:curl", "Print a request as a cURL command, and send nothing.", _REQUESTS
    ),
    "token": Entry("forge_cli.cli.commands.token:token", "Show, renew, use and forget tokens.", _LOGINS),
    "profile": Entry("forge_cli.cli.commands.profile:profile", "List, show, check and write profiles.", _LOGINS),
    "trust": Entry("forge_cli.cli.commands.trust:trust", "Allow a project's profile file.", _LOGINS),
    "demo": Entry(
        "forge_cli.cli.commands.demo:demo", "See a three-step login at work, on this machine alone.", _ITSELF
    ),
    "doctor": Entry(
        "forge_cli.cli.commands.doctor:doctor", "Check what forge works with, and say what to do.", _ITSELF
    ),
    "completion": Entry(
        "forge_cli.cli.commands.completion:completion", "Print a script that completes in the shell.", _ITSELF
    ),
}

_REPORT = Registry("report of a", {"failure": "forge_cli.cli.report:report"})
"""Few runs fail in a way that needs one."""

_EXAMPLES = """\
\b
Examples:
  forge demo                                 see it work, with nothing set up
  forge profile init                         write your first profile
  forge get /users --profile prod            log in as it says, and ask
  forge post /users name=Ada admin:=true     send JSON
  forge curl GET /users                      the same as a curl command
  curl -H "$(forge token show --header)" …   keep your curl
"""


class Commands(LazyGroup):
    """The commands, and after them the variables and what exit codes mean."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Environment variables"):
            formatter.write_dl(list(VARIABLES.items()))
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), MEANINGS[code]) for code in ExitCode])


@click.group(
    cls=Commands,
    entries=COMMANDS,
    help=f"The HTTP command line for APIs whose login takes more than one step.\n\n{_EXAMPLES}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@global_options
def forge() -> None:
    """The command itself does nothing; see the table of commands."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Nothing below this prints an error or exits.

    Without `argv` the command line is that of this process, which then has nothing else to do.
    """
    with handled(for_good=argv is None) as signals:
        try:
            return _ran(argv, signals)
        except (KeyboardInterrupt, Terminated) as exc:
            # It came while another failure was on its way.
            return ExitCode.TERMINATED if isinstance(exc, Terminated) else ExitCode.INTERRUPTED


def _ran(argv: Sequence[str] | None, signals: Signals) -> int:
    _mend_streams()
    run = Run(_program())
    run.ending = signals
    try:
        # Not `forge.main`: that has ideas of its own about closed pipes, interrupts and exit codes.
        arguments = list(sys.argv[1:] if argv is None else argv)
        run.arguments = tuple(arguments)
        with run.resources, forge.make_context(run.program, arguments, obj=run) as ctx:
            result = forge.invoke(ctx)
        run.stdout.flush()
        signals.due()
        return int(result or 0)
    except (Exception, KeyboardInterrupt, Terminated) as exc:
        signals.over()
        return _report(exc, run)


def _report(exc: BaseException, run: Run) -> int:
    """Say what went wrong, once, and return its exit code."""
    match exc:
        case click.exceptions.Exit():
            return exc.exit_code
        case KeyboardInterrupt():
            run.end_line()
            return ExitCode.INTERRUPTED
        case Terminated():
            return ExitCode.TERMINATED
        case click.exceptions.NoArgsIsHelpError():
            return _no_command(exc, run)
        case click.UsageError():
            return _usage(exc, run)
        case ForgeError():
            return _failure(exc, run)
        case OSError() if closed(exc):
            discard(sys.stdout)
            return ExitCode.PIPE_CLOSED
        case OSError(errno=errno.ENOSPC | errno.EIO | errno.EBADF | errno.EDQUOT | errno.EFBIG):
            discard(sys.stdout)
            reason = f"the output cannot be written: {(exc.strerror or '').lower()}"
            run.fail(Failure(exit=ExitCode.LOCAL_IO, kind="output", message=reason))
            return ExitCode.LOCAL_IO
        case _:
            return _bug(exc, run)


def _failure(exc: ForgeError, run: Run) -> int:
    if run.debug:
        _show_report(exc, run)
    cause = cause_of(exc)
    step = cause.context.get("step") if isinstance(cause, HttpClientException) else None
    code = exit_code_of(cause)
    run.fail(
        Failure(
            exit=code,
            kind=kind_of(cause),
            message=cause.message if step is None else f"login step '{step}': {cause.message}",
            hint=cause.hint or exc.hint or HINTS.get(code),
            step=cause.step if isinstance(cause, StepFailed) else step,
            retryable=passing(cause),
            details=cause.problems if isinstance(cause, ProfileError) else (),
        )
    )
    return code


def _show_report(exc: BaseException, run: Run) -> None:
    try:
        report = _REPORT.load("failure")(exc, run, tuple(COMMANDS))
    except Exception as fault:
        # What was to be reported matters more.
        report = f"{type(exc).__name__}, and {type(fault).__name__} while it was reported"
    run.warn(f"report, without secrets; it can be made public\n{report}\n--- end of the report")


def _usage(exc: click.UsageError, run: Run) -> int:
    where = exc.ctx.command_path if exc.ctx is not None else run.program
    text = _without_values(exc.format_message().rstrip("."), run.arguments)
    message = f"{text[:1].lower()}{text[1:]}"
    run.fail(Failure(exit=ExitCode.USAGE, kind="usage", message=message, hint=f"see `{where} --help`"))
    return ExitCode.USAGE


def _without_values(text: str, arguments: Sequence[str]) -> str:
    """A message of click's, which quotes arguments, with no more of each than can be no secret."""
    values = {part for argument in arguments for part in (argument, argument.partition("=")[2]) if len(part) >= 4}
    for value in sorted(values, key=len, reverse=True):
        for spelling in (value, repr(value)[1:-1]):
            text = text.replace(spelling, quoted(value)[1:-1])
    return text


def _no_command(exc: click.exceptions.NoArgsIsHelpError, run: Run) -> int:
    """A person is shown what there is."""
    if run.errors_as_json:
        where = exc.ctx.command_path if exc.ctx is not None else run.program
        message = "no command is given"
        run.fail(Failure(exit=ExitCode.USAGE, kind="usage", message=message, hint=f"see `{where} --help`"))
    else:
        run.tell(f"{exc.format_message()}\n")
    return ExitCode.USAGE


def _bug(exc: BaseException, run: Run) -> int:
    """An error that nobody foresaw. Its texts may quote secrets, so they pass the redactor too."""
    message = "this is a bug in forge, please report it"
    run.warn(message)
    _show_report(exc, run)
    if run.errors_as_json:
        run.fail(Failure(exit=ExitCode.BUG, kind="bug", message=f"{message}: {type(exc).__name__}"))
    return ExitCode.BUG


def _program() -> str:
    """The name it was called by, for help and exported commands."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return name if name in ("forge", "forge-http") else "forge"


def _mend_streams() -> None:
    """See that standard output and error are there, and can take any character."""
    # The next file that is opened would otherwise become a closed stream's descriptor.
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")  # writing to it fails, as it should
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    take_any_character(sys.stdout)
