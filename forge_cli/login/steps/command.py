"""The step that a program carries out."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from ...errors import ProfileError, StepFailed
from ...programs import ProgramFailed
from ..definition import Argv, Extract, StepTable, Variable, key, table
from ..exchange import hide
from ..expiry import ends
from ..extract import Missing, outputs, places
from ..work import Result, Work, unfit_token


class Printed:
    """What a program printed, as an answer that outputs are taken from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, Any] = {}
        self._parsed: list[Any] = []

    def json(self) -> Any:
        """The output as JSON. ValueError: it is none."""
        if not self._parsed:
            try:
                self._parsed.append(json.loads(self.text))
            except RecursionError:
                raise ValueError("nested too deeply") from None
        return self._parsed[0]

    def header(self, name: str) -> str | None:
        """A program has no headers."""
        return None


@table
class CommandStep(StepTable):
    """Run a program; it prints the token, or what the outputs are taken from."""

    usual_cache: ClassVar[str] = "store"

    command: Argv = key("the program and its arguments, run without a shell for at most 10 seconds")
    env: tuple[Variable, ...] = key("variables it gets beside PATH, HOME, LANG and TERM", default=())
    extract: Extract | None = key("outputs by name, one of them `token`; default: all that it prints", default=None)

    def run(self, work: Work) -> Result:
        """Run the program. StepFailed when it fails, or prints no token."""
        if any(each.verify is not None for place in (self.extract or {}).values() for each in places(place)):
            # Better no token than one that somebody believes was verified.
            raise ProfileError(f"step '{work.step}': what a command prints cannot be verified", hint="remove `verify`")
        try:
            printed = Printed(work.command(self.command, self.env))
        except ProgramFailed as exc:
            text, hint = str(exc), "run the command by hand to see why"
            if exc.started:
                raise StepFailed(work.step, text, hint=hint) from exc.__cause__
            raise ProfileError(f"step '{work.step}': {text}", hint="check `command` in this step") from exc.__cause__
        try:
            found = {"token": printed.text} if self.extract is None else outputs(self.extract, printed, work.scope)
        except Missing as exc:
            raise StepFailed(work.step, exc.message, hint=exc.hint) from None
        hide(found)
        unfit = unfit_token(str(found.get("token", "")))
        if unfit is not None:
            advice = "check what the command prints, or take the token from it with `extract`"
            raise StepFailed(work.step, unfit, hint=advice)
        return Result(found, ends(self.expires, printed, found, work.now))

    def renew(self, work: Work) -> None:
        """The program is run again instead."""
