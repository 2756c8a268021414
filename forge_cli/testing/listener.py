"""The socket side of the scripted server."""

from __future__ import annotations

import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from .exchange import Reply, Seen

_JOIN_SECONDS = 5.0
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Listener(socketserver.TCPServer):
    """Serves an answer function on a free port of 127.0.0.1, one thread a connection, until `stop`."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Seen], Reply], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
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
        """Stop at once, whatever is open. Stopping twice is fine."""
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
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a test looks at `seen`."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        # The base class looks for a method of this name; every method is answered alike here.
        setattr(self, f"do_{self.command}", self._respond)
        return True

    def _respond(self) -> None:
        client = (str(self.client_address[0]), int(self.client_address[1]))
        reply = self.server.answer(Seen(self.command, self.path, self.headers, self._body(), client))
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
        reason = _PHRASES.get(reply.status, "") if reply.reason is None else reply.reason
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
