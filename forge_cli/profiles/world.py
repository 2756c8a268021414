"""What the steps of a login need of the machine: programs, time, a person, numbers that only grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..login.work import Person
from ..models import Deadline
from ..registry import Registry
from .nonce import Nonces

_PROGRAMS = Registry("program", {"run": "forge_cli.profiles.printed:run"})
"""What runs programs: loaded when there is one to run."""


class World:
    """As `login.step.World` says. A program given as a relative path is looked for in `folder`.

    `deadline` is asked by when all programs have to end.
    """

    def __init__(
        self,
        person: Person | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        nonce: Callable[[], int] | None = None,
        environ: Mapping[str, str] = os.environ,
        folder: Path = Path(),
        deadline: Callable[[], Deadline | None] = lambda: None,
    ) -> None:
        self.person = person
        self.sleep = sleep
        self.nonce = nonce or Nonces(environ).next
        self._environ = environ
        self._folder = folder
        self._deadline = deadline

    def command(self, argv: Sequence[str], env: Sequence[str]) -> str:
        """What a program of the profile's prints; see `programs.output`, which raises ProgramFailed."""
        printed: str = _PROGRAMS.load("run")(argv, env, self._environ, self._folder, self._deadline())
        return printed
