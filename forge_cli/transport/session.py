"""Sessions, connections and cookies: a prepared request in, an unread answer out."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar, get_cookie_header
from urllib3._collections import HTTPHeaderDict
from urllib3.util import SKIP_HEADER

from ..errors import ForgeError, HttpClientException, RequestBuildException
from ..models import Deadline, PreparedRequest
from . import environment, tls
from .answer import Answer
from .deadline import LIMITS, POOLS, limited
from .decode import accept_encoding
from .environment import Environment
from .failures import Attempt, failure, timed_out
from .redirects import Address, address

__all__ = ["Answer", "Transport", "TransportOptions"]

# Routes are kept per origin; a crawler must not fill the memory with them.
_MOST_ROUTES = 1000


@dataclass(frozen=True, kw_only=True)
class TransportOptions:
    """How to connect. `client_cert` is certificate, key and password; `proxies` None means the environment's.

    Timeouts are in seconds: `connect_timeout` covers name, TCP, proxy and TLS, `idle_timeout` the time without data.
    """

    verify: bool | str = True
    client_cert: tls.ClientCert | None = field(default=None, repr=False)
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    idle_timeout: float | None = 60.0
    pool_connections: int = 10
    pool_maxsize: int = 20
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


@dataclass(frozen=True, slots=True)
class _Route:
    """How requests to one origin travel."""

    where: str
    proxy: str | None
    proxies: dict[str, str]
    forwarded: bool  # a proxy reads the request itself, not only its bytes


class _Adapter(HTTPAdapter):
    """The library's adapter with timed connections and one set of TLS settings, made once."""

    def __init__(self, options: TransportOptions, ambient: Environment) -> None:
        self._options = options
        self._ambient = ambient
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        super().__init__(options.pool_connections, options.pool_maxsize, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy not in self.proxy_manager and proxy.lower().startswith("https:"):
            kwargs["proxy_ssl_context"] = self.context(with_cert=False)
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the TLS settings are in the context, which is part of the pool's key."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        tls_settings = {"ssl_context": self.context(with_cert=cert is not None)} if place["scheme"] == "https" else {}
        return place, tls_settings

    def context(self, *, with_cert: bool) -> ssl.SSLContext:
        """The TLS settings with or without the client certificate. RequestBuildException for unusable files."""
        with self._lock:
            if with_cert not in self._contexts:
                cert = self._options.client_cert if with_cert else None
                self._contexts[with_cert] = tls.context(authorities(self._options.verify, self._ambient), cert)
            return self._contexts[with_cert]


class _ThreadSession(requests.Session):
    """A session that shares its adapter and cookies, reads no environment, and follows nothing."""

    def __init__(self, adapter: HTTPAdapter, jar: RequestsCookieJar) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = jar
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: Any) -> None:
        # Otherwise the library reads a redirect's whole body, whatever its size, to offer the next request.
        return None

    def close(self) -> None:
        # Its adapter is in use by other threads.
        self.adapters.clear()


