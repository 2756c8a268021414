"""`--har`: every exchange of a request, as HTTP Archive 1.2, secrets masked."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ... import __version__
from ...errors import ForgeError
from ...events import Received, Redirecting, Retrying, Sending, StepEvent, Timing
from ...models import Headers, PreparedRequest, decode_text
from ...redact import REDACTOR
from .content import binary, media_type
from .files import output_file
from .heads import sent_fields
from .meta import phases

LARGEST_BODY = 10 * 1024 * 1024
"""The most bytes of one body that an archive holds; browsers have such a limit too."""


@dataclass
class Entry:
    """One request and what came of it."""

    prepared: PreparedRequest
    began: datetime
    started: float
    ended: float | None = None
    received: Received | None = None
    comment: str = ""
    body: bytes | None = None
    size: int = 0
    redirect: str = ""


@dataclass
class Recorder:
    """A listener that keeps the exchanges of the request itself; those of the login are not of it."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    entries: list[Entry] = field(default_factory=list)
    _step: str | None = None

    def __call__(self, event: Any) -> None:
        if isinstance(event, StepEvent):
            self._step = event.step
        if self._step is not None:
            return
        match event:
            case Sending():
                self.entries.append(Entry(event.prepared, self.now(), self.clock()))
            case Received() if self.entries:
                self.entries[-1].received = event
            case Redirecting() if self.entries:
                self.entries[-1].redirect = event.url
                self.entries[-1].ended = self.clock()
            case Retrying() if self.entries:
                self.entries[-1].comment = f"retried: {event.reason}"
                self.entries[-1].ended = self.clock()

    @property
    def last(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    @property
    def prepared(self) -> PreparedRequest | None:
        """The request that was sent last."""
        return self.entries[-1].prepared if self.entries else None

    def document(self) -> str:
        """The archive."""
        log = {
            "version": "1.2",
            "creator": {"name": "forge", "version": __version__},
            "entries": [_entry(entry) for entry in self.entries],
        }
        return json.dumps({"log": log}, indent=2) + "\n"


@contextmanager
def archived(path: str, recorder: Recorder) -> Iterator[None]:
    """Write the archive to the file at the end, also when the request failed. The file is private."""
    with output_file(path, private=True, option="--har") as file:
        failed: BaseException | None = None
        try:
            yield
        except BaseException as exc:
            failed = exc
            if recorder.last is not None and recorder.last.ended is None:
                recorder.last.comment = exc.message if isinstance(exc, ForgeError) else type(exc).__name__
                recorder.last.ended = recorder.clock()
        file.write(recorder.document().encode("ascii"))
    if failed is not None:
        raise failed


def _entry(entry: Entry) -> dict[str, Any]:
    received = entry.received
    timing = received.timing if received is not None and received.timing is not None else Timing(entry.started)
    ended = entry.ended if entry.ended is not None else timing.answered or entry.started
    found = {
        "startedDateTime": entry.began.isoformat(timespec="milliseconds"),
        "time": _ms(max(0.0, ended - timing.started)),
        "request": _request(entry.prepared),
        "response": _response(entry),
        "cache": {},
        "timings": _timings(timing, ended),
    }
    if timing.peer is not None:
        found["serverIPAddress"] = timing.peer.rpartition(":")[0].strip("[]")
        found["connection"] = timing.peer.rpartition(":")[2]
    if entry.comment:
        found["comment"] = REDACTOR.text(entry.comment)
    return found


def _request(prepared: PreparedRequest) -> dict[str, Any]:
    url = REDACTOR.url(prepared.url)
    body = prepared.body
    found: dict[str, Any] = {
        "method": prepared.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(REDACTOR.headers(sent_fields(prepared))),
        "queryString": _pairs(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": 0 if body is None else len(body) if isinstance(body, bytes) else _length(body),
    }
    if body is not None:
        found["postData"] = {"mimeType": prepared.headers.get("Content-Type") or "", **_posted(body, prepared)}
    return found


def _posted(body: Any, prepared: PreparedRequest) -> dict[str, str]:
    if not isinstance(body, bytes):
        return {"text": "", "comment": "a body that was read while it was sent"}
    if len(body) > LARGEST_BODY:
        return {"text": "", "comment": _too_large(len(body))}
    if binary(body, media_type(prepared.headers.get("Content-Type")), None):
        return {"text": "", "comment": f"{len(body)} bytes that are no text"}
    return {"text": REDACTOR.content(body.decode("utf-8", "replace"))}


def _too_large(size: int) -> str:
    return f"left out: {size} bytes, and an archive holds bodies of up to {LARGEST_BODY // 1024 // 1024} MiB"


def _response(entry: Entry) -> dict[str, Any]:
    received = entry.received
    if received is None:
        received = Received(0, "", Headers(), "")
    return {
        "status": received.status,
        "statusText": REDACTOR.text(received.reason),
        "httpVersion": received.http_version,
        "cookies": [],
        "headers": _pairs(REDACTOR.headers(received.headers.pairs)),
        "content": _content(entry, received.headers),
        "redirectURL": REDACTOR.url(entry.redirect),
        "headersSize": -1,
        "bodySize": -1,
    }


def _content(entry: Entry, headers: Headers) -> dict[str, Any]:
    content_type = headers.get("Content-Type") or ""
    body, size = entry.body, entry.size
    if size > LARGEST_BODY:
        return {"size": size, "mimeType": content_type, "comment": _too_large(size)}
    if body is None:
        return {"size": size, "mimeType": content_type, "comment": "the body was not kept"}
    if binary(body, media_type(content_type), None):
        text = base64.b64encode(body).decode("ascii")
        return {"size": len(body), "mimeType": content_type, "text": text, "encoding": "base64"}
    return {"size": len(body), "mimeType": content_type, "text": REDACTOR.content(decode_text(body))}


def _timings(timing: Timing, ended: float) -> dict[str, float]:
    """In milliseconds; -1 is what did not happen. The time of TLS is part of that of connecting."""
    took = {phase.name: phase.end - phase.start for phase in phases(timing, ended)}
    connect, tls = took.get("connect"), took.get("TLS")
    return {
        "blocked": -1,
        "dns": _ms(took.get("DNS")),
        "connect": _ms(connect if tls is None or connect is None else connect + tls),
        "ssl": _ms(tls),
        "send": 0,
        "wait": _ms(took.get("first byte", 0.0)),
        "receive": _ms(took.get("transfer", 0.0)),
    }


def _ms(seconds: float | None) -> float:
    return -1 if seconds is None else round(seconds * 1000, 3)


def _length(body: Any) -> int:
    length = getattr(body, "length", None)
    return length if isinstance(length, int) else -1


def _pairs(pairs: Mapping[str, str] | list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in (pairs.items() if isinstance(pairs, Mapping) else pairs)]
