"""The HTTP client: hooks, authentication, redirects and retries around one exchange.

    request / stream -> _run (retries) -> _attempt (a refused credential) -> _follow (redirects) -> _send

Each level adds one thing and calls the next. `prepare` is the part before `_send`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from .attempts import Call, Exchange, Repetition, final, number, reason, renewals_left, seconds, span, status_failure
from .breaker import CircuitBreaker, RetryBudget
from .config import HttpClientConfig, HttpClientConfigBuilder
from .errors import HttpClientException, RedirectException, TimeoutException
from .events import Foreign, Listener, Received, Redirecting, Retrying, Sending, overhearing
from .interfaces import AuthHookInterface, HttpClientInterface, HttpSessionInterface, RetryStrategyInterface, has_own
from .models import Deadline, HttpMethod, HttpRequest, HttpResponse, PreparedRequest, RequestContext
from .preparation import Draft, Preparation, returned
from .retry import BREAKER_ASKED, NoRetryStrategy
from .streaming import StreamedResponse
from .transport.redirects import address, next_request

__all__ = ["HttpClient", "StreamedResponse", "create_client", "http_client"]

if TYPE_CHECKING:
    import requests.adapters

    from .many import Outcome
    from .transport.session import Transport

logger = logging.getLogger(__name__)

_LEAST_BUDGET = 10


class HttpClient(HttpClientInterface, HttpSessionInterface):
    """Sends requests as the config says. Safe to share between threads.

    `session` is a `requests.Session` of the caller's, used through its `send` and never closed; its headers,
    query, credentials, hooks and `verify` hold where the config says nothing. `sleep` is `time.sleep` by default.
    `listener` is told of each exchange, retry and redirect (the events of `forge_cli.hooks`).
    """

    def __init__(
        self,
        config: HttpClientConfig | None = None,
        session: requests.Session | None = None,
        *,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
    ) -> None:
        self._config = config or HttpClientConfig()
        self._given_session = session
        # Looked up at each call: programs replace `time.sleep` in their tests.
        self._sleep = sleep or (lambda seconds: time.sleep(seconds))
        self._clock = clock
        self._listener = listener
        self._transport: Transport | None = None
        self._opening = threading.Lock()
        self._closed = False
        self._most_workers = 0
        self._preparation = Preparation(self._config)
        self._repetition = Repetition(self._config, clock, listener)
        base = self._config.base_url
        self._home = str(address(base)) if "://" in base else ""
        # As many retries as one call may make, at least.
        least = number(self._config.retry_strategy, "max_retries", 0)
        self._budget = self._config.retry_budget or RetryBudget(minimum=max(_LEAST_BUDGET, int(least)))

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
        """The caller's session, else this thread's own, which begins with the default headers.

        The headers, query and credentials that are set on it hold where the config says nothing, in this thread.
        """
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

    def request_many(
        self, requests_list: Iterable[HttpRequest], max_workers: int = 5, fail_fast: bool = False
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Send requests on `max_workers` threads; yield (position, answer or error) as they end.

        Nothing is sent before the first is asked for, and no more than `max_workers` requests or answers
        are held at a time. With `fail_fast` the first error is raised at once and nothing more is sent.
        ValueError for less than one worker.
        """
        if max_workers < 1:
            raise ValueError("max_workers must be at least 1")
        self._fit(max_workers)
        # Threads and queues that one request does without.
        from .many import completed

        return completed(lambda request: self.request(request), requests_list, max_workers, fail_fast)

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
        call = Call(context, strategy, self._clock(), stream, self._breaker(strategy, context), self._budget)
        while True:
            try:
                response = self._after(self._attempt(call), call)
                failure = status_failure(strategy, response)
                if failure is None or not self._again(failure, call, response):
                    response.attempts = context.attempt + 1
                    return response
            except HttpClientException as exc:
                exc.context.setdefault("request", context.request)
                self._report(exc, context)
                if not self._again(exc, call):
                    error = final(exc, context)
                    if error is exc:
                        raise
                    raise error from exc
            context.increment_attempt()

    def _again(self, error: HttpClientException, call: Call, response: StreamedResponse | None = None) -> bool:
        """Decide on one more attempt, and wait for it."""
        delay = self._repetition.delay(error, call, response)
        if delay is None:
            return False
        if response is not None:
            response.discard()
        attempt = call.context.attempt + 1
        logger.debug("attempt %d failed: %s", attempt, type(error).__name__)
        self._tell(Retrying(reason(error), attempt, call.context.max_retries, delay))
        if delay > 0:
            self._sleep(delay)
        return True

    def _breaker(self, strategy: RetryStrategyInterface, context: RequestContext) -> CircuitBreaker | None:
        """The breaker of this call: its strategy's, else the client's."""
        # Looked up on the class: an object that answers to any name has no breaker.
        if not hasattr(type(strategy), "circuit_breaker"):
            return self._config.circuit_breaker
        context.metadata[BREAKER_ASKED] = True
        own: Any = strategy
        breaker: CircuitBreaker = own.circuit_breaker
        return breaker

    def _tell(self, event: object) -> None:
        if self._listener is not None:
            self._listener(event)

    def _attempt(self, call: Call) -> StreamedResponse:
        """One attempt, and again as often as a refused credential can be renewed."""
        # Counted over all attempts: 401, 503, 401 renews once.
        tries: int = call.context.metadata.get("auth_retry", 0)
        call.answered = False
        while True:
            if call.draft is not None and hasattr(call.draft.prepared.body, "rewind"):
                call.draft.prepared.body.rewind()
            call.draft = self._draft(call.context)
            response, renewed = self._follow(call.draft, call, tries)
            if not renewed:
                return response
            tries += 1
            call.context.metadata["auth_retry"] = tries

    def _draft(self, context: RequestContext) -> Draft:
        draft = self._preparation.draft(context, self._changed_session())
        if not draft.ours:
            self._tell(Foreign(draft.prepared.url))
        return draft

    def _follow(self, draft: Draft, call: Call, tries: int) -> tuple[StreamedResponse, bool]:
        """Send, and follow redirects. True when the credential was renewed and the request is to be repeated."""
        deadline = self._deadline(draft.prepared, call.context)
        renewable = draft.replayable
        history: list[HttpResponse] = []
        seen = {draft.prepared.url}
        while True:
            with call.exchange(self._key(draft.prepared.url)) as exchange:
                response = self._send(draft, deadline, tuple(history))
                call.answered = True
                if call.stream or 300 <= response.status_code < 400:
                    exchange.answered(response.status_code)
                if draft.authenticated and renewable and self._renewed(response, call.context, tries, exchange):
                    response.discard()
                    return response, True
                following = self._next(draft, response, call.context, len(history), seen)
                if following is None and not call.stream:
                    response.read(self._config.max_body)
                exchange.answered(response.status_code)
            if following is None:
                return response, False
            response.discard()
            history.append(response.response())
            draft = following

    def _key(self, url: str) -> str:
        """The URL's origin, as breaker and budget know it."""
        return self._home if self._home and self._preparation.at_home(url) else str(address(url))

    def _next(
        self, draft: Draft, response: StreamedResponse, context: RequestContext, hops: int, seen: set[str]
    ) -> Draft | None:
        if not self._config.allow_redirects or not 300 <= response.status_code < 400:
            return None
        if draft.authenticated and self._refuses(response):
            return None  # the page it leads to is a login's, and no answer to this request
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
                raise RedirectException(
                    f"more than {self._config.max_redirects} redirects",
                    hint="raise it: --max-redirects, `redirects` in the profile, or max_redirects",
                )
            if prepared.url in seen and prepared.method == draft.prepared.method:
                raise RedirectException("the redirects go round in a circle")
        except RedirectException:
            response.close()
            raise
        seen.add(prepared.url)
        stripped = not draft.allowed(prepared.url) and draft.carries_secrets
        self._tell(Redirecting(response.status_code, prepared.url, stripped))
        return self._preparation.redirected(draft, prepared, context)

    def _send(self, draft: Draft, deadline: Deadline | None, history: tuple[HttpResponse, ...]) -> StreamedResponse:
        listeners = [listener for listener in (self._listener, overhearing()) if listener is not None]
        for listener in listeners:
            listener(Sending(draft.prepared))
        answer = self._opened().send(draft.prepared, deadline, stranger=not draft.ours)
        for listener in listeners:
            listener(Received(answer.status, answer.reason, answer.headers, answer.http_version, answer.timing))
        return StreamedResponse(answer, draft.request, history)

    def _refuses(self, response: StreamedResponse) -> bool:
        """Whether a redirect says that the credential is no longer good."""
        hook = self._config.auth_hook
        return hook is not None and hook.is_auth_error(response.response())

    def _renewed(self, response: StreamedResponse, context: RequestContext, tries: int, exchange: Exchange) -> bool:
        """Whether the answer says that the credential is no longer good, and it has been renewed."""
        hook = self._config.auth_hook
        if hook is None:
            return False
        if getattr(hook, "reads_body", False) is True and "json" in response.headers.get("Content-Type", "").lower():
            response.peek()
        value = response.response()
        refused, own = hook.is_auth_error(value), has_own(hook, "recover")
        if not (refused or own) or not renewals_left(hook.retry_strategy, value, tries):
            return False
        # What happens from here on is no failure of this server's.
        exchange.answered(response.status_code)
        try:
            strategy = hook.retry_strategy
            delay = seconds(strategy, strategy.get_delay(tries)) if refused else 0.0
            if context.deadline is not None and delay >= context.deadline.remaining():
                return False
            if delay > 0:
                self._sleep(delay)
            return bool(hook.recover(value, context)) if own else bool(hook.refresh_auth())
        except BaseException:
            response.close()
            raise

    def _after(self, response: StreamedResponse, call: Call) -> StreamedResponse:
        """Response hooks; one that fails is logged and passed over."""
        if not self._config.response_hooks:
            return response
        value = response.response()
        for hook in self._config.response_hooks:
            try:
                result = hook.after_response(value, call.context)
            except Exception as exc:  # a hook that only watches must not lose the answer
                logger.warning("response hook %s failed: %s", type(hook).__name__, type(exc).__name__)
                continue
            value = returned(hook, result)
        if not call.stream:
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
        return RequestContext(
            request, 0, int(number(strategy, "max_retries", 0)), deadline=Deadline.earliest(own, deadline)
        )

    def _deadline(self, prepared: PreparedRequest, context: RequestContext) -> Deadline | None:
        if context.deadline is not None and context.deadline.remaining() <= 0:
            raise TimeoutException(f"Request timed out: no answer within {span(context.deadline.seconds)}")
        attempt = Deadline(prepared.timeout, self._clock) if prepared.timeout is not None else None
        return Deadline.earliest(context.deadline, attempt)

    def _fit(self, workers: int) -> None:
        """Have room to keep a connection for each of so many threads."""
        with self._opening:
            if workers <= max(self._most_workers, self._config.pool_maxsize):
                return
            self._most_workers = workers
            if self._transport is not None:
                self._transport.widen(workers)

    def _check_open(self) -> None:
        if self._closed:
            raise HttpClientException("Client is closed")

    def _changed_session(self) -> requests.Session | None:
        """The session that whoever calls may have changed."""
        if self._given_session is not None:
            return self._given_session
        return self._transport.shown if self._transport is not None else None

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
                        pool_maxsize=max(config.pool_maxsize, self._most_workers),
                        headers=config.default_headers,
                        keep_cookies=config.keep_cookies,
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
