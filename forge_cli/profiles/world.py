"""What the steps of a login need of the machine: programs, time, a person, numbers that only grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..login.work import Person
from ..registry import Registry
from .nonce import Nonces

_PROGRAMS = Registry("program", {"output": "forge_cli.programs:output"})
"""What runs programs: loaded when there is one to run."""


class World:
    """As `login.step.World` says. A program given as a relative path is looked for in `folder`."""

    def __init__(
        self,
        person: Person | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        nonce: Callable[[], int] | None = None,
        environ: Mapping[str, str] = os.environ,
        folder: Path = Path(),
    ) -> None:
        self.person = person
        self.sleep = sleep
        self.nonce = nonce or Nonces(environ).next
        self._environ = environ
        self._folder = folder

    def command(self, argv: Sequence[str], env: Sequence[str]) -> str:
        """What a program of the profile's prints; see `programs.output`, which raises ProgramFailed."""
        printed: str = _PROGRAMS.load("output")(argv, env, self._environ, folder=self._folder)
        return printed
