"""The extension points. Every one works with any object that has the members; no base class is checked."""

from __future__ import annotations

import importlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, Self

from .errors import LockTimeout
from .models import FetchContext, HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData


class HttpClientInterface(ABC):
    """What sends requests. Every method raises HttpClientException or one of its subclasses."""

    @abstractmethod
    def request(self, request: HttpRequest) -> HttpResponse: ...

    @abstractmethod
    def get(
        self, url: str, params: Any = None, headers: Any = None, timeout: float | None = None, **kw: Any
    ) -> HttpResponse: ...

    @abstractmethod
    def post(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse: ...

    @abstractmethod
    def put(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse: ...

    @abstractmethod
    def patch(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse: ...

    @abstractmethod
    def delete(
        self,
        url: str,
        json_data: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Any = None,
        timeout: float | None = None,
        **kw: Any,
    ) -> HttpResponse: ...


class HttpSessionInterface(ABC):
    """What holds connections and can be closed."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *exc: object) -> None: ...


class RetryStrategyInterface(ABC):
    """Decides whether a failed attempt is repeated, and after how many seconds.

    A strategy that also has ``is_retryable_status(code) -> bool`` is asked about every response; for
    such a status `should_retry` gets a HttpStatusException.
    """

    @abstractmethod
    def should_retry(self, context: RequestContext, exception: Exception) -> bool: ...

    @abstractmethod
    def get_delay(self, context: RequestContext) -> float: ...

    @property
    @abstractmethod
    def max_retries(self) -> int: ...


class AuthRetryStrategyInterface(ABC):
    """Decides whether an answer means "renew the credential and send again"."""

    @property
    @abstractmethod
    def max_retries(self) -> int: ...

    @abstractmethod
    def should_retry(self, response: HttpResponse, attempt: int) -> bool: ...

    @abstractmethod
    def get_delay(self, attempt: int) -> float: ...

    @abstractmethod
    def is_auth_error(self, response: HttpResponse) -> bool: ...


class RequestHookInterface(ABC):
    """Sees each attempt before it is sent and returns the request to send. Raising stops the request."""

    @abstractmethod
    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest: ...


class ResponseHookInterface(ABC):
    """Sees each answer, also one that will be retried, and returns the one to go on with."""

    @abstractmethod
    def after_response(self, response: HttpResponse, context: RequestContext) -> HttpResponse: ...


class ErrorHookInterface(ABC):
    """Sees each failed attempt."""

    @abstractmethod
    def on_error(self, exception: Exception, context: RequestContext) -> None: ...


class AuthHookInterface(ABC):
    """Adds the credential to each attempt, after all request hooks, and renews it when it is refused."""

    @abstractmethod
    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest: ...

    @abstractmethod
    def should_authenticate(self, request: HttpRequest) -> bool: ...

    @abstractmethod
    def is_auth_error(self, response: HttpResponse) -> bool: ...

    @abstractmethod
    def refresh_auth(self) -> bool: ...

    @abstractmethod
    def invalidate_auth(self) -> None: ...

    @abstractmethod
    def get_token(self) -> TokenData: ...

    @property
    @abstractmethod
    def retry_strategy(self) -> AuthRetryStrategyInterface: ...

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        """Last look at the encoded request, on every attempt: signatures go here."""
        return prepared

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        """Whether to send once more, with what was renewed here. Sees every hop of a redirect chain."""
        return self.is_auth_error(response) and self.refresh_auth()


def has_own(hook: object, name: str) -> bool:
    """Whether an auth hook's class has this optional member, and not only inherits the default."""
    member = getattr(type(hook), name, None)
    return member is not None and member is not getattr(AuthHookInterface, name)


class TokenStorageInterface(ABC):
    """Keeps tokens by key. Raises StorageError; an entry that is not there is None, never an error."""

    @abstractmethod
    def get(self, key: str) -> TokenData | None: ...

    @abstractmethod
    def set(self, key: str, token: TokenData) -> None: ...

    @abstractmethod
    def delete(self, key: str) -> None: ...

    @abstractmethod
    def exists(self, key: str) -> bool: ...

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        """Hold the key while its token is renewed. The default is one lock per key in this process.

        LockTimeout after `timeout` seconds.
        """
        return _process_lock(self, key, timeout)

    def reserve(self, key: str) -> None:
        """Make sure, as far as can be known, that a `set` will succeed. StorageError when it would not.

        Called before a refresh token is spent, which cannot be undone.
        """


class TokenProviderInterface(ABC):
    """Obtains a token for one service. Raises AuthenticationException."""

    @abstractmethod
    def fetch_token(self) -> TokenData: ...

    @abstractmethod
    def refresh_token(self, current_token: TokenData) -> TokenData: ...

    @property
    @abstractmethod
    def service_name(self) -> str: ...


class TokenManagerInterface(ABC):
    """Decides when a token is obtained, kept and renewed."""

    def __init__(self, provider: TokenProviderInterface, storage: TokenStorageInterface | None = None) -> None:
        self._provider = provider
        self._storage = storage

    @abstractmethod
    def get_token(self) -> TokenData: ...

    @abstractmethod
    def invalidate_token(self) -> None: ...

    @abstractmethod
    def force_refresh(self) -> TokenData: ...


class TokenFetcherInterface(ABC):
    """One simple step of a `TokenFetchPipeline`: one request, one token."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData: ...

    @property
    def depends_on(self) -> list[str]:
        return []

    @property
    def ttl(self) -> timedelta | None:
        return None

    def on_fetch_error(self, error: Exception, context: FetchContext | Mapping[str, TokenData] | None = None) -> None:
        """Called by the pipeline when `fetch` failed."""
        # Loaded when it is needed: it is a tenth of what showing a stored token takes.
        logger = importlib.import_module("logging").getLogger(__name__)
        logger.warning("token step %s failed: %s", self.name, type(error).__name__)


_LOCKS_GUARD = threading.Lock()
_SHARED_LOCKS: dict[str, threading.Lock] = {}


def storage_lock(storage: Any, key: str, timeout: float) -> AbstractContextManager[None]:
    """The storage's own lock for a key, or one per process for a storage without."""
    if not hasattr(type(storage), "lock"):
        return _process_lock(storage, key, timeout)
    held: AbstractContextManager[None] = storage.lock(key, timeout)
    return held


@contextmanager
def _process_lock(storage: Any, key: str, timeout: float) -> Iterator[None]:
    with _LOCKS_GUARD:
        # A storage with slots has no place for its locks, and shares them with others of its kind.
        place = getattr(storage, "__dict__", None)
        locks = _SHARED_LOCKS if place is None else place.setdefault("_key_locks", {})
        lock = locks.setdefault(key, threading.Lock())
    if not lock.acquire(timeout=timeout):
        raise LockTimeout(f"another thread has been renewing {key!r} for {timeout:g} s")
    try:
        yield
    finally:
        lock.release()
