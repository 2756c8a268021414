"""How the requests of a login are sent, and which of them are sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..client import HttpClient
from ..errors import AuthenticationException, HttpClientException
from ..hooks import Listener, StepEvent
from ..interfaces import AuthHookInterface, RetryStrategyInterface
from ..login.definition import RequestTable
from ..login.inject import certificate
from ..login.scope import Scope
from ..login.sign import Signer
from ..models import Deadline, HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData
from ..retry import SimpleAuthRetryStrategy


@dataclass(frozen=True)
class Way:
    """How a request of a login is sent: following so many redirects, repeated or not, with what certificate."""

    redirects: int
    repeat: bool
    certificate: tuple[str, str | None, str | None] | None = None
    hook: AuthHookInterface | None = None


class Wire:
    """Sends the requests of a login, over one client for each way of sending.

    `client` makes the client for a way. `tell` is told which step a request belongs to.
    """

    def __init__(self, client: Callable[[Way], HttpClient], tell: Listener) -> None:
        self._client = client
        self._tell = tell
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
        way = Way(table.redirects, repeat, shown)
        self._tell(StepEvent(step))
        try:
            if table.sign is not None:
                # What signs goes by values of this one run.
                with self._client(replace(way, hook=SigningHook(table.sign, scope))) as client:
                    return client.request(request, deadline=deadline)
            client = self._clients.get(way) or self._clients.setdefault(way, self._client(way))
            return client.request(request, deadline=deadline)
        finally:
            self._tell(StepEvent(None))


class SigningHook(AuthHookInterface):
    """Signs the request of a step, and once more when the server wants it otherwise."""

    def __init__(self, signer: Signer, scope: Scope) -> None:
        self._signer = signer
        self._scope = scope
        self._retry_strategy = SimpleAuthRetryStrategy()

    @property
    def retry_strategy(self) -> SimpleAuthRetryStrategy:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        return True

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        return self._signer.sign(prepared, self._scope)

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