class Transport:
    """Sends prepared requests, from any number of threads; an injected session stays the caller's own."""

    def __init__(self, options: TransportOptions, session: requests.Session | None = None) -> None:
        self._options = options
        self._injected = session
        self._ambient = environment.read(options.environ)
        self._proxies = self._ambient if options.proxies is None else _explicit(options.proxies)
        self._routes: dict[str, _Route] = {}
        self._timeout = (options.connect_timeout, options.idle_timeout)
        self._local = threading.local()
        self._sessions: list[tuple[threading.Thread, requests.Session]] = []
        self._lock = threading.Lock()
        self._adapter: _Adapter | None = None
        self._closed = False
        self.cookies: Any = RequestsCookieJar() if session is None else getattr(session, "cookies", None)

    @property
    def adapter(self) -> HTTPAdapter:
        """The one adapter of all threads' sessions, made at first use."""
        with self._lock:
            if self._adapter is None:
                self._adapter = _Adapter(self._options, self._ambient)
            return self._adapter

    @property
    def session(self) -> requests.Session:
        """The injected session, else this thread's own."""
        if self._injected is not None:
            return self._injected
        own: requests.Session | None = getattr(self._local, "session", None)
        if own is None:
            own = self._local.session = _ThreadSession(self.adapter, self.cookies)
            self._remember(own)
        return own

    def send(self, prepared: PreparedRequest, deadline: Deadline | None = None, *, present_cert: bool = True) -> Answer:
        """Send one request, follow nothing, and return when the answer's head is there.

        `prepared.timeout` and `deadline` are limits by the wall clock that also hold for reading the
        body. `present_cert` false keeps the client certificate back, for an origin that must not see
        it. Raises ConnectionException, SSLException, TimeoutException, IncompleteResponseException or
        RequestBuildException, with ``context["sent"]`` False when surely no byte of the request left.
        """
        if self._closed:
            raise HttpClientException("Client is closed")
        if prepared.timeout is not None:
            deadline = Deadline.earliest(deadline, Deadline(prepared.timeout))
        there = address(prepared.url)
        route = self._route(there)
        target = f"{there}{there.target}" if route.forwarded else there.target
        request = _request(prepared, there, route)
        session = self.session
        _add_cookies(request, self.cookies)
        started = time.monotonic()
        LIMITS.sent = self._injected is not None
        if deadline is not None and deadline.remaining() <= 0:
            raise timed_out(self._attempt(route, deadline, sent=False))
        try:
            with limited(deadline, self._options.idle_timeout, target):
                response = session.send(request, **self._settings(session, route, there, deadline, present_cert))
        except ForgeError:
            raise
        except Exception as exc:
            # The originals quote the URL, with the secrets in it.
            raise failure(exc, self._attempt(route, deadline, sent=LIMITS.sent)) from None
        finally:
            _close_body(request)
        return Answer(response, prepared.url, started, self._attempt(route, deadline, sent=True))

    def close(self) -> None:
        """Close all connections; an injected session is left alone. May be called again."""
        self._closed = True
        with self._lock:
            sessions, self._sessions = self._sessions, []
            adapter = self._adapter
        for _, session in sessions:
            session.close()
        if adapter is not None:
            adapter.close()

    def _remember(self, session: requests.Session) -> None:
        with self._lock:
            finished = [entry for entry in self._sessions if not entry[0].is_alive()]
            self._sessions = [entry for entry in self._sessions if entry[0].is_alive()]
            self._sessions.append((threading.current_thread(), session))
        for _, old in finished:
            old.close()

    def _route(self, there: Address) -> _Route:
        key = str(there)
        route = self._routes.get(key)
        if route is None:
            route = self._new_route(there)
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[key] = route
        return route

    def _new_route(self, there: Address) -> _Route:
        proxy = self._proxies.proxy_to(there) if self._proxies.proxies else None
        if proxy is None:
            return _Route(f"{there.host}:{there.port}", None, {}, forwarded=False)
        forwarded = there.scheme == "http" and not proxy.lower().startswith("socks")
        # What stands before the last "@" are the proxy's credentials.
        where = proxy.partition("://")[2].rpartition("@")[2].rstrip("/")
        return _Route(f"the proxy {where}", proxy, {there.scheme: proxy}, forwarded=forwarded)

    def _settings(
        self, session: requests.Session, route: _Route, there: Address, deadline: Deadline | None, present_cert: bool
    ) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "timeout": self._timeout,
            "verify": self._options.verify,
            "cert": self._options.client_cert[:2] if self._options.client_cert is not None and present_cert else None,
            "proxies": route.proxies,
        }
        if self._injected is None:
            return settings
        # Its adapters know nothing of deadlines and of our TLS settings; what it has of its own stands in.
        if there.scheme == "https":
            settings["verify"] = authorities(self._options.verify, self._ambient)
        if deadline is not None:
            left = max(deadline.remaining(), 0.001)
            settings["timeout"] = tuple(left if limit is None else min(limit, left) for limit in self._timeout)
        settings["cert"] = settings["cert"] or getattr(session, "cert", None)
        settings["proxies"] = route.proxies or getattr(session, "proxies", None) or {}
        return settings

    def _attempt(self, route: _Route, deadline: Deadline | None, *, sent: bool) -> Attempt:
        connect, idle = self._timeout
        return Attempt(
            where=route.where, proxied=route.proxy is not None, deadline=deadline, connect=connect, idle=idle, sent=sent
        )


def authorities(verify: bool | str, ambient: Environment) -> bool | str:
    """What to verify against: what was asked for, else the environment's CA files, else the usual ones."""
    return verify if verify is not True else ambient.ca_bundle or True


def _explicit(proxies: Mapping[str, str]) -> Environment:
    return Environment(
        proxies={scheme: proxy for scheme, proxy in proxies.items() if scheme != "no_proxy" and proxy},
        no_proxy=environment.entries(proxies.get("no_proxy", "")),
    )


def _request(prepared: PreparedRequest, there: Address, route: _Route) -> requests.PreparedRequest:
    """The library's request, filled in directly: its own preparation would encode everything again."""
    fields = HTTPHeaderDict()
    for name, value in prepared.headers.pairs:
        # The library writes Latin-1; this way the bytes are UTF-8.
        fields.add(name, value if value.isascii() else value.encode("utf-8").decode("latin-1"))
    if not route.forwarded:
        fields.discard("Proxy-Authorization")  # it is for proxies, and none would see it
    fields.setdefault("Accept-Encoding", accept_encoding())
    fields.setdefault("User-Agent", SKIP_HEADER)  # otherwise the library names itself
    request = requests.PreparedRequest()
    request.method = prepared.method
    request.url = f"{there}{there.target}"
    request.headers = fields  # type: ignore[assignment]  # as good a mapping, and it keeps repeated fields
    request.body = _body(prepared.body, fields)  # type: ignore[assignment]  # an iterator will do
    return request


def _body(body: Any, fields: HTTPHeaderDict) -> bytes | Iterator[bytes] | None:
    if body is None:
        return None
    content = body if isinstance(body, bytes) else body.open()
    length = len(content) if isinstance(content, bytes) else body.length
    if length is None or "Transfer-Encoding" in fields:
        return content if isinstance(content, bytes) else _measured(content, None)
    announced = fields.setdefault("Content-Length", str(length))
    if announced != str(length):
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


def _close_body(request: requests.PreparedRequest) -> None:
    # After an early answer a body may be sent only in part, and its file still be open.
    close = getattr(request.body, "close", None)
    if close is not None:
        close()


def _add_cookies(request: requests.PreparedRequest, jar: Any) -> None:
    """Add the jar's cookies for this URL behind those that the request names itself."""
    if jar is None or next(iter(jar), None) is None:
        return
    explicit = request.headers.pop("Cookie", None)
    found: str | None = get_cookie_header(jar, request)  # type: ignore[no-untyped-call]
    if explicit is not None and found is not None:
        taken = {pair.partition("=")[0].strip() for pair in explicit.split(";")}
        found = "; ".join(pair for pair in found.split("; ") if pair.partition("=")[0] not in taken)
    cookies = "; ".join(filter(None, (explicit, found)))
    if cookies:
        request.headers["Cookie"] = cookies
