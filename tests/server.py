"""A real HTTP/1.1 server on loopback that answers from a script and remembers what it saw."""

from __future__ import annotations

import http
import json
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qsl

_JOIN_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `headers` finds names in any case; `get_all` gives repeated ones."""

    method: str
    target: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    client: tuple[str, int] = field(repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer.

    A `body` of text, bytes, a JSON value, or an iterator of bytes (sent chunked). `hold` delays the answer
    until the event is set. `raw` is written as it is instead of an answer, and the connection closed.
    """

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    reason: str | None = None
    hold: threading.Event | None = None
    raw: bytes | None = None

    def encoded(self) -> tuple[str | None, bytes | Iterator[bytes]]:
        """The content type that fits the body, and the body."""
        if isinstance(self.body, bytes):
            return None, self.body
        if isinstance(self.body, str):
            return "text/plain; charset=utf-8", self.body.encode()
        if isinstance(self.body, Iterator):
            return None, self.body
        return "application/json", json.dumps(self.body).encode()

    def pairs(self) -> list[tuple[str, str]]:
        """The header fields that were asked for."""
        return list(self.headers.items() if isinstance(self.headers, Mapping) else self.headers)


Answer = Reply | Callable[[Seen], Reply]


@dataclass
class _Route:
    method: str | None
    path: str
    answers: list[Answer]
    optional: bool
    calls: int = 0

    def next(self) -> Answer:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        return answer


class Server:
    """Answers routes that a test sets, each from its own list; the last answer stays.

    `check` fails for a request that has no route and for a route that nobody called.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._routes: list[_Route] = []
        self._problems: list[str] = []
        self._lock = threading.Lock()
        self._listener = _Listener(self, tls)
        scheme = "https" if tls else "http"
        self.port: int = self._listener.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.host = f"127.0.0.1:{self.port}"

    def reply(self, path: str, *answers: Answer, method: str | None = None, optional: bool = False) -> str:
        """Answer this path, of one method or of any, with each answer in turn; return its URL."""
        if not path.startswith("/") or "?" in path or not answers:
            raise ValueError("a route is a path without a query, and at least one answer")
        with self._lock:
            self._routes.append(_Route(method, path, list(answers), optional))
        return self.url + path

    def seen_at(self, path: str) -> list[Seen]:
        """The requests for one path, in order."""
        return [request for request in self.seen if request.path == path]

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._listener.accepted

    def check(self) -> None:
        """Raise AssertionError when the requests and the routes do not fit."""
        with self._lock:
            problems = list(self._problems)
            idle = [route for route in self._routes if route.calls == 0 and not route.optional]
        problems += [f"nobody called {route.method or 'any method'} {route.path}" for route in idle]
        if problems:
            raise AssertionError("; ".join(problems))

    def answer(self, request: Seen) -> Reply:
        """Record a request and take the next answer for it."""
        with self._lock:
            self.seen.append(request)
            fitting = [route for route in self._routes if route.path == request.path]
            exact = [route for route in fitting if route.method == request.method]
            anything = [route for route in fitting if route.method is None]
            route = next(iter(exact or anything), None)
            answer = route.next() if route else None
            if answer is None:
                self._problems.append(f"unexpected {request.method} {request.target}")
        if answer is None:
            return Reply(404, {"error": "the test set no such route"})
        return self._called(answer, request) if callable(answer) else answer

    def _called(self, answer: Callable[[Seen], Reply], request: Seen) -> Reply:
        try:
            return answer(request)
        except Exception as exc:
            # The assertion of a test: it has to fail the test, not only this thread.
            with self._lock:
                self._problems.append(f"{request.method} {request.path}: {type(exc).__name__}: {exc}")
            return Reply(500)

    def close(self) -> None:
        """Stop at once: held answers and open connections end."""
        self._listener.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Listener(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, owner: Server, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self.accepted = 0
        self.stopping = threading.Event()
        self._tls = tls
        self._open: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        # `serve_forever` notices a stop only at its next poll; a second socket wakes it at once.
        self._wake, self._woken = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            ready, _, _ = select.select([self.socket, self._woken], [], [])
            if self.socket in ready and not self.stopping.is_set():
                self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._tls is not None:
            # The handshake is the thread's: a client that never says hello must not keep the others out.
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        # Known before the thread runs, so that a stop misses nobody.
        with self._guard:
            self.accepted += 1
            self._open[request] = thread
        thread.start()

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        # The client went away, or said what is not HTTP, which is what many tests are about.
        with suppress(OSError, ValueError):
            if isinstance(request, ssl.SSLSocket):
                request.do_handshake()
            self.finish_request(request, client_address)
        with self._guard:
            self._open.pop(request, None)
        self.shutdown_request(request)

    def stop(self) -> None:
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._wake.send(b"x")
        self._accepting.join(_JOIN_SECONDS)
        self.server_close()
        with self._guard:
            still_open = dict(self._open)
        for stream, thread in still_open.items():
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            thread.join(_JOIN_SECONDS)
        self._wake.close()
        self._woken.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test looks at `seen`."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        # The base class looks for a method of this name; every method is answered alike here.
        setattr(self, f"do_{self.command}", self._respond)
        return True

    def _respond(self) -> None:
        client = (str(self.client_address[0]), int(self.client_address[1]))
        reply = self.server.owner.answer(Seen(self.command, self.path, self.headers, self._body(), client))
        while reply.hold is not None and not reply.hold.wait(0.005):
            if self.server.stopping.is_set():
                self.close_connection = True
                return
        if reply.raw is not None:
            self.close_connection = True
            self.wfile.write(reply.raw)
            return
        self._write(reply)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _write(self, reply: Reply) -> None:
        content_type, body = reply.encoded()
        pairs = reply.pairs()
        given = {name.lower() for name, _ in pairs}
        if content_type and "content-type" not in given:
            pairs.append(("Content-Type", content_type))
        empty = self.command == "HEAD" or reply.status in (204, 304) or reply.status < 200
        if isinstance(body, bytes):
            if "content-length" in given:
                # The test gave a length of its own, true or not: only a close ends the body for sure.
                self.close_connection = True
            elif not empty or self.command == "HEAD":
                pairs.append(("Content-Length", str(len(body))))
        else:
            pairs.append(("Transfer-Encoding", "chunked"))
        reason = http.HTTPStatus(reply.status).phrase if reply.reason is None else reply.reason
        lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{name}: {value}" for name, value in pairs), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if isinstance(body, bytes):
            # One write, so that head and body arrive together.
            self.wfile.write(head if empty else head + body)
            return
        self.wfile.write(head)
        for chunk in () if empty else body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"" if empty else b"0\r\n\r\n")
        if "close" in {value.lower() for name, value in pairs if name.lower() == "connection"}:
            self.close_connection = True
