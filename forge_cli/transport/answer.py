"""One answer from the wire whose body has not been read yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

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


class Source(Protocol):
    """What an answer is read from: `Received` from the wire, or `Foreign` from a session of somebody else's.

    `errors` is what reading raises. With `encoded` the body has its content codings on, and `remaining` is how much
    of it is to come, None: not known.
    """

    status: int
    reason: str
    version: int

    @property
    def pairs(self) -> Iterable[tuple[str, str]]: ...

    @property
    def encoded(self) -> bool: ...

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    @property
    def remaining(self) -> int | None: ...

    def read1(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class Answer:
    """Status, headers and an unread body. `started` is the monotonic time at which sending began, `timing` what came
    after it.

    Repeated header fields are kept. The body is read once, within the limits of the request.
    """

    __slots__ = (
        "_attempt",
        "_bodiless",
        "_received",
        "_source",
        "headers",
        "http_version",
        "reason",
        "started",
        "status",
        "timing",
        "url",
    )

    def __init__(self, source: Source, method: str, url: str, timing: Timing, attempt: Attempt) -> None:
        self._source = source
        self._attempt = attempt
        self._received = 0
        self._bodiless = source.status in _BODILESS or method == "HEAD"
        self.status: int = source.status
        self.reason: str = _text(source.reason)
        self.headers = Headers((name, _text(value)) for name, value in source.pairs)
        self.url = url
        self.http_version = "HTTP/1.0" if source.version == 10 else "HTTP/1.1"
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
            codings = self.headers.get("content-encoding", "") if self._source.encoded else ""
            yield from decoded(self._chunks(chunk_size), codings, chunk_size)
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
        self._source.close()

    def _chunks(self, size: int) -> Iterator[bytes]:
        """What arrives, as it arrives."""
        source, attempt = self._source, self._attempt
        limits = limited(attempt.deadline, attempt.idle)
        expected = source.remaining
        while True:
            try:
                with limits:
                    data = source.read1(size)
            except source.errors as exc:
                # The originals may quote the URL.
                raise body_failure(exc, attempt, self._received, expected) from None
            if not data or self._bodiless:
                return
            self._received += len(data)
            yield data
            if source.remaining == 0:
                return
            if attempt.deadline is not None and attempt.deadline.remaining() <= 0:
                raise timed_out(attempt)


def _text(value: str) -> str:
    """A field's text: UTF-8 where it is that, else Latin-1 (RFC 9110, section 5.5)."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
