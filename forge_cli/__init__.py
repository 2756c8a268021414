"""The public names of forge, each loaded when it is first used."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # typing takes longer to import than a remembered answer to give
if TYPE_CHECKING:
    import typing

    from .auth import ApiKeyAuthHook, BasicAuthHook, CompositeAuthHook, TokenAuthHook
    from .breaker import CircuitBreaker, RetryBudget
    from .client import HttpClient, create_client, http_client
    from .config import HttpClientConfig, HttpClientConfigBuilder
    from .curl import to_curl
    from .errors import (
        AuthenticationException,
        BadRequestException,
        CircuitOpenException,
        ConnectionException,
        ForbiddenException,
        ForgeError,
        HttpClientException,
        HttpStatusException,
        MaxRetryException,
        NotFoundException,
        RequestBuildException,
        ResponseParseException,
        ServerErrorException,
        SSLException,
        TimeoutException,
        TokenRefreshException,
        UnauthorizedException,
    )
    from .hooks import (
        AuthorizationHook,
        CorrelationIdHook,
        LoggingErrorHook,
        LoggingRequestHook,
        LoggingResponseHook,
        RateLimitResponseHook,
    )
    from .interfaces import (
        AuthHookInterface,
        AuthRetryStrategyInterface,
        ErrorHookInterface,
        HttpClientInterface,
        HttpSessionInterface,
        RequestHookInterface,
        ResponseHookInterface,
        RetryStrategyInterface,
        TokenFetcherInterface,
        TokenManagerInterface,
        TokenProviderInterface,
        TokenStorageInterface,
    )
    from .models import (
        FetchContext,
        HttpMethod,
        HttpRequest,
        HttpResponse,
        PreparedRequest,
        RequestContext,
        TokenData,
    )
    from .profiles.build import Profile, load_profile
    from .retry import (
        CircuitBreakerRetryStrategy,
        ConditionalAuthRetryStrategy,
        ExponentialAuthRetryStrategy,
        ExponentialBackoffRetryStrategy,
        NoAuthRetryStrategy,
        NoRetryStrategy,
        SimpleAuthRetryStrategy,
        SimpleRetryStrategy,
    )
    from .tokens.fetch_pipeline import PipelineTokenProvider, TokenFetchPipeline
    from .tokens.fetchers import BodyTokenFetcher, HeaderTokenFetcher, HttpTokenFetcher
    from .tokens.manager import TokenManager
    from .tokens.providers import BaseOAuth2TokenProvider, ClientCredentialsTokenProvider, PasswordGrantTokenProvider
    from .tokens.storage.django import DjangoCacheTokenStorage
    from .tokens.storage.file import FileTokenStorage
    from .tokens.storage.keyring import KeyringTokenStorage
    from .tokens.storage.memory import InMemoryTokenStorage
    from .tokens.storage.redis import RedisTokenStorage

__version__ = "0.1.0"

__all__ = [
    "ApiKeyAuthHook",
    "AuthHookInterface",
    "AuthRetryStrategyInterface",
    "AuthenticationException",
    "AuthorizationHook",
    "BadRequestException",
    "BaseOAuth2TokenProvider",
    "BasicAuthHook",
    "BodyTokenFetcher",
    "CircuitBreaker",
    "CircuitBreakerRetryStrategy",
    "CircuitOpenException",
    "ClientCredentialsTokenProvider",
    "CompositeAuthHook",
    "ConditionalAuthRetryStrategy",
    "ConnectionException",
    "CorrelationIdHook",
    "DjangoCacheTokenStorage",
    "ErrorHookInterface",
    "ExponentialAuthRetryStrategy",
    "ExponentialBackoffRetryStrategy",
    "FetchContext",
    "FileTokenStorage",
    "ForbiddenException",
    "ForgeError",
    "HeaderTokenFetcher",
    "HttpClient",
    "HttpClientConfig",
    "HttpClientConfigBuilder",
    "HttpClientException",
    "HttpClientInterface",
    "HttpMethod",
    "HttpRequest",
    "HttpResponse",
    "HttpSessionInterface",
    "HttpStatusException",
    "HttpTokenFetcher",
    "InMemoryTokenStorage",
    "KeyringTokenStorage",
    "LoggingErrorHook",
    "LoggingRequestHook",
    "LoggingResponseHook",
    "MaxRetryException",
    "NoAuthRetryStrategy",
    "NoRetryStrategy",
    "NotFoundException",
    "PasswordGrantTokenProvider",
    "PipelineTokenProvider",
    "PreparedRequest",
    "Profile",
    "RateLimitResponseHook",
    "RedisTokenStorage",
    "RequestBuildException",
    "RequestContext",
    "RequestHookInterface",
    "ResponseHookInterface",
    "ResponseParseException",
    "RetryBudget",
    "RetryStrategyInterface",
    "SSLException",
    "ServerErrorException",
    "SimpleAuthRetryStrategy",
    "SimpleRetryStrategy",
    "TimeoutException",
    "TokenAuthHook",
    "TokenData",
    "TokenFetchPipeline",
    "TokenFetcherInterface",
    "TokenManager",
    "TokenManagerInterface",
    "TokenProviderInterface",
    "TokenRefreshException",
    "TokenStorageInterface",
    "UnauthorizedException",
    "create_client",
    "http_client",
    "load_profile",
    "to_curl",
]

_MODULES = {
    "auth": "ApiKeyAuthHook BasicAuthHook CompositeAuthHook TokenAuthHook",
    "breaker": "CircuitBreaker RetryBudget",
    "client": "HttpClient create_client http_client",
    "config": "HttpClientConfig HttpClientConfigBuilder",
    "curl": "to_curl",
    "errors": "AuthenticationException BadRequestException CircuitOpenException ConnectionException"
    " ForbiddenException ForgeError HttpClientException HttpStatusException MaxRetryException NotFoundException"
    " RequestBuildException ResponseParseException SSLException ServerErrorException TimeoutException"
    " TokenRefreshException UnauthorizedException",
    "hooks": "AuthorizationHook CorrelationIdHook LoggingErrorHook LoggingRequestHook LoggingResponseHook"
    " RateLimitResponseHook",
    "interfaces": "AuthHookInterface AuthRetryStrategyInterface ErrorHookInterface HttpClientInterface"
    " HttpSessionInterface RequestHookInterface ResponseHookInterface RetryStrategyInterface"
    " TokenFetcherInterface TokenManagerInterface TokenProviderInterface TokenStorageInterface",
    "models": "FetchContext HttpMethod HttpRequest HttpResponse PreparedRequest RequestContext TokenData",
    "profiles.build": "Profile load_profile",
    "retry": "CircuitBreakerRetryStrategy ConditionalAuthRetryStrategy ExponentialAuthRetryStrategy"
    " ExponentialBackoffRetryStrategy NoAuthRetryStrategy NoRetryStrategy SimpleAuthRetryStrategy"
    " SimpleRetryStrategy",
    "tokens.fetch_pipeline": "PipelineTokenProvider TokenFetchPipeline",
    "tokens.fetchers": "BodyTokenFetcher HeaderTokenFetcher HttpTokenFetcher",
    "tokens.manager": "TokenManager",
    "tokens.providers": "BaseOAuth2TokenProvider ClientCredentialsTokenProvider PasswordGrantTokenProvider",
    "tokens.storage.django": "DjangoCacheTokenStorage",
    "tokens.storage.file": "FileTokenStorage",
    "tokens.storage.keyring": "KeyringTokenStorage",
    "tokens.storage.memory": "InMemoryTokenStorage",
    "tokens.storage.redis": "RedisTokenStorage",
}
_EXTRAS = {
    "DjangoCacheTokenStorage": "django",
    "KeyringTokenStorage": "keyring",
    "RedisTokenStorage": "redis",
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> typing.Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as exc:
        extra = _EXTRAS.get(name)
        if extra is None or (exc.name or "").startswith(__name__):
            raise
        message = f"{name} needs {exc.name}: pip install 'forge-http[{extra}]'"
        raise ModuleNotFoundError(message, name=exc.name) from exc
    # From now on the name is found without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
