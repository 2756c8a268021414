"""What the steps of a login need of the machine: programs, time, a person, numbers that only grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import programs
from ..login.work import Person
from .nonce import Nonces


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
        self.nonce = nonce or Nonces().next
        self._environ = environ
        self._folder = folder

    def command(self, argv: Sequence[str], env: Sequence[str]) -> str:
        """What a program of the profile's prints; see `programs.output`, which raises ProgramFailed."""
        return programs.output(programs.located(argv, self._folder, self._environ), env, self._environ)
