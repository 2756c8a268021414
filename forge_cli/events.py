"""What a client tells a listener while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from .models import Headers, HttpResponse, PreparedRequest


@dataclass(slots=True, eq=False)
class Timing:
    """When one exchange came how far, in monotonic seconds; None: not at all, as on a connection that was open.

    `peer` is the address that it was connected to, `tls` the protocol and cipher, `certificate` the server's,
    as `ssl.SSLSocket.getpeercert` gives it; empty when it was not verified.
    """

    started: float
    resolved: float | None = None
    connected: float | None = None
    secured: float | None = None
    answered: float | None = None
    peer: str | None = None
    tls: str | None = None
    certificate: dict[str, Any] | None = None


class Sending(NamedTuple):
    """A request is about to go out."""

    prepared: PreparedRequest


class Received(NamedTuple):
    """The head of an answer has come; its body may not be read yet."""

    status: int
    reason: str
    headers: Headers
    http_version: str
    timing: Timing | None = None


class Retrying(NamedTuple):
    """An attempt failed and will be repeated in `delay` seconds."""

    reason: str
    attempt: int
    max_retries: int
    delay: float


class RetryStopped(NamedTuple):
    """An attempt that would have been repeated is not; `reason` says why."""

    reason: str


class Redirecting(NamedTuple):
    """A redirect is followed. `stripped` is True when credentials stay behind."""

    status: int
    url: str
    stripped: bool


class Foreign(NamedTuple):
    """The URL is not of the client's origins: sent without default headers and credentials."""

    url: str


class StepEvent(NamedTuple):
    """What follows belongs to this login step; None: to the request again."""

    step: str | None


class Answered(NamedTuple):
    """A step's request was answered, and its body is there."""

    response: HttpResponse


Listener = Callable[[Any], None]


class _Thread(threading.local):
    listener: Listener | None = None


_thread = _Thread()


@contextmanager
def overheard(listener: Listener) -> Iterator[None]:
    """Within it the listener is told of each exchange of this thread, whichever client sends it.

    A login has clients of its own, which whoever sends many requests has to count too.
    """
    before, _thread.listener = _thread.listener, listener
    try:
        yield
    finally:
        _thread.listener = before


def overhearing() -> Listener | None:
    """Who is told of this thread's exchanges, beside the client's own listener."""
    return _thread.listener
