"""The client with a circuit breaker and a retry budget: what is counted, what is not sent, and what is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forge_cli import (
    CircuitBreaker,
    CircuitBreakerRetryStrategy,
    CircuitOpenException,
    HttpClient,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpClientException,
    HttpRequest,
    MaxRetryException,
    RetryBudget,
    SimpleAuthRetryStrategy,
    SimpleRetryStrategy,
    TokenAuthHook,
    TokenData,
)
from forge_cli.errors import IncompleteResponseException, RedirectException
from forge_cli.events import RetryStopped
from tests.clock import Clock
from tests.server import Reply, Seen, Server

BROKEN = Reply(raw=b"")
CUT = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")


class Counting(CircuitBreaker):
    """A breaker that remembers what it was told."""

    def __init__(self, *limits: Any, **settings: Any) -> None:
        super().__init__(*limits, **settings)
        self.heard: list[str] = []

    def before(self, key: str) -> None:
        super().before(key)
        self.heard.append("before")

    def success(self, key: str) -> None:
        self.heard.append("success")
        super().success(key)

    def failure(self, key: str) -> None:
        self.heard.append("failure")
        super().failure(key)


def made(server: Server, clock: Clock, **settings: Any) -> tuple[HttpClient, list[str]]:
    """A client, and why it did not retry."""
    stopped: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, RetryStopped):
            stopped.append(event.reason)

    config = HttpClientConfig(base_url=server.url, **settings)
    return HttpClient(config, sleep=clock.sleep, clock=clock, listener=listen), stopped


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestReports:
    """The breaker hears of each exchange once."""

    @pytest.fixture
    def breaker(self, clock: Clock) -> Counting:
        return Counting(clock=clock)

    @pytest.fixture
    def client(self, server: Server, clock: Clock, breaker: Counting) -> Iterator[HttpClient]:
        with made(server, clock, circuit_breaker=breaker, max_body=100)[0] as client:
            yield client

    @pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 404, 418])
    def test_an_answer_is_a_success(self, client: HttpClient, server: Server, breaker: Counting, status: int) -> None:
        server.reply("/x", Reply(status))
        client.get("/x")
        with client.stream("GET", "/x"):
            pass
        assert breaker.heard == ["before", "success"] * 2

    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    def test_an_answer_of_trouble_is_a_failure(
        self, client: HttpClient, server: Server, breaker: Counting, status: int
    ) -> None:
        server.reply("/x", Reply(status))
        client.get("/x")
        with client.stream("GET", "/x"):
            pass
        assert breaker.heard == ["before", "failure"] * 2

    @pytest.mark.parametrize("reply", [BROKEN, CUT], ids=["no answer", "cut short"])
    def test_a_broken_answer_is_a_failure(
        self, client: HttpClient, server: Server, breaker: Counting, reply: Reply
    ) -> None:
        server.reply("/x", reply)
        with pytest.raises(MaxRetryException):
            client.get("/x")
        assert breaker.heard == ["before", "failure"]

    def test_a_stream_is_reported_when_its_head_is_there(
        self, client: HttpClient, server: Server, breaker: Counting
    ) -> None:
        server.reply("/x", CUT)
        with client.stream("GET", "/x") as answer:
            assert breaker.heard == ["before", "success"]
            with pytest.raises(IncompleteResponseException):
                answer.read()
        assert breaker.heard == ["before", "success"]

    def test_a_body_that_is_too_long_for_us_is_no_failure(
        self, client: HttpClient, server: Server, breaker: Counting
    ) -> None:
        server.reply("/x", Reply(200, "x" * 101))
        with pytest.raises(MaxRetryException, match="larger than 100"):
            client.get("/x")
        assert "failure" not in breaker.heard

    def test_each_hop_is_one_of_its_origin(
        self, client: HttpClient, server: Server, other_server: Server, breaker: Counting
    ) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.url + "/y"}))
        other_server.reply("/y", Reply(503))
        client.get("/x")
        assert breaker.heard == ["before", "success", "before", "failure"]

    def test_a_redirect_that_is_refused_was_answered(
        self, client: HttpClient, server: Server, breaker: Counting
    ) -> None:
        server.reply("/x", Reply(302, headers={"Location": "ftp://x"}))
        with pytest.raises(MaxRetryException) as caught:
            client.get("/x")
        assert isinstance(caught.value.original_exception, RedirectException)
        assert breaker.heard == ["before", "success"]

    def test_a_renewed_credential_is_two_exchanges(self, server: Server, clock: Clock, breaker: Counting) -> None:
        server.reply("/x", Reply(401), Reply(200))
        client, _ = made(server, clock, circuit_breaker=breaker, auth_hook=TokenAuthHook(Manager()))  # type: ignore[arg-type]  # all that is used
        assert client.get("/x").status_code == 200
        assert breaker.heard == ["before", "success"] * 2


class Manager:
    """As much of a token manager as a hook uses."""

    def get_token(self) -> TokenData:
        return TokenData("user-token-1")

    def force_refresh(self) -> TokenData:
        return TokenData("user-token-2")


def test_an_open_circuit_sends_nothing_and_is_raised_as_it_is(server: Server, clock: Clock) -> None:
    server.reply("/x", Reply(503))
    client, _ = made(server, clock, circuit_breaker=CircuitBreaker(2, 30.0, clock=clock))
    client.get("/x")
    client.get("/x")
    with pytest.raises(CircuitOpenException, match="30 s") as caught:
        client.get("/x")
    assert (caught.value.retry_after, len(server.seen)) == (30.0, 2)
    assert caught.value.context["request"].url == "/x"


def test_after_the_recovery_a_success_closes_it(server: Server, clock: Clock) -> None:
    server.reply("/x", Reply(503), Reply(200))
    breaker = CircuitBreaker(1, 30.0, clock=clock)
    client, _ = made(server, clock, circuit_breaker=breaker)
    client.get("/x")
    assert breaker.state(server.url) == "open"
    clock.now += 30
    assert client.get("/x").status_code == 200
    assert breaker.state(server.url) == "closed"


def test_every_attempt_counts_and_no_retry_waits_for_an_open_circuit(server: Server, clock: Clock) -> None:
    server.reply("/x", Reply(503))
    strategy = SimpleRetryStrategy(9, 1.0, retryable_status_codes={503})
    client, stopped = made(server, clock, retry_strategy=strategy, circuit_breaker=CircuitBreaker(3, 30.0, clock=clock))
    assert client.get("/x").status_code == 503
    assert (len(server.seen), clock.slept, stopped) == (3, [1, 1], [f"the circuit of {server.url} is open"])


def test_a_retry_waits_for_a_circuit_that_opens_sooner(server: Server, clock: Clock) -> None:
    server.reply("/x", Reply(503), Reply(200, "ok"))
    strategy = SimpleRetryStrategy(3, 5.0, retryable_status_codes={503})
    client, _ = made(server, clock, retry_strategy=strategy, circuit_breaker=CircuitBreaker(1, 5.0, clock=clock))
    assert client.get("/x").text == "ok"


def test_one_opened_during_the_wait_is_the_reason_of_the_last_attempt(server: Server, clock: Clock) -> None:
    server.reply("/x", Reply(503))
    breaker = CircuitBreaker(2, 30.0, clock=clock)
    strategy = SimpleRetryStrategy(3, 1.0, retryable_status_codes={503})
    client, _ = made(server, clock, retry_strategy=strategy, circuit_breaker=breaker)
    client._sleep = lambda seconds: breaker.failure(server.url)
    with pytest.raises(MaxRetryException, match="2 attempts") as caught:
        client.get("/x")
    assert isinstance(caught.value.original_exception, CircuitOpenException)


class TestStrategy:
    """CircuitBreakerRetryStrategy in a client."""

    def test_it_counts_each_attempt_once_by_origin(self, server: Server, other_server: Server, clock: Clock) -> None:
        server.reply("/x", Reply(503))
        other_server.reply("/x", Reply(200))
        strategy = CircuitBreakerRetryStrategy(2, 4, retryable_status_codes={503}, clock=clock)
        client, _ = made(server, clock, retry_strategy=strategy)
        client.get("/x")
        assert (len(server.seen), strategy.state, clock.slept) == (3, "closed", [1, 2])
        client.get("/x")
        assert (len(server.seen), strategy.state) == (4, "open")
        with pytest.raises(CircuitOpenException):
            client.get("/x")
        assert client.get(other_server.url + "/x").status_code == 200
        strategy.reset()
        client.get("/x", retry_strategy=SimpleRetryStrategy(0))
        assert strategy.state == "closed"

    def test_failures_without_an_answer_count(self, server: Server, clock: Clock) -> None:
        server.reply("/x", BROKEN)
        strategy = CircuitBreakerRetryStrategy(0, 2, clock=clock)
        client, _ = made(server, clock, retry_strategy=strategy)
        for _ in range(2):
            with pytest.raises(MaxRetryException):
                client.get("/x")
        assert strategy.state == strategy.State.OPEN

    def test_threads_send_exactly_so_many_trials(self, server: Server, clock: Clock) -> None:
        release, sick = threading.Event(), [True]

        def answer(seen: Seen) -> Reply:
            return Reply(503) if sick[0] else Reply(200, hold=release)

        server.reply("/x", answer)
        strategy = CircuitBreakerRetryStrategy(0, 1, 30.0, 3, clock=clock)
        client, _ = made(server, clock, retry_strategy=strategy)
        client.get("/x")
        sick[0] = False
        clock.now += 30
        refused = threading.Semaphore(0)

        def ask(_: int) -> bool:
            try:
                return client.get("/x").status_code == 200
            except CircuitOpenException:
                refused.release()
                return False

        with ThreadPoolExecutor(32) as pool:
            answers = [pool.submit(ask, n) for n in range(32)]
            for _ in range(29):
                assert refused.acquire(timeout=20)
            release.set()
            assert sum(answer.result() for answer in answers) == 3
        assert (len(server.seen), strategy.state) == (4, "closed")


class TestBudget:
    def test_it_bounds_the_retries_of_a_client(self, server: Server, clock: Clock) -> None:
        server.reply("/x", Reply(503))
        strategy = SimpleRetryStrategy(3, 0.0, retryable_status_codes={503})
        client, stopped = made(server, clock, retry_strategy=strategy)
        for _ in range(200):
            client.get("/x")
        assert len(server.seen) <= 1.2 * 200 + 10
        assert set(stopped) == {f"the retry budget of {server.url} is used up"}

    def test_it_may_be_shared(self, server: Server, clock: Clock) -> None:
        server.reply("/x", Reply(503))
        budget = RetryBudget(0.0, 1)
        strategy = SimpleRetryStrategy(3, 0.0, retryable_status_codes={503})
        for _ in range(2):
            made(server, clock, retry_strategy=strategy, retry_budget=budget)[0].get("/x")
        assert len(server.seen) == 3

    def test_it_is_never_less_than_one_call_may_use(self, server: Server, clock: Clock) -> None:
        server.reply("/x", Reply(503))
        strategy = SimpleRetryStrategy(30, 0.0, retryable_status_codes={503})
        made(server, clock, retry_strategy=strategy)[0].get("/x")
        assert len(server.seen) == 31

    def test_the_builder_sets_both(self) -> None:
        breaker, budget = CircuitBreaker(), RetryBudget()
        config = HttpClientConfigBuilder().with_circuit_breaker(breaker).with_retry_budget(budget).build()
        assert (config.circuit_breaker, config.retry_budget) == (breaker, budget)


class Always(SimpleAuthRetryStrategy):
    """An auth strategy that never has enough."""

    def should_retry(self, response: Any, attempt: int) -> bool:
        return True


@pytest.mark.parametrize(("most", "sent"), [(0, 2), (1, 2), (3, 4)])
def test_an_auth_strategy_that_always_says_yes_ends(server: Server, clock: Clock, most: int, sent: int) -> None:
    server.reply("/x", Reply(401))
    hook = TokenAuthHook(Manager(), Always(most))  # type: ignore[arg-type]  # all that is used
    client, _ = made(server, clock, auth_hook=hook)
    assert client.get("/x").status_code == 401
    assert len(server.seen) == sent


def test_the_origin_of_a_budget_needs_no_base_url(server: Server) -> None:
    url = server.reply("/x", Reply(200))
    with HttpClient() as client:
        assert client.request(HttpRequest("GET", url)).status_code == 200
        with pytest.raises(HttpClientException):
            client.get("/x")
