"""What a step is handed to do its work, and what it hands back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from ..models import HttpRequest, HttpResponse
from .expiry import End
from .scope import Scope

# No header can carry these (RFC 9110, section 5.5), and no shell variable a NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Result(NamedTuple):
    """The outputs of a step by name, one of them `token`, and when the token ends."""

    outputs: Mapping[str, Any]
    end: End


@dataclass(frozen=True)
class Work:
    """One run of one step: its name, the values it may use, the moment, and a way to send.

    `send` takes a request and how many redirects to follow; it raises ConnectionException,
    TimeoutException and their like.
    """

    step: str
    scope: Scope
    now: datetime
    send: Callable[[HttpRequest, int], HttpResponse]


class StepKind(Protocol):
    """A kind of step: its table's dataclass, with what it does.

    A kind whose token is computed and never stored says so with ``stored = False``.
    """

    def run(self, work: Work) -> Result:
        """Obtain the outputs. StepFailed when they were refused."""
        ...

    def renew(self, work: Work) -> Result | None:
        """Renew the outputs that `work.scope.own` holds; None when that was refused, or cannot be done."""
        ...


def unfit_token(token: str) -> str | None:
    """Why a text cannot be a token, None when it can."""
    if not token:
        return "the token is empty"
    return "the token holds a line break or another control character" if _CONTROL.search(token) else None
