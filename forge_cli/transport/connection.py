"""One connection: TCP, a proxy's tunnel, TLS; then a request goes out and the head of its answer comes back."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..compiled import compiled
from ..models import Deadline
from ..registry import Registry
from .deadline import EXCHANGE, TimedSocket, allowance, limited, resolve, secured
from .head import Response
from .tls import ClientCert

# One send for head and body, where the body is no longer than this.
_SMALL = 65536
_TOKEN = compiled(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = compiled(r"[!-~]+")
_PLAIN_FIELDS = compiled(r"(?:[!-9;-~]+: [^\r\n\0]*\r\n)*")
# The methods that mean something without a body, so that its missing is announced (RFC 9110, section 8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# The server may have answered, and closed, before it had read everything.
_CLOSED = frozenset({errno.EPIPE, errno.ECONNRESET, getattr(errno, "EPROTOTYPE", errno.EPIPE)})
_REMOTE = Registry("TLS inside of TLS", {"tunnel": "urllib3.util.ssltransport:SSLTransport"})

Fields = Iterable[tuple[str, str]]
Contexts = Callable[[ClientCert | None], ssl.SSLContext]


class Proxy(NamedTuple):
    """Where a proxy is, and the value of its Proxy-Authorization."""

    scheme: str
    host: str
    port: int
    authorization: str | None = None


class Place(NamedTuple):
    """What a connection leads to. Requests to two places never share one.

    Through a proxy that reads requests itself (`forwards`) all http hosts are one place.
    """

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None
    cert: ClientCert | None = None

    @property
    def forwards(self) -> bool:
        return self.proxy is not None and self.scheme == "http"


class Connection:
    """A connection to one place, which carries one exchange at a time."""

    __slots__ = ("_sock", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self._sock: Any = None

    def open(self, seconds: float | None, contexts: Contexts) -> None:
        """Connect within these seconds: name, TCP, proxy and TLS together."""
        deadline, _, target = EXCHANGE.limits
        if seconds is not None:
            deadline = Deadline.earliest(deadline, Deadline(seconds))
        try:
            with limited(deadline, None, target):
                self._open(contexts)
        except BaseException:
            self.close()
            raise
        finally:
            # What was sent so far went to a proxy, or was the TLS handshake.
            EXCHANGE.sent = False

    def send(self, head: bytes, body: bytes | Iterable[bytes] | None, *, chunked: bool) -> None:
        """Send a request. That the server closes meanwhile is no error here: it may have answered."""
        EXCHANGE.sent = True
        try:
            if isinstance(body, bytes) and not chunked and len(body) <= _SMALL:
                self._sock.sendall(head + body)
                return
            self._sock.sendall(head)
            for piece in (body,) if isinstance(body, bytes) else body or ():
                if piece:
                    self._sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                self._sock.sendall(b"0\r\n\r\n")
        except OSError as exc:
            if isinstance(exc, ssl.SSLError) or exc.errno not in _CLOSED:
                raise

    def answer(self, method: str) -> Response:
        """The head of the answer; its body is not read yet."""
        response = Response(self._sock, method=method)
        try:
            response.begin()
            response.measure()
        except BaseException:
            response.close()
            raise
        return response

    @property
    def usable(self) -> bool:
        """Whether it is open and silent: an end, or an answer that nobody asked for, can be read."""
        return self._sock is not None and not _readable(self._sock)

    def close(self) -> None:
        """Close it. May be called again."""
        sock, self._sock = self._sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _open(self, contexts: Contexts) -> None:
        place, proxy = self.place, self.place.proxy
        first = proxy or place
        self._sock = _connected(first.host, first.port)
        if proxy is not None and proxy.scheme == "https":
            self._sock = contexts(None).wrap_socket(self._sock, server_hostname=proxy.host.rstrip("."))
        if place.scheme != "https":
            return
        if proxy is not None:
            self._tunnel(proxy)
        context, name = contexts(place.cert), place.host.rstrip(".")
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock = _REMOTE.load("tunnel")(self._sock, context, server_hostname=name)
            secured(self._sock)
        else:
            self._sock = context.wrap_socket(self._sock, server_hostname=name)

    def _tunnel(self, proxy: Proxy) -> None:
        """Ask the proxy for a tunnel to the host (RFC 9110, section 9.3.6)."""
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        where = f"{host}:{self.place.port}"
        fields = [] if proxy.authorization is None else [("Proxy-Authorization", proxy.authorization)]
        self._sock.sendall(head("CONNECT", where, where, fields))
        response = self.answer("CONNECT")
        response.close()
        if not 200 <= response.status < 300:
            raise OSError(f"Tunnel connection failed: {response.status}")


def head(method: str, target: str, authority: str, fields: Fields, *framing: tuple[str, str]) -> bytes:
    """The head of a request. ValueError for what HTTP does not allow in it."""
    if _TOKEN.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
        raise ValueError("Invalid method or target")
    pairs = [*framing, *fields]
    if not any(name.lower() == "host" for name, _ in pairs):
        pairs.insert(0, ("Host", authority))
    lines = "".join([f"{name}: {value}\r\n" for name, value in pairs])
    # A value that holds a line break would pass for two fields.
    if lines.count("\n") != len(pairs) or _PLAIN_FIELDS.fullmatch(lines) is None:
        raise ValueError("Invalid header value, or name")
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def framing(method: str, body: Any, names: frozenset[str]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The fields to add that say how long the body is, beside those named here in lower case; whether it is chunked."""
    if "content-length" in names:
        return (), False
    if "transfer-encoding" in names:
        return (), True
    if body is None:
        return ((("Content-Length", "0"),) if method in _WITH_BODY else ()), False
    if isinstance(body, bytes):
        return (("Content-Length", str(len(body))),), False
    return (("Transfer-Encoding", "chunked"),), True


def _connected(host: str, port: int) -> TimedSocket:
    """A socket connected to one of the host's addresses, within the thread's limits."""
    addresses = resolve(host, port, allowance())
    timing = EXCHANGE.timing
    timing.resolved = time.monotonic()
    failure: OSError = OSError("the name has no address")
    for later, (family, kind, protocol, _, where) in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
        sock = TimedSocket(family, kind, protocol)
        try:
            left = allowance()
            # Half of the time for each address but the last: a dead first one must not use it up.
            sock.settimeout(left / 2 if later and left is not None else left)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(where)
        except OSError as exc:
            failure = exc
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            timing.connected = time.monotonic()
            timing.peer = f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"
            return sock
    try:
        raise failure
    finally:
        del failure  # it refers to this frame through its traceback


def _readable(sock: Any) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def pieces(body: Any) -> bytes | Iterator[bytes] | None:
    """A body as a caller of the HTTP library may give it."""
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    source = iter(lambda: body.read(_SMALL), b"") if hasattr(body, "read") else iter(body)
    return (piece.encode() if isinstance(piece, str) else piece for piece in source)
