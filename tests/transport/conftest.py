"""A server that speaks raw bytes: what a test scripts is what is on the wire."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
import trustme

from forge_cli.models import Headers, PreparedRequest
from forge_cli.transport.session import Transport, TransportOptions


class Peer:
    """One accepted connection. `stop` is set when the test is over."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.sock = sock
        self.stop = server.stop
        self._server = server

    def head(self) -> bytes:
        """The next request's head, b"" at the end of the connection; it is also kept in the server's `heads`."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(1)
            if not more:
                return b""
            data += more
        self._server.heads.append(data)
        return data

    def take(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := self.sock.recv(count - len(data))):
            data += more
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        """Send this text again and again, slowly, until the test is over or nobody listens."""
        while not self.stop.wait(seconds):
            self.sock.sendall(data)

    def reset(self) -> None:
        """Close in a way that the other side sees as a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


Script = Callable[[Peer], object]


class RawServer:
    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.stop = threading.Event()
        self._script, self._context = script, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.scheme = "https" if context is not None else "http"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        # Closing a listener does not wake its accept; a last connection does.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self.stop.is_set():
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            self._script(Peer(sock, self))
        sock.close()


class Serve(Protocol):
    def __call__(self, script: Script | bytes, context: ssl.SSLContext | None = None) -> RawServer: ...


def always(answer: bytes) -> Script:
    """Answer every request of a connection with these bytes."""

    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(answer)

    return script


def once(answer: bytes) -> Script:
    """Answer one request with these bytes, and close."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)

    return script


def reply(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def get(url: str, *pairs: tuple[str, str], method: str = "GET", timeout: float | None = None) -> PreparedRequest:
    return PreparedRequest(method, url, Headers(pairs), timeout=timeout)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that runs this script (or answers with these bytes) on each connection."""
    with contextlib.ExitStack() as stack:

        def start(script: Script | bytes, context: ssl.SSLContext | None = None) -> RawServer:
            return stack.enter_context(RawServer(always(script) if isinstance(script, bytes) else script, context))

        yield start


_LOADED: dict[str, Container[str]] = {}


@pytest.fixture(params=["wire", "library"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Has a test run as in a program that has the HTTP library loaded, and as in one that has not."""
    _LOADED["now"] = frozenset({"requests"} if request.param == "library" else ())
    yield str(request.param)
    _LOADED.clear()


def options(**given: Any) -> TransportOptions:
    """Options of a transport that knows nothing of this machine, and goes the way that the test runs on."""
    return TransportOptions(**{"environ": {}, "modules": _LOADED.get("now", sys.modules), **given})


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(options())
    yield made
    made.close()


class Authority:
    """A certificate authority of this test session, and the files that programs want."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.bundle = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.bundle)

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))
