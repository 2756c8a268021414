"""The public names of forge, each loaded when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import ApiKeyAuthHook, BasicAuthHook, TokenAuthHook
    from .client import HttpClient, create_client, http_client
    from .config import HttpClientConfig, HttpClientConfigBuilder
    from .curl import to_curl
    from .errors import (
        AuthenticationException,
        BadRequestException,
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
        ExponentialBackoffRetryStrategy,
        NoAuthRetryStrategy,
        NoRetryStrategy,
        SimpleAuthRetryStrategy,
        SimpleRetryStrategy,
    )
    from .tokens.fetch_pipeline import PipelineTokenProvider, TokenFetchPipeline
    from .tokens.fetchers import BodyTokenFetcher, HeaderTokenFetcher, HttpTokenFetcher
    from .tokens.manager import TokenManager
    from .tokens.providers import BaseOAuth2TokenProvider, ClientCredentialsTokenProvider
    from .tokens.storage.file import FileTokenStorage
    from .tokens.storage.memory import InMemoryTokenStorage

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
    "ClientCredentialsTokenProvider",
    "ConnectionException",
    "CorrelationIdHook",
    "ErrorHookInterface",
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
    "LoggingErrorHook",
    "LoggingRequestHook",
    "LoggingResponseHook",
    "MaxRetryException",
    "NoAuthRetryStrategy",
    "NoRetryStrategy",
    "NotFoundException",
    "PipelineTokenProvider",
    "PreparedRequest",
    "Profile",
    "RateLimitResponseHook",
    "RequestBuildException",
    "RequestContext",
    "RequestHookInterface",
    "ResponseHookInterface",
    "ResponseParseException",
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
    "auth": "ApiKeyAuthHook BasicAuthHook TokenAuthHook",
    "client": "HttpClient create_client http_client",
    "config": "HttpClientConfig HttpClientConfigBuilder",
    "curl": "to_curl",
    "errors": "AuthenticationException BadRequestException ConnectionException ForbiddenException ForgeError"
    " HttpClientException HttpStatusException MaxRetryException NotFoundException RequestBuildException"
    " ResponseParseException SSLException ServerErrorException TimeoutException TokenRefreshException"
    " UnauthorizedException",
    "hooks": "AuthorizationHook CorrelationIdHook LoggingErrorHook LoggingRequestHook LoggingResponseHook"
    " RateLimitResponseHook",
    "interfaces": "AuthHookInterface AuthRetryStrategyInterface ErrorHookInterface HttpClientInterface"
    " HttpSessionInterface RequestHookInterface ResponseHookInterface RetryStrategyInterface"
    " TokenFetcherInterface TokenManagerInterface TokenProviderInterface TokenStorageInterface",
    "models": "FetchContext HttpMethod HttpRequest HttpResponse PreparedRequest RequestContext TokenData",
    "profiles.build": "Profile load_profile",
    "retry": "ExponentialBackoffRetryStrategy NoAuthRetryStrategy NoRetryStrategy SimpleAuthRetryStrategy"
    " SimpleRetryStrategy",
    "tokens.fetch_pipeline": "PipelineTokenProvider TokenFetchPipeline",
    "tokens.fetchers": "BodyTokenFetcher HeaderTokenFetcher HttpTokenFetcher",
    "tokens.manager": "TokenManager",
    "tokens.providers": "BaseOAuth2TokenProvider ClientCredentialsTokenProvider",
    "tokens.storage.file": "FileTokenStorage",
    "tokens.storage.memory": "InMemoryTokenStorage",
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    # From now on the name is found without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
