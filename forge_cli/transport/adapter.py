"""The HTTP library's adapter and session, with timed connections and one set of TLS settings."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar

from . import tls
from .deadline import EXCHANGE, POOLS
from .environment import Environment
from .redirects import address


class Adapter(HTTPAdapter):
    """Connections for one transport, whose TLS settings and route to each origin never change."""

    def __init__(self, sizes: tuple[int, int], verify: bool | str, ambient: Environment):
        self._verify = verify
        self._ambient = ambient
        self._contexts: dict[tls.ClientCert | None, ssl.SSLContext] = {}
        self._most_pools = sizes[0]
        self._pools: dict[tuple[str, str, tls.ClientCert | None], Any] = {}
        self._lock = threading.Lock()
        super().__init__(*sizes, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy not in self.proxy_manager and proxy.lower().startswith("https:"):
            kwargs["proxy_ssl_context"] = self.context(None)
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a request. Finding it anew takes the library a tenth of a small request's time."""
        scheme, _, rest = request.url.partition("://")
        key = scheme, rest.partition("/")[0], cert
        pool = self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            if len(self._pools) >= self._most_pools:
                self._pools.clear()  # the library closes a pool when nobody holds it any more
            self._pools[key] = pool
        return pool

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        settings = {"ssl_context": self.context(cert)} if place["scheme"] == "https" else {}
        return place, settings

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the TLS settings are in the context, which is part of the pool's key."""

    def request_url(self, request: Any, proxies: Any) -> str:
        target = EXCHANGE.limits.target
        if target is None:
            return super().request_url(request, proxies)
        # The connection sends the real target; this one is for the library's log, which must not show a query.
        return "/" if target.startswith("/") else target

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Only what is read later; the library's own method also parses the cookies a second time."""
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.raw = resp
        response.request = req
        response.url = req.url
        return response

    def widen(self, size: int) -> None:
        """Keep up to `size` connections of each host from now on."""
        # The old pools are not closed: other threads may be about to use them. The library closes each
        # when nobody holds it any more.
        self.init_poolmanager(self._most_pools, size)
        self._pools = {}

    def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()
        super().close()

    def context(self, cert: tls.ClientCert | None) -> ssl.SSLContext:
        """The TLS settings with this client certificate. RequestBuildException for files that cannot be used."""
        with self._lock:
            if cert not in self._contexts:
                self._contexts[cert] = tls.context(authorities(self._verify, self._ambient), cert)
            return self._contexts[cert]


class Jar(RequestsCookieJar):
    """Cookies, that are looked for only in answers that have some. Each knows the origin that set it, `set_by`."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        if "Set-Cookie" in response.info():
            super().extract_cookies(response, request)

    def make_cookies(self, response: Any, request: Any) -> Any:
        # Not the `get_full_url` of the library's request, which a Host field of the caller's would change.
        setter = str(address(request._r.url))
        made = super().make_cookies(response, request)
        for cookie in made:
            cookie.__dict__["set_by"] = setter
        return made


class NoJar(RequestsCookieJar):
    """Forgets every cookie at once."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        return None


class ThreadSession(requests.Session):
    """A session that shares its adapter and cookies, reads no environment, and follows nothing."""

    def __init__(self, adapter: HTTPAdapter, jar: RequestsCookieJar, headers: Mapping[str, Any]) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = jar
        for name, value in headers.items():
            if value is not None:
                self.headers[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: Any) -> None:
        # Otherwise the library reads a redirect's whole body, whatever its size, to offer the next request.
        return None

    def close(self) -> None:
        # Its adapter is in use by other threads.
        self.adapters.clear()


def authorities(verify: bool | str, ambient: Environment) -> bool | str:
    """What to verify against: what was asked for, else the environment's CA files, else the usual ones."""
    return verify if verify is not True else ambient.ca_bundle or True
