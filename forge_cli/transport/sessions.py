"""Requests through sessions of the HTTP library: the caller's own, or one for each thread over the wire."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import SKIP_HEADER

from .adapter import Adapter, Jar, NoJar, Raw, ThreadSession
from .answer import Source
from .failures import Kinds
from .outgoing import Outgoing, Way
from .wire import authorities

__all__ = ["Jar", "NoJar", "Sessions"]


class Sessions:
    """Sends through the session that was injected, which stays the caller's, else through this thread's own."""

    kinds = Kinds(
        connection=(requests.ConnectionError,),
        own=(requests.RequestException,),
        unsent=(ConnectTimeoutError, NameResolutionError, NewConnectionError),
        timeout=(requests.Timeout,),
        tls=(requests.exceptions.SSLError,),
        unusable=(requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL),
        lengths=(InvalidHeader, requests.exceptions.InvalidHeader),
        proxy=(ProxyError,),
    )

    def __init__(
        self,
        injected: requests.Session | None,
        adapter: Adapter,
        headers: Mapping[str, Any],
        *,
        keep_cookies: bool,
    ) -> None:
        self._injected = injected
        self._headers = headers
        self._verify = adapter.wire.verify
        self._local = threading.local()
        self._sessions: list[tuple[threading.Thread, requests.Session]] = []
        self._lock = threading.Lock()
        self.adapter: HTTPAdapter = adapter
        own: RequestsCookieJar = Jar() if keep_cookies else NoJar()
        self.cookies: Any = own if injected is None else getattr(injected, "cookies", None)

    @property
    def session(self) -> requests.Session:
        """The injected session, else this thread's own."""
        self._local.shown = session = self._used()
        return session

    @property
    def shown(self) -> requests.Session | None:
        """The session that this thread may have changed: injected, or its own once `session` was asked for."""
        return self._injected if self._injected is not None else getattr(self._local, "shown", None)

    def send(self, request: Outgoing, way: Way) -> Source:
        """Send a request, and return when the head of its answer is there."""
        session = self._used()
        prepared = _prepared(request)
        if self._injected is not None:
            # Also where nothing is followed, the library's own session works out the next request of a redirect.
            prepared.hooks = getattr(session, "hooks", None) or {}
            prepared._cookies = RequestsCookieJar()  # type: ignore[attr-defined]  # what its preparation sets
        response = session.send(prepared, **self._settings(session, way))
        raw = response.raw
        if isinstance(raw, Raw) and not _consumed(response):
            return raw.handed_over()
        return Foreign(response)

    def close(self) -> None:
        """Close the threads' sessions; an injected one is left alone."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for _, session in sessions:
            session.close()

    def _used(self) -> requests.Session:
        if self._injected is not None:
            return self._injected
        own: requests.Session | None = getattr(self._local, "session", None)
        if own is None:
            own = self._local.session = ThreadSession(self.adapter, self.cookies, self._headers)
            self._remember(own)
        return own

    def _remember(self, session: requests.Session) -> None:
        with self._lock:
            finished = [entry for entry in self._sessions if not entry[0].is_alive()]
            self._sessions = [entry for entry in self._sessions if entry[0].is_alive()]
            self._sessions.append((threading.current_thread(), session))
        for _, old in finished:
            old.close()

    def _settings(self, session: requests.Session, way: Way) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "timeout": (way.connect, way.idle),
            "verify": self._verify[0],
            "cert": way.cert,
            "proxies": {} if way.proxy is None else {way.place.scheme: way.proxy},
        }
        if self._injected is None:
            return settings
        # Its adapters know nothing of deadlines and of our TLS settings; what it has of its own stands in.
        if way.place.scheme == "https":
            verify, ambient = self._verify
            own = getattr(session, "verify", None) if verify is True else None
            settings["verify"] = authorities(own if own is False or isinstance(own, str) else verify, ambient)
        if way.deadline is not None:
            left = max(way.deadline.remaining(), 0.001)
            settings["timeout"] = tuple(left if limit is None else min(limit, left) for limit in settings["timeout"])
        if not way.stranger:
            settings["cert"] = getattr(session, "cert", None) if way.cert is None else way.cert[:2]
        settings["proxies"] = settings["proxies"] or getattr(session, "proxies", None) or {}
        return settings


class Foreign:
    """An answer of a session that is somebody else's, or that a program's test has made."""

    errors = (HTTPError, OSError, http.client.HTTPException)

    def __init__(self, response: requests.Response) -> None:
        raw: Any = response.raw
        self._response = response
        self.encoded = isinstance(raw, BaseHTTPResponse) and not _consumed(response)
        self.status: int = response.status_code
        self.reason: str = response.reason or ""
        self.version: int = getattr(raw, "version", 11)
        own = getattr(raw, "headers", None)
        fields: Mapping[str, str] = own if own and isinstance(own, Mapping) else response.headers
        self.pairs: Iterable[tuple[str, str]] = fields.items()
        self._decoded: Iterator[bytes] | None = None

    @property
    def remaining(self) -> int | None:
        length: int | None = getattr(self._response.raw, "length_remaining", None) if self.encoded else None
        return length

    def read1(self, size: int) -> bytes:
        """What is there of the body, at most so many bytes; b"" at its end."""
        if self.encoded:
            raw: Any = self._response.raw
            data: bytes = raw.read1(size, decode_content=False)
            return data
        if self._decoded is None:
            self._decoded = self._pieces(size)
        return next(self._decoded, b"")

    def close(self) -> None:
        self._response.close()

    def _pieces(self, size: int) -> Iterator[bytes]:
        """The body of a response that the session made in its own way, decoded by it."""
        response = self._response
        if not _consumed(response) and response.raw is not None:
            yield from filter(None, response.iter_content(size))
            return
        content = response.content or b""
        yield from (content[start : start + size] for start in range(0, len(content), size))


class _Fields(HTTPHeaderDict):
    """The fields of one request. The library copies them before it adds a proxy's, for callers who use them again."""

    def copy(self) -> _Fields:
        return self


def _consumed(response: requests.Response) -> bool:
    return bool(getattr(response, "_content_consumed", False))


def _prepared(request: Outgoing) -> requests.PreparedRequest:
    """The library's request, made without the library's own preparation."""
    fields = _Fields()
    for name, value in request.fields:
        fields.add(name, value)
    if "User-Agent" not in fields:
        fields["User-Agent"] = SKIP_HEADER  # otherwise the library names itself
    made = requests.PreparedRequest()
    made.method = request.method
    made.url = request.url
    made.headers = fields  # type: ignore[assignment]  # as good a mapping, and it keeps repeated fields
    made.body = request.body  # type: ignore[assignment]  # an iterator will do
    return made
