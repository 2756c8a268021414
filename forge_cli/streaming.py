"""An answer whose body is read as it is needed, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import HttpClientException, IncompleteResponseException
from .events import Timing
from .models import Headers, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from .transport.session import Answer

# What a rule about bodies looks at when the body is streamed, and what is read to keep a connection.
_PEEKED = 1024 * 1024
_DRAINED = 64 * 1024
_PIECE = 64 * 1024


class StreamedResponse:
    """An answer whose body is read as it is needed.

    `iter_bytes` raises IncompleteResponseException when the body breaks off or does not decode.
    """

    def __init__(self, answer: Answer, request: HttpRequest, history: tuple[HttpResponse, ...] = ()) -> None:
        self.status_code: int = answer.status
        self.reason: str = answer.reason
        self.headers: Headers = answer.headers
        self.url: str = answer.url
        self.http_version: str = answer.http_version
        self.encoding: str | None = answer.encoding
        self.request = request
        self.history = history
        self.attempts = 1
        self.timing: Timing = answer.timing
        self._answer = answer
        self._head: list[bytes] = []
        self._rest: Iterator[bytes] | None = None
        self._content: bytes | None = None
        self._ended: float | None = None
        self._value: HttpResponse | None = None

    def iter_bytes(self, chunk_size: int = 65536) -> Iterator[bytes]:
        """The decoded body, in pieces of at most `chunk_size` bytes."""
        for piece in self._pieces(chunk_size):
            if len(piece) <= chunk_size:
                yield piece
                continue
            for start in range(0, len(piece), chunk_size):
                yield piece[start : start + chunk_size]

    def read(self, limit: int | None = None) -> bytes:
        """The whole body. IncompleteResponseException when it is longer than `limit` bytes."""
        if self._content is None:
            pieces, size = [], 0
            for piece in self._pieces():
                pieces.append(piece)
                size += len(piece)
                if limit is not None and size > limit:
                    self.close()
                    raise IncompleteResponseException(
                        f"the body is larger than {limit} bytes",
                        context={"limit": limit},
                        hint="save it to a file, or raise max_body",
                    )
            self._finish(b"".join(pieces))
        return self._content or b""

    def peek(self, limit: int = _PEEKED) -> bytes | None:
        """The body when it is no longer than `limit`, else None; nothing is lost for later reading."""
        if self._content is not None:
            return self._content
        size = sum(map(len, self._head))
        for piece in self._unread():
            self._head.append(piece)
            size += len(piece)
            if size > limit:
                return None
        self._finish(b"".join(self._head))
        self._head.clear()
        return self._content

    def response(self) -> HttpResponse:
        """The answer as a value, with what has been read of the body."""
        if self._value is not None:
            return self._value
        value = HttpResponse(
            self.status_code,
            self.headers,
            self._content or b"",
            self.elapsed_ms,
            self.url,
            self.request,
            self.encoding,
            self.reason,
            self.history,
        )
        if self._content is not None:
            self._value = value
        return value

    def replace(self, value: HttpResponse) -> None:
        """Take the place of this answer: what a hook returned is what the caller gets."""
        self._value = value
        self.status_code, self.headers, self._content = value.status_code, value.headers, value.content
        self.url, self.encoding, self.reason = value.url, value.encoding, value.reason

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from sending until the whole body was read, or until now."""
        return ((self._ended or time.monotonic()) - self._answer.started) * 1000

    def close(self) -> None:
        """Give the connection back, or drop it when the body is not read to its end."""
        self._answer.close()

    def discard(self) -> None:
        """Read a short rest, so that the connection can be used again, and close."""
        with suppress(HttpClientException):
            self.peek(_DRAINED)
        self.close()

    def _finish(self, content: bytes) -> None:
        self._content = content
        self._ended = time.monotonic()

    def _pieces(self, size: int = _PIECE) -> Iterator[bytes]:
        if self._content is not None:
            yield self._content
            return
        while self._head:
            yield self._head.pop(0)
        yield from self._unread(size)

    def _unread(self, size: int = _PIECE) -> Iterator[bytes]:
        if self._rest is None:
            self._rest = self._answer.iter_bytes(size)
        return self._rest
