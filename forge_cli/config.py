"""How a client behaves: one frozen value, and the builder that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from .auth import ApiKeyAuthHook, BasicAuthHook, TokenAuthHook
from .breaker import CircuitBreaker, RetryBudget
from .frozen import FrozenDict, frozen
from .hooks import LoggingErrorHook, LoggingRequestHook, LoggingResponseHook
from .interfaces import (
    AuthHookInterface,
    AuthRetryStrategyInterface,
    ErrorHookInterface,
    RequestHookInterface,
    ResponseHookInterface,
    RetryStrategyInterface,
    TokenManagerInterface,
)
from .models import TokenData
from .redact import MASK, REDACTOR, repr_mapping
from .retry import ExponentialBackoffRetryStrategy

__all__ = ["HttpClientConfig", "HttpClientConfigBuilder", "TokenData"]

MAX_BODY = 100 * 1024 * 1024


@dataclass(frozen=True)
class HttpClientConfig:
    """Everything that is the same for all requests of a client.

    Times are seconds. `default_timeout` is one attempt by the wall clock (None: no limit), `max_elapsed` everything:
    attempts, waits, logins, redirects and the body. Default headers, `default_params` and credentials go
    only to the origin of `base_url` and to `origins`. `verify_ssl` may be a CA file; `proxies` maps
    http, https and no_proxy (None: from the environment). `max_body` limits a body held in memory, in
    bytes. `post_to_get` is whether a 301 or 302 turns a POST into a GET (False: it is not followed).
    `circuit_breaker` is asked before each attempt, unless the strategy brings one; `retry_budget` before
    each retry (None: one of the client's own). With `keep_cookies` false, cookies that answers set are not
    sent back. ValueError when a time or a count makes no sense.
    """

    base_url: str = ""
    default_timeout: float | None = 30.0
    default_headers: Mapping[str, Any] = field(default_factory=FrozenDict)
    verify_ssl: bool | str = True
    allow_redirects: bool = True
    max_redirects: int = 10
    retry_strategy: RetryStrategyInterface | None = None
    auth_hook: AuthHookInterface | None = None
    request_hooks: tuple[RequestHookInterface, ...] = ()
    response_hooks: tuple[ResponseHookInterface, ...] = ()
    error_hooks: tuple[ErrorHookInterface, ...] = ()
    pool_connection: int = 10
    pool_maxsize: int = 20
    max_elapsed: float | None = None
    raise_for_status: bool = False
    cookies: Mapping[str, str] = field(default_factory=FrozenDict)
    proxies: Mapping[str, str] | None = None
    client_cert: tuple[str, str | None, str | None] | None = None
    origins: tuple[str, ...] = ()
    max_body: int | None = MAX_BODY
    default_params: Mapping[str, Any] = field(default_factory=FrozenDict)
    connect_timeout: float = 10.0
    idle_timeout: float | None = None
    post_to_get: bool = True
    retry_unsafe_methods: bool = False
    circuit_breaker: CircuitBreaker | None = None
    retry_budget: RetryBudget | None = None
    keep_cookies: bool = True

    def __post_init__(self) -> None:
        if self.default_timeout is not None and self.default_timeout <= 0:
            raise ValueError("default_timeout must be positive")
        if self.max_redirects < 0:
            raise ValueError("max_redirects must be non-negative")
        for name in ("default_headers", "cookies", "default_params"):
            value = getattr(self, name)
            object.__setattr__(self, name, frozen(value))

    def __repr__(self) -> str:
        shown = (f"{f.name}={_shown(f.name, getattr(self, f.name))}" for f in fields(self))
        return f"HttpClientConfig({', '.join(shown)})"


def _shown(name: str, value: Any) -> str:
    """A setting as it may be printed: without secrets."""
    if name == "cookies":
        return repr(dict.fromkeys(value, MASK))
    if name in ("default_headers", "default_params"):
        return repr_mapping(value)
    if name == "proxies" and value is not None:
        return repr({scheme: REDACTOR.url(url) for scheme, url in value.items()})
    if name == "client_cert" and value is not None:
        return repr((*value[:2], value[2] and MASK))
    return REDACTOR.url(repr(value))


class HttpClientConfigBuilder:
    """Collects settings; `build` makes the config, and may be called again."""

    def __init__(self) -> None:
        self._settings: dict[str, Any] = {}
        self._headers: dict[str, Any] = {}
        self._cookies: dict[str, str] = {}
        self._origins: list[str] = []
        self._request_hooks: list[RequestHookInterface] = []
        self._response_hooks: list[ResponseHookInterface] = []
        self._error_hooks: list[ErrorHookInterface] = []

    def _with(self, **settings: Any) -> Self:
        self._settings.update(settings)
        return self

    def with_base_url(self, url: str) -> Self:
        """The URL that relative ones are joined to, without trailing slashes."""
        return self._with(base_url=url.rstrip("/"))

    def with_timeout(self, timeout: float) -> Self:
        """Seconds for one attempt, by the wall clock."""
        return self._with(default_timeout=timeout)

    def with_max_elapsed(self, seconds: float) -> Self:
        """Seconds for everything: attempts, waits, redirects and the body."""
        return self._with(max_elapsed=seconds)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Default headers, merged into those given before."""
        self._headers.update(headers)
        return self

    def with_header(self, name: str, value: str) -> Self:
        """One default header."""
        self._headers[name] = value
        return self

    def with_bearer_token(self, token: str) -> Self:
        """A fixed ``Authorization: Bearer`` header."""
        return self.with_header("Authorization", f"Bearer {token}")

    def with_api_key(self, api_key: str, header_name: str = "X-API-Key") -> Self:
        """A fixed key header."""
        return self.with_header(header_name, api_key)

    def with_cookies(self, cookies: Mapping[str, str]) -> Self:
        """Cookies sent with every request to the client's origins."""
        self._cookies.update(cookies)
        return self

    def with_verify_ssl(self, verify: bool | str) -> Self:
        """Whether certificates are verified; a path is a CA file."""
        return self._with(verify_ssl=verify)

    def with_ca_bundle(self, path: str) -> Self:
        """A CA file that replaces the default one."""
        return self._with(verify_ssl=path)

    def with_client_cert(self, cert: str, key: str | None = None, password: str | None = None) -> Self:
        """A client certificate (PEM), with its key and the key's password."""
        return self._with(client_cert=(cert, key, password))

    def with_proxies(self, proxies: Mapping[str, str]) -> Self:
        """Proxies by scheme, and `no_proxy`; they replace the environment's."""
        return self._with(proxies=dict(proxies))

    def with_origins(self, *urls: str) -> Self:
        """Further origins that may receive default headers and credentials."""
        self._origins.extend(urls)
        return self

    def with_redirects(self, allow: bool = True, max_redirects: int = 10) -> Self:
        """Whether redirects are followed, and how many."""
        return self._with(allow_redirects=allow, max_redirects=max_redirects)

    def with_raise_for_status(self, enabled: bool = True) -> Self:
        """Raise the status class of a 4xx or 5xx instead of returning it."""
        return self._with(raise_for_status=enabled)

    def with_retry_strategy(self, strategy: RetryStrategyInterface) -> Self:
        """When failed attempts are repeated."""
        return self._with(retry_strategy=strategy)

    def with_retry(self, max_retries: int = 3, base_delay: float = 1.0, max_delay: float = 60.0) -> Self:
        """Exponential back-off with jitter."""
        return self.with_retry_strategy(ExponentialBackoffRetryStrategy(max_retries, base_delay, max_delay))

    def with_circuit_breaker(self, breaker: CircuitBreaker) -> Self:
        """What is asked before each attempt; several clients may share one."""
        return self._with(circuit_breaker=breaker)

    def with_retry_budget(self, budget: RetryBudget) -> Self:
        """What bounds the retries per host; several clients may share one."""
        return self._with(retry_budget=budget)

    def with_pool_connection(self, pool_connection: int = 10) -> Self:
        """How many hosts keep connections."""
        return self._with(pool_connection=pool_connection)

    def with_pool_maxsize(self, pool_maxsize: int = 20) -> Self:
        """How many connections a host keeps."""
        return self._with(pool_maxsize=pool_maxsize)

    def with_auth_hook(self, auth_hook: AuthHookInterface) -> Self:
        """What adds credentials; the last one given is used."""
        return self._with(auth_hook=auth_hook)

    def with_token_auth(
        self,
        token_manager: TokenManagerInterface,
        auth_retry_strategy: AuthRetryStrategyInterface | None = None,
        auth_header_name: str = "Authorization",
        auth_header_prefix: str = "Bearer",
        excluded_paths: set[str] | None = None,
        excluded_path_patterns: list[str] | None = None,
    ) -> Self:
        """Tokens of a manager."""
        return self.with_auth_hook(
            TokenAuthHook(
                token_manager,
                auth_retry_strategy,
                auth_header_name,
                auth_header_prefix,
                excluded_paths,
                excluded_path_patterns,
            )
        )

    def with_api_key_auth(
        self, api_key: str, header_name: str = "X-API-Key", excluded_paths: set[str] | None = None
    ) -> Self:
        """A fixed key, on all but the excluded paths."""
        return self.with_auth_hook(ApiKeyAuthHook(api_key, header_name, excluded_paths=excluded_paths))

    def with_basic_auth(self, username: str, password: str, excluded_paths: set[str] | None = None) -> Self:
        """Basic authentication, on all but the excluded paths."""
        return self.with_auth_hook(BasicAuthHook(username, password, excluded_paths=excluded_paths))

    def with_request_hook(self, hook: RequestHookInterface) -> Self:
        """One more request hook, called after those before it."""
        self._request_hooks.append(hook)
        return self

    def with_response_hook(self, hook: ResponseHookInterface) -> Self:
        """One more response hook, called after those before it."""
        self._response_hooks.append(hook)
        return self

    def with_error_hook(self, hook: ErrorHookInterface) -> Self:
        """One more error hook, called after those before it."""
        self._error_hooks.append(hook)
        return self

    def with_logging(
        self, log_headers: bool = False, log_body: bool = False, sensitive_keys: Iterable[str] | None = None
    ) -> Self:
        """The three logging hooks."""
        self.with_request_hook(LoggingRequestHook(log_headers, log_body, sensitive_keys))
        self.with_response_hook(LoggingResponseHook(log_headers, log_body))
        return self.with_error_hook(LoggingErrorHook())

    def build(self) -> HttpClientConfig:
        """The config. ValueError when a time or a count makes no sense."""
        return HttpClientConfig(
            default_headers=dict(self._headers),
            cookies=dict(self._cookies),
            origins=tuple(self._origins),
            request_hooks=tuple(self._request_hooks),
            response_hooks=tuple(self._response_hooks),
            error_hooks=tuple(self._error_hooks),
            **self._settings,
        )
