"""The public API as a typed program uses it: nothing here runs; mypy and pyright read it, both strict."""

# pyright: strict

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import pytest
from requests import Session
from requests.adapters import HTTPAdapter

from forge_cli import (
    ApiKeyAuthHook,
    AuthenticationException,
    AuthHookInterface,
    AuthorizationHook,
    AuthRetryStrategyInterface,
    BadRequestException,
    BaseOAuth2TokenProvider,
    BasicAuthHook,
    BodyTokenFetcher,
    CircuitBreaker,
    CircuitBreakerRetryStrategy,
    CircuitOpenException,
    ClientCredentialsTokenProvider,
    CompositeAuthHook,
    ConditionalAuthRetryStrategy,
    ConnectionException,
    CorrelationIdHook,
    DjangoCacheTokenStorage,
    ErrorHookInterface,
    ExponentialAuthRetryStrategy,
    ExponentialBackoffRetryStrategy,
    FetchContext,
    FileTokenStorage,
    ForbiddenException,
    ForgeError,
    HeaderTokenFetcher,
    HttpClient,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpClientException,
    HttpClientInterface,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    HttpSessionInterface,
    HttpStatusException,
    HttpTokenFetcher,
    InMemoryTokenStorage,
    KeyringTokenStorage,
    LoggingErrorHook,
    LoggingRequestHook,
    LoggingResponseHook,
    MaxRetryException,
    NoAuthRetryStrategy,
    NoRetryStrategy,
    NotFoundException,
    PasswordGrantTokenProvider,
    PipelineTokenProvider,
    PreparedRequest,
    Profile,
    RateLimitResponseHook,
    RedisTokenStorage,
    RequestBuildException,
    RequestContext,
    RequestHookInterface,
    ResponseHookInterface,
    ResponseParseException,
    RetryBudget,
    RetryStrategyInterface,
    ServerErrorException,
    SimpleAuthRetryStrategy,
    SimpleRetryStrategy,
    SSLException,
    TimeoutException,
    TokenAuthHook,
    TokenData,
    TokenFetcherInterface,
    TokenFetchPipeline,
    TokenManager,
    TokenManagerInterface,
    TokenProviderInterface,
    TokenRefreshException,
    TokenStorageInterface,
    UnauthorizedException,
    create_client,
    http_client,
    load_profile,
    to_curl,
)
from forge_cli.testing import (
    Answer,
    Reply,
    ScriptedServer,
    Seen,
    SharedStorageContract,
    StorageContract,
    TokenEndpoint,
    oauth_error,
)


def requests(client: HttpClient) -> None:
    """Every way to send."""
    request = HttpRequest(HttpMethod.GET, "/users", {"X-One": "1"}, {"page": 1}, timeout=2.5)
    assert_type(client.request(request), HttpResponse)
    assert_type(client.get("/users", {"page": 1}, {"X-One": "1"}, 2.5), HttpResponse)
    assert_type(client.post("/users", {"name": "Ada"}), HttpResponse)
    assert_type(client.put("/users/1", data={"name": "Ada"}), HttpResponse)
    assert_type(client.patch("/users/1", json_data=[1, 2]), HttpResponse)
    assert_type(client.delete("/users/1", headers={"If-Match": "1"}), HttpResponse)
    assert_type(client.head("/users"), HttpResponse)
    assert_type(client.options("/users"), HttpResponse)
    raw = HttpRequest("PROPFIND", "/users", content=b"<a/>", cookies={"a": "1"}, retry_strategy=NoRetryStrategy())
    assert_type(client.request(raw).request, HttpRequest)
    assert_type(client.post("/users", files={"photo": ("ada.png", b"...", "image/png")}), HttpResponse)
    assert_type(client.prepare(request), PreparedRequest)
    assert_type(client.prepare(request, RequestContext(request)).method, str)
    assert_type(to_curl(request), str)
    assert_type(request.with_headers({"X-Two": "2"}), HttpRequest)
    for position, outcome in client.request_many([request], max_workers=2, fail_fast=True):
        assert_type(position, int)
        assert_type(outcome, HttpResponse | HttpClientException)
        if isinstance(outcome, HttpResponse):
            assert_type(outcome.text, str)
        else:
            assert_type(outcome.message, str)
    assert_type(client.request_many(iter([request])).close(), None)
    with client.stream(HttpMethod.GET, "/export", headers={"Accept": "text/csv"}, timeout=60) as streamed:
        assert_type(streamed.status_code, int)
        assert_type(streamed.headers["Content-Type"], str)
        for chunk in streamed.iter_bytes(chunk_size=1024):
            assert_type(chunk, bytes)


