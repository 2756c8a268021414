"""The public API as a typed program uses it: nothing runs here, mypy and pyright read it in their strict modes."""

# pyright: strict

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

from forge_cli import (
    ApiKeyAuthHook,
    AuthHookInterface,
    AuthRetryStrategyInterface,
    BasicAuthHook,
    BodyTokenFetcher,
    CircuitBreaker,
    CircuitBreakerRetryStrategy,
    CircuitOpenException,
    ClientCredentialsTokenProvider,
    CompositeAuthHook,
    ConditionalAuthRetryStrategy,
    CorrelationIdHook,
    DjangoCacheTokenStorage,
    ErrorHookInterface,
    ExponentialAuthRetryStrategy,
    ExponentialBackoffRetryStrategy,
    FetchContext,
    FileTokenStorage,
    ForgeError,
    HeaderTokenFetcher,
    HttpClient,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpClientException,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    HttpStatusException,
    InMemoryTokenStorage,
    KeyringTokenStorage,
    LoggingRequestHook,
    MaxRetryException,
    NoAuthRetryStrategy,
    NoRetryStrategy,
    PasswordGrantTokenProvider,
    PipelineTokenProvider,
    PreparedRequest,
    Profile,
    RedisTokenStorage,
    RequestContext,
    RequestHookInterface,
    ResponseHookInterface,
    RetryBudget,
    RetryStrategyInterface,
    SimpleAuthRetryStrategy,
    SimpleRetryStrategy,
    TokenAuthHook,
    TokenData,
    TokenFetcherInterface,
    TokenFetchPipeline,
    TokenManager,
    TokenManagerInterface,
    TokenProviderInterface,
    TokenStorageInterface,
    create_client,
    http_client,
    load_profile,
    to_curl,
)
from forge_cli.testing import Answer, Reply, ScriptedServer, Seen, StorageContract, TokenEndpoint, oauth_error


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
    assert_type(client.prepare(request), PreparedRequest)
    assert_type(to_curl(request), str)
    assert_type(request.with_headers({"X-Two": "2"}), HttpRequest)
    for position, outcome in client.request_many([request], max_workers=2, fail_fast=True):
        assert_type(position, int)
        assert_type(outcome, HttpResponse | HttpClientException)
    with client.stream("GET", "/export") as streamed:
        assert_type(streamed.status_code, int)
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
        client.get("/users")
    except MaxRetryException as error:
        assert_type(error.attempts, int)
        assert_type(error.original_exception, BaseException | None)
    except HttpStatusException as error:
        assert_type(error.status_code, int)
        assert_type(error.response_body, str | None)
    except CircuitOpenException as error:
        assert_type(error.retry_after, float)
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
    )
    assert_type(builder, HttpClientConfigBuilder)
    assert_type(builder.build(), HttpClientConfig)


def profiles() -> None:
    """A profile from Python."""
    profile = load_profile("prod", config=Path("profiles.toml"), vars={"region": "eu"})
    assert_type(profile, Profile)
    assert_type(profile.client(), HttpClient)
    assert_type(profile.tokens, TokenManager)


class Retry(RetryStrategyInterface):
    """An extension point: when a failure is repeated."""

    @property
    def max_retries(self) -> int:
        return 1

    def should_retry(self, context: RequestContext, exception: Exception) -> bool:
        return context.attempt < 1

    def get_delay(self, context: RequestContext) -> float:
        return 0.0


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
    pipeline = TokenFetchPipeline([app, user, Fetcher()], storages[0], cache_key_prefix="example")
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
    ]
    hooks.append(CompositeAuthHook(hooks, "all"))
    again: list[AuthRetryStrategyInterface] = [
        NoAuthRetryStrategy(),
        ExponentialAuthRetryStrategy(max_retries=2),
        ConditionalAuthRetryStrategy(should_retry_func=lambda response: "expired" in response.text),
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
        assert_type(server.seen_at("/users"), list[Seen])
        endpoint.fail_next(oauth_error("invalid_grant"))
        server.reply("/me", endpoint.guard(*answers))
        server.check()


class Contract(StorageContract):
    """The contract is inherited."""
