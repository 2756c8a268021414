"""A login as it runs, for a person to read: each step's request, answer, time and outputs, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..hooks import Listener, Received, Redirecting, Retrying, Sending, StepEvent
from ..login.scope import outputs_of
from ..models import HttpResponse, PreparedRequest, TokenData
from ..profiles.build import Profile
from ..profiles.wire import Way
from ..redact import REDACTOR, masked
from .output.heads import request_head, response_head
from .output.text import paint, visible, visible_line
from .output.tokens import expiry

_BODY_SHOWN = 2000
_PUBLIC = ("token_type", "scope")


class Trace:
    """A listener for a profile's login that writes down what it is told. `say` is told of retries and redirects."""

    def __init__(self, write: Callable[[str], Any], say: Callable[[str], None], *, color: bool) -> None:
        self._write = write
        self._say = say
        self._color = color
        self._step: str | None = None
        self._shown: str | None = None
        self.steps: list[str] = []
        self.profile: Profile | None = None

    def __call__(self, event: Any) -> None:
        match event:
            case StepEvent():
                self._step = event.step
                if event.step is not None:
                    self._begin(event.step)
            case Sending():
                self._head("> ", request_head(event.prepared, self._color, REDACTOR))
                self._body("> ", _text_of(event.prepared))
            case Received():
                version, status, reason = event.http_version, event.status, event.reason
                self._head("< ", response_head(version, status, reason, event.headers, self._color, REDACTOR))
            case HttpResponse():
                self._body("< ", event.text)
                self._write(paint(f"  {event.elapsed_ms:.0f} ms\n", "dim", self._color))
            case Retrying():
                self._say(f"{event.reason}, retry {event.attempt} of {event.max_retries} in {event.delay:.1f} s")
            case Redirecting():
                self._say(f"{event.status}, redirected to {REDACTOR.url(event.url)}")

    def close(self) -> None:
        """Say what came of the last step."""
        if self._shown is not None and self.profile is not None:
            step = self.profile.login.pipeline.steps[self._shown]
            token = self.profile.login.pipeline.stored(self._shown) if step.stored else None
            if token is not None:
                self._write(f"  took {_taken(token)}\n  {visible_line(expiry(token))}\n")
        self._shown = None

    def _begin(self, step: str) -> None:
        if step == self._shown:
            return
        self.close()
        self._write(("\n" if self.steps else "") + paint(f"step {visible_line(step)}", "strong", self._color) + "\n")
        self.steps.append(step)
        self._shown = step

    def _head(self, mark: str, head: str) -> None:
        self._write("".join(f"{mark}{line}\n" for line in head.splitlines()))

    def _body(self, mark: str, text: str) -> None:
        if not text:
            return
        shown = REDACTOR.body(text)
        cut = f"\n… {len(shown) - _BODY_SHOWN} more characters" if len(shown) > _BODY_SHOWN else ""
        lines = visible(shown[:_BODY_SHOWN] + cut).splitlines()
        self._write(f"{mark.rstrip()}\n" + "".join(f"{mark}{line}\n" for line in lines))


class TracedProfile(Profile):
    """A profile whose listener is also told each answer of its login, once its body is there."""

    def step_client(self, way: Way) -> Any:
        return _Told(super().step_client(way), self.tell)


class _Told:
    """A client that says what it was answered."""

    def __init__(self, client: Any, tell: Listener) -> None:
        self._client = client
        self._tell = tell

    def request(self, *args: Any, **options: Any) -> Any:
        response = self._client.request(*args, **options)
        self._tell(response)
        return response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()


def _text_of(prepared: PreparedRequest) -> str:
    body = prepared.body
    if body is None or isinstance(body, bytes):
        return (body or b"").decode("utf-8", "replace")
    return "<a body that is made while it is sent>"


def _taken(token: TokenData) -> str:
    """The outputs by name, each masked."""
    known = outputs_of(token).items()
    return visible_line(
        ", ".join(f"{name} {value if name in _PUBLIC else masked(str(value))}" for name, value in known)
    )
