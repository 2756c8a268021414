"""The HTTP client: hooks, authentication, redirects and retries around one exchange.

    request / stream -> _run (retries) -> _attempt (a refused credential) -> _follow (redirects) -> _send

Each level adds one thing and calls the next. `prepare` is the part before `_send`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .config import HttpClientConfig, HttpClientConfigBuilder
from .encode import build_url, encode
from .errors import (
    AuthenticationException,
    ForgeError,
    HttpClientException,
    HttpStatusException,
    IncompleteResponseException,
    MaxRetryException,
    RedirectException,
    RequestBuildException,
    SSLException,
    TimeoutException,
)
from .hooks import Foreign, Listener, Received, Redirecting, Retrying, RetryStopped, Sending
from .interfaces import AuthHookInterface, HttpClientInterface, HttpSessionInterface, RetryStrategyInterface
from .models import (
    Deadline,
    Headers,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    PreparedRequest,
    RequestContext,
    decode_text,
)
from .redact import REDACTOR, sensitive
from .retry import NoRetryStrategy, retry_after
from .transport.redirects import next_request, origin

if TYPE_CHECKING:
    import requests

    from .transport.session import Answer, Transport

logger = logging.getLogger(__name__)
_T = TypeVar("_T")
Origin = tuple[str, str, int]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.2
# Asking again cannot change these.
_PERMANENT = (AuthenticationException, SSLException, RequestBuildException, RedirectException)
# What a rule about bodies looks at when the body is streamed, and what is read to keep a connection.
_PEEKED = 1024 * 1024
_DRAINED = 64 * 1024
_MAX_RETRY_AFTER = 60.0


@dataclass(frozen=True)
class _Draft:
    """A request ready to go.

    `authenticated` is whether it carries the client's credential; `ours` whether it goes to an origin that
    may see what the client has of its own; `homes` are the origins that may see what is in the request.
    """

    request: HttpRequest
    prepared: PreparedRequest
    authenticated: bool
    ours: bool
    homes: frozenset[Origin]

    def allowed(self, url: str) -> bool:
        return origin(url) in self.homes


@dataclass
class _Run:
    """One request of a caller's, over all its attempts. `answered`: this attempt has had an answer of any kind."""

    context: RequestContext
    strategy: RetryStrategyInterface
    started: float
    stream: bool
    draft: _Draft | None = None
    answered: bool = False


