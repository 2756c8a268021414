"""Routes, limits, connections and cookies: a prepared request in, an unread answer out."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Container, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ..errors import ForgeError, HttpClientException, RequestBuildException
from ..events import Timing
from ..frozen import immutable, immutable_by_name
from ..models import Deadline, PreparedRequest
from ..registry import Registry
from . import environment, tls
from .answer import Answer, Source
from .connection import Place
from .deadline import EXCHANGE, limited
from .environment import Environment
from .failures import Attempt, failure, timed_out
from .outgoing import Outgoing, Way, outgoing
from .places import place_of
from .redirects import Address, address
from .wire import Wire

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

    from .sessions import Sessions

__all__ = ["Answer", "Transport", "TransportOptions"]

# The HTTP library takes as long to import as a short command altogether, and most commands can do without it.
_LATER = Registry(
    "part of the transport",
    {
        "adapter": "forge_cli.transport.adapter:Adapter",
        "sessions": "forge_cli.transport.sessions:Sessions",
        "jar": "forge_cli.transport.cookies:Jar",
        "add_cookies": "forge_cli.transport.cookies:add_cookies",
        "take_cookies": "forge_cli.transport.cookies:take_cookies",
        "copied": "forge_cli.transport.cookies:copied",
    },
)

# Routes are kept per origin; a crawler must not fill the memory with them.
_MOST_ROUTES = 1000


@immutable_by_name
class TransportOptions:
    """How to connect. `client_cert` is certificate, key and password; `proxies` None means the environment's;
    `headers` are those that each thread's session begins with, `modules` those that the program has loaded.

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
    modules: Container[str] = field(default_factory=lambda: sys.modules, repr=False)


@immutable
class _Route:
    """How requests to one origin travel."""

    where: str
    proxy: str | None
    place: Place
    authority: str


class Transport:
    """Sends prepared requests, from any number of threads; an injected session stays the caller's own.

    There is one wire. A program that has the HTTP library loaded may replace parts of it, as tests do: there each
    request goes through a session of the library and its adapter, to the same wire.
    """

    def __init__(self, options: TransportOptions, session: requests.Session | None = None) -> None:
        self._options = options
        self._injected = session
        self._ambient = environment.read(options.environ)
        self._proxies = self._ambient if options.proxies is None else _explicit(options.proxies)
        self._routes: dict[str, _Route] = {}
        self._wire = Wire(options.pool_connections, options.pool_maxsize, options.verify, self._ambient)
        self._lock = threading.Lock()
        self._through: Sessions | None = None
        self._jar: Any = None
        self._closed = False

    @property
    def sessions(self) -> Sessions:
        """The way through the HTTP library, opened at first use."""
        with self._lock:
            if self._through is None:
                options = self._options
                sizes = options.pool_connections, options.pool_maxsize
                adapter = _LATER.load("adapter")(sizes, options.verify, self._ambient, self._wire)
                through: Sessions = _LATER.load("sessions")(
                    self._injected, adapter, options.headers, keep_cookies=options.keep_cookies
                )
                if self._jar is not None:
                    _LATER.load("copied")(self._jar, through.cookies)
                self._jar, self._through = through.cookies, through
            return self._through

    @property
    def adapter(self) -> HTTPAdapter:
        """The one adapter of all threads' sessions."""
        return self.sessions.adapter

    @property
    def session(self) -> requests.Session:
        """The injected session, else this thread's own."""
        return self.sessions.session

    @property
    def cookies(self) -> Any:
        """The jar that all threads share."""
        return self.sessions.cookies

    @property
    def shown(self) -> requests.Session | None:
        """The session that this thread may have changed: injected, or its own once `session` was asked for."""
        return self._injected if self._through is None else self._through.shown

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
        options = self._options
        there = address(prepared.url)
        site, target = str(there), there.target
        route = self._route(site, there)
        place, url = route.place, site + target
        request = outgoing(prepared, url, forwarded=place.forwards)
        cert = (prepared.client_cert or options.client_cert) if not stranger else None
        if cert is not None and place.scheme == "https":
            place = place._replace(cert=cert)
        target = url if place.forwards else target
        way = Way(
            place, target, route.authority, route.proxy, options.connect_timeout, options.idle_timeout, deadline,
            stranger, cert,
        )  # fmt: skip
        timing = EXCHANGE.timing = Timing(time.monotonic())
        EXCHANGE.sent = True  # until a connection that knows better says otherwise
        attempt = Attempt(
            route.where, route.proxy is not None, deadline, options.connect_timeout, options.idle_timeout, sent=True
        )
        if deadline is not None and deadline.remaining() <= 0:
            raise timed_out(attempt._replace(sent=False))
        through = self._carrier()
        try:
            with limited(deadline, options.idle_timeout, target):
                source = self._sent(through, request, way, site)
        except ForgeError:
            raise
        except Exception as exc:
            # The originals quote the URL, with the secrets in it.
            kinds = Wire.kinds if through is None else through.kinds
            raise failure(exc, attempt._replace(sent=EXCHANGE.sent), kinds) from None
        finally:
            request.close()
        timing.answered = time.monotonic()
        return Answer(source, prepared.method, prepared.url, timing, attempt)

    def widen(self, size: int) -> None:
        """Keep up to `size` connections to each host from now on. An injected session is left alone."""
        self._wire.widen(size)

    def close(self) -> None:
        """Close all connections; an injected session is left alone. May be called again."""
        self._closed = True
        if self._through is not None:
            self._through.close()
        self._wire.close()

    def _carrier(self) -> Sessions | None:
        """The way through the HTTP library, where there is anybody who could tell; None: the wire alone."""
        if self._through is None and self._injected is None and "requests" not in self._options.modules:
            return None
        return self._through or self.sessions

    def _sent(self, through: Sessions | None, request: Outgoing, way: Way, site: str) -> Source:
        if self._jar is not None:
            _LATER.load("add_cookies")(request, self._jar, site if way.stranger else None)
        if through is not None:
            return through.send(request, way)
        received = self._wire.send(request, way)
        if self._options.keep_cookies and "Set-Cookie" in received.response.headers:
            with self._lock:
                if self._jar is None:
                    self._jar = _LATER.load("jar")()
                _LATER.load("take_cookies")(self._jar, request, received)
        return received

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
            return _Route(f"{there.host}:{there.port}", None, place_of(there, None), there.authority)
        # What stands before the last "@" are the proxy's credentials.
        where = f"the proxy {proxy.partition('://')[2].rpartition('@')[2].rstrip('/')}"
        try:
            return _Route(where, proxy, place_of(there, proxy), there.authority)
        except RequestBuildException:
            raise RequestBuildException(
                f"{where} cannot be used for this URL", context={"sent": False}, hint="check the proxy's address"
            ) from None


def _explicit(proxies: Mapping[str, str]) -> Environment:
    return Environment(
        proxies={scheme: proxy for scheme, proxy in proxies.items() if scheme != "no_proxy" and proxy},
        no_proxy=environment.entries(proxies.get("no_proxy", "")),
    )
