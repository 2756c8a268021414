"""`forge token exec`: run a command with the token in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click

from ....errors import UsageError
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from .chosen import STEP, TIMEOUT, deadline_of, sending, variables


@click.command("exec", cls=Sectioned, context_settings={"allow_interspersed_args": False})
@STEP
@TIMEOUT
@silent
@global_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@pass_context
def exec_(context: Context, /, step: str | None, timeout: float | None, command: tuple[str, ...]) -> int:
    """Run a command with the token in its environment, and end with its exit code.

    \b
      forge token exec -- ./deploy.sh
      forge token exec -- sh -c 'curl --oauth2-bearer "$FORGE_TOKEN" "$URL"'

    FORGE_TOKEN is the token; FORGE_TOKEN_<STEP> each step's own.
    """
    profile = sending(context)
    environment = {**context.environ, **variables(profile, step, deadline_of(profile, timeout))}
    context.stdout.flush()
    try:
        return run(list(command), environment)
    except OSError as exc:
        reason = (exc.strerror or "").lower()
        raise UsageError(f"cannot run {command[0]!r}: {reason}", hint="give a program after --") from None


def run(command: list[str], environment: dict[str, str], *, platform: str = sys.platform) -> int:
    """Become the command, or where that cannot be done, run it and return its exit code."""
    if platform == "win32":
        return subprocess.call(command, env=environment)
    # Python ignores these two, and what it runs would inherit that.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], command, environment)  # noqa: S606  # no shell is what is wanted
