"""The exception family: every failure forge reports on purpose.

ForgeError                             .hint: the one next thing to try
├─ HttpClientException                 a request failed
│  ├─ MaxRetryException                ... finally; .attempts, and the last failure as .original_exception
│  ├─ TimeoutException                 a time limit passed
│  ├─ ConnectionException              no connection, or it broke before an answer
│  ├─ SSLException                     TLS failed; never retried
│  ├─ ResponseParseException           the body is not what it claims to be
│  ├─ RequestBuildException            the request cannot be sent as asked
│  ├─ RedirectException                a redirect was refused, or there were too many
│  ├─ IncompleteResponseException      the answer broke off, is badly encoded, or too large
│  ├─ CircuitOpenException             not sent: its origin failed too often of late; .retry_after
│  ├─ AuthenticationException          a credential could not be had; .service_name
│  │  ├─ TokenRefreshException
│  │  ├─ StepFailed                    a login step was answered, and the answer is a refusal
│  │  └─ NeedsPerson                   a login needs a terminal, a browser or a password
│  └─ HttpStatusException              .status_code .response_body
│     ├─ BadRequestException 400       ├─ UnauthorizedException 401
│     ├─ ForbiddenException 403        ├─ NotFoundException 404
│     └─ ServerErrorException 5xx
├─ ProfileError                        a profile file cannot be used; .problems
├─ MissingSecret                       a secret the profile refers to is not there
├─ UsageError                          the command line does not make sense
└─ StorageError                        tokens cannot be read or written
   └─ LockTimeout                      another process kept a token's lock for too long
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ForgeError(Exception):
    """The root. ``message`` says what was wrong; ``hint`` is the one next thing to try."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle by calling the class with `args`, which loses keyword arguments and
        # breaks on required ones; the state is in `__dict__`, so restore that instead.
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(kind: type[ForgeError], args: tuple[Any, ...], state: dict[str, Any]) -> ForgeError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class HttpClientException(ForgeError):
    """A request failed. ``context`` holds what was being done, ``original_exception`` the cause."""

    def __init__(
        self,
        message: str,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.original_exception = original_exception
        self.context: dict[str, Any] = dict(context or {})

    def __str__(self) -> str:
        original = self.original_exception
        if original is None:
            return self.message
        return f"{self.message} | Original: {type(original).__name__}: {original}"


class MaxRetryException(HttpClientException):
    """No attempt succeeded. ``attempts`` counts the requests made; also raised after only one."""

    def __init__(
        self,
        message: str,
        attempts: int,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, original_exception, context, hint=hint)
        self.attempts = attempts


class TimeoutException(HttpClientException):
    """A time limit passed: connecting, waiting for data, one attempt, or everything."""


class ConnectionException(HttpClientException):
    """No connection, or it broke before an answer. ``context["sent"]`` is False when no byte left."""


class SSLException(HttpClientException):
    """TLS failed: an untrusted or wrong certificate, or no common protocol."""


class ResponseParseException(HttpClientException):
    """A body is not what it claims to be."""


class RequestBuildException(HttpClientException):
    """The request cannot be built: a bad method, header, URL, or two bodies."""


class RedirectException(HttpClientException):
    """A redirect was refused, repeats itself, or there were too many."""


class IncompleteResponseException(HttpClientException):
    """The answer broke off, does not decode, or is larger than allowed."""


class CircuitOpenException(HttpClientException):
    """Nothing was sent: its origin failed too often of late. ``retry_after`` seconds from now it may be asked again."""

    def __init__(
        self,
        message: str,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        retry_after: float = 0.0,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, original_exception, context, hint=hint)
        self.retry_after = retry_after


class AuthenticationException(HttpClientException):
    """A credential could not be obtained; ``service_name`` says for what."""

    def __init__(
        self,
        message: str,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
        service_name: str | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, original_exception, context, hint=hint)
        self.service_name = service_name


class TokenRefreshException(AuthenticationException):
    """A token could not be renewed."""


class StepFailed(AuthenticationException):
    """A login step was answered and refused, or its answer is not one. Redacted already.

    ``answer`` is the response, where there is one; ``blames`` names the steps whose tokens it refuses.
    """

    blames: Sequence[str] = ()

    def __init__(
        self,
        step: str,
        reason: str,
        *,
        status: int | None = None,
        hint: str | None = None,
        answer: Any = None,
    ) -> None:
        super().__init__(f"login step '{step}': {reason}", service_name=step, hint=hint)
        self.step = step
        self.status = status
        self.answer = answer


class NeedsPerson(AuthenticationException):
    """A login needs a person, and there is no terminal (or input is off)."""


class HttpStatusException(HttpClientException):
    """The answer has a status that was not wanted."""

    def __init__(
        self,
        message: str,
        status_code: int,
        response_body: str | None = None,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, original_exception, context)
        self.status_code = status_code
        self.response_body = response_body


class _FixedStatus(HttpStatusException):
    code = 0
    reason = ""

    def __init__(
        self,
        message: str | None = None,
        response_body: str | None = None,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        text = self.reason if message is None else message
        super().__init__(text, self.code, response_body, original_exception, context)


class BadRequestException(_FixedStatus):
    """400 (RFC 9110, section 15.5.1)."""

    code, reason = 400, "Bad Request"


class UnauthorizedException(_FixedStatus):
    """401 (RFC 9110, section 15.5.2)."""

    code, reason = 401, "Unauthorized"


class ForbiddenException(_FixedStatus):
    """403 (RFC 9110, section 15.5.4)."""

    code, reason = 403, "Forbidden"


class NotFoundException(_FixedStatus):
    """404 (RFC 9110, section 15.5.5)."""

    code, reason = 404, "Not Found"


class ServerErrorException(HttpStatusException):
    """5xx (RFC 9110, section 15.6)."""

    def __init__(
        self,
        message: str = "Server Error",
        status_code: int = 500,
        response_body: str | None = None,
        original_exception: BaseException | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, status_code, response_body, original_exception, context)


def status_exception(
    status: int, body: str | None = None, context: Mapping[str, Any] | None = None
) -> HttpStatusException:
    """The class of the family that fits a status of 400 or above."""
    fixed = {400: BadRequestException, 401: UnauthorizedException, 403: ForbiddenException, 404: NotFoundException}
    if status in fixed:
        return fixed[status](None, body, context=context)
    if status >= 500:
        return ServerErrorException(status_code=status, response_body=body, context=context)
    return HttpStatusException(f"HTTP {status}", status, body, context=context)


class ProfileError(ForgeError):
    """A profile cannot be used. ``problems`` holds one line each: where, and what is wrong.

    ``template`` is the text that could not be filled in, where that is why; ``placed``: the message says where it is.
    """

    template: str | None = None
    placed = False

    def __init__(self, message: str, *, problems: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class MissingSecret(ForgeError):
    """A secret that the profile refers to is not there."""


class UsageError(ForgeError):
    """The command line does not make sense."""


class StorageError(ForgeError):
    """Tokens cannot be read or written."""


class LockTimeout(StorageError):
    """Another process kept a token's lock for too long."""
