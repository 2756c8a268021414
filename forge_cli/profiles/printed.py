"""What programs print, for secrets and steps; here, so that only a profile that has one loads what runs programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import MissingSecret, TimeoutException
from ..models import Deadline
from ..programs import LIMIT, ProgramFailed, TooLate, output
from .schema import CommandSecret


def printed(
    name: str, where: CommandSecret, environ: Mapping[str, str], folder: Path, deadline: Deadline | None = None
) -> str:
    """What the program of a secret prints. MissingSecret when it fails; a relative path starts at `folder`."""
    try:
        return run(where.command, where.env, environ, folder, deadline)
    except ProgramFailed as exc:
        hint = "run the command by hand to see why" if exc.started else "correct its `command`"
        raise MissingSecret(f"secret {name!r}: {exc}", hint=hint) from exc.__cause__


def run(
    argv: Sequence[str], env: Sequence[str], environ: Mapping[str, str], folder: Path, deadline: Deadline | None = None
) -> str:
    """As `programs.output`, and no longer than until the deadline. TimeoutException when that passes first."""
    left = LIMIT if deadline is None else deadline.remaining()
    try:
        if left <= 0:
            raise TooLate(f"{argv[0]!r} was not run")
        return output(argv, env, environ, folder=folder, limit=min(LIMIT, left))
    except TooLate as exc:
        if deadline is None or left >= LIMIT:
            raise
        raise TimeoutException(
            f"{exc}, which is all of {deadline.seconds:g} s that was left" if left > 0 else f"{exc}: no time was left",
            hint="allow more with --timeout",
        ) from exc
