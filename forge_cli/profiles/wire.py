"""How the requests of a login are sent, and which of them are sent again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..client import HttpClient
from ..config import HttpClientConfig
from ..errors import AuthenticationException, HttpClientException
from ..events import Answered, Foreign, Listener, StepEvent
from ..frozen import immutable
from ..interfaces import AuthHookInterface, RetryStrategyInterface
from ..login.definition import RequestTable
from ..login.exchange import absolute
from ..login.inject import certificate
from ..login.scope import Scope
from ..login.sign import Signer
from ..models import Deadline, HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData
from ..retry import SimpleAuthRetryStrategy
from ..tokens.unbroken import idle
from ..transport.redirects import origin
from .schema import RetryTable, SharedTable
from .transport import of_shared, retry_strategy


@immutable
class Way:
    """How a request of a login is sent: repeated or not, with what certificate; `away` from where its step sends it."""

    repeat: bool
    certificate: tuple[str, str | None, str | None] | None = None
    hook: AuthHookInterface | None = None
    away: bool = False


def wire(
    config: Callable[[], HttpClientConfig], retry: RetryTable, listener: Listener | None, nonce: Callable[[], int]
) -> Wire:
    """The wire of a profile's own login."""
    return Wire(StepClients(config, retry, listener), listener, nonce)


def shared_wire(
    table: SharedTable,
    base_url: str,
    folder: Path,
    listener: Listener | None,
    nonce: Callable[[], int],
    retry: RetryTable | None = None,
) -> Wire:
    """The wire of a shared login; `retry` is what a command says for all its requests."""
    config = of_shared(table, base_url, folder)
    return wire(lambda: config, retry or RetryTable(), listener, nonce)


class StepClients:
    """Makes the clients for the requests of a login: with the transport and retry of `config`, nothing else."""

    def __init__(self, config: Callable[[], HttpClientConfig], retry: RetryTable, listener: Listener | None) -> None:
        self._config = config
        self._retry = retry
        self._listener = listener

    def __call__(self, way: Way) -> HttpClient:
        """With `way.repeat`, also a POST is sent again; without, only what was never sent."""
        strategy, transport = retry_strategy(self._retry), self._config()
        config = replace(
            transport,
            # A hook and a certificate are for the client's own origins, and without a base URL any is: a step
            # may well log in elsewhere.
            base_url="",
            # A step follows redirects itself, so that nothing of it goes along to another origin.
            allow_redirects=False,
            keep_cookies=False,
            auth_hook=way.hook,
            retry_strategy=strategy if way.repeat else Unsent(strategy),
            retry_unsafe_methods=way.repeat,
            client_cert=None if way.away else way.certificate or transport.client_cert,
        )
        return HttpClient(config, listener=None if self._listener is None else _own(self._listener), sleep=_slept)


def _slept(seconds: float) -> None:
    with idle():
        time.sleep(seconds)


def _own(listener: Listener) -> Listener:
    # A login may well be elsewhere: its requests carry nothing of the profile that could get lost.
    return lambda event: None if isinstance(event, Foreign) else listener(event)


class Wire:
    """Sends the requests of a login, over one client for each way of sending.

    `client` makes the client for a way. `listener` is told which step a request belongs to, and its answer.
    `nonce` gives a number greater than all before it.
    """

    def __init__(
        self, client: Callable[[Way], HttpClient], listener: Listener | None, nonce: Callable[[], int]
    ) -> None:
        self._client = client
        self._nonce = nonce
        self._tell = listener or (lambda event: None)
        self._clients: dict[Way, HttpClient] = {}

    def send(
        self,
        step: str,
        table: RequestTable,
        request: HttpRequest,
        scope: Scope,
        *,
        repeat: bool,
        deadline: Deadline | None,
    ) -> HttpResponse:
        """As `login.step.Wire` says."""
        shown = None if table.client_cert is None else certificate(table.client_cert, scope)
        stated = scope.text(table.url)
        away = request.url != stated and origin(absolute(request.url, scope)) != origin(absolute(stated, scope))
        way = Way(repeat, shown, away=away)
        request = replace(request, url=absolute(request.url, scope))
        self._tell(StepEvent(step))
        try:
            if table.sign is not None:
                # What signs goes by values of this one run.
                with self._client(replace(way, hook=SigningHook(table.sign, scope, self._nonce))) as client:
                    response = client.request(request, deadline=deadline)
            else:
                kept = self._clients.get(way) or self._clients.setdefault(way, self._client(way))
                response = kept.request(request, deadline=deadline)
            self._tell(Answered(response))
            return response
        finally:
            self._tell(StepEvent(None))


class SigningHook(AuthHookInterface):
    """Signs each attempt of a step's request, by its own moment and nonce; once more when the server asks."""

    def __init__(
        self,
        signer: Signer,
        scope: Scope,
        nonce: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signer = signer
        self._scope = scope
        self._nonce = nonce
        self._clock = clock
        self._started = clock()
        self._retry_strategy = SimpleAuthRetryStrategy()

    @property
    def retry_strategy(self) -> SimpleAuthRetryStrategy:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        return True

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        now = self._scope.now + self._clock() - self._started
        return self._signer.sign(prepared, replace(self._scope, now=now, nonce=cache(self._nonce)))

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        return self._signer.challenged(response, self._scope)

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401

    def refresh_auth(self) -> bool:
        return False

    def invalidate_auth(self) -> None:
        return None

    def get_token(self) -> TokenData:
        raise AuthenticationException("a signature is no token")


class Unsent(RetryStrategyInterface):
    """Another strategy, for requests that can be sent only once: repeats what never left."""

    def __init__(self, strategy: RetryStrategyInterface) -> None:
        self._strategy = strategy
        self.max_elapsed: float | None = getattr(strategy, "max_elapsed", None)

    @property
    def max_retries(self) -> int:
        return self._strategy.max_retries

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        unsent = isinstance(exception, HttpClientException) and exception.context.get("sent") is False
        return unsent and self._strategy.should_retry(context, exception)

    def get_delay(self, context: RequestContext) -> float:
        return self._strategy.get_delay(context)
