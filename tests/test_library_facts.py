"""What holds for the library as a whole, and belongs to no module alone."""

from __future__ import annotations

import inspect
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from forge_cli import (
    BodyTokenFetcher,
    CircuitBreaker,
    CircuitBreakerRetryStrategy,
    ClientCredentialsTokenProvider,
    CorrelationIdHook,
    ExponentialBackoffRetryStrategy,
    ForgeError,
    HttpClient,
    HttpClientConfig,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    InMemoryTokenStorage,
    NoRetryStrategy,
    RequestContext,
    SimpleRetryStrategy,
    TokenData,
    TokenFetchPipeline,
    TokenManager,
)
from forge_cli.errors import HttpStatusException, StorageError
from forge_cli.models import Headers
from forge_cli.profiles.schema import RetryTable
from forge_cli.profiles.transport import retry_strategy
from forge_cli.testing import TokenEndpoint
from forge_cli.tokens.storage.lease import Leases
from tests.server import Reply, Seen, Server
from tests.tokens.made import side_by_side

ROOT = Path(__file__).parents[1]
SECRET = "client-secret-1"


def provider(url: str) -> ClientCredentialsTokenProvider:
    return ClientCredentialsTokenProvider(url, "reporting", SECRET, "example")


def test_each_module_logs_under_its_own_name() -> None:
    logging = {path for path in (ROOT / "forge_cli").rglob("*.py") if "logging.getLogger" in path.read_text("utf-8")}
    assert len(logging) > 3
    for path in logging:
        assert re.findall(r"^logger = logging.getLogger\((.*)\)$", path.read_text("utf-8"), re.M) == ["__name__"], path


def test_the_request_of_an_answer_is_the_one_after_hooks_and_its_url_the_last(server: Server) -> None:
    server.reply("/old", Reply(301, headers={"Location": "/new"}))
    server.reply("/new", Reply(200))
    with HttpClient(HttpClientConfig(base_url=server.url, request_hooks=(CorrelationIdHook("X-Id"),))) as client:
        answer = client.get("/old")
    assert answer.url == f"{server.url}/new"
    assert answer.request.url == "/old"
    assert (answer.request.headers or {})["X-Id"] == server.seen[-1].headers["X-Id"]


def test_request_many_calls_a_request_that_was_replaced() -> None:
    answer = HttpResponse(200, Headers(), b"", 0.0, "u", HttpRequest("GET", "/x"))
    with HttpClient() as client:
        client.request = lambda request, **settings: answer  # type: ignore[method-assign]  # as callers do
        assert list(client.request_many([HttpRequest(HttpMethod.GET, "/x")])) == [(0, answer)]


def test_the_jitter_of_a_profile_is_full() -> None:
    strategy = retry_strategy(RetryTable(strategy="exponential"))
    assert isinstance(strategy, ExponentialBackoffRetryStrategy)
    context = RequestContext(HttpRequest("GET", "/"), attempt=3)
    delays = [strategy.get_delay(context) for _ in range(200)]
    # A quarter around the delay would leave the lower half empty.
    assert min(delays) < max(delays) / 2


def test_each_attempt_has_the_whole_timeout(server: Server) -> None:
    def slow(seen: Seen) -> Reply:
        time.sleep(0.3)
        return Reply(503 if len(server.seen) < 3 else 200)

    server.reply("/x", slow)
    strategy = ExponentialBackoffRetryStrategy(base_delay=0)
    with HttpClient(HttpClientConfig(base_url=server.url, retry_strategy=strategy)) as client:
        assert client.get("/x", timeout=0.8).status_code == 200


def test_the_strategy_of_a_request_replaces_that_of_the_client(server: Server) -> None:
    server.reply("/x", Reply(503))
    own = SimpleRetryStrategy(2, delay=0, retryable_status_codes={503})
    with HttpClient(HttpClientConfig(base_url=server.url, retry_strategy=own)) as client:
        client.get("/x", retry_strategy=NoRetryStrategy())
        assert len(server.seen) == 1
    with HttpClient(HttpClientConfig(base_url=server.url)) as client:
        client.get("/x", retry_strategy=own)
    assert len(server.seen) == 1 + 3


def test_no_message_holds_a_whole_body(server: Server) -> None:
    server.reply("/x", Reply(500, "<p>" + "x" * 5000))
    with HttpClient(HttpClientConfig(base_url=server.url, raise_for_status=True)) as client:
        with pytest.raises(HttpStatusException) as status:
            client.get("/x")
        with pytest.raises(ForgeError) as fetcher:
            BodyTokenFetcher("login", server.url, "/x").fetch()
        with provider(f"{server.url}/x") as failing, pytest.raises(ForgeError) as token:
            failing.fetch_token()
    assert max(len(str(error.value)) for error in (status, fetcher, token)) < 700
    assert "xxx" not in str(status.value)


