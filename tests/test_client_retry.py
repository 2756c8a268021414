"""What the client repeats, when, and when it stops."""

from __future__ import annotations

import io
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import trustme

from forge_cli import (
    ConnectionException,
    ExponentialBackoffRetryStrategy,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    HttpStatusException,
    MaxRetryException,
    NoRetryStrategy,
    RequestContext,
    RetryStrategyInterface,
    SimpleRetryStrategy,
    SSLException,
    TimeoutException,
)
from forge_cli.errors import IncompleteResponseException
from forge_cli.events import Retrying, RetryStopped
from forge_cli.models import Deadline
from tests.clock import Clock
from tests.server import Reply, Seen, Server

BROKEN = Reply(raw=b"")
CUT = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
DOUBLING: dict[str, Any] = {"jitter": False}


class Told:
    """A client with a clock of its own that remembers its waits and why it stopped."""

    def __init__(self, base_url: str, strategy: Any, **settings: Any) -> None:
        self.clock = Clock()
        self.heard: list[Any] = []
        config = HttpClientConfig(base_url=base_url, retry_strategy=strategy, **settings)
        self.client = HttpClient(config, sleep=self.clock.sleep, clock=self.clock, listener=self.heard.append)

    @property
    def stopped(self) -> list[str]:
        return [event.reason for event in self.heard if isinstance(event, RetryStopped)]

    @property
    def retried(self) -> list[Retrying]:
        return [event for event in self.heard if isinstance(event, Retrying)]


def told(server: Server, strategy: Any = None, **settings: Any) -> Told:
    return Told(server.url, strategy or ExponentialBackoffRetryStrategy(**DOUBLING), **settings)


