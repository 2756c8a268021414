"""The secrets that programs print; here, so that only a profile that has one loads what runs programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import MissingSecret
from ..programs import ProgramFailed, output
from .schema import CommandSecret


def printed(name: str, where: CommandSecret, environ: Mapping[str, str], folder: Path) -> str:
    """What the program of a secret prints. MissingSecret when it fails; a relative path starts at `folder`."""
    try:
        return output(where.command, where.env, environ, folder=folder)
    except ProgramFailed as exc:
        hint = "run the command by hand to see why" if exc.started else "correct its `command`"
        raise MissingSecret(f"secret {name!r}: {exc}", hint=hint) from exc.__cause__
