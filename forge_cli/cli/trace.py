"""A login as it runs, for a person to read: each step's request, answer, time and outputs, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..events import Answered, Received, Redirecting, Retrying, Sending, StepEvent
from ..login.scope import outputs_of
from ..models import Headers, PreparedRequest, TokenData
from ..profiles.build import Profile
from ..redact import REDACTOR, masked, speaks
from .output.heads import request_head, response_head
from .output.text import paint, visible, visible_line
from .output.tokens import expiry

_BODY_SHOWN = 2000
_PUBLIC = ("token_type", "scope")


class Trace:
    """A listener for a profile's login that writes down what it is told. `say` is told of retries and redirects.

    A step is shown once it is over: only then it is known what in its answer is secret.
    """

    def __init__(self, write: Callable[[str], Any], say: Callable[[str], None], *, color: bool) -> None:
        self._write = write
        self._say = say
        self._color = color
        self._shown: str | None = None
        self._messages: list[Callable[[], str]] = []
        self.steps: list[str] = []
        self.profile: Profile | None = None

    def __call__(self, event: Any) -> None:
        match event:
            case StepEvent():
                if event.step is not None:
                    self._begin(event.step)
            case Sending():
                self._later("> ", lambda: request_head(event.prepared, self._color, REDACTOR))
                self._later("> ", lambda: _body(_text_of(event.prepared)))
            case Received():
                version, status, reason = event.http_version, event.status, event.reason

                def head() -> str:
                    headers = Headers(REDACTOR.answered(event.headers.pairs))
                    return response_head(version, status, reason, headers, self._color, REDACTOR)

                self._later("< ", head)
            case Answered():
                # What is no refusal to HTTP may be full of credentials, also where no output is.
                masks = REDACTOR.body if event.response.status_code >= 400 else REDACTOR.success
                self._later("< ", lambda: _body(event.response.text, masks))
                self._later("  ", lambda: paint(f"{event.response.elapsed_ms:.0f} ms", "dim", self._color))
            case Retrying():
                self._say(f"{event.reason}, retry {event.attempt} of {event.max_retries} in {event.delay:.1f} s")
            case Redirecting():
                self._say(f"{event.status}, redirected to {REDACTOR.url(event.url)}")

    def close(self) -> None:
        """Show the last step, and what came of it."""
        if self._shown is None:
            return
        head = paint(f"step {visible_line(self._shown)}", "strong", self._color)
        self._write(("\n" if len(self.steps) > 1 else "") + head + "\n")
        for message in self._messages:
            self._write(message())
        self._messages.clear()
        for login in () if self.profile is None else self.profile.logins:
            if self._shown in login.steps and login.steps[self._shown].stored:
                token = login.pipeline.stored(self._shown)
                if token is not None:
                    self._write(f"  took {_taken(token)}\n  {visible_line(expiry(token))}\n")
        self._shown = None

    def _begin(self, step: str) -> None:
        if step != self._shown:
            self.close()
            self.steps.append(step)
            self._shown = step

    def _later(self, mark: str, text: Callable[[], str]) -> None:
        self._messages.append(lambda: "".join(f"{mark}{line}".rstrip() + "\n" for line in text().splitlines()))


def _body(text: str, masks: Callable[[str], str] = REDACTOR.body) -> str:
    """A body under its head, without secrets and not all of a long one."""
    shown = masks(text)
    rest = len(shown) - _BODY_SHOWN
    more = f"\n… {rest} more characters" if rest > 0 else ""
    return f"\n{visible(shown[:_BODY_SHOWN])}{more}" if shown else ""


def _text_of(prepared: PreparedRequest) -> str:
    body = prepared.body
    if body is None or isinstance(body, bytes):
        return (body or b"").decode("utf-8", "replace")
    return "<a body that is made while it is sent>"


def _taken(token: TokenData) -> str:
    """The outputs by name, each masked."""
    known = outputs_of(token).items()
    return visible_line(
        ", ".join(
            f"{name} {value if name in _PUBLIC or speaks(name, str(value)) else masked(str(value))}"
            for name, value in known
        )
    )
