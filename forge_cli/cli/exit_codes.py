"""What each exit code means, and which error has which."""

from __future__ import annotations

import re
from enum import IntEnum

from ..errors import (
    AuthenticationException,
    CircuitOpenException,
    ConnectionException,
    ForgeError,
    HttpClientException,
    HttpStatusException,
    IncompleteResponseException,
    LockTimeout,
    MaxRetryException,
    MissingSecret,
    ProfileError,
    RedirectException,
    RequestBuildException,
    ResponseParseException,
    SSLException,
    StepFailed,
    StorageError,
    TimeoutException,
    UsageError,
)


class ExitCode(IntEnum):
    """The exit codes of every command."""

    SUCCESS = 0
    BUG = 1
    USAGE = 2
    REDIRECT = 3
    CLIENT_ERROR = 4
    SERVER_ERROR = 5
    REDIRECT_REFUSED = 6
    LOGIN_REFUSED = 7
    NO_CONNECTION = 8
    LOCAL_IO = 9
    BROKEN_RESPONSE = 10
    CIRCUIT_OPEN = 11
    UNEXPECTED = 12
    TIMEOUT = 28
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.SUCCESS: "success",
    ExitCode.BUG: "a bug in forge",
    ExitCode.USAGE: "usage, profile, configuration or missing-secret error: nothing was sent",
    ExitCode.REDIRECT: "the final answer is a redirect that was not followed",
    ExitCode.CLIENT_ERROR: "the final answer is a 4xx",
    ExitCode.SERVER_ERROR: "the final answer is a 5xx",
    ExitCode.REDIRECT_REFUSED: "a redirect was refused, or there were too many",
    ExitCode.LOGIN_REFUSED: "the login was refused, or needs a person",
    ExitCode.NO_CONNECTION: "could not connect: DNS, refused, reset, TLS, proxy",
    ExitCode.LOCAL_IO: "local I/O: token store, lock, disk",
    ExitCode.BROKEN_RESPONSE: "the answer is broken: cut short, badly encoded, too large",
    ExitCode.CIRCUIT_OPEN: "not sent: the server failed too often of late (circuit breaker)",
    ExitCode.UNEXPECTED: "an --expect did not hold",
    ExitCode.TIMEOUT: "a time limit passed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.PIPE_CLOSED: "the reader closed the pipe",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}

HINTS: dict[ExitCode, str] = {
    ExitCode.REDIRECT_REFUSED: "--no-follow shows the redirect",
    ExitCode.NO_CONNECTION: "check the address, the network and the proxy; `-v` shows how far it came",
    ExitCode.LOCAL_IO: "check the permissions and the space of the place it names",
    ExitCode.BROKEN_RESPONSE: "try again; if it stays, the server or a proxy cuts its answers",
    ExitCode.TIMEOUT: "raise the limit with --timeout, or `timeout` in the profile",
}
"""What to try next, after an error that does not say so itself."""

EXIT_CODES: dict[type[BaseException], ExitCode] = {
    HttpClientException: ExitCode.NO_CONNECTION,
    ConnectionException: ExitCode.NO_CONNECTION,
    SSLException: ExitCode.NO_CONNECTION,
    TimeoutException: ExitCode.TIMEOUT,
    RequestBuildException: ExitCode.USAGE,
    RedirectException: ExitCode.REDIRECT_REFUSED,
    ResponseParseException: ExitCode.BROKEN_RESPONSE,
    IncompleteResponseException: ExitCode.BROKEN_RESPONSE,
    CircuitOpenException: ExitCode.CIRCUIT_OPEN,
    AuthenticationException: ExitCode.LOGIN_REFUSED,
    HttpStatusException: ExitCode.CLIENT_ERROR,
    ProfileError: ExitCode.USAGE,
    MissingSecret: ExitCode.USAGE,
    UsageError: ExitCode.USAGE,
    StorageError: ExitCode.LOCAL_IO,
    KeyboardInterrupt: ExitCode.INTERRUPTED,
    BrokenPipeError: ExitCode.PIPE_CLOSED,
}


_PASSING = (
    ConnectionException,
    TimeoutException,
    IncompleteResponseException,
    CircuitOpenException,
    LockTimeout,
)
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that may be another one later: those that are retried."""


def kind_of(error: ForgeError) -> str:
    """The name of a failure for programs, by its class in errors.py: `SSLException` is "ssl"."""
    if isinstance(error, HttpStatusException):
        return "status"
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == ForgeError.__module__)
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Exception").removesuffix("Error")).lower()


def passing(error: ForgeError) -> bool:
    """Whether the same may succeed later with nothing done about it."""
    if isinstance(error, HttpStatusException):
        return error.status_code in PASSING_STATUSES
    return isinstance(error, _PASSING) or (isinstance(error, StepFailed) and error.status in PASSING_STATUSES)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code of an error, by the nearest of its ancestors in the table."""
    if isinstance(error, HttpStatusException):
        return status_code(error.status_code)
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), ExitCode.BUG)


def cause_of(error: ForgeError) -> ForgeError:
    """The failure that a person should hear of: inside the wrapping that says how often it was tried."""
    while isinstance(error, MaxRetryException | AuthenticationException):
        inner = error.original_exception
        if not isinstance(inner, ForgeError):
            break
        error = inner
    return error


def status_code(status: int) -> ExitCode:
    """The exit code of a final response. A 304 answers a conditional request and is a success."""
    if status >= 500:
        return ExitCode.SERVER_ERROR
    if status >= 400:
        return ExitCode.CLIENT_ERROR
    return ExitCode.REDIRECT if 300 <= status < 400 and status != 304 else ExitCode.SUCCESS