class StreamedResponse:
    """An answer whose body is read as it is needed.

    `iter_bytes` raises IncompleteResponseException when the body breaks off or does not decode.
    """

    def __init__(self, answer: Answer, request: HttpRequest, history: tuple[HttpResponse, ...] = ()) -> None:
        self.status_code: int = answer.status
        self.reason: str = answer.reason
        self.headers: Headers = answer.headers
        self.url: str = answer.url
        self.http_version: str = answer.http_version
        self.encoding: str | None = answer.encoding
        self.request = request
        self.history = history
        self.attempts = 1
        self._answer = answer
        self._head: list[bytes] = []
        self._rest: Iterator[bytes] | None = None
        self._content: bytes | None = None
        self._ended: float | None = None
        self._value: HttpResponse | None = None

    def iter_bytes(self, chunk_size: int = 65536) -> Iterator[bytes]:
        """The decoded body, in pieces of at most `chunk_size` bytes."""
        for piece in self._pieces():
            if len(piece) <= chunk_size:
                yield piece
                continue
            for start in range(0, len(piece), chunk_size):
                yield piece[start : start + chunk_size]

    def read(self, limit: int | None = None) -> bytes:
        """The whole body. IncompleteResponseException when it is longer than `limit` bytes."""
        if self._content is None:
            pieces, size = [], 0
            for piece in self._pieces():
                pieces.append(piece)
                size += len(piece)
                if limit is not None and size > limit:
                    self.close()
                    raise IncompleteResponseException(
                        f"the body is larger than {limit} bytes", hint="save it to a file, or raise max_body"
                    )
            self._finish(b"".join(pieces))
        return self._content or b""

    def peek(self, limit: int = _PEEKED) -> bytes | None:
        """The body when it is no longer than `limit`, else None; nothing is lost for later reading."""
        if self._content is not None:
            return self._content
        size = sum(map(len, self._head))
        for piece in self._unread():
            self._head.append(piece)
            size += len(piece)
            if size > limit:
                return None
        self._finish(b"".join(self._head))
        self._head.clear()
        return self._content

    def response(self) -> HttpResponse:
        """The answer as a value, with what has been read of the body."""
        if self._value is not None:
            return self._value
        value = HttpResponse(
            self.status_code,
            self.headers,
            self._content or b"",
            self.elapsed_ms,
            self.url,
            self.request,
            self.encoding,
            self.reason,
            self.history,
        )
        if self._content is not None:
            self._value = value
        return value

    def replace(self, value: HttpResponse) -> None:
        """Take the place of this answer: what a hook returned is what the caller gets."""
        self._value = value
        self.status_code, self.headers, self._content = value.status_code, value.headers, value.content
        self.url, self.encoding, self.reason = value.url, value.encoding, value.reason

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from sending until the whole body was read, or until now."""
        return ((self._ended or time.monotonic()) - self._answer.started) * 1000

    def close(self) -> None:
        """Give the connection back, or drop it when the body is not read to its end."""
        self._answer.close()

    def discard(self) -> None:
        """Read a short rest, so that the connection can be used again, and close."""
        with suppress(HttpClientException):
            self.peek(_DRAINED)
        self.close()

    def _finish(self, content: bytes) -> None:
        self._content = content
        self._ended = time.monotonic()

    def _pieces(self) -> Iterator[bytes]:
        if self._content is not None:
            yield self._content
            return
        while self._head:
            yield self._head.pop(0)
        yield from self._unread()

    def _unread(self) -> Iterator[bytes]:
        if self._rest is None:
            self._rest = self._answer.iter_bytes()
        return self._rest


class HttpClient(HttpClientInterface, HttpSessionInterface):
    """Sends requests as the config says. Safe to share between threads.

    `session` is a `requests.Session` of the caller's, used through its `send` and never closed.
    `listener` is told of each exchange, retry and redirect (the events of `forge_cli.hooks`).
    """

    def __init__(
        self,
        config: HttpClientConfig | None = None,
        session: requests.Session | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
    ) -> None:
        self._config = config or HttpClientConfig()
        self._given_session = session
        self._sleep = sleep
        self._clock = clock
        self._listener = listener
        self._transport: Transport | None = None
        self._opening = threading.Lock()
        self._closed = False
        urls = (self._config.base_url, *self._config.origins)
        self._origins = frozenset(origin(url) for url in urls if "://" in url)
        self._prefix = self._config.base_url.rstrip("/") + "/"
        self._default_names = frozenset(name.lower() for name in self._config.default_headers)

    @property
    def config(self) -> HttpClientConfig:
        return self._config

    @property
    def auth_hook(self) -> AuthHookInterface | None:
        return self._config.auth_hook

    @property
    def adapter(self) -> requests.adapters.HTTPAdapter:
        """The adapter that all threads' sessions share."""
        return self._opened().adapter

    @property
    def session(self) -> requests.Session:
        """The caller's session, else this thread's own."""
        return self._opened().session

    def request(self, request: HttpRequest, *, deadline: Deadline | None = None) -> HttpResponse:
        """Send a request and read its answer. A 4xx or 5xx is returned, unless `raise_for_status` is set.

        `deadline` ends everything, as `max_elapsed` does, for this request. MaxRetryException, with the
        last failure as `original_exception`, when no attempt was answered.
        """
        response = self._run(request, deadline, stream=False).response()
        return response.raise_for_status() if self._config.raise_for_status else response

    @contextmanager
    def stream(self, method: HttpMethod | str, url: str, **kw: Any) -> Iterator[StreamedResponse]:
        """Send a request; the body is read by the caller, in bounded memory. Takes HttpRequest's fields."""
        response = self.send(HttpRequest(method, url, **kw))
        try:
            yield response
        finally:
            response.close()

    def send(self, request: HttpRequest, *, deadline: Deadline | None = None) -> StreamedResponse:
        """Send a request and return its answer unread; the caller closes it."""
        response = self._run(request, deadline, stream=True)
        if self._config.raise_for_status and response.status_code >= 400:
            response.discard()
            response.response().raise_for_status()
        return response

    def prepare(self, request: HttpRequest, context: RequestContext | None = None) -> PreparedRequest:
        """The request as it would be sent now, after hooks and authentication. Nothing is sent for it,
        but a credential that is not there yet may be obtained."""
        return self._draft(context or self._context(request, NoRetryStrategy())).prepared

    def get(
        self, url: str, params: Any = None, headers: Any = None, timeout: float | None = None, **kw: Any
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.GET, url, headers, params, timeout=timeout, **kw))

    def head(
        self, url: str, params: Any = None, headers: Any = None, timeout: float | None = None, **kw: Any
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.HEAD, url, headers, params, timeout=timeout, **kw))

    def options(
        self, url: str, params: Any = None, headers: Any = None, timeout: float | None = None, **kw: Any
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.OPTIONS, url, headers, params, timeout=timeout, **kw))

    def post(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.POST, url, headers, params, data, json_data, timeout=timeout, **kw))

    def put(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.PUT, url, headers, params, data, json_data, timeout=timeout, **kw))

    def patch(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse:
        return self.request(HttpRequest(HttpMethod.PATCH, url, headers, params, data, json_data, timeout=timeout, **kw))

    def delete(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse:
        return self.request(
            HttpRequest(HttpMethod.DELETE, url, headers, params, data, json_data, timeout=timeout, **kw)
        )

    def close(self) -> None:
        """Close the connections; later requests raise. May be called twice."""
        self._closed = True
        with self._opening:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # A client that failed in its constructor has no lock yet.
        if hasattr(self, "_opening"):
            self.close()

    def _run(self, request: HttpRequest, deadline: Deadline | None, *, stream: bool) -> StreamedResponse:
        self._check_open()
        strategy = request.retry_strategy or self._config.retry_strategy or NoRetryStrategy()
        context = self._context(request, strategy, deadline)
        run = _Run(context, strategy, self._clock(), stream)
        while True:
            error: HttpClientException
            try:
                response = self._after(self._attempt(run), run)
                failure = _status_failure(strategy, response)
                if failure is None or not self._again(failure, run, response):
                    response.attempts = context.attempt + 1
                    return response
                error = failure
            except HttpClientException as exc:
                error = exc
                exc.context.setdefault("request", context.request)
                self._report(exc, context)
                if not self._again(exc, run):
                    raise _final(exc, context) from exc
            logger.debug("attempt %d failed: %s", context.attempt + 1, type(error).__name__)
            context.increment_attempt()

    def _again(self, error: HttpClientException, run: _Run, response: StreamedResponse | None = None) -> bool:
        """Decide on one more attempt, and wait for it."""
        strategy, context = run.strategy, run.context
        if isinstance(error, _PERMANENT) or not self._repeatable(error, run):
            return False
        if not strategy.should_retry(context, error):
            return False
        delay = strategy.get_delay(context)
        asked = retry_after(response.headers) if response is not None else None
        if asked is not None:
            most = _number(strategy, "max_retry_after", _MAX_RETRY_AFTER)
            if asked > most:
                return self._stop(f"the server asks for {_span(asked)}, more than the {_span(most)} allowed")
            delay = max(delay, asked)
        limit = _number(strategy, "max_elapsed", math.inf)
        if self._clock() - run.started + delay > limit:
            return self._stop(f"no time left for another attempt within {_span(limit)}")
        if context.deadline is not None and delay >= context.deadline.remaining():
            wish = f"the server asks for {_span(asked)}; " if asked is not None else ""
            return self._stop(f"{wish}no time left for another attempt within {_span(context.deadline.seconds)}")
        if response is not None:
            response.discard()
        self._tell(Retrying(_reason(error), context.attempt + 1, context.max_retries, delay))
        if delay > 0:
            self._sleep(delay)
        return True

    def _tell(self, event: object) -> None:
        if self._listener is not None:
            self._listener(event)

    def _stop(self, reason: str) -> bool:
        self._tell(RetryStopped(reason))
        return False

    def _repeatable(self, error: HttpClientException, run: _Run) -> bool:
        """Whether sending again can do no harm (RFC 9110, section 9.2.2)."""
        if run.draft is None:
            return True
        prepared = run.draft.prepared
        if not getattr(prepared.body, "replayable", True):
            return False
        return (
            self._config.retry_unsafe_methods
            or prepared.method in _IDEMPOTENT
            or "idempotency-key" in prepared.headers
            # After a redirect it is only the last hop that was not sent.
            or (error.context.get("sent") is False and not run.answered)
        )

    def _attempt(self, run: _Run) -> StreamedResponse:
        """One attempt, and again as often as a refused credential can be renewed."""
        tries, run.answered = 0, False
        while True:
            if run.draft is not None and hasattr(run.draft.prepared.body, "rewind"):
                run.draft.prepared.body.rewind()
            run.draft = self._draft(run.context)
            response, renewed = self._follow(run.draft, run, tries)
            if not renewed:
                return response
            tries += 1
            run.context.metadata["auth_retry"] = tries

    def _follow(self, draft: _Draft, run: _Run, tries: int) -> tuple[StreamedResponse, bool]:
        """Send, and follow redirects. True when the credential was renewed and the request is to be repeated."""
        deadline = self._deadline(draft.prepared, run.context)
        replayable = getattr(draft.prepared.body, "replayable", True)
        history: list[HttpResponse] = []
        seen = {draft.prepared.url}
        while True:
            response = self._send(draft, deadline, tuple(history))
            run.answered = True
            if draft.authenticated and replayable and self._renewed(response, run.context, tries):
                response.discard()
                return response, True
            following = self._next(draft, response, len(history), seen)
            if following is None:
                if not run.stream:
                    response.read(self._config.max_body)
                return response, False
            response.discard()
            history.append(response.response())
            draft = following

    def _next(self, draft: _Draft, response: StreamedResponse, hops: int, seen: set[str]) -> _Draft | None:
        if not self._config.allow_redirects or not 300 <= response.status_code < 400:
            return None
        try:
            prepared = next_request(
                draft.prepared,
                response.status_code,
                response.headers,
                allowed=draft.allowed,
                post_to_get=self._config.post_to_get,
            )
            if prepared is None:
                return None
            if hops >= self._config.max_redirects:
                raise RedirectException(f"more than {self._config.max_redirects} redirects", hint="raise max_redirects")
            if prepared.url in seen and prepared.method == draft.prepared.method:
                raise RedirectException("the redirects go round in a circle")
        except RedirectException:
            response.close()
            raise
        seen.add(prepared.url)
        stays = draft.allowed(prepared.url)
        self._tell(Redirecting(response.status_code, prepared.url, not stays and _carries_secrets(draft.prepared)))
        return dataclasses.replace(
            draft, prepared=prepared, authenticated=draft.authenticated and stays, ours=draft.ours and stays
        )

    def _send(self, draft: _Draft, deadline: Deadline | None, history: tuple[HttpResponse, ...]) -> StreamedResponse:
        if self._listener is not None:
            self._listener(Sending(draft.prepared))
        answer = self._opened().send(draft.prepared, deadline, present_cert=draft.ours)
        if self._listener is not None:
            self._listener(Received(answer.status, answer.reason, answer.headers, answer.http_version))
        return StreamedResponse(answer, draft.request, history)

    def _renewed(self, response: StreamedResponse, context: RequestContext, tries: int) -> bool:
        """Whether the answer says that the credential is no longer good, and it has been renewed."""
        hook = self._config.auth_hook
        if hook is None:
            return False
        if getattr(hook, "reads_body", False) is True and "json" in response.headers.get("Content-Type", "").lower():
            response.peek()
        value = response.response()
        refused, own = hook.is_auth_error(value), _has_own(hook, "recover")
        if not (refused or own) or not hook.retry_strategy.should_retry(value, tries):
            return False
        delay = hook.retry_strategy.get_delay(tries) if refused else 0.0
        if context.deadline is not None and delay >= context.deadline.remaining():
            return False
        if delay > 0:
            self._sleep(delay)
        return bool(hook.recover(value, context)) if own else bool(hook.refresh_auth())

    def _draft(self, context: RequestContext) -> _Draft:
        """Hooks, then authentication, then the bytes."""
        request = context.request
        for request_hook in self._config.request_hooks:
            request = _returned(request_hook, request_hook.before_request(request, context))
        ours = self._is_ours(build_url(self._config.base_url, request.url))
        if not ours:
            request = _without_added_secrets(context.request, request)
        plain, hook = request, self._config.auth_hook if ours else None
        if hook is not None and not hook.should_authenticate(request):
            hook = None
        if hook is not None:
            request = self._authenticated(hook, hook.before_request, request, context)
        prepared = self._encoded(plain, request, ours)
        if hook is not None and _has_own(hook, "finish"):
            before, prepared = prepared, self._authenticated(hook, hook.finish, prepared, context)
            changed = {n.lower() for n, v in prepared.headers.pairs if before.headers.get(n) != v}
            prepared = dataclasses.replace(prepared, credentials=prepared.credentials | changed)
        if not ours:
            self._tell(Foreign(prepared.url))
        return _Draft(request, prepared, hook is not None, ours, self._homes(prepared.url, ours))

    def _is_ours(self, url: str) -> bool:
        base = self._config.base_url
        # Most URLs are of the base: what follows its slash cannot change the host.
        return not base or url.startswith(self._prefix) or origin(url) in self._origins

    def _homes(self, url: str, ours: bool) -> frozenset[Origin]:
        if ours and self._config.base_url:
            return self._origins
        first = frozenset({origin(url)})
        return self._origins | first if ours else first

    def _encoded(self, plain: HttpRequest, request: HttpRequest, ours: bool) -> PreparedRequest:
        """The bytes of `request`, which is `plain` and what authentication added."""
        config = self._config
        headers, queries = _added(plain, request)
        if not ours:
            return encode(request, timeout=config.default_timeout, credentials=headers, query_credentials=queries)
        return encode(
            request,
            base_url=config.base_url,
            defaults=config.default_headers,
            params=config.default_params,
            cookies=config.cookies,
            timeout=config.default_timeout,
            credentials=headers | self._default_names,
            query_credentials=queries.union(config.default_params),
        )

    def _authenticated(
        self, hook: AuthHookInterface, step: Callable[[_T, RequestContext], _T], value: _T, context: RequestContext
    ) -> _T:
        try:
            return _returned(hook, step(value, context))
        except AuthenticationException:
            raise
        except HttpClientException as exc:
            message, cause = f"Authentication hook failed: {exc.message}", exc
            raise AuthenticationException(message, cause, {"request": context.request}) from exc
        except ForgeError:
            raise  # a missing secret, a bad profile, a store that cannot be read: not an answer of the network
        except Exception as exc:
            message = f"Authentication hook failed: {type(exc).__name__}: {REDACTOR.body(str(exc))}"
            raise AuthenticationException(message, exc, {"request": context.request}) from exc

    def _after(self, response: StreamedResponse, run: _Run) -> StreamedResponse:
        """Response hooks; one that fails is logged and passed over."""
        if not self._config.response_hooks:
            return response
        value = response.response()
        for hook in self._config.response_hooks:
            try:
                result = hook.after_response(value, run.context)
            except Exception as exc:  # a hook that only watches must not lose the answer
                logger.warning("response hook %s failed: %s", type(hook).__name__, type(exc).__name__)
                continue
            value = _returned(hook, result)
        if not run.stream:
            response.replace(value)
        return response

    def _report(self, error: HttpClientException, context: RequestContext) -> None:
        for hook in self._config.error_hooks:
            try:
                hook.on_error(error, context)
            except Exception as exc:  # a hook that only watches must not hide the error
                logger.warning("error hook %s failed: %s", type(hook).__name__, type(exc).__name__)

    def _context(
        self, request: HttpRequest, strategy: RetryStrategyInterface, deadline: Deadline | None = None
    ) -> RequestContext:
        limit = self._config.max_elapsed
        own = Deadline(limit, self._clock) if limit is not None else None
        return RequestContext(request, 0, strategy.max_retries, deadline=Deadline.earliest(own, deadline))

    def _deadline(self, prepared: PreparedRequest, context: RequestContext) -> Deadline | None:
        if context.deadline is not None and context.deadline.remaining() <= 0:
            raise TimeoutException(f"Request timed out: no answer within {_span(context.deadline.seconds)}")
        attempt = Deadline(prepared.timeout, self._clock) if prepared.timeout is not None else None
        return Deadline.earliest(context.deadline, attempt)

    def _check_open(self) -> None:
        if self._closed:
            raise HttpClientException("Client is closed")

    def _opened(self) -> Transport:
        transport = self._transport
        if transport is not None:
            return transport
        # The HTTP library costs more to import than everything else together; commands that send
        # nothing must not pay for it.
        from .transport.session import Transport, TransportOptions

        with self._opening:
            self._check_open()
            if self._transport is None:
                config = self._config
                self._transport = Transport(
                    TransportOptions(
                        verify=config.verify_ssl,
                        client_cert=config.client_cert,
                        proxies=config.proxies,
                        connect_timeout=config.connect_timeout,
                        idle_timeout=config.idle_timeout,
                        pool_connections=config.pool_connection,
                        pool_maxsize=config.pool_maxsize,
                    ),
                    self._given_session,
                )
            return self._transport


def create_client(
    base_url: str = "",
    timeout: float = 30.0,
    max_retries: int = 3,
    headers: Mapping[str, str] | None = None,
    enable_logging: bool = True,
    auth_hook: AuthHookInterface | None = None,
) -> HttpClient:
    """A client with exponential back-off and, unless switched off, logging."""
    builder = HttpClientConfigBuilder().with_base_url(base_url).with_timeout(timeout).with_retry(max_retries)
    builder.with_headers(headers or {})
    if enable_logging:
        builder.with_logging()
    if auth_hook is not None:
        builder.with_auth_hook(auth_hook)
    return HttpClient(builder.build())


@contextmanager
def http_client(base_url: str = "", **kwargs: Any) -> Iterator[HttpClient]:
    """`create_client` as a context manager that closes the client."""
    client = create_client(base_url, **kwargs)
    try:
        yield client
    finally:
        client.close()


def _final(error: HttpClientException, context: RequestContext) -> MaxRetryException:
    attempts, most = context.attempt + 1, context.max_retries
    if context.attempt >= most:
        message = f"Max retries ({most}) exceeded"
    elif attempts == 1:
        message = "Request failed and was not retried"
    else:
        message = f"Request failed after {attempts} attempts and was not retried again"
    return MaxRetryException(message, attempts, error, {"request": context.request}, hint=error.hint)


def _status_failure(strategy: RetryStrategyInterface, response: StreamedResponse) -> HttpStatusException | None:
    # Looked up on the class: an object that answers to any name lists no statuses.
    if not hasattr(type(strategy), "is_retryable_status"):
        return None
    listing: Any = strategy
    if not listing.is_retryable_status(response.status_code):
        return None
    return HttpStatusException(f"HTTP {response.status_code}", response.status_code, _preview(response))


def _preview(response: StreamedResponse) -> str:
    value = response.response()
    return REDACTOR.body(decode_text(value.content[:4000], value.encoding))[:1000]


def _reason(error: HttpClientException) -> str:
    if isinstance(error, HttpStatusException):
        return str(error.status_code)
    return error.message.partition(": ")[2] or error.message


def _number(strategy: RetryStrategyInterface, name: str, default: float) -> float:
    """A limit that a strategy may have or not."""
    value = getattr(strategy, name, None)
    return value if isinstance(value, int | float) else default


def _has_own(hook: AuthHookInterface, name: str) -> bool:
    """Whether the hook's class has this optional member, and not only inherits the default."""
    member = getattr(type(hook), name, None)
    return member is not None and member is not getattr(AuthHookInterface, name)


def _returned(hook: object, result: _T | None) -> _T:
    if result is None:
        raise RequestBuildException(
            f"hook {type(hook).__name__} returned nothing", hint="return the object it was given"
        )
    return result


def _without_added_secrets(before: HttpRequest, after: HttpRequest) -> HttpRequest:
    """The request without the credentials that request hooks put into its headers."""
    old, new = before.headers or {}, after.headers or {}
    kept = {name: value for name, value in new.items() if old.get(name) == value or not sensitive(name)}
    return after if len(kept) == len(new) else dataclasses.replace(after, headers=kept)


def _added(before: HttpRequest, after: HttpRequest) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the headers (lower case) and query parameters that authentication added or changed."""
    if before is after:
        return frozenset({"authorization"} if after.auth else ()), frozenset()
    old = before.headers or {}
    headers = {name.lower() for name, value in (after.headers or {}).items() if old.get(name) != value}
    if after.cookies != before.cookies:
        headers.add("cookie")
    if after.auth is not None:
        headers.add("authorization")
    old_names = _names(before.params)
    return frozenset(headers), frozenset(_names(after.params) - old_names)


def _names(params: Any) -> set[str]:
    if params is None:
        return set()
    return set(params) if isinstance(params, Mapping) else {name for name, _ in params}


def _carries_secrets(prepared: PreparedRequest) -> bool:
    return bool(prepared.query_credentials) or any(n.lower() in prepared.credentials for n, _ in prepared.headers.pairs)


def _span(seconds: float) -> str:
    """A time span as people say it: 90 s, 1 min, 24 h."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds == size and unit != "d"):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
