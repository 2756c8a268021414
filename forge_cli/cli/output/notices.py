"""What a client does, told on stderr: retries and redirects always, the exchanges with `-v`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...events import Foreign, Received, Redirecting, Retrying, RetryStopped, Sending, StepEvent, Timing
from ...models import Headers, PreparedRequest
from ...redact import REDACTOR, sensitive
from .heads import request_head, response_head
from .meta import connection, milliseconds, phases

NOT_VERIFIED = "certificates are not verified: anybody in between can read and change this"


class Notices:
    """A listener for `HttpClient`: `say` is told sentences, `show` the heads of messages.

    It remembers what the exit code and the last message need.
    """

    def __init__(self, say: Callable[[str], None], show: Callable[[str], None], *, verbose: int, color: bool) -> None:
        self._say = say
        self._show = show
        self._verbose = verbose
        self._color = color
        self._step: str | None = None
        self.stripped_by: str | None = None
        self.credential_sent = False

    def __call__(self, event: Any) -> None:
        if isinstance(event, Received) and 300 <= event.status < 400:
            # Before any of it is shown: the next request repeats it.
            for location in event.headers.get_all("location"):
                REDACTOR.hear(location)
        match event:
            case StepEvent():
                self._step = event.step
            case Sending():
                self._sending(event.prepared)
            case Received() if self._shown:
                headers = event.headers if self._step is None else Headers(REDACTOR.answered(event.headers.pairs))
                head = response_head(event.http_version, event.status, event.reason, headers, self._color, REDACTOR)
                self._connection(event)
                self._heads("< ", head)
            case Retrying():
                wait = f"{event.delay:.1f} s" if event.delay >= 0.05 else "0 s"
                self._say(
                    f"{self._where}{event.reason}, retry {event.attempt} of {event.max_retries} in {wait} (--retry 0)"
                )
            case RetryStopped():
                self._say(f"{self._where}not retried: {event.reason}")
            case Redirecting():
                self._redirect(event)
            case Foreign():
                self._say("the URL is not of this profile's origins: sent without its headers and credentials")

    def _sending(self, prepared: PreparedRequest) -> None:
        if self._step is None:
            names = (name for name, _ in prepared.headers.pairs)
            self.credential_sent = bool(prepared.query_credentials) or any(map(sensitive, names))
        if self._shown:
            self._heads("> ", request_head(prepared, self._color, REDACTOR))

    def _redirect(self, event: Redirecting) -> None:
        url = REDACTOR.url(event.url)
        if event.stripped:
            self.stripped_by = url
            self._say(
                f"redirected to another origin, {url}: credentials were left out\n"
                "  to send them there, add the origin to `origins` in the profile"
            )
        elif self._verbose >= 2:
            self._say(f"{event.status}, redirected to {url}")

    def ended(self, timing: Timing, moment: float) -> None:
        """The body is there."""
        if self._verbose >= 2:
            *_, last = phases(timing, moment)
            total = milliseconds(moment - timing.started)
            self._show(f"* {last.name} {last.took}, total {total}\n")

    def _connection(self, event: Received) -> None:
        """Of which kind the connection is, and how long it took to the first byte."""
        if self._verbose < 2 or event.timing is None:
            return
        took = ", ".join(f"{phase.name} {phase.took}" for phase in phases(event.timing, None))
        self._heads("* ", "\n".join((*connection(event.timing), took)))

    @property
    def _shown(self) -> bool:
        return self._verbose >= (1 if self._step is None else 2)

    @property
    def _where(self) -> str:
        return f"login step '{self._step}': " if self._step is not None else ""

    def _heads(self, mark: str, head: str) -> None:
        name = f"[{self._step}] " if self._step is not None else ""
        self._show("".join(f"{mark}{name}{line}\n" for line in head.splitlines()))
