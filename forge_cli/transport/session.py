"""Sessions, connections and cookies: a prepared request in, an unread answer out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar

from ..errors import ForgeError, HttpClientException
from ..events import Timing
from ..frozen import immutable, immutable_by_name
from ..models import Deadline, PreparedRequest
from . import environment, tls
from .adapter import Adapter, Jar, NoJar, ThreadSession, authorities
from .answer import Answer
from .deadline import EXCHANGE, limited
from .environment import Environment
from .failures import Attempt, failure, timed_out
from .outgoing import add_cookies, close_body, outgoing
from .redirects import Address, address

__all__ = ["Answer", "Transport", "TransportOptions"]

# Routes are kept per origin; a crawler must not fill the memory with them.
_MOST_ROUTES = 1000


@immutable_by_name
class TransportOptions:
    """How to connect. `client_cert` is certificate, key and password; `proxies` None means the environment's;
    `headers` are those that each thread's session begins with.

    Timeouts are in seconds: `connect_timeout` covers name, TCP, proxy and TLS, `idle_timeout` the time without data.
    """

    verify: bool | str = True
    client_cert: tls.ClientCert | None = field(default=None, repr=False)
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    idle_timeout: float | None = 60.0
    pool_connections: int = 10
    pool_maxsize: int = 20
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keep_cookies: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


@immutable
class _Route:
    """How requests to one origin travel."""

    where: str
    proxy: str | None
    proxies: dict[str, str]
    forwarded: bool  # a proxy reads the request itself, not only its bytes


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
        self._adapter: Adapter | None = None
        self._closed = False
        own = Jar if options.keep_cookies else NoJar
        self.cookies: Any = own() if session is None else getattr(session, "cookies", None)

    @property
    def adapter(self) -> HTTPAdapter:
        """The one adapter of all threads' sessions, made at first use."""
        with self._lock:
            if self._adapter is None:
                options = self._options
                sizes = options.pool_connections, options.pool_maxsize
                self._adapter = Adapter(sizes, options.verify, self._ambient)
            return self._adapter

    @property
    def session(self) -> requests.Session:
        """The injected session, else this thread's own."""
        self._local.shown = session = self._used()
        return session

    @property
    def shown(self) -> requests.Session | None:
        """The session that this thread may have changed: injected, or its own once `session` was asked for."""
        return self._injected if self._injected is not None else getattr(self._local, "shown", None)

    def send(self, prepared: PreparedRequest, deadline: Deadline | None = None, *, stranger: bool = False) -> Answer:
        """Send one request, follow nothing, and return when the answer's head is there.

        `deadline`, or else `prepared.timeout`, is a limit by the wall clock that also holds for reading the
        body. A `stranger` is an origin that must see neither the client certificate nor the cookies of others.
        Raises ConnectionException, SSLException, TimeoutException, IncompleteResponseException or
        RequestBuildException, with ``context["sent"]`` False when surely no byte of the request left.
        """
        if self._closed:
            raise HttpClientException("Client is closed")
        if deadline is None and prepared.timeout is not None:
            deadline = Deadline(prepared.timeout)
        there = address(prepared.url)
        site, target = str(there), there.target
        route = self._route(site, there)
        cert = (prepared.client_cert or self._options.client_cert) if not stranger else None
        url = site + target
        request = outgoing(prepared, url, forwarded=route.forwarded)
        session = self._used()
        add_cookies(request, self.cookies, site if stranger else None)
        if self._injected is not None:
            # Also where nothing is followed, the library's own session works out the next request of a redirect.
            request.hooks = getattr(session, "hooks", None) or {}
            request._cookies = RequestsCookieJar()  # type: ignore[attr-defined]  # what its preparation sets
        timing = EXCHANGE.timing = Timing(time.monotonic())
        EXCHANGE.sent = True  # until a connection that knows better says otherwise
        attempt = Attempt(route.where, route.proxy is not None, deadline, *self._timeout, sent=True)
        if deadline is not None and deadline.remaining() <= 0:
            raise timed_out(attempt._replace(sent=False))
        try:
            with limited(deadline, self._options.idle_timeout, url if route.forwarded else target):
                response = session.send(request, **self._settings(session, route, there, deadline, cert, stranger))
        except ForgeError:
            raise
        except Exception as exc:
            # The originals quote the URL, with the secrets in it.
            raise failure(exc, attempt._replace(sent=EXCHANGE.sent)) from None
        finally:
            close_body(request)
        timing.answered = time.monotonic()
        return Answer(response, prepared.url, timing, attempt)

    def widen(self, size: int) -> None:
        """Keep up to `size` connections of each host from now on. An injected session is left alone."""
        with self._lock:
            self._options = replace(self._options, pool_maxsize=size)
            if self._adapter is not None:
                self._adapter.widen(size)

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

    def _used(self) -> requests.Session:
        if self._injected is not None:
            return self._injected
        own: requests.Session | None = getattr(self._local, "session", None)
        if own is None:
            own = self._local.session = ThreadSession(self.adapter, self.cookies, self._options.headers)
            self._remember(own)
        return own

    def _remember(self, session: requests.Session) -> None:
        with self._lock:
            finished = [entry for entry in self._sessions if not entry[0].is_alive()]
            self._sessions = [entry for entry in self._sessions if entry[0].is_alive()]
            self._sessions.append((threading.current_thread(), session))
        for _, old in finished:
            old.close()

    def _route(self, site: str, there: Address) -> _Route:
        route = self._routes.get(site)
        if route is None:
            route = self._new_route(there)
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[site] = route
        return route

    def _new_route(self, there: Address) -> _Route:
        proxy = self._proxies.proxy_to(there) if self._proxies.proxies else None
        if proxy is None:
            return _Route(f"{there.host}:{there.port}", None, {}, forwarded=False)
        forwarded = there.scheme == "http"
        # What stands before the last "@" are the proxy's credentials.
        where = proxy.partition("://")[2].rpartition("@")[2].rstrip("/")
        return _Route(f"the proxy {where}", proxy, {there.scheme: proxy}, forwarded=forwarded)

    def _settings(
        self,
        session: requests.Session,
        route: _Route,
        there: Address,
        deadline: Deadline | None,
        cert: tls.ClientCert | None,
        stranger: bool,
    ) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "timeout": self._timeout,
            "verify": self._options.verify,
            "cert": cert,
            "proxies": route.proxies,
        }
        if self._injected is None:
            return settings
        # Its adapters know nothing of deadlines and of our TLS settings; what it has of its own stands in.
        if there.scheme == "https":
            own = getattr(session, "verify", None) if self._options.verify is True else None
            stated = own if own is False or isinstance(own, str) else self._options.verify
            settings["verify"] = authorities(stated, self._ambient)
        if deadline is not None:
            left = max(deadline.remaining(), 0.001)
            settings["timeout"] = tuple(left if limit is None else min(limit, left) for limit in self._timeout)
        if not stranger:
            settings["cert"] = getattr(session, "cert", None) if cert is None else cert[:2]
        settings["proxies"] = route.proxies or getattr(session, "proxies", None) or {}
        return settings


def _explicit(proxies: Mapping[str, str]) -> Environment:
    return Environment(
        proxies={scheme: proxy for scheme, proxy in proxies.items() if scheme != "no_proxy" and proxy},
        no_proxy=environment.entries(proxies.get("no_proxy", "")),
    )
