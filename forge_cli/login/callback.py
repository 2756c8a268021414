"""The listener that a browser brings the answer of an authorization server to (RFC 8252, section 7.3)."""

from __future__ import annotations

import base64
import hashlib
import selectors
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from ..compiled import compiled
from ..errors import StepFailed
from .endpoint import is_loopback_literal

_SOCKET_SECONDS = 5.0
_NAME = "localhost"
# An authorization code can be long; nothing else in the head of such a request is.
_LARGEST_HEAD = 64 * 1024
# A browser opens a handful; of more, the oldest is the least likely to be it.
_MOST_CONNECTIONS = 32
_REQUEST_LINE = compiled(r"([A-Z]{1,20}) (\S{1,65536}) HTTP/1\.[01]")


class Place(NamedTuple):
    """What a redirect URI says of the listener: address, port (0: any that is free) and path."""

    host: str
    port: int
    path: str


class _HasTrouble(Protocol):
    @property
    def trouble(self) -> str | None: ...


A = TypeVar("A", bound=_HasTrouble)


def place_of(redirect_uri: str) -> Place | None:
    """Where to listen for this redirect URI. None: it leads elsewhere, and nobody can listen there.

    Only http to a loopback address, or to `localhost`, whose name no network may answer (RFC 6761, section
    6.3). Without a port, or with port 0, any that is free.
    """
    try:
        parts = urlsplit(redirect_uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    plain = not parts.query and not parts.fragment and parts.username is None
    if parts.scheme != "http" or not plain or not (host == _NAME or is_loopback_literal(host)):
        return None
    return Place(host, port or 0, parts.path or "/")


@dataclass
class _Connection:
    """One socket that somebody opened: what it has said so far, and until when it may."""

    socket: socket.socket
    ends: float
    head: bytearray = field(default_factory=bytearray)


class Callback(Generic[A]):
    """Listens at a place, and hands over the one answer that `read` recognises in a query; then it is closed.

    All connections are served side by side in the caller's thread, so that one which says nothing holds up no
    other, and an interrupt ends it at once. `read` gets a query and returns None for one that it does not know.
    StepFailed when the port is taken.
    """

    def __init__(
        self,
        step: str,
        place: Place,
        read: Callable[[str], A | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._answer: A | None = None
        self._connections: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        try:
            self._listeners = _listening(place)
        except OSError as exc:
            self._selector.close()
            raise StepFailed(
                step,
                f"cannot listen for the browser at {place.host}, port {place.port}: {(exc.strerror or 'no').lower()}",
                hint="end what uses that port, or leave the port out of `redirect_uri`",
            ) from None
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ)
        port = self._listeners[0].getsockname()[1]
        host = f"[{place.host}]" if ":" in place.host else place.host
        self._path = place.path
        # A browser leaves the port of http out of the Host field.
        self._hosts = {f"{host}:{port}"} | ({host} if port == 80 else set())
        self.redirect_uri = f"http://{host}:{port}{place.path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def wait(self, seconds: float) -> A | None:
        """The answer, once it has come; None when it does not within these seconds."""
        end = self._monotonic() + seconds
        while self._answer is None and (left := end - self._monotonic()) > 0:
            soonest = min((each.ends for each in self._connections.values()), default=end)
            for key, _ in self._selector.select(max(0.0, min(left, soonest - self._monotonic()))):
                if self._answer is None:
                    self._serve(key.fileobj)
            self._drop_late()
        if self._answer is not None:
            self.close()
        return self._answer

    def close(self) -> None:
        """Close every socket, so that the port is free."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        for listener in self._listeners:
            listener.close()

    def _serve(self, ready: object) -> None:
        if isinstance(ready, socket.socket) and ready in self._listeners:
            self._accept(ready)
        elif isinstance(ready, socket.socket) and ready in self._connections:
            self._receive(self._connections[ready])

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was gone before it was looked at
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            if len(self._connections) >= _MOST_CONNECTIONS:
                self._drop(next(iter(self._connections.values())))
            self._connections[accepted] = _Connection(accepted, self._monotonic() + _SOCKET_SECONDS)
            self._selector.register(accepted, selectors.EVENT_READ)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_LARGEST_HEAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.head += data
        head, end, _ = connection.head.partition(b"\r\n\r\n")
        if end:
            self._send(connection, *self._reply(head.decode("latin-1")))
        elif len(connection.head) > _LARGEST_HEAD:
            self._send(connection, "431 Request Header Fields Too Large", _page("That is too long."))
        if end or not data or len(connection.head) > _LARGEST_HEAD:
            self._drop(connection)

    def _reply(self, head: str) -> tuple[str, bytes]:
        """The status and the page for a request."""
        line, *fields = head.split("\r\n")
        request = _REQUEST_LINE.fullmatch(line)
        hosts = [value.strip() for name, _, value in (f.partition(":") for f in fields) if name.lower() == "host"]
        if request is None or len(hosts) != 1:
            return "400 Bad Request", _page("That is no request.")
        if hosts[0].lower() not in self._hosts:
            return "421 Misdirected Request", _page("This is not the host that was asked for.")
        path, _, query = request[2].partition("?")
        if path != self._path:
            return "404 Not Found", _page("There is nothing here.")
        if request[1] != "GET":
            return "405 Method Not Allowed", _page("Only GET is answered here.")
        self._answer = self._read(query)
        if self._answer is None:
            return "400 Bad Request", _page("This is not the answer to the login that is being waited for.")
        return "200 OK", FAILED if self._answer.trouble is not None else DONE

    def _send(self, connection: _Connection, status: str, page: bytes) -> None:
        allow = "Allow: GET\r\n" if status.startswith("405") else ""
        head = f"HTTP/1.1 {status}\r\n{_FIELDS}{allow}Content-Length: {len(page)}\r\n\r\n"
        with suppress(OSError):  # a page that nobody reads
            connection.socket.settimeout(_SOCKET_SECONDS)
            connection.socket.sendall(head.encode("ascii") + page)
            connection.socket.shutdown(socket.SHUT_WR)

    def _drop_late(self) -> None:
        now = self._monotonic()
        for connection in [each for each in self._connections.values() if each.ends <= now]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._connections[connection.socket]
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()


def _listening(place: Place) -> list[socket.socket]:
    """The listeners: two for `localhost`, of which a browser tries either first, where the machine has IPv6."""
    if place.host != _NAME:
        return [_listener(place.host, place.port)]
    listeners = [_listener("127.0.0.1", place.port)]
    with suppress(OSError):
        listeners.append(_listener("::1", listeners[0].getsockname()[1]))
    return listeners


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let another program listen at the same port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # The last login's connection may still be winding down: a fixed port is to be had again at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


_STYLE = """\
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1c2330;--soft:#5b6575;--line:#e2e6ec;--good:#1a7f4b;\
--bad:#b3372f}
@media(prefers-color-scheme:dark){:root{--page:#12151b;--card:#1b2029;--text:#e9edf3;--soft:#a3adbb;--line:#2c3440;\
--good:#4cc38a;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);color:var(--text);\
font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:26rem;padding:2.5rem 2rem;border:1px solid var(--line);border-radius:1rem;\
background:var(--card);text-align:center;box-shadow:0 1px 2px #0000000d,0 12px 32px #00000012}
svg{width:3.5rem;height:3.5rem;fill:none;stroke:currentColor;stroke-width:3;stroke-linecap:round;\
stroke-linejoin:round}
.good{color:var(--good)}
.bad{color:var(--bad)}
h1{margin:1rem 0 .5rem;font-size:1.375rem;line-height:1.3;font-weight:650}
p{margin:0;color:var(--soft)}
footer{margin-top:2rem;padding-top:1.25rem;border-top:1px solid var(--line);font-size:.875rem;color:var(--soft)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
"""
_DRAWING = '<svg class="{}" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="21"/><path d="{}"/></svg>'
_CHECK = _DRAWING.format("good", "M15 25l6 6 12-13")
_CROSS = _DRAWING.format("bad", "M17 17l14 14M31 17L17 31")


def _page(
    title: str, text: str = "The login in your terminal still waits for its answer.", picture: str = _CROSS
) -> bytes:
    """A page of its own, that loads nothing and holds nothing of the request."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title} - forge</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{picture}\n"
        f"<h1>{title}</h1>\n<p>{text}</p>\n<footer><code>forge</code> on this computer</footer>\n"
        "</main>\n</body>\n</html>\n"
    ).encode()


DONE = _page("You can close this page", "The login goes on in your terminal.", _CHECK)
FAILED = _page("The login did not work", "Your terminal says why. You can close this page.")

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_FIELDS = (
    "Content-Type: text/html; charset=utf-8\r\n"
    "Cache-Control: no-store\r\n"
    "Referrer-Policy: no-referrer\r\n"
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
)
