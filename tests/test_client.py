"""The client: one request and its answer, hooks, errors, streams, sessions. Retries, logins: files of their own."""

from __future__ import annotations

import gc
import io
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
import requests
import responses

from forge_cli import (
    AuthenticationException,
    ConnectionException,
    CorrelationIdHook,
    ExponentialBackoffRetryStrategy,
    HttpClient,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpClientException,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    HttpStatusException,
    LoggingRequestHook,
    MaxRetryException,
    NotFoundException,
    RequestBuildException,
    RequestContext,
    RequestHookInterface,
    ServerErrorException,
    SSLException,
    TimeoutException,
    create_client,
    http_client,
)
from forge_cli.errors import IncompleteResponseException, RedirectException, StorageError
from forge_cli.events import Foreign, Received, Redirecting, Sending
from forge_cli.models import Headers
from forge_cli.streaming import StreamedResponse
from tests.server import Reply, Seen, Server

MIB = 1024 * 1024


@pytest.fixture
def client(server: Server) -> Iterator[HttpClient]:
    with HttpClient(HttpClientConfig(base_url=server.url)) as made:
        yield made


def configured(server: Server, **settings: Any) -> HttpClient:
    return HttpClient(HttpClientConfig(base_url=server.url, **settings))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestRequests:
    @pytest.mark.parametrize("verb", ["get", "head", "options", "post", "put", "patch", "delete"])
    def test_every_verb_sends_its_method(self, client: HttpClient, server: Server, verb: str) -> None:
        server.reply("/x", Reply(200, "ok"))
        answer = getattr(client, verb)("/x", params={"a": 1}, headers={"X": "y"})
        assert (server.seen[0].method, server.seen[0].target) == (verb.upper(), "/x?a=1")
        assert server.seen[0].headers["X"] == "y"
        assert (answer.status_code, answer.text) == (200, "" if verb == "head" else "ok")

    @pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
    def test_json_is_the_second_argument_of_what_has_a_body(
        self, client: HttpClient, server: Server, verb: str
    ) -> None:
        server.reply("/x", Reply())
        getattr(client, verb)("/x", {"a": 1})
        assert server.seen[0].json() == {"a": 1}
        assert server.seen[0].headers["Content-Type"] == "application/json"
        getattr(client, verb)("/x", None, {"a": "1"})
        assert server.seen[1].form == [("a", "1")]

    def test_get_takes_the_fields_of_a_request_and_nothing_else(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        client.get("/x", auth=("ada", "pw"), cookies={"a": "1"}, json_data={})
        assert server.seen[0].headers["Authorization"] == "Basic YWRhOnB3"
        assert server.seen[0].headers["Cookie"] == "a=1"
        with pytest.raises(TypeError):
            client.get("/x", colour="red")

    def test_a_method_may_be_any_token(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(207))
        assert client.request(HttpRequest("PROPFIND", "/x")).status_code == 207
        assert server.seen[0].method == "PROPFIND"

    def test_a_form_and_a_multipart_body_carry_their_own_content_type(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        client.post("/x", data={"a": "b"})
        client.post("/x", data={"a": "b"}, files={"f": ("f.txt", io.BytesIO(b"content"))})
        form, multipart = server.seen
        assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert multipart.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert b'name="f"; filename="f.txt"' in multipart.body
        assert b"content" in multipart.body

    def test_a_get_has_no_content_type(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        client.get("/x")
        assert "Content-Type" not in server.seen[0].headers
        assert "Content-Length" not in server.seen[0].headers

    def test_an_iterable_is_sent_in_chunks(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        client.put("/x", content=iter([b"one", b"two"]))
        assert server.seen[0].headers["Transfer-Encoding"] == "chunked"
        assert server.seen[0].body == b"onetwo"

    def test_defaults_are_below_the_requests_own(self, server: Server) -> None:
        server.reply("/x", Reply())
        client = configured(
            server,
            default_headers={"X-Tenant": "one", "Accept": "a/b"},
            default_params={"lang": "en"},
            cookies={"c": "1"},
        )
        client.get("/x", params={"a": 1}, headers={"x-tenant": "two"}, cookies={"d": "2"})
        [seen] = server.seen
        assert seen.query == [("lang", "en"), ("a", "1")]
        assert seen.headers.get_all("X-Tenant") == ["two"]
        assert (seen.headers["Accept"], seen.headers["Cookie"]) == ("a/b", "c=1; d=2")

    def test_an_absolute_url_passes_through(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        assert client.get(f"{server.url}/x").is_success

    def test_a_client_without_a_base_takes_absolute_urls_only(self, server: Server) -> None:
        server.reply("/x", Reply())
        with HttpClient() as client:
            assert client.get(f"{server.url}/x").is_success
            with pytest.raises(MaxRetryException) as caught:
                client.get("/x")
        assert isinstance(caught.value.original_exception, RequestBuildException)
        assert caught.value.hint == caught.value.original_exception.hint


class TestResponses:
    def test_an_error_status_is_an_answer(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(404, {"error": "no"}))
        answer = client.get("/x")
        assert (answer.status_code, answer.json(), answer.reason) == (404, {"error": "no"}, "Not Found")

    def test_headers_are_found_in_any_case_and_repeated_fields_are_kept(
        self, client: HttpClient, server: Server
    ) -> None:
        server.reply("/x", Reply(headers=[("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
        answer = client.get("/x")
        assert isinstance(answer.headers, Headers)
        assert answer.headers["x-ONE"] == "1"
        assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]

    def test_the_answer_names_its_url_request_and_charset(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, "Zoë".encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"}))
        answer = client.get("/x", params={"a": 1})
        assert answer.url == f"{server.url}/x?a=1"
        assert answer.request == HttpRequest("GET", "/x", params={"a": 1})
        assert (answer.encoding, answer.text) == ("latin-1", "Zoë")

    def test_the_time_covers_the_body(self, client: HttpClient, server: Server) -> None:
        def slowly() -> Iterator[bytes]:
            yield b"a"
            time.sleep(0.05)
            yield b"b"

        server.reply("/x", Reply(200, slowly()))
        answer = client.get("/x")
        assert answer.text == "ab"
        assert answer.elapsed_ms >= 50

    def test_the_time_ends_with_the_body(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, "ok"))
        with client.stream("GET", "/x") as answer:
            before = answer.elapsed_ms
            answer.read()
            assert before < answer.elapsed_ms == answer.elapsed_ms == answer.response().elapsed_ms

    def test_a_body_above_the_limit_is_an_error(self, server: Server) -> None:
        server.reply("/x", Reply(200, b"x" * 1001))
        with pytest.raises(MaxRetryException) as caught:
            configured(server, max_body=1000).get("/x")
        assert isinstance(caught.value.original_exception, IncompleteResponseException)
        assert "larger than 1000 bytes" in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "kind"), [(404, NotFoundException), (500, ServerErrorException), (418, HttpStatusException)]
    )
    def test_statuses_are_raised_directly_when_asked(
        self, server: Server, status: int, kind: type[HttpStatusException]
    ) -> None:
        server.reply("/x", Reply(status, {"error": "no"}))
        client = configured(server, raise_for_status=True)
        with pytest.raises(HttpStatusException) as caught:
            client.get("/x")
        assert type(caught.value) is kind
        assert caught.value.response_body == '{"error": "no"}'
        with pytest.raises(kind), client.stream("GET", "/x"):
            pytest.fail("there is nothing to read")

    def test_cookies_that_a_server_sets_come_back(self, client: HttpClient, server: Server) -> None:
        server.reply("/login", Reply(headers=[("Set-Cookie", "sid=cookie-1; Path=/")]))
        server.reply("/x", Reply())
        client.get("/login")
        client.get("/x")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(client.get, "/x").result()
        assert [seen.headers["Cookie"] for seen in server.seen_at("/x")] == ["sid=cookie-1", "sid=cookie-1"]


class TestErrors:
    def test_a_failure_is_a_max_retry_exception_with_all_the_facts(self) -> None:
        request = HttpRequest("GET", f"http://127.0.0.1:{closed_port()}/x")
        with HttpClient() as client, pytest.raises(MaxRetryException) as caught:
            client.request(request)
        error = caught.value
        assert (error.message, error.attempts) == ("Max retries (0) exceeded", 1)
        assert isinstance(error.original_exception, ConnectionException)
        assert error.__cause__ is error.original_exception
        assert error.context == {"request": request}
        assert error.original_exception.context["request"] == request
        assert error.original_exception.message.startswith("Connection failed")
        assert str(error).startswith("Max retries (0) exceeded | Original: ConnectionException: Connection failed")

    @pytest.mark.parametrize(
        ("attempt", "message"),
        [(0, "Request failed and was not retried"), (1, "Request failed after 2 attempts and was not retried again")],
    )
    def test_what_was_not_retried_says_so(self, server: Server, attempt: int, message: str) -> None:
        server.reply("/x", *[Reply(503)] * attempt, Reply(302, headers={"Location": "ftp://h/"}))
        client = configured(server, retry_strategy=ExponentialBackoffRetryStrategy(base_delay=0))
        with pytest.raises(MaxRetryException) as caught:
            client.get("/x")
        assert (caught.value.message, caught.value.attempts) == (message, attempt + 1)

    def test_a_timeout_is_one(self, server: Server) -> None:
        held = threading.Event()
        server.reply("/x", Reply(hold=held))
        with pytest.raises(MaxRetryException) as caught:
            configured(server, default_timeout=0.05).get("/x")
        assert isinstance(caught.value.original_exception, TimeoutException)
        assert caught.value.original_exception.message.startswith("Request timed out")
        assert caught.value.original_exception.context["request"].url == "/x"
        held.set()

    def test_a_requests_own_timeout_beats_the_default(self, server: Server) -> None:
        held = threading.Event()
        server.reply("/x", Reply(hold=held))
        started = time.monotonic()
        with pytest.raises(MaxRetryException):
            configured(server, default_timeout=30).get("/x", timeout=0.05)
        assert time.monotonic() - started < 5
        held.set()

    def test_a_timeout_is_by_the_wall_clock_and_covers_the_body(self, server: Server) -> None:
        def drip() -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b"."

        server.reply("/x", Reply(200, drip()))
        with pytest.raises(MaxRetryException) as caught:
            configured(server, default_timeout=0.2).get("/x")
        assert isinstance(caught.value.original_exception, TimeoutException)

    def test_a_timeout_covers_all_redirects(self, server: Server) -> None:
        def slow(seen: Seen) -> Reply:
            time.sleep(0.1)
            return Reply(302, headers={"Location": f"/{int(seen.path[1:]) + 1}"})

        for number in range(10):
            server.reply(f"/{number}", slow, optional=True)
        with pytest.raises(MaxRetryException) as caught:
            configured(server, default_timeout=0.25).get("/0")
        assert isinstance(caught.value.original_exception, TimeoutException)
        assert len(server.seen) < 5

    def test_a_broken_body_says_how_far_it_came(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        with pytest.raises(MaxRetryException, match="got 3 of 10 bytes") as caught:
            client.get("/x")
        assert isinstance(caught.value.original_exception, IncompleteResponseException)

    def test_no_message_quotes_a_secret(self) -> None:
        url = f"http://ada:password-1@127.0.0.1:{closed_port()}/x?api_key=key-1234"
        with HttpClient() as client, pytest.raises(MaxRetryException) as caught:
            client.get(url, headers={"Authorization": "Bearer user-token-1"})
        text = f"{caught.value} {caught.value!r} {caught.value.context} {caught.value.original_exception!r}"
        for secret in ("password-1", "key-1234", "user-token-1"):
            assert secret not in text

    def test_what_is_no_failure_of_a_request_passes_through(self, server: Server) -> None:
        hook = Mock()
        hook.before_request.side_effect = StorageError("the store is full")
        with pytest.raises(StorageError):
            configured(server, request_hooks=(hook,)).get("/x")

    def test_error_hooks_see_each_failure_and_cannot_hide_it(self) -> None:
        seen: list[tuple[str, int, str]] = []

        class Watcher:
            def on_error(self, exception: Exception, context: RequestContext) -> None:
                seen.append((type(exception).__name__, context.attempt, context.request.url))
                raise ValueError("a bug of the hook's")

        builder = HttpClientConfigBuilder().with_base_url(f"http://127.0.0.1:{closed_port()}")
        builder.with_retry(2, base_delay=0).with_error_hook(Watcher()).with_error_hook(Watcher())  # type: ignore[arg-type]
        with HttpClient(builder.build()) as client, pytest.raises(MaxRetryException):
            client.get("/x")
        assert seen == [("ConnectionException", attempt, "/x") for attempt in (0, 0, 1, 1, 2, 2)]

    def test_error_hooks_do_not_see_an_answer(self, server: Server) -> None:
        server.reply("/x", Reply(500))
        hook = Mock()
        strategy = ExponentialBackoffRetryStrategy(1, base_delay=0)
        assert configured(server, error_hooks=(hook,), retry_strategy=strategy).get("/x").status_code == 500
        hook.on_error.assert_not_called()
        assert len(server.seen) == 2


class TestRequestHooks:
    def test_they_run_in_order_on_what_the_one_before_returned(self, server: Server) -> None:
        server.reply("/x", Reply())

        class Add(RequestHookInterface):
            def __init__(self, name: str) -> None:
                self._name = name

            def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
                return request.with_headers({"X-Seen": f"{(request.headers or {}).get('X-Seen', '')}{self._name}"})

        answer = configured(server, request_hooks=(Add("a"), Add("b"), Add("c"))).get("/x")
        assert server.seen[0].headers["X-Seen"] == "abc"
        assert answer.request.headers == {"X-Seen": "abc"}

    def test_each_attempt_starts_again_from_the_original_request(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(503), Reply(200))
        hook = Mock()
        hook.before_request.side_effect = lambda request, context: request.with_headers(
            {"X-Attempt": str(context.attempt), "X-Before": str(request.headers)}
        )
        strategy = ExponentialBackoffRetryStrategy(base_delay=0)
        configured(server, request_hooks=(hook,), retry_strategy=strategy).get("/x")
        assert [seen.headers["X-Attempt"] for seen in server.seen] == ["0", "1", "2"]
        assert {seen.headers["X-Before"] for seen in server.seen} == {"None"}

    def test_a_context_is_shared_by_the_attempts_of_one_request_only(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(200))
        strategy = ExponentialBackoffRetryStrategy(base_delay=0)
        client = configured(server, request_hooks=(CorrelationIdHook(),), retry_strategy=strategy)
        client.get("/x")
        client.get("/x")
        first, again, other = (seen.headers["X-Correlation-ID"] for seen in server.seen)
        assert first == again != other

    @pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError])
    def test_one_that_raises_stops_the_request(self, server: Server, kind: type[Exception]) -> None:
        hook = Mock()
        hook.before_request.side_effect = kind("a bug of the hook's")
        with pytest.raises(kind):
            configured(server, request_hooks=(hook,)).get("/x")
        assert server.seen == []

    def test_one_that_returns_nothing_is_an_error_that_names_it(self, server: Server) -> None:
        class Forgetful:
            def before_request(self, request: HttpRequest, context: RequestContext) -> None:
                return None

        with pytest.raises(MaxRetryException, match="hook Forgetful returned nothing") as caught:
            configured(server, request_hooks=(Forgetful(),)).get("/x")
        assert isinstance(caught.value.original_exception, RequestBuildException)
        assert server.seen == []

    def test_any_object_with_the_member_will_do(self, server: Server) -> None:
        server.reply("/x", Reply(200, "body"))
        hook = Mock()
        hook.before_request.side_effect = lambda request, context: request
        hook.after_response.side_effect = lambda response, context: response
        answer = configured(server, request_hooks=(hook,), response_hooks=(hook,), error_hooks=(hook,)).get("/x")
        assert answer.text == "body"
        hook.before_request.assert_called_once()
        hook.after_response.assert_called_once()
        hook.on_error.assert_not_called()


class TestResponseHooks:
    def test_what_the_last_one_returns_is_the_answer(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, "body"))
        other = HttpResponse(299, Headers({"A": "b"}), b"other", 7.0, "u", HttpRequest("GET", "/y"), reason="Other")
        first, last = Mock(), Mock()
        first.after_response.side_effect = lambda response, context: response
        last.after_response.return_value = other
        assert configured(server, response_hooks=(first, last)).get("/x") is other
        assert first.after_response.call_args[0][0].text == "body"

    def test_they_see_each_answer_that_is_retried(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(200))
        hook = Mock()
        hook.after_response.side_effect = lambda response, context: response
        strategy = ExponentialBackoffRetryStrategy(base_delay=0)
        configured(server, response_hooks=(hook,), retry_strategy=strategy).get("/x")
        assert [call[0][0].status_code for call in hook.after_response.call_args_list] == [503, 200]

    def test_one_that_raises_loses_nothing(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        server.reply("/x", Reply(200, "body"))
        hook = Mock()
        hook.after_response.side_effect = ValueError("user-token-1")
        assert configured(server, response_hooks=(hook,)).get("/x").text == "body"
        assert "ValueError" in caplog.text
        assert "user-token-1" not in caplog.text

    def test_one_that_returns_nothing_is_an_error_that_names_it(self, server: Server) -> None:
        class Forgetful:
            def after_response(self, response: HttpResponse, context: RequestContext) -> None:
                return None

        server.reply("/x", Reply())
        strategy = ExponentialBackoffRetryStrategy(base_delay=0)
        with pytest.raises(MaxRetryException, match="hook Forgetful returned nothing"):
            configured(server, response_hooks=(Forgetful(),), retry_strategy=strategy).get("/x")
        assert len(server.seen) == 1

    def test_of_a_stream_they_see_the_head(self, server: Server) -> None:
        server.reply("/x", Reply(200, "body"))
        hook = Mock()
        hook.after_response.side_effect = lambda response, context: response
        with configured(server, response_hooks=(hook,)).stream("GET", "/x") as answer:
            assert b"".join(answer.iter_bytes()) == b"body"
        seen = hook.after_response.call_args[0][0]
        assert (seen.status_code, seen.content) == (200, b"")


class TestStreams:
    def test_a_body_is_read_as_it_comes(self, client: HttpClient, server: Server) -> None:
        more = threading.Event()

        def body() -> Iterator[bytes]:
            yield b"first"
            more.wait(5)
            yield b"second"

        server.reply("/x", Reply(200, body(), {"X-One": "1"}))
        with client.stream("GET", "/x", params={"a": 1}) as answer:
            assert (answer.status_code, answer.headers["x-one"], answer.url) == (200, "1", f"{server.url}/x?a=1")
            pieces = answer.iter_bytes()
            assert next(pieces) == b"first"
            more.set()
            assert b"".join(pieces) == b"second"

    @pytest.mark.parametrize("size", [1, 7, 65536])
    def test_pieces_are_no_larger_than_asked(self, client: HttpClient, server: Server, size: int) -> None:
        server.reply("/x", Reply(200, b"x" * 200))
        with client.stream("GET", "/x") as answer:
            pieces = list(answer.iter_bytes(size))
        assert b"".join(pieces) == b"x" * 200
        assert max(map(len, pieces)) <= size

    def test_memory_stays_flat(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, (b"x" * MIB for _ in range(48))))
        with client.stream("GET", "/x") as answer:
            gc.collect()
            tracemalloc.start()
            size = sum(map(len, answer.iter_bytes()))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert size == 48 * MIB
        # The server's own piece is in this process too.
        assert peak < 8 * MIB

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ],
        ids=["length", "within a chunk", "without the last chunk"],
    )
    def test_one_that_breaks_off_raises(self, client: HttpClient, server: Server, raw: bytes) -> None:
        server.reply("/x", Reply(raw=raw))
        got: list[bytes] = []
        with client.stream("GET", "/x") as answer, pytest.raises(IncompleteResponseException):
            got.extend(answer.iter_bytes())
        assert b"".join(got) in (b"abc", b"")

    def test_leaving_early_closes_the_connection(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, b"x" * 10 * MIB))
        server.reply("/y", Reply(200, "ok"))
        with client.stream("GET", "/x") as answer:
            next(answer.iter_bytes())
        assert client.get("/y").text == "ok"
        assert server.connections == 2

    def test_one_that_is_read_to_its_end_gives_its_connection_back(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, b"body"))
        for _ in range(3):
            with client.stream("GET", "/x") as answer:
                assert answer.read() == b"body"
        client.get("/x")
        assert server.connections == 1

    def test_a_part_can_be_looked_at_without_losing_it(self, client: HttpClient, server: Server) -> None:
        server.reply("/small", Reply(200, b"small"))
        server.reply("/large", Reply(200, b"x" * 300_000))
        with client.stream("GET", "/small") as answer:
            assert answer.peek() == b"small" == answer.peek() == answer.read() == answer.response().content
        with client.stream("GET", "/large") as answer:
            assert answer.peek(100_000) is None
            assert answer.response().content == b""
            assert b"".join(answer.iter_bytes(1000)) == b"x" * 300_000

    def test_one_has_a_limit_if_it_is_read_at_once(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, b"x" * 1001))
        with client.stream("GET", "/x") as answer, pytest.raises(IncompleteResponseException, match="larger than 1000"):
            answer.read(1000)

    def test_send_leaves_closing_to_the_caller(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, b"body"))
        answer = client.send(HttpRequest("GET", "/x"))
        assert isinstance(answer, StreamedResponse)
        assert (answer.read(), answer.attempts) == (b"body", 1)
        answer.close()


