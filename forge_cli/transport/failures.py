"""What fails on the wire or in a session, in forge's words. Their own texts may quote secrets, so none is passed on."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from ..compiled import compiled
from ..errors import (
    ConnectionException,
    HttpClientException,
    IncompleteResponseException,
    RequestBuildException,
    SSLException,
    TimeoutException,
)
from ..models import Deadline
from .head import HeadCut, LengthsDiffer

Cause = TypeVar("Cause", bound=BaseException)
Classes = tuple[type[BaseException], ...]

_TUNNEL = compiled(r"Tunnel connection failed: (\d{3})")
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}


class Attempt(NamedTuple):
    """What a message may say about a request: where it went, its limits in seconds, and how far it came."""

    where: str
    proxied: bool
    deadline: Deadline | None
    connect: float | None
    idle: float | None
    sent: bool


class Kinds(NamedTuple):
    """The exceptions of a library by what they mean, beside those of the standard library.

    `own` are all that the library raises for what fails on the wire, `connection` those of which no more is known.
    """

    connection: Classes
    own: Classes = ()
    unsent: Classes = ()
    timeout: Classes = ()
    tls: Classes = ()
    unusable: Classes = ()
    lengths: Classes = ()
    proxy: Classes = ()


STANDARD = Kinds(connection=(OSError,))


def failure(exc: Exception, attempt: Attempt, kinds: Kinds = STANDARD) -> HttpClientException:
    """The exception to raise for one that was raised while a request was sent or its answer's head read."""
    causes = tuple(_causes(exc))
    if any(isinstance(cause, kinds.unsent) for cause in causes):
        attempt = attempt._replace(sent=False)
    if isinstance(exc, kinds.timeout) or _first(causes, TimeoutError) is not None:
        return timed_out(attempt)
    refused = next((match for cause in causes if (match := _TUNNEL.search(str(cause)))), None)
    if refused is not None:
        return _connection(f"{attempt.where} refused the tunnel with status {refused[1]}", attempt)
    tls = _first(causes, ssl.SSLError)
    ended = tls is not None and attempt.sent and _ended(tls)
    if not ended and (tls is not None or isinstance(exc, kinds.tls)):
        return _ssl(tls, attempt)
    broken = _not_http(causes, kinds)
    if broken is not None:
        return IncompleteResponseException(f"the answer is not proper HTTP: {broken}", context={"sent": attempt.sent})
    if isinstance(exc, kinds.connection):
        return _connection(_reason(causes, attempt, kinds), attempt)
    if isinstance(exc, kinds.unusable):
        what = attempt.where if attempt.proxied else "the given session"
        hint = "check the proxy's address" if attempt.proxied else "check its adapters and its proxies"
        return RequestBuildException(f"{what} cannot be used for this URL", context={"sent": False}, hint=hint)
    if isinstance(exc, ValueError) and not isinstance(exc, kinds.own):
        return RequestBuildException("the request holds characters that HTTP does not allow", context={"sent": False})
    return HttpClientException(f"HTTP request failed: {type(exc).__name__}", context={"sent": attempt.sent})


def timed_out(attempt: Attempt) -> TimeoutException:
    """The exception for a limit that passed, naming the limit."""
    if attempt.deadline is not None and attempt.deadline.remaining() <= 0:
        reason = f": the whole request took longer than {attempt.deadline.seconds:g} s"
    elif not attempt.sent and attempt.connect is not None:
        reason = f": no connection to {attempt.where} within {attempt.connect:g} s"
    elif attempt.idle is not None:
        reason = f": {attempt.where} sent nothing for {attempt.idle:g} s"
    else:
        reason = ""
    return TimeoutException(f"Request timed out{reason}", context={"sent": attempt.sent})