@pytest.fixture
def closed() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class TestAttempts:
    def test_a_status_is_retried_until_it_is_another(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(429), Reply(200, "ok"))
        run = told(server)
        assert run.client.get("/x").text == "ok"
        assert run.clock.slept == [1, 2]
        assert [(event.reason, event.attempt, event.max_retries, event.delay) for event in run.retried] == [
            ("503", 1, 3, 1),
            ("429", 2, 3, 2),
        ]

    def test_the_last_answer_is_returned_when_no_attempt_is_left(self, server: Server) -> None:
        server.reply("/x", Reply(503, "first"), Reply(503, "second"), Reply(503, "third"))
        run = told(server, ExponentialBackoffRetryStrategy(2, **DOUBLING))
        assert run.client.get("/x").text == "third"
        # No wait before the end.
        assert run.clock.slept == [1, 2]

    def test_a_failure_of_the_connection_is_retried_and_then_raised(self, closed: str) -> None:
        run = Told(closed, ExponentialBackoffRetryStrategy(2, **DOUBLING))
        with pytest.raises(MaxRetryException) as caught:
            run.client.get("/x")
        assert (caught.value.attempts, caught.value.message) == (3, "Max retries (2) exceeded")
        assert isinstance(caught.value.original_exception, ConnectionException)
        assert run.clock.slept == [1, 2]

    def test_a_timeout_is_retried(self, server: Server) -> None:
        held = threading.Event()
        server.reply("/x", Reply(hold=held), Reply(200, "ok"))
        strategy = ExponentialBackoffRetryStrategy(base_delay=0)
        with HttpClient(HttpClientConfig(server.url, default_timeout=0.1, retry_strategy=strategy)) as client:
            assert client.get("/x").text == "ok"
        held.set()

    def test_a_body_that_broke_off_is_fetched_again(self, server: Server) -> None:
        server.reply("/x", CUT, Reply(200, "whole"))
        run = told(server)
        assert run.client.get("/x").text == "whole"
        assert run.clock.slept == [1]

    def test_a_body_that_is_too_large_is_not(self, server: Server) -> None:
        server.reply("/x", Reply(200, b"x" * 2000))
        run = told(server, max_body=1000)
        with pytest.raises(MaxRetryException, match="larger than") as caught:
            run.client.get("/x")
        assert (caught.value.attempts, len(server.seen)) == (1, 1)

    @pytest.mark.parametrize(
        "strategy",
        [None, NoRetryStrategy(), ExponentialBackoffRetryStrategy(retryable_status_codes=set())],
        ids=["none", "NoRetry", "no statuses"],
    )
    def test_a_status_that_nobody_listed_is_an_answer(self, server: Server, strategy: Any) -> None:
        server.reply("/x", Reply(503))
        client = HttpClient(HttpClientConfig(server.url, retry_strategy=strategy))
        assert client.get("/x").status_code == 503

    def test_any_strategy_that_lists_statuses_retries_them(self, server: Server) -> None:
        server.reply("/x", Reply(418), Reply(200))
        run = told(server, SimpleRetryStrategy(delay=7, retryable_status_codes={418}))
        assert run.client.get("/x").status_code == 200
        assert run.clock.slept == [7]

    def test_such_a_strategy_is_shown_the_status_as_an_exception(self, server: Server) -> None:
        server.reply("/x", Reply(503, '{"error": "busy", "access_token": "user-token-1"}'))
        shown: list[Exception] = []

        class Own(RetryStrategyInterface):
            max_retries = 3

            def is_retryable_status(self, code: int) -> bool:
                return code == 503

            def should_retry(self, context: Any, exception: Exception) -> bool:
                shown.append(exception)
                return False

            def get_delay(self, context: Any) -> float:
                return 0

        assert told(server, Own()).client.get("/x").status_code == 503
        [exception] = shown
        assert isinstance(exception, HttpStatusException)
        assert (exception.message, exception.status_code) == ("HTTP 503", 503)
        assert "busy" in str(exception.response_body)
        assert "user-token-1" not in str(exception.response_body)

    def test_a_request_may_have_its_own_strategy(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(503), Reply(200))
        run = told(server, NoRetryStrategy())
        assert run.client.get("/x").status_code == 503
        own = SimpleRetryStrategy(delay=7, retryable_status_codes={503})
        assert run.client.get("/x", retry_strategy=own).status_code == 200
        assert run.clock.slept == [7]
        server.reply("/y", Reply(503))
        run = told(server)
        assert run.client.get("/y", retry_strategy=NoRetryStrategy()).status_code == 503
        assert run.clock.slept == []

    def test_any_object_with_the_members_will_do(self, server: Server) -> None:
        server.reply("/x", BROKEN, Reply(503))
        strategy = Mock(max_retries=2)
        strategy.should_retry.return_value = True
        strategy.get_delay.return_value = 0.25
        run = told(server, strategy)
        # An object that answers to any name lists no statuses and has no limits.
        assert run.client.get("/x").status_code == 503
        assert run.clock.slept == [0.25]
        strategy.is_retryable_status.assert_not_called()

    def test_the_strategy_sees_the_attempt_before_it_is_counted(self, server: Server) -> None:
        server.reply("/x", BROKEN)
        attempts: list[int] = []

        def should_retry(context: RequestContext, exception: Exception) -> bool:
            attempts.append(context.attempt)
            return len(attempts) < 3

        strategy = Mock(max_retries=2)
        strategy.should_retry.side_effect = should_retry
        strategy.get_delay.return_value = 0
        with pytest.raises(MaxRetryException) as caught:
            told(server, strategy).client.get("/x")
        assert (attempts, caught.value.attempts) == ([0, 1, 2], 3)

    def test_a_failure_that_a_request_hook_reports_is_retried_like_any(self, server: Server) -> None:
        server.reply("/x", Reply())
        hook = Mock()
        hook.before_request.side_effect = [ConnectionException("Connection failed"), HttpRequest("POST", "/x")]
        assert told(server, request_hooks=(hook,)).client.post("/x").status_code == 200

    def test_the_connection_is_kept_between_attempts(self, server: Server) -> None:
        server.reply("/x", Reply(503, "busy"), Reply(503, "busy"), Reply(200))
        told(server).client.get("/x")
        assert server.connections == 1

    def test_a_stream_is_retried_before_its_body_is_read(self, server: Server) -> None:
        server.reply("/x", Reply(503, "busy"), Reply(200, "ok"))
        run = told(server)
        with run.client.stream("GET", "/x") as answer:
            assert (answer.read(), answer.attempts) == (b"ok", 2)
        assert server.connections == 1

    def test_a_stream_that_breaks_off_is_the_readers(self, server: Server) -> None:
        server.reply("/x", CUT)
        run = told(server)
        with run.client.stream("GET", "/x") as answer, pytest.raises(IncompleteResponseException):
            answer.read()
        assert run.clock.slept == []


