"""The wire as a session of the HTTP library uses it: an adapter, and the sessions that forge makes itself."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.exceptions import InvalidURL
from requests.utils import select_proxy
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.exceptions import SSLError as TlsError
from urllib3.response import HTTPResponse
from urllib3.util import SKIP_HEADER

from ..errors import RequestBuildException
from .connection import Fields, Place, pieces
from .cookies import SetBy
from .deadline import EXCHANGE, limited
from .environment import Environment
from .head import LengthsDiffer
from .places import place_of
from .redirects import address
from .tls import ClientCert
from .wire import Received, Wire

_MOST_DOORS = 1000


class Adapter(HTTPAdapter):
    """Sends over a wire, whose TLS settings never change."""

    def __init__(
        self, sizes: tuple[int, int], verify: bool | str, ambient: Environment, wire: Wire | None = None
    ) -> None:
        self.wire = wire or Wire(*sizes, verify, ambient)
        self._doors: dict[tuple[str, str, ClientCert | None, str | None], Door] = {}
        super().__init__(*sizes, max_retries=0)

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """What takes the request. Finding it anew takes a tenth of a small request's time."""
        scheme, _, rest = request.url.partition("://")
        proxy = select_proxy(request.url, proxies) if proxies else None
        key = scheme, rest.partition("/")[0], (cert, None, None) if isinstance(cert, str) else cert, proxy
        door = self._doors.get(key)
        if door is None:
            door = self._door(request, key[2], proxy)
            if len(self._doors) >= _MOST_DOORS:
                self._doors.clear()
            self._doors[key] = door
        return door

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the TLS settings are the wire's."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Only what is read later; the library's own method also parses the cookies a second time."""
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers.update(resp.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = resp
        response.request = req
        response.url = req.url
        return response

    def close(self) -> None:
        self.wire.close()
        super().close()

    def _door(self, request: Any, cert: Any, proxy: str | None) -> Door:
        try:
            there = address(request.url)
            place = place_of(there, proxy, None if cert is None else (*cert, None)[:3])
        except RequestBuildException as exc:
            raise InvalidURL(exc.message, request=request) from None
        return Door(self.wire, place, there.authority)


class Door:
    """The wire to one place, in the shape of the library's connection pools."""

    def __init__(self, wire: Wire, place: Place, authority: str) -> None:
        self._wire = wire
        self._place = place
        self._authority = authority

    def urlopen(
        self, method: str, url: str, body: Any = None, headers: Any = None, timeout: Any = None, **settings: Any
    ) -> Raw:
        """Send a request. What `limited` says of this thread goes before the rest."""
        limits = EXCHANGE.limits
        idle = limits.idle if limits.target is not None else getattr(timeout, "read_timeout", None)
        connect = getattr(timeout, "connect_timeout", None)
        target = url if limits.target is None else limits.target
        with _translated(url), limited(limits.deadline, idle, target):
            return Raw(
                self._wire.exchange(
                    self._place, method, target, self._authority, _fields(headers), pieces(body), connect
                ),
                method,
            )


class Raw(HTTPResponse):
    """An answer, in the shape of the library's; `received` is what it is read from."""

    def __init__(self, received: Received, method: str) -> None:
        connection: Any = received
        pool: Any = _GivenBack
        super().__init__(
            body=received.response,
            headers=HTTPHeaderDict(received.pairs),
            status=received.status,
            version=received.version,
            reason=received.reason,
            preload_content=False,
            decode_content=False,
            original_response=received.response,
            connection=connection,
            pool=pool,
            request_method=method,
        )
        self.received = received

    def handed_over(self) -> Received:
        """What it is read from, which this does no longer close when nobody holds it any more."""
        self._fp = self._connection = self._original_response = None
        return self.received


class _GivenBack:
    """Where the library puts a connection whose answer is read."""

    @staticmethod
    def _put_conn(received: Received) -> None:
        received.finish()


class Jar(SetBy, RequestsCookieJar):  # type: ignore[misc]  # the library's own two bases disagree
    """Cookies, as programs that use the library want them."""


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


def _fields(headers: Any) -> Fields:
    """The fields of a request of the library's, repeated ones one by one."""
    given = headers.iteritems() if hasattr(headers, "iteritems") else (headers or {}).items()
    return [(_text(name), _text(value)) for name, value in given if value is not None and value != SKIP_HEADER]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    """Raise what the library's own pools raise. The path and query of the URL are in none of the texts."""
    pool: Any = None
    try:
        yield
    except LengthsDiffer as exc:
        raise InvalidHeader("two lengths") from exc
    except ssl.SSLError as exc:
        raise TlsError(exc) from exc
    except TimeoutError as exc:
        if EXCHANGE.sent:
            raise ReadTimeoutError(pool, "", "the answer took too long") from exc
        raise MaxRetryError(pool, "", ConnectTimeoutError(exc)) from exc
    except (OSError, http.client.HTTPException) as exc:
        raise ProtocolError("the connection failed", exc) from exc
