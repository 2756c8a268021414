"""The head of an answer: which of several it is, its fields, and how its body ends."""

from __future__ import annotations

import http.client
from typing import Any

from ..compiled import compiled

# "100 Continue" and its kind before the answer; real servers send one or two.
_MOST_INFORMATIONAL = 20
# The fields of a head as almost every server writes them: one a line, none folded, nothing else between them.
_PLAIN_HEAD = compiled(rb"(?:[!-9;-~]+:[^\r\n]*\r\n)+\r\n")
_PLAIN_FIELD = compiled(r"([!-9;-~]+):[ \t]*([^\r\n]*)\r\n")
_MOST_FIELDS = 100  # as the standard library has it


class HeadCut(http.client.HTTPException):
    """The connection ended before the head of an answer did."""


class LengthsDiffer(http.client.HTTPException):
    """There are two Content-Length fields, and they differ (RFC 9112, section 6.3)."""


class _Lines:
    """The lines of a head. For the standard library's parser the end of a connection is as good as an empty line."""

    def __init__(self, fp: Any) -> None:
        self._fp = fp

    def readline(self, limit: int = -1, /) -> bytes:
        line: bytes = self._fp.readline(limit)
        if not line:
            raise HeadCut
        return line


class Response(http.client.HTTPResponse):
    """Skips every informational answer (RFC 9110, section 15.2), and not endlessly many."""

    def begin(self) -> None:
        # As the standard library does it, but for its e-mail parser, which takes a tenth of a small request's time.
        if self.headers is not None or self.debuglevel > 0:
            super().begin()
            return
        version, status, reason = self._read_status()
        if not version.startswith("HTTP/1.") and version != "HTTP/0.9":
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = fields(self.fp)
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        if self.chunked:
            self.chunk_left = None
        self.length = None if self.chunked else _length(self.headers.get("content-length", ""))
        if status in (204, 304) or 100 <= status < 200 or self._method == "HEAD":
            self.length = 0
        self.will_close = self._check_close() or (not self.chunked and self.length is None)

    def measure(self) -> None:
        """See that all fields say the same of the body's length. LengthsDiffer when they do not."""
        values = self.headers.get_all("content-length", ())
        if not values or self.chunked:
            return
        lengths = {part.strip() for value in values for part in value.split(",")}
        if len(lengths) > 1:
            raise LengthsDiffer
        if self.length is None:
            self.length = _length(lengths.pop())  # the same one several times in a field

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INFORMATIONAL):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the public interface
            if not 100 <= status < 200 or status == 101:
                return version, status, reason
            _parsed(self.fp)
        raise http.client.HTTPException("too many informational responses")


def fields(fp: Any) -> http.client.HTTPMessage:
    """The fields up to the empty line. What is not plain, or not all there yet, the standard library's parser reads."""
    plain = _PLAIN_HEAD.match(fp.peek())
    found = _PLAIN_FIELD.findall(plain[0].decode("latin-1")) if plain is not None else ()
    if plain is None or len(found) >= _MOST_FIELDS:
        return _parsed(fp)
    fp.read(plain.end())
    message = http.client.HTTPMessage()
    for name, value in found:
        message.set_raw(name, value)
    return message


def _parsed(fp: Any) -> http.client.HTTPMessage:
    return http.client.parse_headers(_Lines(fp))


def _length(text: str) -> int | None:
    """A body's length. None for nonsense: the body then ends with the connection."""
    try:
        length = int(text)
    except ValueError:
        return None
    return length if length >= 0 else None
