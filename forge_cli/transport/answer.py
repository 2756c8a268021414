"""One answer from the wire whose body has not been read yet."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from ..compiled import compiled
from ..errors import IncompleteResponseException
from ..events import Timing
from ..models import Headers
from .deadline import limited
from .decode import decoded
from .failures import Attempt, body_failure, timed_out

_CHARSET = compiled(r";\s*charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;]+))", re.IGNORECASE)
_BODILESS = frozenset({204, 304})
_CHUNK = 65536


class Answer:
    """Status, headers and an unread body. `started` is the monotonic time at which sending began, `timing` what came
    after it.

    Repeated header fields are kept. The body is read once, within the limits of the request.
    """

    __slots__ = (
        "_attempt",
        "_received",
        "_response",
        "headers",
        "http_version",
        "reason",
        "started",
        "status",
        "timing",
        "url",
    )

    def __init__(self, response: requests.Response, url: str, timing: Timing, attempt: Attempt) -> None:
        raw: Any = response.raw
        self._response = response
        self._attempt = attempt
        self._received = 0
        self.status: int = response.status_code
        self.reason: str = _text(response.reason or "")
        own = getattr(raw, "headers", None)
        fields: Mapping[str, str] = own if own and isinstance(own, Mapping) else response.headers
        self.headers = Headers((name, _text(value)) for name, value in fields.items())
        self.url = url
        self.http_version = "HTTP/1.0" if getattr(raw, "version", 11) == 10 else "HTTP/1.1"
        self.started = timing.started
        self.timing = timing

    @property
    def encoding(self) -> str | None:
        """The charset that Content-Type names, None when it names none."""
        match = _CHARSET.search(self.headers.get("content-type", ""))
        return next(filter(None, match.groups()), None) if match is not None else None

    def iter_bytes(self, chunk_size: int = _CHUNK) -> Iterator[bytes]:
        """The decoded body in pieces of at most `chunk_size` bytes, each as soon as it is there.

        IncompleteResponseException when it breaks off, is damaged, or is shorter than announced;
        TimeoutException when a limit passes. Closes the answer at its end.
        """
        try:
            if isinstance(self._response.raw, BaseHTTPResponse) and not self._consumed:
                yield from decoded(self._raw_chunks(chunk_size), self.headers.get("content-encoding", ""), chunk_size)
            else:
                yield from self._foreign_chunks(chunk_size)
        finally:
            self.close()

    def read(self, limit: int | None = None) -> bytes:
        """The decoded body. IncompleteResponseException when it is longer than `limit` bytes; else as `iter_bytes`."""
        pieces: list[bytes] = []
        size = 0
        for piece in self.iter_bytes():
            size += len(piece)
            if limit is not None and size > limit:
                self.close()
                raise IncompleteResponseException(
                    f"the body is larger than {limit} bytes", hint="raise `max_body`, or stream it to a file"
                )
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Give the connection up; it can be used again only if the body was read to its end."""
        self._response.close()

    @property
    def _consumed(self) -> bool:
        return bool(getattr(self._response, "_content_consumed", False))

    def _raw_chunks(self, size: int) -> Iterator[bytes]:
        """What arrives, still encoded."""
        raw, attempt = self._response.raw, self._attempt
        bodiless = self.status in _BODILESS or self._response.request.method == "HEAD"
        expected = getattr(raw, "length_remaining", None)
        while True:
            try:
                with limited(attempt.deadline, attempt.idle):
                    data = raw.read1(size, decode_content=False)
            except (HTTPError, OSError, http.client.HTTPException) as exc:
                # The originals may quote the URL.
                raise body_failure(exc, attempt, self._received, expected) from None
            if not data or bodiless:
                return
            self._received += len(data)
            yield data
            if raw.length_remaining == 0:
                return
            if attempt.deadline is not None and attempt.deadline.remaining() <= 0:
                raise timed_out(attempt)

    def _foreign_chunks(self, size: int) -> Iterator[bytes]:
        """The body of a response that an injected session made in its own way, decoded by it."""
        if self._consumed or self._response.raw is None:
            content = self._response.content or b""
            yield from (content[start : start + size] for start in range(0, len(content), size))
            return
        try:
            yield from self._response.iter_content(size)
        except (requests.RequestException, HTTPError, OSError) as exc:
            raise body_failure(exc, self._attempt, self._received, None) from None


def _text(value: str) -> str:
    """A field's text: UTF-8 where it is that, else Latin-1 (RFC 9110, section 5.5)."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