class TestRedirects:
    def test_they_are_followed_and_remembered(self, client: HttpClient, server: Server) -> None:
        server.reply("/a", Reply(302, "moved", {"Location": "/b"}))
        server.reply("/b", Reply(307, headers={"Location": "c?d=1"}))
        server.reply("/c", Reply(200, "here"))
        answer = client.get("/a")
        assert (answer.text, answer.url) == ("here", f"{server.url}/c?d=1")
        assert [(hop.status_code, hop.url) for hop in answer.history] == [
            (302, f"{server.url}/a"),
            (307, f"{server.url}/b"),
        ]
        assert server.connections == 1

    def test_they_may_be_left_alone(self, server: Server) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        answer = configured(server, allow_redirects=False).get("/a")
        assert (answer.status_code, answer.headers["Location"], answer.history) == (302, "/b", ())

    @pytest.mark.parametrize(("most", "followed"), [(2, True), (1, False), (0, False)])
    def test_they_are_counted(self, server: Server, most: int, followed: bool) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        server.reply("/b", Reply(302, headers={"Location": "/c"}), optional=True)
        server.reply("/c", Reply(), optional=True)
        client = configured(server, max_redirects=most)
        if followed:
            assert client.get("/a").status_code == 200
            return
        with pytest.raises(MaxRetryException, match=f"more than {most} redirects") as caught:
            client.get("/a")
        assert isinstance(caught.value.original_exception, RedirectException)

    def test_a_loop_ends_at_its_first_repeat(self, client: HttpClient, server: Server) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        server.reply("/b", Reply(302, headers={"Location": "/a"}))
        with pytest.raises(MaxRetryException, match="round in a circle"):
            client.get("/a")
        assert len(server.seen) == 2

    @pytest.mark.parametrize(
        ("status", "method", "body"),
        [(301, "GET", b""), (303, "GET", b""), (307, "POST", b"a=b"), (308, "POST", b"a=b")],
    )
    def test_a_post_stays_one_or_becomes_a_get(
        self, client: HttpClient, server: Server, status: int, method: str, body: bytes
    ) -> None:
        server.reply("/a", Reply(status, headers={"Location": "/b"}))
        server.reply("/b", Reply())
        client.post("/a", data={"a": "b"})
        [seen] = server.seen_at("/b")
        assert (seen.method, seen.body) == (method, body)
        assert ("Content-Type" in seen.headers) == bool(body)

    def test_an_upload_is_sent_again_whole(self, client: HttpClient, server: Server) -> None:
        server.reply("/a", Reply(307, headers={"Location": "/b"}))
        server.reply("/b", Reply())
        client.put("/a", data=io.BytesIO(b"content"))
        assert [seen.body for seen in server.seen] == [b"content", b"content"]

    def test_a_body_that_cannot_be_sent_again_is_not(self, client: HttpClient, server: Server) -> None:
        server.reply("/a", Reply(307, headers={"Location": "/b"}))
        with pytest.raises(MaxRetryException) as caught:
            client.put("/a", content=iter([b"once"]))
        assert isinstance(caught.value.original_exception, RedirectException)

    def test_one_may_refuse_to_turn_a_post_into_a_get(self, server: Server) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        assert configured(server, post_to_get=False).post("/a", {}).status_code == 302


