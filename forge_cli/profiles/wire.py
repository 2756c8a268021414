"""How the requests of a login are sent, and which of them are sent again."""

from __future__ import annotations

from collections.abc import Callable

from ..client import HttpClient
from ..errors import HttpClientException
from ..hooks import Listener, StepEvent
from ..interfaces import RetryStrategyInterface
from ..login.definition import RequestTable
from ..login.scope import Scope
from ..models import Deadline, HttpRequest, HttpResponse, RequestContext


class Wire:
    """Sends the requests of a login, over one client for each way of sending.

    `client` makes the client that follows so many redirects, and repeats requests or does not. `tell` is
    told which step a request belongs to.
    """

    def __init__(self, client: Callable[[int, bool], HttpClient], tell: Listener) -> None:
        self._client = client
        self._tell = tell
        self._clients: dict[tuple[int, bool], HttpClient] = {}

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
        way = (table.redirects, repeat)
        client = self._clients.get(way) or self._clients.setdefault(way, self._client(*way))
        self._tell(StepEvent(step))
        try:
            return client.request(request, deadline=deadline)
        finally:
            self._tell(StepEvent(None))


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
