"""A request as it goes over the wire, and the way it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..errors import RequestBuildException
from ..models import Deadline, PreparedRequest
from .connection import Place
from .decode import accept_encoding
from .tls import ClientCert


class Outgoing:
    """Method, URL, fields in their order, and a body that can be read once. Field values are Latin-1 for the wire."""

    __slots__ = ("body", "fields", "method", "url")

    def __init__(self, method: str, url: str, fields: list[tuple[str, str]], body: Any) -> None:
        self.method = method
        self.url = url
        self.fields = fields
        self.body: bytes | Iterator[bytes] | None = body

    def field(self, name: str) -> str | None:
        """The value of a field; of a repeated one the first."""
        wanted = name.lower()
        return next((value for found, value in self.fields if found.lower() == wanted), None)

    def close(self) -> None:
        """Close the body: after an early answer it may be sent only in part, and its file still be open."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


class Way(NamedTuple):
    """How a request travels: what the connection leads to, what stands in the request line and as Host, and the limits.

    `proxy` is the proxy's URL. A `stranger` is an origin that must not see what the session knows of others.
    """

    place: Place
    target: str
    authority: str
    proxy: str | None
    connect: float | None
    idle: float | None
    deadline: Deadline | None
    stranger: bool
    cert: ClientCert | None


def outgoing(prepared: PreparedRequest, url: str, *, forwarded: bool) -> Outgoing:
    """The request for the wire, to `url`. RequestBuildException when the body does not fit its Content-Length.

    `forwarded` says that a proxy reads the request itself, not only its bytes.
    """
    given = prepared.headers
    # Latin-1 is what is written; this way the bytes are UTF-8.
    fields = [
        (name, value if value.isascii() else value.encode("utf-8").decode("latin-1")) for name, value in given.pairs
    ]
    if not forwarded and "Proxy-Authorization" in given:
        # It is for proxies, and none would see it.
        fields = [pair for pair in fields if pair[0].lower() != "proxy-authorization"]
    if "Accept-Encoding" not in given:
        fields.append(("Accept-Encoding", accept_encoding()))
    return Outgoing(prepared.method, url, fields, _body(prepared, fields))


def _body(prepared: PreparedRequest, fields: list[tuple[str, str]]) -> bytes | Iterator[bytes] | None:
    body = prepared.body
    if body is None:
        return None
    content = body if isinstance(body, bytes) else body.open()
    length = len(content) if isinstance(content, bytes) else body.length
    if length is None or "Transfer-Encoding" in prepared.headers:
        return content if isinstance(content, bytes) else _measured(content, None)
    announced = prepared.headers.get("Content-Length")
    if announced is None:
        fields.append(("Content-Length", str(length)))
    elif announced != str(length):
        # The rest would be taken for the next request on the connection, or be waited for.
        raise RequestBuildException(f"Content-Length says {announced}, and the body has {length} bytes")
    return content if isinstance(content, bytes) else _measured(content, length)


def _measured(chunks: Iterable[bytes], length: int | None) -> Iterator[bytes]:
    """The chunks; RequestBuildException when they cannot be read or are not as long as announced."""
    sent = 0
    try:
        for chunk in chunks:
            sent += len(chunk)
            if length is not None and sent > length:
                break
            yield chunk
    except OSError as exc:
        raise RequestBuildException(f"the body cannot be read: {(exc.strerror or type(exc).__name__).lower()}") from exc
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    if length is not None and sent != length:
        raise RequestBuildException(
            f"the body is not the {length} bytes that were announced", hint="was the file changed?"
        )
