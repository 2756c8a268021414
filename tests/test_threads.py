"""What threads may share, beyond what the tests of each part say. docs/thread-safety.md lists it all."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from forge_cli import (
    ApiKeyAuthHook,
    BasicAuthHook,
    BodyTokenFetcher,
    CircuitBreakerRetryStrategy,
    CircuitOpenException,
    ClientCredentialsTokenProvider,
    CompositeAuthHook,
    CorrelationIdHook,
    ExponentialBackoffRetryStrategy,
    HttpClient,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    LoggingErrorHook,
    LoggingRequestHook,
    LoggingResponseHook,
    RateLimitResponseHook,
    RetryBudget,
    TokenData,
    TokenStorageInterface,
)
from forge_cli.errors import LockTimeout
from forge_cli.interfaces import storage_lock
from forge_cli.testing import Reply, ScriptedServer, Seen, TokenEndpoint
from tests.tokens.made import side_by_side

THREADS = 16


def test_hooks_and_a_strategy_are_shared(server: ScriptedServer) -> None:
    asked: set[str] = set()
    guard = threading.Lock()

    def busy_at_first(seen: Seen) -> Reply:
        # Each thread's first request fails, so that all of them are in the middle of a retry.
        with guard:
            again = seen.target in asked
            asked.add(seen.target)
        return Reply(200 if again else 503, seen.query, {"X-RateLimit-Remaining": "7"})

    server.reply("/x", busy_at_first)
    builder = HttpClientConfigBuilder().with_base_url(server.url)
    builder.with_retry_strategy(ExponentialBackoffRetryStrategy(max_retries=1, base_delay=0))
    builder.with_retry_budget(RetryBudget(minimum=THREADS))
    for hook in (LoggingRequestHook(log_headers=True), CorrelationIdHook()):
        builder.with_request_hook(hook)
    for answered in (LoggingResponseHook(log_headers=True), RateLimitResponseHook()):
        builder.with_response_hook(answered)
    numbers = iter(range(THREADS))
    with HttpClient(builder.with_error_hook(LoggingErrorHook()).build()) as client:
        answers = side_by_side(lambda: client.get("/x", {"n": next(numbers)}), THREADS)
    assert sorted(int(answer.json()[0][1]) for answer in answers) == list(range(THREADS))
    ids: dict[str, list[str]] = {}
    for seen in server.seen:
        ids.setdefault(seen.target, []).append(seen.headers["X-Correlation-ID"])
    assert [both for both in ids.values() if len(both) != 2 or both[0] != both[1]] == []
    assert len({both[0] for both in ids.values()}) == THREADS


def test_several_auth_hooks_are_shared(server: ScriptedServer) -> None:
    server.reply("/x", lambda seen: Reply(200, [seen.headers["X-API-Key"], seen.headers["Authorization"]]))
    hook = CompositeAuthHook([ApiKeyAuthHook("key-1"), BasicAuthHook("ada", "password-1")], "all")
    with HttpClient(HttpClientConfig(base_url=server.url, auth_hook=hook)) as client:
        answers = side_by_side(lambda: client.get("/x").json(), THREADS)
    assert answers == [["key-1", "Basic YWRhOnBhc3N3b3JkLTE="]] * THREADS


def test_a_breaker_strategy_counts_every_failure(server: ScriptedServer) -> None:
    server.reply("/x", Reply(503))
    strategy = CircuitBreakerRetryStrategy(max_retries=0, failure_threshold=THREADS + 1)
    with HttpClient(HttpClientConfig(base_url=server.url, retry_strategy=strategy)) as client:
        assert [answer.status_code for answer in side_by_side(lambda: client.get("/x"), THREADS)] == [503] * THREADS
        assert strategy.state == strategy.State.CLOSED
        client.get("/x")
        assert strategy.state == strategy.State.OPEN
        assert {type(error) for error in side_by_side(lambda: client.get("/x"), THREADS)} == {CircuitOpenException}


def test_many_requests_are_taken_and_given_in_the_callers_thread(server: ScriptedServer) -> None:
    server.reply("/x", lambda seen: Reply(200, seen.query))
    takers: set[str] = set()

    def requests() -> Iterator[HttpRequest]:
        for n in range(64):
            takers.add(threading.current_thread().name)
            yield HttpRequest(HttpMethod.GET, "/x", params={"n": n})

    with HttpClient(HttpClientConfig(base_url=server.url)) as client:
        outcomes = dict(client.request_many(requests(), max_workers=8))
    found = {position: answer.json() for position, answer in outcomes.items() if isinstance(answer, HttpResponse)}
    assert found == {n: [["n", str(n)]] for n in range(64)}
    assert takers == {threading.current_thread().name}
    assert server.connections <= 8


def test_a_provider_is_shared(server: ScriptedServer) -> None:
    endpoint = TokenEndpoint({"reporting": "client-secret-1"}, server=server)
    with ClientCredentialsTokenProvider(endpoint.url, "reporting", "client-secret-1", "api") as provider:
        tokens = side_by_side(provider.fetch_token, THREADS)
    assert len({token.access_token for token in tokens}) == THREADS


def test_a_fetcher_opens_one_client(server: ScriptedServer) -> None:
    server.reply("/token", Reply(200, {"access_token": "user-token-1"}))
    fetcher = BodyTokenFetcher("user", server.url, "/token")
    assert {token.access_token for token in side_by_side(fetcher.fetch, THREADS)} == {"user-token-1"}
    assert len({id(client) for client in side_by_side(fetcher._get_client, THREADS)}) == 1
    fetcher.close()


def test_what_is_handed_around_is_frozen(server: ScriptedServer) -> None:
    server.reply("/x", Reply(200, headers={"X-One": "1"}))
    headers = {"X-Two": "2"}
    request = HttpRequest(HttpMethod.GET, "/x", headers, {"n": [1]}, json_data=None)
    config = HttpClientConfig(base_url=server.url, default_headers=headers)
    with HttpClient(config) as client:
        response = client.request(request)
    token = TokenData("user-token-1", extra={"id": 1})
    headers["X-Two"] = "changed"
    assert (request.headers, config.default_headers) == ({"X-Two": "2"}, {"X-Two": "2"})
    for value in (request, response, config, token):
        name = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)
    mappings: list[Any] = [request.headers, request.params, response.headers, config.default_headers, token.extra]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["X-Three"] = "3"


class _Plain(TokenStorageInterface):
    """Has the four members and no more."""

    def __init__(self) -> None:
        self.tokens: dict[str, TokenData] = {}

    def get(self, key: str) -> TokenData | None:
        return self.tokens.get(key)

    def set(self, key: str, token: TokenData) -> None:
        self.tokens[key] = token

    def delete(self, key: str) -> None:
        self.tokens.pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self.tokens


def test_a_storage_without_a_lock_has_one_for_its_threads() -> None:
    storage = _Plain()
    with storage_lock(storage, "key", 0):
        [result] = side_by_side(lambda: storage_lock(storage, "key", 0.01).__enter__(), 1)
    assert isinstance(result, LockTimeout)