class TestLifecycle:
    def test_a_closed_client_sends_nothing(self, server: Server) -> None:
        client = configured(server)
        client.close()
        client.close()
        with pytest.raises(HttpClientException, match="Client is closed") as caught:
            client.get("/x")
        assert type(caught.value) is HttpClientException

    def test_it_is_closed_on_leaving_also_by_an_error(self, server: Server) -> None:
        server.reply("/x", Reply())
        client = configured(server)
        client.get("/x")
        with pytest.raises(ValueError, match="inside"), client:
            raise ValueError("inside")
        with pytest.raises(HttpClientException, match="Client is closed"):
            client.get("/x")

    def test_one_that_is_forgotten_closes_its_connections(self, server: Server) -> None:
        server.reply("/x", Reply())
        client = configured(server)
        client.get("/x")
        del client
        gc.collect()

    def test_making_one_imports_and_opens_nothing(self) -> None:
        client = HttpClient(HttpClientConfig(base_url="https://api.example.com"))
        assert client._transport is None

    def test_connections_are_kept(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply(200, "ok"), Reply(404, "no"), Reply(204))
        for _ in range(5):
            client.get("/x")
        assert server.connections == 1

    def test_a_base_url_that_is_none_is_refused_at_once(self) -> None:
        with pytest.raises(RequestBuildException):
            HttpClient(HttpClientConfig(base_url="https://"))


