"""What a step is handed to do its work, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..compiled import compiled
from ..errors import NeedsPerson
from ..frozen import immutable
from ..models import Deadline, HttpRequest, HttpResponse
from .definition import RequestTable
from .expiry import End
from .scope import Scope

if TYPE_CHECKING:
    from .jar import Jar

# RFC 7617, section 2: the first colon ends the user name.
COLON = "has a colon, which Basic authentication cannot send"
COLON_HINT = "correct what is filled in there"
# No header can carry these (RFC 9110, section 5.5), and no shell variable a NUL.
_CONTROL = compiled(r"[\x00-\x08\x0a-\x1f\x7f]")


class Result(NamedTuple):
    """The outputs of a step by name, one of them `token`, and when the token ends.

    `until` is the end of the refresh token, `clock` what the server's clock is ahead, in seconds.
    """

    outputs: Mapping[str, Any]
    end: End
    until: datetime | None = None
    clock: float | None = None


class Person(Protocol):
    """Whoever sits at the terminal."""

    def ask(self, text: str, *, hidden: bool) -> str:
        """What was typed, without the line end."""
        ...

    def tell(self, text: str) -> None:
        """Show lines that have to be read, such as a code or a URL."""
        ...

    def browse(self, url: str) -> bool:
        """Open the system browser; False when that cannot be done or is not wanted."""
        ...


class Send(Protocol):
    """Sends a step's request. Raises ConnectionException, TimeoutException and their like."""

    def __call__(self, table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
        """Send what a table describes, filled in; `scope` is what its signature is computed from."""
        ...


class Command(Protocol):
    """Runs a program of the profile's."""

    def __call__(self, argv: Sequence[str], env: Sequence[str]) -> str:
        """Its standard output, without the last line end. `env` names further variables that it gets."""
        ...


@immutable
class Work:
    """One run of one step: its name, the values it may use, the moment, and its ways to the world.

    `jars` are the cookie jars as they stand, and change as answers set cookies. `person` is None where
    nobody can be asked; see `somebody`. `sleep` waits for so many seconds, and no longer than `deadline` allows.
    """

    step: str
    scope: Scope
    now: datetime
    send: Send
    command: Command
    sleep: Callable[[float], None]
    jars: dict[str, Jar] = field(default_factory=dict)
    person: Person | None = None
    deadline: Deadline | None = None

    def somebody(self, why: str) -> Person:
        """The person. NeedsPerson when there is none; `why` says what for: "opens a browser"."""
        if self.person is None:
            raise NeedsPerson(
                f"step '{self.step}' {why}, and there is no terminal, or input is off",
                service_name=self.step,
                hint="run `forge token login` on a terminal",
            )
        return self.person


class StepKind(Protocol):
    """A kind of step: its table's dataclass, with what it does.

    A kind whose token is computed and never stored says so with ``stored = False``; one that waits for a
    person with ``interactive = True``: it runs while no lock is held.
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
