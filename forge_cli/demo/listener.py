"""The socket side of the demo API: requests in, JSON answers out."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

# No request of the demo has a body of more bytes than four digits can say.
_LENGTH_DIGITS = 4


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Call:
    """A request as the API sees it. Header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    def json(self, name: str) -> str:
        """One text field of a JSON body. Refused when it is not there."""
        try:
            value = json.loads(self.body)[name]
        except (ValueError, LookupError, TypeError, RecursionError):
            value = None
        return _given(value, name)

    def form(self, name: str) -> str:
        """One field of a form. Refused when it is not there."""
        fields = parse_qs(self.body.decode("utf-8", "replace"))
        return _given(fields.get(name, [None])[0], name)


def _given(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{name.upper()}_MISSING")
    return value


Answer = Callable[[str, str, Call], tuple[int, Mapping[str, str], object]]
"""Method, path and call in; status, extra headers and JSON body out."""


class Listener(socketserver.ThreadingTCPServer):
    """Serves an answer function on a free port of 127.0.0.1, until `stop`."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        # The poll bounds how long a stop takes.
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""

    def stop(self) -> None:
        """Stop listening, and wait until that is so."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error belongs to forge."""

    def _respond(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS:
            self.close_connection = True
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, extra, document = self.server.answer(self.command, self.path.partition("?")[0], Call(headers, body))
        content = json.dumps(document).encode()
        # Without Date and Server, the same request gets the same bytes.
        self.send_response_only(status, HTTPStatus(status).phrase)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond
