"""Time limits by the wall clock over name resolution, connecting, TLS, sending and every read."""

from __future__ import annotations

import errno
import functools
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..events import Timing
from ..models import Deadline

# One socket call sends at most this much, so that a slow but steady upload is not idle.
_SEND_BYTES = 65536
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


class TimedSocket(socket.socket):
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


class TimedTlsSocket(TimedSocket, ssl.SSLSocket):
    """The same over TLS; to be set as a context's ``sslsocket_class``."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(allowance())
        super().do_handshake(block)
        secured(self)

    def send(self, *args: Any, **kwargs: Any) -> int:
        try:
            return super().send(*args, **kwargs)
        except ssl.SSLEOFError:
            # As without TLS: the library then looks for what the server said before it closed.
            raise BrokenPipeError(errno.EPIPE, "the connection was closed") from None


def secured(sock: Any) -> None:
    """Note that TLS is spoken from now on, which, and what the certificate says."""
    timing = EXCHANGE.timing
    timing.secured = time.monotonic()
    timing.tls = " ".join(filter(None, (sock.version(), (sock.cipher() or ("",))[0])))
    timing.certificate = sock.getpeercert()


def resolve(host: str, port: int, seconds: float | None, lookup: Lookup = socket.getaddrinfo) -> list[Any]:
    """The addresses of a host, as `socket.getaddrinfo` gives them. TimeoutError after these seconds.

    A lookup cannot be interrupted, so it runs in a thread that is left behind when it takes too long.
    """
    family = _family()
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


@functools.cache
def _family() -> socket.AddressFamily:
    """Which addresses to ask for: those of IPv6 only where there is any IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return socket.AF_INET
    return socket.AF_UNSPEC


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