def answers(response: HttpResponse) -> None:
    """What an answer has."""
    assert_type(response.status_code, int)
    assert_type(response.content, bytes)
    assert_type(response.text, str)
    assert_type(response.json(), Any)
    assert_type(response.headers["Content-Type"], str)
    assert_type(response.elapsed_ms, float)
    assert_type(response.is_success, bool)
    assert_type(response.request, HttpRequest)
    assert_type(response.raise_for_status(), HttpResponse)


def failures(client: HttpClient) -> str | None:
    """What an exception has."""
    try:
        client.get("/users").raise_for_status()
    except MaxRetryException as error:
        assert_type(error.attempts, int)
        assert_type(error.original_exception, BaseException | None)
    except (BadRequestException, UnauthorizedException, ForbiddenException, NotFoundException) as error:
        assert_type(error.status_code, int)
    except ServerErrorException as error:
        assert_type(error.status_code, int)
    except HttpStatusException as error:
        assert_type(error.response_body, str | None)
    except CircuitOpenException as error:
        assert_type(error.retry_after, float)
    except TokenRefreshException as error:
        assert_type(error.service_name, str | None)
    except AuthenticationException as error:
        assert_type(error.service_name, str | None)
    except (TimeoutException, ConnectionException, SSLException) as error:
        assert_type(error.message, str)
    except (RequestBuildException, ResponseParseException) as error:
        assert_type(error.hint, str | None)
    except HttpClientException as error:
        assert_type(error.context, dict[str, Any])
    except ForgeError as error:
        return error.hint
    return None


def clients() -> None:
    """Every way to make a client."""
    with HttpClient() as client, http_client("https://api.example.com") as other, create_client(timeout=2) as third:
        assert_type(client, HttpClient)
        assert_type(other, HttpClient)
        assert_type(third, HttpClient)
    builder = (
        HttpClientConfigBuilder()
        .with_base_url("https://api.example.com")
        .with_timeout(5)
        .with_headers({"X-One": "1"})
        .with_header("X-Two", "2")
        .with_verify_ssl(True)
        .with_redirects(allow=True, max_redirects=3)
        .with_retry(max_retries=2)
        .with_request_hook(LoggingRequestHook(log_headers=True))
        .with_request_hook(CorrelationIdHook())
        .with_max_elapsed(30)
        .with_circuit_breaker(CircuitBreaker(failure_threshold=3))
        .with_retry_budget(RetryBudget(ratio=0.1))
        .with_response_hook(LoggingResponseHook(log_body=True))
        .with_response_hook(RateLimitResponseHook())
        .with_error_hook(LoggingErrorHook())
        .with_request_hook(AuthorizationHook(lambda: "user-token-1"))
        .with_bearer_token("user-token-1")
        .with_api_key("key-1", header_name="X-Key")
        .with_api_key_auth("key-1", excluded_paths={"/health"})
        .with_basic_auth("ada", "password-1")
        .with_auth_hook(ApiKeyAuthHook("key-1"))
        .with_token_auth(TokenManager(Provider()), SimpleAuthRetryStrategy(2), excluded_path_patterns=["/public/*"])
        .with_raise_for_status()
        .with_cookies({"a": "1"})
        .with_proxies({"https": "http://proxy:3128"})
        .with_client_cert("cert.pem", "key.pem", "password-1")
        .with_ca_bundle("ca.pem")
        .with_origins("https://cdn.example.com")
        .with_pool_connection(4)
        .with_pool_maxsize(50)
        .with_logging(log_headers=True, sensitive_keys={"x-secret"})
        .with_retry_strategy(Retry())
    )
    assert_type(builder, HttpClientConfigBuilder)
    assert_type(builder.build(), HttpClientConfig)
    with Session() as session, HttpClient(builder.build(), session) as injected:
        assert_type(injected.session, Session)
        assert_type(injected.adapter, HTTPAdapter)
        assert_type(injected.auth_hook, AuthHookInterface | None)
        assert_type(injected.config.base_url, str)


