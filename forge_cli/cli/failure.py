"""Why a command failed, in the two forms in which it is said: lines for a person, an object for a program."""

from __future__ import annotations

import json
from typing import NamedTuple

from ..redact import REDACTOR


class Failure(NamedTuple):
    """One failure. `before` are others that are told first, `details` belong to its message."""

    exit: int
    kind: str
    message: str
    hint: str | None = None
    step: str | None = None
    retryable: bool = False
    before: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For a person: each failure as one text, whose further lines are indented."""
        hint = () if not self.hint else (self.hint,)
        return [*self.before, "\n  ".join((self.message, *self.details, *hint))]

    def document(self) -> str:
        """For a program: one line of JSON, in ASCII, without secrets."""
        message = "\n".join((*self.before, self.message, *self.details))
        return json.dumps(
            {
                "exit": int(self.exit),
                "kind": self.kind,
                "step": self.step,
                "retryable": self.retryable,
                "message": REDACTOR.text(message),
                "hint": None if not self.hint else REDACTOR.text(self.hint),
            }
        )