def body_failure(exc: Exception, attempt: Attempt, received: int, expected: int | None) -> HttpClientException:
    """The exception for a body that broke off after so many bytes."""
    if _first(tuple(_causes(exc)), TimeoutError) is not None:
        return timed_out(attempt)
    of = f"{expected} bytes" if expected is not None else "an unknown number, and no end"
    return IncompleteResponseException(
        f"the response broke off: got {received} of {of}",
        context={"sent": True, "received": received, "expected": expected},
    )


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and those it was made from; not `__context__`, which may be a former request's."""
    waiting, seen = [exc], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        linked = (*cause.args, getattr(cause, "reason", None), cause.__cause__)
        waiting.extend(link for link in linked if isinstance(link, BaseException))


def _first(causes: tuple[BaseException, ...], kind: type[Cause]) -> Cause | None:
    return next((cause for cause in causes if isinstance(cause, kind)), None)


def _ended(tls: ssl.SSLError) -> bool:
    """Whether it is not TLS that failed: the connection ended without TLS being told."""
    return isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError)


def _ssl(tls: ssl.SSLError | None, attempt: Attempt) -> SSLException:
    context = {"sent": attempt.sent}
    if isinstance(tls, ssl.SSLCertVerificationError):
        hint = "name the certificate's authority with --verify CA.pem; -k turns the check off"
        return SSLException(f"SSL/TLS error occurred: {tls.verify_message.rstrip('.')}", context=context, hint=hint)
    if tls is None:
        return SSLException("SSL/TLS error occurred", context=context)
    if _ended(tls):
        return SSLException(f"SSL/TLS error occurred: {attempt.where} ended the handshake", context=context)
    reason = (tls.reason or "unknown").replace("_", " ").lower()
    wrong_port = "version number" in reason or "record layer" in reason
    return SSLException(
        f"SSL/TLS error occurred: {reason}",
        context=context,
        hint="check that the port speaks https" if wrong_port else None,
    )


def _not_http(causes: tuple[BaseException, ...], kinds: Kinds) -> str | None:
    """What is wrong with the head of an answer, or None when that is not the failure."""
    if _first(causes, http.client.RemoteDisconnected) is not None:
        return None
    if _first(causes, http.client.BadStatusLine) is not None:
        return "it has no status line"
    if _first(causes, http.client.LineTooLong) is not None:
        return "a line of its head is longer than 64 KiB"
    if any(isinstance(cause, (LengthsDiffer, *kinds.lengths)) for cause in causes):
        return "its Content-Length fields differ"
    if _first(causes, HeadCut):
        return "its head breaks off"
    found = _first(causes, http.client.HTTPException)
    if found is None:
        return None
    # The only ones left that reading a head raises, and their texts are the library's alone.
    return "it has too many header fields" if "headers" in str(found) else "too many informational responses came first"


def _connection(reason: str | None, attempt: Attempt) -> ConnectionException:
    text = "Connection failed" if reason is None else f"Connection failed: {reason}"
    hint = "check the proxy's address and credentials" if attempt.proxied else None
    return ConnectionException(text, context={"sent": attempt.sent}, hint=hint)


def _reason(causes: tuple[BaseException, ...], attempt: Attempt, kinds: Kinds) -> str | None:
    where = attempt.where
    if _first(causes, socket.gaierror) is not None:
        return f"no address was found for {where}"
    if _first(causes, http.client.RemoteDisconnected) or _first(causes, ssl.SSLError):
        return f"{where} closed the connection without an answer"
    if _first(causes, ConnectionRefusedError) is not None:
        return f"connection refused by {where}"
    if _first(causes, ConnectionResetError) or _first(causes, BrokenPipeError):
        return f"connection reset by {where}"
    system = _first(causes, OSError)
    if system is not None and system.errno in _UNREACHABLE:
        return f"{where} cannot be reached"
    if system is not None and system.errno is not None and not isinstance(system, kinds.own):
        return f"{os.strerror(system.errno).lower()} ({where})"
    return f"{where} could not be used" if any(isinstance(cause, kinds.proxy) for cause in causes) else None