def told(client: HttpClientInterface, session: HttpSessionInterface) -> None:
    """What a program asks for that takes any client."""
    assert_type(client.get("/users"), HttpResponse)
    session.close()


def profiles() -> None:
    """A profile from Python."""
    profile = load_profile("prod", config=Path("profiles.toml"), vars={"region": "eu"})
    assert_type(profile, Profile)
    assert_type(profile.client(), HttpClient)
    assert_type(profile.tokens, TokenManager)
    assert_type(profile.tokens.get_token().access_token, str)
    with load_profile().client() as client:
        assert_type(client.get("/users").json(), Any)


class Retry(RetryStrategyInterface):
    """An extension point: when a failure is repeated."""

    @property
    def max_retries(self) -> int:
        return 1

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        return context.attempt < 1

    def get_delay(self, context: RequestContext) -> float:
        return 0.0


class AuthRetry(AuthRetryStrategyInterface):
    """An extension point: when a refused credential is renewed."""

    @property
    def max_retries(self) -> int:
        return 1

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code in (401, 419)

    def should_retry(self, response: HttpResponse, attempt: int) -> bool:
        return attempt < 1 and self.is_auth_error(response)

    def get_delay(self, attempt: int) -> float:
        return 0.0


class Signer(AuthHookInterface):
    """An extension point: how a request is authenticated."""

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request

    def should_authenticate(self, request: HttpRequest) -> bool:
        return not request.url.startswith("/public/")

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401

    def refresh_auth(self) -> bool:
        return False

    def invalidate_auth(self) -> None:
        return None

    def get_token(self) -> TokenData:
        return TokenData("key-1", "Signature")

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return AuthRetry()

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        return replace(prepared, headers=prepared.headers.with_field("X-Signature", str(len(prepared.url))))

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        return super().recover(response, context)


class Hook(RequestHookInterface, ResponseHookInterface, ErrorHookInterface):
    """An extension point: what happens around a request."""

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request.with_headers({"X-Attempt": str(context.attempt)})

    def after_response(self, response: HttpResponse, context: RequestContext) -> HttpResponse:
        return response

    def on_error(self, exception: Exception, context: RequestContext) -> None:
        context.metadata["failed"] = True


class Provider(TokenProviderInterface):
    """An extension point: where a token is from."""

    @property
    def service_name(self) -> str:
        return "example"

    def fetch_token(self) -> TokenData:
        return TokenData("user-token-1", expires_at=datetime.now() + timedelta(hours=1))

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


class Grant(BaseOAuth2TokenProvider):
    """A provider that shares what the library's have."""

    def fetch_token(self) -> TokenData:
        return TokenData.from_response({"access_token": "user-token-1", "expires_in": 60})


class Manager(TokenManager):
    """A manager that counts."""

    renewals = 0

    def force_refresh(self) -> TokenData:
        self.renewals += 1
        return super().force_refresh()


class Storage(TokenStorageInterface):
    """An extension point: where a token is kept."""

    def __init__(self) -> None:
        self._tokens: dict[str, TokenData] = {}

    def get(self, key: str) -> TokenData | None:
        return self._tokens.get(key)

    def set(self, key: str, token: TokenData) -> None:
        self._tokens[key] = token

    def delete(self, key: str) -> None:
        self._tokens.pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self._tokens

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        return super().lock(key, timeout)


class Fetcher(TokenFetcherInterface):
    """An extension point: one step of a login."""

    @property
    def name(self) -> str:
        return "step"

    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData:
        return TokenData("user-token-1")


class Ticket(HttpTokenFetcher):
    """A step that shares the connection of the library's."""

    @property
    def name(self) -> str:
        return "ticket"

    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData:
        return TokenData(self._make_request("POST", "/tickets", json_data={}).text)


class Step(BodyTokenFetcher):
    """A step that is given the token of another."""

    def _build_request_data(self, context: Mapping[str, TokenData] | None) -> dict[str, Any]:
        return super()._build_request_data(context) | {"app": (context or {})["app"].access_token}


