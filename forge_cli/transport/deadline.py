"""Time limits by the wall clock over name resolution, connecting, TLS, sending and every read."""

from __future__ import annotations

import errno
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import urllib3.connection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import SKIP_HEADER
from urllib3.util.connection import allowed_gai_family

from ..compiled import compiled
from ..events import Timing
from ..models import Deadline
from .head import Response

# One socket call sends at most this much, so that a slow but steady upload is not idle.
_SEND_BYTES = 65536
# A field that nothing has to be looked at any closer for.
_PLAIN_FIELD = compiled(r"[!-9;-~]+: [^\r\n\0]*")

# The methods of which the library knows whether a missing body is announced (RFC 9110, section 8.6).
_PLAIN_METHODS = frozenset("GET HEAD DELETE TRACE OPTIONS CONNECT POST PUT PATCH".split())

Lookup = Callable[..., list[Any]]


class Limits(NamedTuple):
    """What holds for one exchange. `target` replaces the request target."""

    deadline: Deadline | None = None
    idle: float | None = None
    target: str | None = None


class _Exchange(threading.local):
    """The exchange that this thread is at, and how far it came."""

    limits = Limits()
    sent = True
    timing = Timing(0.0)


EXCHANGE = _Exchange()


class limited:  # a class, because each request enters several: `contextmanager` takes three times as long
    """Put these limits, in seconds, on the socket calls of this thread."""

    __slots__ = ("_before", "_limits")

    def __init__(self, deadline: Deadline | None, idle: float | None, target: str | None = None) -> None:
        self._limits = Limits(deadline, idle, target)

    def __enter__(self) -> None:
        self._before = EXCHANGE.limits
        EXCHANGE.limits = self._limits

    def __exit__(self, *exc: object) -> None:
        EXCHANGE.limits = self._before


def allowance() -> float | None:
    """The seconds that the next socket call may take. TimeoutError when the deadline has passed."""
    deadline, idle, _ = EXCHANGE.limits
    if deadline is None:
        return idle
    left = deadline.remaining()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left if idle is None else min(left, idle)


class _TimedSocket(socket.socket):
    """Sets what is left of the limits before each call that may block."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(allowance())
        return super().recv_into(*args, **kwargs)

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self.settimeout(allowance())
        return super().recv(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(allowance())
        return super().send(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data).cast("B") as view:
            done = 0
            while done < len(view):
                done += self.send(view[done : done + _SEND_BYTES], flags)


class TimedTlsSocket(_TimedSocket, ssl.SSLSocket):
    """The same over TLS; to be set as a context's ``sslsocket_class``."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(allowance())
        super().do_handshake(block)
        timing = EXCHANGE.timing
        timing.secured = time.monotonic()
        timing.tls = " ".join(filter(None, (self.version(), (self.cipher() or ("",))[0])))
        timing.certificate = self.getpeercert()

    def send(self, *args: Any, **kwargs: Any) -> int:
        try:
            return super().send(*args, **kwargs)
        except ssl.SSLEOFError:
            # As without TLS: the library then looks for what the server said before it closed.
            raise BrokenPipeError(errno.EPIPE, "the connection was closed") from None


class _TimedConnection(urllib3.connection.HTTPConnection):
    """A connection made of such sockets, that knows whether a byte of the request has left."""

    response_class = Response

    def connect(self) -> None:
        """Connect within the connect timeout: name, TCP, proxy and TLS together."""
        deadline, _, target = EXCHANGE.limits
        if isinstance(self.timeout, int | float):
            deadline = Deadline.earliest(deadline, Deadline(self.timeout))
        try:
            with limited(deadline, None, target):
                super().connect()
        finally:
            # What was sent so far went to a proxy, or was the TLS handshake.
            EXCHANGE.sent = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        EXCHANGE.sent = True
        super().send(data)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **settings: Any) -> None:
        if method in _PLAIN_METHODS or body is not None or "Content-Length" in (headers or ()):
            super().request(method, url, body, headers, **settings)
            return
        # Of a body that is not there the library gives the length for all methods that it does not know.
        self.__dict__["putheader"] = self._put_all_but_length
        try:
            super().request(method, url, body, headers, **settings)
        finally:
            del self.__dict__["putheader"]

    def _put_all_but_length(self, header: Any, *values: Any) -> None:
        if header != "Content-Length":
            _TimedConnection.putheader(self, header, *values)

    def putheader(self, header: Any, *values: Any) -> None:
        # A field of text, as almost all are; the library looks four times at each.
        line = f"{header}: {values[0]}" if len(values) == 1 and isinstance(values[0], str) else ""
        if _PLAIN_FIELD.fullmatch(line) is not None and values[0] != SKIP_HEADER:
            self._output(line.encode("latin-1"))  # type: ignore[attr-defined]  # not in the public interface
        else:
            super().putheader(header, *values)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        # The library encodes targets its own way; what was prepared, and perhaps signed, is sent as it is.
        target = url if EXCHANGE.limits.target is None else EXCHANGE.limits.target
        super().putrequest(method, target, skip_host=skip_host, skip_accept_encoding=skip_accept_encoding)

    def _new_conn(self) -> socket.socket:
        try:
            return _connect(self._dns_host, self.port, self.socket_options or ())
        except socket.gaierror as exc:
            raise NameResolutionError(self.host, self, exc) from exc
        except TimeoutError as exc:
            raise ConnectTimeoutError(self, "connecting took too long") from exc
        except OSError as exc:
            raise NewConnectionError(self, "no connection") from exc


class _TimedTlsConnection(_TimedConnection, urllib3.connection.HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection

    def _validate_conn(self, conn: Any) -> None:
        # The library's own method also warns of each unverified request; that is said once, by forge.
        if conn.is_closed:
            conn.connect()


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _TlsPool}


def resolve(host: str, port: int, seconds: float | None, lookup: Lookup = socket.getaddrinfo) -> list[Any]:
    """The addresses of a host, as `socket.getaddrinfo` gives them. TimeoutError after these seconds.

    A lookup cannot be interrupted, so it runs in a thread that is left behind when it takes too long.
    """
    family = allowed_gai_family()
    if seconds is None or _is_literal(host):
        return lookup(host, port, family, socket.SOCK_STREAM)
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(lookup(host, port, family, socket.SOCK_STREAM))
        except Exception as exc:  # it is raised where the answer is awaited
            answers.put(exc)

    threading.Thread(target=ask, name="forge-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _connect(host: str, port: int, options: Any) -> socket.socket:
    """A socket connected to one of the host's addresses, within the thread's limits."""
    addresses = resolve(host.strip("[]"), port, allowance())
    timing = EXCHANGE.timing
    timing.resolved = time.monotonic()
    failure: OSError = OSError("the name has no address")
    for later, (family, kind, protocol, _, where) in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
        sock = _TimedSocket(family, kind, protocol)
        try:
            left = allowance()
            # Half of the time for each address but the last: a dead first one must not use it up.
            sock.settimeout(left / 2 if later and left is not None else left)
            for option in options:
                sock.setsockopt(*option)
            sock.connect(where)
        except OSError as exc:
            failure = exc
            sock.close()
        else:
            timing.connected = time.monotonic()
            timing.peer = f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"
            return sock
    try:
        raise failure
    finally:
        del failure  # it refers to this frame through its traceback