class TestPermanentFailures:
    def test_tls_failures_are_not_retried(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        with Server(tls=context) as server:
            run = Told(server.url, SimpleRetryStrategy(5, 1))
            with pytest.raises(MaxRetryException) as caught:
                run.client.get("/x")
            assert isinstance(caught.value.original_exception, SSLException)
            assert isinstance(caught.value.__cause__, SSLException)
            assert caught.value.message == "Request failed and was not retried"
            assert (caught.value.attempts, run.clock.slept) == (1, [])

    def test_a_trusted_certificate_is_accepted(self, tmp_path: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").configure_cert(context)
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with Server(tls=context) as server:
            server.reply("/x", Reply(200, "ok"))
            with HttpClient(HttpClientConfig(server.url, verify_ssl=str(bundle))) as client:
                assert client.get("/x").text == "ok"
            with HttpClient(HttpClientConfig(server.url, verify_ssl=False)) as client:
                assert client.get("/x").text == "ok"

    @pytest.mark.parametrize(
        "fields",
        [
            {"url": "ftp://h/x"},
            {"url": "/x", "headers": {"A": "b\nc"}},
            {"url": "/x", "json_data": {}, "data": {"a": "b"}},
            {"url": "/x", "json_data": object()},
        ],
        ids=["URL", "header", "two bodies", "no JSON"],
    )
    def test_what_cannot_be_built_is_not_retried(self, server: Server, fields: dict[str, Any]) -> None:
        run = told(server, SimpleRetryStrategy(5, 1))
        with pytest.raises(MaxRetryException) as caught:
            run.client.request(HttpRequest("PUT", **fields))
        assert (caught.value.attempts, run.clock.slept, server.seen) == (1, [], [])

    def test_a_refused_redirect_is_not_retried(self, server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": "file:///etc/passwd"}))
        run = told(server, SimpleRetryStrategy(5, 1))
        with pytest.raises(MaxRetryException):
            run.client.get("/x")
        assert len(server.seen) == 1


class TestUnsafeMethods:
    @pytest.mark.parametrize(
        ("method", "repeated"),
        [
            ("GET", True),
            ("HEAD", True),
            ("PUT", True),
            ("DELETE", True),
            ("OPTIONS", True),
            ("POST", False),
            ("PATCH", False),
            ("PROPFIND", False),
        ],
    )
    @pytest.mark.parametrize("failure", [Reply(503), BROKEN], ids=["status", "broken"])
    def test_only_what_may_be_repeated_is(self, server: Server, method: str, repeated: bool, failure: Reply) -> None:
        server.reply("/x", failure, Reply(200))
        run = told(server)
        try:
            status = run.client.request(HttpRequest(method, "/x")).status_code
        except MaxRetryException:
            status = 0
        assert (status == 200) is repeated
        assert len(server.seen) == (2 if repeated else 1)

    def test_nothing_was_sent(self, closed: str) -> None:
        run = Told(closed, ExponentialBackoffRetryStrategy(2, **DOUBLING))
        with pytest.raises(MaxRetryException) as caught:
            run.client.post("/x", {"a": 1})
        assert caught.value.attempts == 3

    def test_a_request_that_was_answered_was_sent_although_its_redirect_was_not(
        self, server: Server, closed: str
    ) -> None:
        server.reply("/x", Reply(303, headers={"Location": f"{closed}/y"}))
        run = told(server)
        with pytest.raises(MaxRetryException) as caught:
            run.client.post("/x", {"pay": 100})
        assert isinstance(caught.value.original_exception, ConnectionException)
        assert (len(server.seen), caught.value.attempts) == (1, 1)

    @pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
    def test_an_idempotency_key_allows_it(self, server: Server, name: str) -> None:
        server.reply("/x", Reply(503), BROKEN, Reply(200))
        assert told(server).client.post("/x", {"a": 1}, headers={name: "key-of-this-order"}).status_code == 200
        assert [seen.headers["Idempotency-Key"] for seen in server.seen] == ["key-of-this-order"] * 3
        assert [seen.json() for seen in server.seen] == [{"a": 1}] * 3

    def test_the_user_may_allow_it(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(200))
        assert told(server, retry_unsafe_methods=True).client.post("/x", {"a": 1}).status_code == 200


class TestUploads:
    @pytest.mark.parametrize("kind", ["file", "multipart"])
    def test_one_is_rewound(self, server: Server, kind: str) -> None:
        server.reply("/x", Reply(503), BROKEN, Reply(200))
        file = io.BytesIO(b"skipped content")
        file.seek(8)
        fields: dict[str, Any] = {"data": file} if kind == "file" else {"files": {"f": file}}
        assert told(server).client.put("/x", **fields).status_code == 200
        assert len(server.seen) == 3
        assert all(b"content" in seen.body and b"skipped" not in seen.body for seen in server.seen)

    def test_one_that_cannot_be_rewound_is_not_retried(self, server: Server) -> None:
        server.reply("/x", Reply(503))
        read, write = os.pipe()
        os.write(write, b"piped")
        os.close(write)
        with open(read, "rb") as file:
            assert told(server).client.put("/x", data=file).status_code == 503
        assert [seen.body for seen in server.seen] == [b"piped"]

    def test_an_iterable_is_not_retried(self, server: Server) -> None:
        server.reply("/x", Reply(503))
        assert told(server, retry_unsafe_methods=True).client.post("/x", content=iter([b"once"])).status_code == 503
        assert len(server.seen) == 1


class TestRetryAfter:
    def test_seconds_are_obeyed(self, server: Server) -> None:
        server.reply("/x", Reply(429, headers={"Retry-After": "7"}), Reply(200))
        run = told(server)
        run.client.get("/x")
        assert run.clock.slept == [7]

    def test_a_date_is_obeyed(self, server: Server) -> None:
        def date(seen: Seen) -> Reply:
            moment = datetime.now(UTC) + timedelta(seconds=30)
            return Reply(503, headers={"Retry-After": moment.strftime("%a, %d %b %Y %H:%M:%S GMT")})

        server.reply("/x", date, Reply(200))
        run = told(server)
        run.client.get("/x")
        assert run.clock.slept == [pytest.approx(30, abs=5)]

    def test_a_longer_delay_of_the_strategy_stands(self, server: Server) -> None:
        server.reply("/x", Reply(503, headers={"Retry-After": "1"}), Reply(200))
        run = told(server, ExponentialBackoffRetryStrategy(base_delay=5, jitter=False))
        run.client.get("/x")
        assert run.clock.slept == [5]

    @pytest.mark.parametrize("value", ["soon", "-5", "", "1e3", "Mon, 99 Foo 2024"])
    def test_junk_is_ignored(self, server: Server, value: str) -> None:
        server.reply("/x", Reply(503, headers={"Retry-After": value}), Reply(200))
        run = told(server)
        run.client.get("/x")
        assert run.clock.slept == [1]

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ("61", "the server asks for 61 s, more than the 1 min allowed"),
            ("7200", "the server asks for 2 h, more than the 1 min allowed"),
            ("86400", "the server asks for 24 h, more than the 1 min allowed"),
            ("604800", "the server asks for 7 d, more than the 1 min allowed"),
        ],
    )
    def test_too_long_a_wait_ends_it_at_once(self, server: Server, asked: str, said: str) -> None:
        server.reply("/x", Reply(429, "slow down", {"Retry-After": asked}))
        run = told(server)
        assert run.client.get("/x").text == "slow down"
        assert (run.clock.slept, run.stopped) == ([], [said])

    def test_the_strategy_sets_the_cap(self, server: Server) -> None:
        server.reply("/x", Reply(429, headers={"Retry-After": "100"}), Reply(200))
        run = told(server, ExponentialBackoffRetryStrategy(max_retry_after=120, **DOUBLING))
        assert run.client.get("/x").status_code == 200
        assert run.clock.slept == [100]


class TestDeadline:
    def test_no_wait_goes_beyond_it(self, server: Server) -> None:
        server.reply("/x", Reply(503, "busy"))
        run = told(server, max_elapsed=5)
        assert run.client.get("/x").text == "busy"
        assert run.clock.slept == [1, 2]
        assert run.stopped == ["no time left for another attempt within 5 s"]

    def test_a_wish_of_the_server_beyond_it_is_named(self, server: Server) -> None:
        server.reply("/x", Reply(503, headers={"Retry-After": "30"}))
        run = told(server, max_elapsed=20)
        run.client.get("/x")
        assert run.stopped == ["the server asks for 30 s; no time left for another attempt within 20 s"]

    def test_the_strategy_may_have_one(self, server: Server) -> None:
        server.reply("/x", Reply(503))
        run = told(server, ExponentialBackoffRetryStrategy(10, max_elapsed=8, **DOUBLING))
        run.client.get("/x")
        assert run.clock.slept == [1, 2, 4]
        assert run.stopped == ["no time left for another attempt within 8 s"]

    def test_one_request_may_have_one(self, server: Server) -> None:
        server.reply("/x", Reply(503))
        run = told(server, max_elapsed=100)
        run.client.request(HttpRequest("GET", "/x"), deadline=Deadline(2, run.clock))
        assert run.clock.slept == [1]

    def test_when_it_has_passed_nothing_is_sent(self, server: Server) -> None:
        run = told(server)
        with pytest.raises(MaxRetryException, match="no answer within 0 s") as caught:
            run.client.request(HttpRequest("GET", "/x"), deadline=Deadline(0, run.clock))
        assert isinstance(caught.value.original_exception, TimeoutException)
        assert server.seen == []

    def test_it_covers_the_body(self, server: Server) -> None:
        stop = threading.Event()

        def drip() -> Iterator[bytes]:
            while not stop.wait(0.02):
                yield b"."

        server.reply("/x", lambda seen: Reply(200, drip()))
        strategy = SimpleRetryStrategy(50, 0)
        with HttpClient(HttpClientConfig(server.url, max_elapsed=0.3, retry_strategy=strategy)) as client:
            with pytest.raises(MaxRetryException) as caught:
                client.get("/x")
            with client.stream("GET", "/x") as answer, pytest.raises(TimeoutException):
                answer.read()
        stop.set()
        assert isinstance(caught.value.original_exception, TimeoutException)
        assert caught.value.attempts == 1

    def test_it_covers_several_attempts_that_time_out(self, server: Server) -> None:
        held = threading.Event()
        server.reply("/x", Reply(hold=held))
        strategy = SimpleRetryStrategy(50, 0)
        config = HttpClientConfig(server.url, default_timeout=0.1, max_elapsed=0.25, retry_strategy=strategy)
        with HttpClient(config) as client, pytest.raises(MaxRetryException) as caught:
            client.get("/x")
        held.set()
        assert 2 <= caught.value.attempts <= 4
