"""A real server on loopback that answers from a script."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from .exchange import Answer, Reply, Seen
from .listener import Listener


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


class ScriptedServer:
    """A real HTTP/1.1 server on a free port of 127.0.0.1 that answers from a script and remembers what it saw.

    Each route answers from its own list, whose last answer stays. `tls` makes it an HTTPS server. `check` fails for a
    request that has no route and for a route that nobody called.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._routes: list[_Route] = []
        self._problems: list[str] = []
        self._lock = threading.Lock()
        self._listener = Listener(self.answer, tls)
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