class TestSessions:
    def test_each_thread_has_its_own_and_all_share_one_adapter(self, server: Server) -> None:
        with configured(server) as client, ThreadPoolExecutor(1) as pool:
            mine, theirs = client.session, pool.submit(lambda: client.session).result()
            assert client.session is mine
            assert theirs is not mine
            assert mine.get_adapter("https://x") is theirs.get_adapter("http://x") is client.adapter
            assert isinstance(client.adapter, requests.adapters.HTTPAdapter)
            assert client.adapter.max_retries.total == 0

    def test_none_reads_the_environment(self, client: HttpClient) -> None:
        assert client.session.trust_env is False

    def test_an_injected_one_is_used_through_send_and_stays_open(self, server: Server) -> None:
        server.reply("/x", Reply(200, "ok"))
        sent: list[requests.PreparedRequest] = []

        class Recording(requests.Session):
            def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
                sent.append(request)
                return super().send(request, **kwargs)

            def close(self) -> None:
                pytest.fail("the session is the caller's")

        session = Recording()
        with HttpClient(HttpClientConfig(base_url=server.url), session) as client:
            assert client.session is session
            assert client.get("/x").text == "ok"
        assert [request.url for request in sent] == [f"{server.url}/x"]
        requests.Session.close(session)

    def test_a_failure_that_a_session_raises_itself_is_kept(self) -> None:
        session = Mock()
        session.send.side_effect = AuthenticationException("refused by the test", service_name="example")
        session.cookies = None
        client = HttpClient(HttpClientConfig(base_url="https://api.example.com"), session)
        with pytest.raises(MaxRetryException) as caught:
            client.get("/x")
        assert caught.value.original_exception is session.send.side_effect

    def test_all_threads_may_use_one_client(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", lambda seen: Reply(200, seen.query))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: client.get("/x", params={"n": n}).json(), range(64)))
        assert answers == [[["n", str(n)]] for n in range(64)]
        assert server.connections <= 8


class TestResponsesLibrary:
    """Programs test themselves with `responses`, which replaces what the session's adapter sends."""

    @responses.activate
    def test_an_answer_is_found(self) -> None:
        responses.add("GET", "https://api.example.com/users", json={"name": "Ada"}, headers={"X-One": "1"})
        with HttpClient(HttpClientConfig(base_url="https://api.example.com")) as client:
            answer = client.get("/users", headers={"X": "y"})
        assert (answer.status_code, answer.json(), answer.headers["x-one"]) == (200, {"name": "Ada"}, "1")
        assert responses.calls[0].request.headers["X"] == "y"

    @responses.activate
    def test_retries_and_posts_are_seen(self) -> None:
        responses.add("PUT", "https://api.example.com/users", status=503)
        responses.add("PUT", "https://api.example.com/users", json={})
        client = create_client("https://api.example.com", max_retries=1)
        client._sleep = lambda seconds: None
        assert client.put("/users", {"a": 1}).status_code == 200
        assert [call.request.body for call in responses.calls] == [b'{"a": 1}', b'{"a": 1}']
        client.close()

    @responses.activate
    @pytest.mark.parametrize(
        ("failure", "kind", "message"),
        [
            (requests.ConnectionError("user-token-1"), ConnectionException, "Connection failed"),
            (requests.Timeout("user-token-1"), TimeoutException, "Request timed out"),
            (requests.exceptions.SSLError("user-token-1"), SSLException, "SSL/TLS error occurred"),
            (requests.RequestException("user-token-1"), HttpClientException, "HTTP request failed"),
        ],
        ids=["connection", "timeout", "tls", "other"],
    )
    def test_failures_are_translated(self, failure: Exception, kind: type[Exception], message: str) -> None:
        responses.add("GET", "https://api.example.com/x", body=failure)
        with (
            http_client("https://api.example.com", max_retries=0) as client,
            pytest.raises(MaxRetryException) as caught,
        ):
            client.get("/x")
        original = caught.value.original_exception
        assert isinstance(original, kind)
        assert message in str(original)
        assert "user-token-1" not in str(caught.value)

    @responses.activate
    def test_a_stream_is_read(self) -> None:
        responses.add("GET", "https://api.example.com/x", body=b"content")
        with HttpClient() as client, client.stream("GET", "https://api.example.com/x") as answer:
            assert b"".join(answer.iter_bytes(3)) == b"content"


class TestPrepare:
    def test_it_is_what_will_be_sent(self, server: Server) -> None:
        server.reply("/x", Reply())
        client = HttpClient(
            HttpClientConfigBuilder()
            .with_base_url(server.url)
            .with_header("X-Tenant", "one")
            .with_cookies({"a": "1"})
            .with_api_key_auth("key-1")
            .build()
        )
        request = HttpRequest("POST", "/x", params={"q": "ë"}, json_data={"a": 1})
        prepared = client.prepare(request)
        assert server.seen == []
        client.request(request)
        [seen] = server.seen
        assert (prepared.method, prepared.url) == (seen.method, server.url + seen.target)
        assert prepared.body == seen.body
        # What the connection adds is not part of the request.
        sent = {
            name: value for name, value in seen.headers.items() if name not in ("Host", "Accept-Encoding", "Connection")
        }
        assert dict(prepared.headers) == sent
        assert prepared.credentials >= {"x-api-key", "x-tenant"}

    def test_it_takes_a_context_for_the_hooks(self, server: Server) -> None:
        client = configured(server, request_hooks=(CorrelationIdHook(),))
        request = HttpRequest("GET", "/x")
        context = RequestContext(request, metadata={"correlation_id": "mine"})
        assert client.prepare(request, context).headers["X-Correlation-ID"] == "mine"

    def test_its_timeout_is_the_requests_or_the_default(self, server: Server) -> None:
        client = configured(server, default_timeout=7)
        assert client.prepare(HttpRequest("GET", "/x")).timeout == 7
        assert client.prepare(HttpRequest("GET", "/x", timeout=2)).timeout == 2


class TestEvents:
    def test_a_listener_hears_of_each_exchange_and_redirect(self, server: Server) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        server.reply("/b", Reply(200, "ok"))
        heard: list[Any] = []
        HttpClient(HttpClientConfig(base_url=server.url), listener=heard.append).get("/a")
        assert [type(event) for event in heard] == [Sending, Received, Redirecting, Sending, Received]
        assert (heard[0].prepared.url, heard[1].status, heard[1].reason) == (f"{server.url}/a", 302, "Found")
        assert heard[2] == Redirecting(302, f"{server.url}/b", stripped=False)

    def test_a_listener_hears_of_a_foreign_url(self, server: Server, other_server: Server) -> None:
        url = other_server.reply("/x", Reply())
        heard: list[Any] = []
        HttpClient(HttpClientConfig(base_url=server.url), listener=heard.append).get(url)
        assert heard[0] == Foreign(url)


class TestShortcuts:
    def test_create_client_retries_and_logs(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        server.reply("/x", Reply(503), Reply(200))
        client = create_client(f"{server.url}/", headers={"X-Tenant": "one"}, timeout=5)
        assert isinstance(client.config.request_hooks[0], LoggingRequestHook)
        assert client.config.default_timeout == 5
        client._sleep = lambda seconds: None
        with caplog.at_level("INFO", "forge_cli"):
            assert client.get("/x").status_code == 200
        assert server.seen[0].headers["X-Tenant"] == "one"
        assert "(retry 1/3)" in caplog.text

    def test_create_client_may_be_silent_and_authenticated(self) -> None:
        hook = Mock()
        client = create_client("https://h", max_retries=7, enable_logging=False, auth_hook=hook)
        assert (client.config.request_hooks, client.config.error_hooks) == ((), ())
        assert client.auth_hook is hook
        strategy = client.config.retry_strategy
        assert isinstance(strategy, ExponentialBackoffRetryStrategy)
        assert strategy.max_retries == 7

    def test_http_client_closes_also_by_an_error(self) -> None:
        with pytest.raises(ValueError, match="inside"), http_client("https://h", enable_logging=False) as client:
            raise ValueError("inside")
        with pytest.raises(HttpClientException, match="Client is closed"):
            client.get("/x")

    def test_the_methods_of_a_plain_text_are_those_of_the_enum(self, client: HttpClient, server: Server) -> None:
        server.reply("/x", Reply())
        assert client.request(HttpRequest("post", "/x")).request.method is HttpMethod.POST
        assert server.seen[0].headers["Content-Length"] == "0"