def test_what_waits_and_counts_uses_the_monotonic_clock() -> None:
    kinds: tuple[Callable[..., Any], ...] = (CircuitBreaker, CircuitBreakerRetryStrategy, HttpClient, Leases)
    for kind in kinds:
        assert inspect.signature(kind).parameters["clock"].default is time.monotonic, kind


@pytest.fixture
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """Live in another time zone for a while."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"], indirect=True)
@pytest.mark.parametrize("life", [3600, 2], ids=["an hour", "two seconds"])
def test_the_local_zone_changes_nothing_about_a_life(server: Server, zone: str, life: int) -> None:
    endpoint = TokenEndpoint({"reporting": SECRET}, server=server, lifetime=life)
    with provider(endpoint.url) as made:
        manager = TokenManager(made)
        token = manager.get_token()
        assert manager.get_token() == token
        assert token.is_expired is (life < 30)
    assert endpoint.calls == {"client_credentials": 1}


class Crowd(InMemoryTokenStorage):
    """A storage that knows when so many threads have asked for its lock."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._asked = threading.Semaphore(0)

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        self._asked.release()
        return super().lock(key, timeout)

    def wait(self) -> None:
        """Until all have asked, or somebody does not."""
        while self._size and self._asked.acquire(timeout=2):
            self._size -= 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(Reply(200, {"access_token": "token-1"}), "TokenData"), (Reply(raw=b""), "AuthenticationException")],
    ids=["one that answers", "a dead one"],
)
def test_a_token_endpoint_is_asked_once_by_all_threads_that_wait_for_it(
    server: Server, answer: Reply, expected: str
) -> None:
    storage = Crowd(8)

    def wait(seen: Seen) -> Reply:
        storage.wait()
        return answer

    with provider(server.reply("/token", wait)) as made:
        found = side_by_side(TokenManager(made, storage).get_token, 8)
    assert {type(each).__name__ for each in found} == {expected}
    assert len(server.seen) == 1


def test_a_pipeline_runs_each_step_once_for_all_threads_that_wait_for_it(server: Server) -> None:
    storage = Crowd(8)

    def wait(seen: Seen) -> Reply:
        storage.wait()
        return Reply(200, {"access_token": "token-1"})

    server.reply("/first", wait)
    server.reply("/second", Reply(200, {"access_token": "token-2"}))
    steps = [
        BodyTokenFetcher("second", server.url, "/second", depends_on=["first"]),
        BodyTokenFetcher("first", server.url, "/first"),
    ]
    pipeline = TokenFetchPipeline(steps, storage)
    assert {token.access_token for token in side_by_side(pipeline.execute, 8)} == {"token-2"}
    assert [seen.path for seen in server.seen] == ["/first", "/second"]
    pipeline.close()


def test_a_provider_closes_its_connection(server: Server) -> None:
    endpoint = TokenEndpoint({"reporting": SECRET}, server=server)
    with provider(endpoint.url) as made:
        made.fetch_token()
        made.fetch_token()
    assert server.connections == 1
    with pytest.raises(ForgeError) as caught:
        made.fetch_token()
    assert "closed" in str(caught.value)


class FullStorage(InMemoryTokenStorage):
    def set(self, key: str, token: TokenData) -> None:
        raise StorageError("the disk is full")


def test_a_token_that_cannot_be_saved_is_used_and_that_is_logged_once(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = TokenEndpoint({"reporting": SECRET}, server=server)
    server.reply("/login", Reply(200, {"access_token": "token-1"}))
    step = BodyTokenFetcher("login", server.url, "/login")
    with provider(endpoint.url) as made:
        manager, pipeline = TokenManager(made, FullStorage()), TokenFetchPipeline([step], FullStorage())
        found = [manager.get_token, manager.get_token, pipeline.execute, pipeline.execute]
        assert [ask().access_token for ask in found] == ["access-token-1", "access-token-1", "token-1", "token-1"]
    pipeline.close()
    told = [(record.name, record.levelname) for record in caplog.records if "the disk is full" in record.message]
    assert told == [("forge_cli.tokens.manager", "WARNING"), ("forge_cli.tokens.fetch_pipeline", "WARNING")]
    assert "access-token-1" not in caplog.text


def test_pipelines_with_prefixes_of_their_own_share_a_storage(server: Server) -> None:
    storage = InMemoryTokenStorage()
    for name in ("one", "two"):
        server.reply(f"/{name}", Reply(200, {"access_token": f"token-of-{name}"}))
        step = BodyTokenFetcher("login", server.url, f"/{name}")
        assert TokenFetchPipeline([step], storage, name).execute().access_token == f"token-of-{name}"
        step.close()
    assert sorted(storage.keys()) == ["one:login", "two:login"]