def logins() -> None:
    """Tokens, from one request or from several."""
    storages: list[TokenStorageInterface] = [
        InMemoryTokenStorage(),
        FileTokenStorage(Path("tokens.toml")),
        KeyringTokenStorage(),
        RedisTokenStorage("redis://127.0.0.1"),
        DjangoCacheTokenStorage("default"),
        Storage(),
    ]
    app = HeaderTokenFetcher("app", "https://api.example.com", "/app", ttl=timedelta(hours=1))
    user = Step("user", "https://api.example.com", "/login", depends_on=["app"], content_type="json")
    pipeline = TokenFetchPipeline(
        [app, user, Fetcher(), Ticket("https://api.example.com")], storages[0], cache_key_prefix="example"
    )
    assert_type(pipeline.execute(force_refresh=True), TokenData)
    assert_type(pipeline.step_names, list[str])
    user_login = PasswordGrantTokenProvider(
        "https://api.example.com/token", "id", "client-secret-1", "ada", "password-1", "example"
    )
    with (
        user_login,
        ClientCredentialsTokenProvider(
            "https://api.example.com/token", "id", "client-secret-1", "example", auth_method="header"
        ) as oauth,
    ):
        providers: list[TokenProviderInterface] = [
            PipelineTokenProvider(pipeline, "example"),
            Provider(),
            Grant("https://api.example.com/token", "id", "client-secret-1", "example"),
            user_login,
            oauth,
        ]
        managers: list[TokenManagerInterface] = [TokenManager(provider, storages[1]) for provider in providers]
    token = managers[0].get_token()
    assert_type(token.expires_at, datetime | None)
    assert_type(token.authorization_header, str)
    assert_type(TokenData.from_response({"access_token": "user-token-1"}), TokenData)
    assert_type(FetchContext().get_token("app"), TokenData | None)
    hooks: list[AuthHookInterface] = [
        TokenAuthHook(managers[0], SimpleAuthRetryStrategy()),
        ApiKeyAuthHook("key-1"),
        BasicAuthHook("ada", "password-1"),
        TokenAuthHook(Manager(Provider(), Storage())),
        Signer(),
    ]
    hooks.append(CompositeAuthHook(hooks, "all"))
    again: list[AuthRetryStrategyInterface] = [
        NoAuthRetryStrategy(),
        ExponentialAuthRetryStrategy(max_retries=2),
        ConditionalAuthRetryStrategy(should_retry_func=lambda response: "expired" in response.text),
        AuthRetry(),
        hooks[0].retry_strategy,
    ]
    assert_type(again[0].max_retries, int)
    strategies: list[RetryStrategyInterface] = [
        Retry(),
        NoRetryStrategy(),
        SimpleRetryStrategy(delay=0.5),
        CircuitBreakerRetryStrategy(failure_threshold=2),
        ExponentialBackoffRetryStrategy(jitter="full", retryable_status_codes={503}),
    ]
    HttpClientConfig(retry_strategy=strategies[0], auth_hook=hooks[0], request_hooks=(Hook(),), error_hooks=(Hook(),))


def answer(seen: Seen) -> Reply:
    """A scripted answer."""
    return Reply(201, {"path": seen.path}, {"Location": "/1"})


def servers() -> None:
    """The servers for tests."""
    answers: list[Answer] = [Reply(503), answer]
    with ScriptedServer() as server, TokenEndpoint({"id": "client-secret-1"}, server=server) as endpoint:
        assert_type(server.reply("/users", *answers, method="GET"), str)
        assert_type(server.url, str)
        assert_type(endpoint.calls["client_credentials"], int)
        assert_type(server.seen_at("/users"), list[Seen])
        endpoint.fail_next(oauth_error("invalid_grant"))
        server.reply("/me", endpoint.guard(*answers))
        server.check()


class Contract(StorageContract):
    """The contract is inherited, with a fixture that makes the storage."""

    @pytest.fixture
    def storage(self) -> TokenStorageInterface:
        return Storage()


class Shared(SharedStorageContract):
    """So is that of a storage between processes."""

    @pytest.fixture
    def storage(self) -> TokenStorageInterface:
        return FileTokenStorage(Path("tokens.toml"))

    @pytest.fixture
    def twin(self, storage: TokenStorageInterface) -> TokenStorageInterface:
        return FileTokenStorage(Path("tokens.toml"))
