"""Request, response and error hooks."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable

from .compiled import compiled
from .errors import AuthenticationException
from .interfaces import ErrorHookInterface, RequestHookInterface, ResponseHookInterface
from .models import Headers, HttpRequest, HttpResponse, RequestContext, random_uuid
from .redact import MASK, REDACTOR, sensitive

logger = logging.getLogger(__name__)

_BODY_SHOWN = 500
# Far more than is shown, and masked before it is cut: what is cut in two is no known secret.
_BODY_READ = 64 * 1024
_WHOLE_NUMBER = compiled(r"-?[0-9]{1,18}")


class LoggingRequestHook(RequestHookInterface):
    """Log each attempt: method and URL at INFO, headers and JSON body at DEBUG, secrets masked.

    By default the headers masked are those whose names usually carry a secret; `sensitive_keys` replaces
    them. Values that are known to be secret are masked in any.
    """

    def __init__(
        self, log_headers: bool = False, log_body: bool = False, sensitive_keys: Iterable[str] | None = None
    ) -> None:
        self._log_headers = log_headers
        self._log_body = log_body
        self._masked = None if sensitive_keys is None else frozenset(k.lower() for k in sensitive_keys)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        request_id = context.metadata.setdefault("request_id", os.urandom(4).hex())
        context.metadata["start_time"] = time.time()
        retry = f" (retry {context.attempt}/{context.max_retries})" if context.is_retry else ""
        method = getattr(request.method, "value", request.method)
        logger.info("[%s] HTTP %s %s%s", request_id, method, REDACTOR.url(request.url), retry)
        if self._log_headers:
            shown = {k: MASK if self._hides(k) else REDACTOR.text(str(v)) for k, v in (request.headers or {}).items()}
            logger.debug("[%s] headers: %s", request_id, shown)
        if self._log_body and request.json_data is not None:
            logger.debug("[%s] body: %s", request_id, REDACTOR.content(json.dumps(request.json_data, default=str)))
        return request

    def _hides(self, name: str) -> bool:
        return sensitive(name) if self._masked is None else name.lower() in self._masked


class LoggingResponseHook(ResponseHookInterface):
    """Log each answer: INFO when it is a success, else WARNING with the start of its body."""

    def __init__(self, log_headers: bool = False, log_body: bool = False) -> None:
        self._log_headers = log_headers
        self._log_body = log_body

    def after_response(self, response: HttpResponse, context: RequestContext) -> HttpResponse:
        request_id = context.metadata.get("request_id", "-")
        started = context.metadata.get("start_time")
        took = (time.time() - started) * 1000 if started is not None else response.elapsed_ms
        level = logging.INFO if response.is_success else logging.WARNING
        logger.log(level, "[%s] HTTP %s in %.0f ms", request_id, response.status_code, took)
        if self._log_headers:
            logger.debug("[%s] headers: %s", request_id, dict(REDACTOR.headers(Headers(response.headers).pairs)))
        if self._log_body and not response.is_success:
            logger.log(level, "[%s] body: %s", request_id, REDACTOR.content(response.text[:_BODY_READ])[:_BODY_SHOWN])
        return response


class LoggingErrorHook(ErrorHookInterface):
    """Log each failed attempt at ERROR, without the request's secrets."""

    def on_error(self, exception: Exception, context: RequestContext) -> None:
        method = getattr(context.request.method, "value", context.request.method)
        # What is said about a login that failed may quote a credential without its name.
        masks = REDACTOR.body if isinstance(exception, AuthenticationException) else REDACTOR.content
        logger.error(
            "[%s] HTTP %s %s failed, attempt %d/%d: %s: %s",
            context.metadata.get("request_id", "-"),
            method,
            REDACTOR.url(context.request.url),
            context.attempt + 1,
            context.max_retries + 1,
            type(exception).__name__,
            masks(str(exception)),
        )


class AuthorizationHook(RequestHookInterface):
    """Add ``Authorization: Bearer`` with what `token_provider()` returns; nothing when that is empty."""

    def __init__(self, token_provider: Callable[[], str | None]) -> None:
        self._token_provider = token_provider

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        token = self._token_provider()
        if not token:
            return request
        REDACTOR.add(token)
        return request.with_headers({"Authorization": f"Bearer {token}"})


class CorrelationIdHook(RequestHookInterface):
    """Add an id that stays the same over the retries of one request."""

    def __init__(self, header_name: str = "X-Correlation-ID") -> None:
        self._header_name = header_name

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        value = context.metadata.setdefault("correlation_id", random_uuid())
        return request.with_headers({self._header_name: value})


class RateLimitResponseHook(ResponseHookInterface):
    """Keep ``X-RateLimit-Remaining`` and ``-Reset`` as numbers in the context's metadata."""

    def after_response(self, response: HttpResponse, context: RequestContext) -> HttpResponse:
        for header, name in (
            ("X-RateLimit-Remaining", "rate_limit_remaining"),
            ("X-RateLimit-Reset", "rate_limit_reset"),
        ):
            text = (response.headers.get(header) or "").strip()
            if _WHOLE_NUMBER.fullmatch(text):
                context.metadata[name] = int(text)
        return response
