"""What programs written for this API do: sessions of their own, patched sleeping, subclasses, stand-ins."""

from __future__ import annotations

import logging
import threading
from typing import Any
from unittest.mock import Mock, patch

import pytest
import requests

from forge_cli import (
    ApiKeyAuthHook,
    CompositeAuthHook,
    ExponentialBackoffRetryStrategy,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    HttpResponse,
    LoggingRequestHook,
    LoggingResponseHook,
    MaxRetryException,
    RequestBuildException,
    RequestContext,
    TokenAuthHook,
    TokenData,
    TokenManager,
)
from forge_cli.models import Headers
from tests.server import Reply, Server


class Provider:
    service_name = "api"

    def __init__(self) -> None:
        self.count = 0

    def fetch_token(self) -> TokenData:
        self.count += 1
        return TokenData(f"user-token-{self.count}")

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


class TestSession:
    def test_the_headers_and_query_of_a_callers_session_are_sent(self, server: Server) -> None:
        server.reply("/x", Reply())
        with requests.Session() as session, HttpClient(HttpClientConfig(base_url=server.url), session) as client:
            session.headers.update({"X-Session": "1", "X-Both": "session"})
            session.params = {"s": "1"}
            client.get("/x", headers={"X-Both": "request"}, params={"r": "2"})
        seen = server.seen[0]
        assert (seen.headers["X-Session"], seen.headers["X-Both"]) == ("1", "request")
        assert sorted(seen.query) == [("r", "2"), ("s", "1")]
        assert "python-requests" not in seen.headers["User-Agent"]

    def test_its_user_and_password_are_sent_unless_the_client_has_its_own(self, server: Server) -> None:
        server.reply("/x", Reply())
        with requests.Session() as session:
            session.auth = ("ada", "user-password-1")
            for headers in ({}, {"Authorization": "Bearer user-token-1"}):
                with HttpClient(HttpClientConfig(base_url=server.url, default_headers=headers), session) as client:
                    client.get("/x")
        sent = [seen.headers["Authorization"] for seen in server.seen]
        assert sent[0].startswith("Basic ") and sent[1] == "Bearer user-token-1"

    def test_its_response_hooks_are_called(self, server: Server) -> None:
        url = server.reply("/x", Reply())
        statuses: list[int] = []
        with requests.Session() as session, HttpClient(session=session) as client:
            session.hooks["response"].append(lambda response, **settings: statuses.append(response.status_code))
            client.get(url)
        assert statuses == [200]

    @pytest.mark.parametrize(("config", "verify"), [(True, False), (False, False), ("config.pem", "config.pem")])
    def test_its_verify_holds_unless_the_client_has_its_own(self, config: bool | str, verify: bool | str) -> None:
        session = Mock(verify=False)
        session.send.side_effect = requests.ConnectionError
        with pytest.raises(MaxRetryException):
            HttpClient(HttpClientConfig(verify_ssl=config), session).get("https://127.0.0.1:9/x")
        assert session.send.call_args.kwargs["verify"] == verify

    def test_what_it_has_goes_to_no_other_origin(self, server: Server, other_server: Server) -> None:
        url = other_server.reply("/y", Reply())
        server.reply("/x", Reply(302, headers={"Location": url}))
        with requests.Session() as session, HttpClient(HttpClientConfig(base_url=server.url), session) as client:
            session.headers["X-Session"] = "1"
            client.get("/x")
            client.get(url)
        assert all("X-Session" not in seen.headers for seen in other_server.seen)

    def test_a_stand_in_without_cookies_will_do(self) -> None:
        answer = Mock(status_code=200, headers={"A": "b"}, content=b"{}", reason="OK", raw=None, encoding=None)
        answer.request.method = "GET"
        session = Mock()
        session.send.return_value = answer
        response = HttpClient(session=session).get("http://127.0.0.1:9/x")
        assert (response.status_code, response.headers["a"], response.json()) == (200, "b", {})


class TestOwnSession:
    """Of a client that was given none."""

    def test_it_begins_with_the_default_headers_and_no_content_type(self) -> None:
        with HttpClient(HttpClientConfig(default_headers={"X-Tenant": "one"})) as client:
            assert client.session.headers["x-tenant"] == "one"
            assert "Content-Type" not in client.session.headers

    def test_default_headers_of_several_values_or_none_are_text_there(self) -> None:
        defaults: Any = {"X-Many": ["1", "2"], "X-Left-Out": None}
        with HttpClient(HttpClientConfig(default_headers=defaults)) as client:
            assert client.session.headers["X-Many"] == "1, 2"
            assert "X-Left-Out" not in client.session.headers

    def test_the_headers_set_on_it_are_sent_below_the_configs_and_the_requests(self, server: Server) -> None:
        server.reply("/x", Reply())
        config = HttpClientConfig(base_url=server.url, default_headers={"X-Tenant": "config"})
        with HttpClient(config) as client:
            client.session.headers.update({"X-Session": "1", "x-tenant": "session", "X-Both": "session"})
            client.get("/x", headers={"X-Both": "request"})
            del client.session.headers["X-Session"]
            client.get("/x")
        first, second = (seen.headers for seen in server.seen)
        assert (first["X-Session"], first["X-Tenant"], first["X-Both"]) == ("1", "config", "request")
        assert "X-Session" not in second
        assert "python-requests" not in first["User-Agent"]

    @pytest.mark.parametrize(("name", "value"), [("Accept-Encoding", "identity"), ("Accept", "text/csv")])
    def test_what_the_library_sets_itself_can_be_replaced(self, server: Server, name: str, value: str) -> None:
        url = server.reply("/x", Reply())
        with HttpClient() as client:
            client.session.headers[name] = value
            client.get(url)
        assert server.seen[0].headers[name] == value

    def test_the_query_and_credentials_set_on_it_are_sent(self, server: Server) -> None:
        url = server.reply("/x", Reply())
        with HttpClient() as client:
            client.session.params = {"s": "1"}
            client.session.auth = ("ada", "user-password-1")
            client.get(url)
        assert server.seen[0].query == [("s", "1")]
        assert server.seen[0].headers["Authorization"].startswith("Basic ")

    def test_they_hold_for_its_thread(self, server: Server) -> None:
        url = server.reply("/x", Reply())
        with HttpClient() as client:
            client.session.headers["X-Session"] = "1"
            thread = threading.Thread(target=client.get, args=(url,))
            thread.start()
            thread.join()
        assert "X-Session" not in server.seen[0].headers

    def test_they_go_to_no_other_origin(self, server: Server, other_server: Server) -> None:
        url = other_server.reply("/y", Reply())
        server.reply("/x", Reply(302, headers={"Location": url}))
        with HttpClient(HttpClientConfig(base_url=server.url)) as client:
            client.session.headers["X-Session"] = "1"
            client.get("/x")
            client.get(url)
        assert all("X-Session" not in seen.headers for seen in other_server.seen)

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            ({"data": {"a": "1"}}, "application/x-www-form-urlencoded"),
            ({"files": {"a": b"1"}}, "multipart/form-data"),
            ({"json_data": {"a": 1}}, "application/json"),
        ],
    )
    def test_each_body_keeps_its_content_type(self, server: Server, body: Any, content_type: str) -> None:
        url = server.reply("/x", Reply())
        with HttpClient(HttpClientConfig(default_headers={"X-Tenant": "one"})) as client:
            client.session.headers["X-Session"] = "1"
            client.post(url, **body)
        assert server.seen[0].headers["Content-Type"].startswith(content_type)


class TestQuery:
    @pytest.mark.parametrize("params", ["x=a%20b&flag&y=2", b"x=a%20b&flag&y=2"])
    def test_the_text_of_one_is_sent_as_it_is(self, server: Server, params: Any) -> None:
        url = server.reply("/x", Reply())
        with HttpClient() as client:
            client.get(f"{url}?w=1", params=params)
        assert server.seen[0].target == "/x?w=1&x=a%20b&flag&y=2"

    def test_what_no_query_can_hold_is_encoded(self, server: Server) -> None:
        url = server.reply("/x", Reply())
        with HttpClient() as client:
            client.get(url, params="x=a b#c\n")
        assert server.seen[0].target == "/x?x=a%20b%23c%0A"

    @pytest.mark.parametrize("params", [5, ["x=1"], [("x", "1", "2")], object()])
    def test_anything_else_cannot_be_built(self, params: Any) -> None:
        config = HttpClientConfig(auth_hook=TokenAuthHook(TokenManager(_provider())))
        with HttpClient(config) as client, pytest.raises(MaxRetryException) as failed:
            client.get("http://127.0.0.1:1/x", params=params)
        assert isinstance(failed.value.original_exception, RequestBuildException)
        assert "params" in str(failed.value.original_exception)


class TestStandInsForAuth:
    def test_a_context_needs_no_memory(self) -> None:
        request = TokenAuthHook(TokenManager(_provider())).before_request(HttpRequest("GET", "/"), Mock())
        assert request.headers == {"Authorization": "Bearer user-token-1"}

    def test_a_refusal_with_such_a_context_renews_the_token(self) -> None:
        hook = TokenAuthHook(TokenManager(_provider()))
        response = HttpResponse(401, Headers(), b"", 0.0, "http://h/", HttpRequest("GET", "/"))
        assert hook.get_token().access_token == "user-token-1"
        assert hook.recover(response, Mock())
        assert hook.get_token().access_token == "user-token-2"

    def test_a_composite_hook_needs_none_either(self) -> None:
        hook = CompositeAuthHook([ApiKeyAuthHook("user-key-1")])
        assert hook.before_request(HttpRequest("GET", "/"), Mock()).headers == {"X-API-Key": "user-key-1"}
        assert not hook.recover(HttpResponse(200, Headers(), b"", 0.0, "http://h/", HttpRequest("GET", "/")), Mock())

    @pytest.mark.parametrize(
        ("settings", "renewals"),
        [
            ({"should_retry": Mock(side_effect=lambda response, attempt: attempt < 3)}, 3),
            ({"should_retry": Mock(return_value=True)}, 10),
            ({"should_retry": Mock(return_value=True), "max_retries": 2}, 2),
            ({"should_retry": Mock(return_value=True), "max_retries": 0}, 1),
            ({"should_retry": Mock(return_value=False), "max_retries": 2}, 0),
            ({}, 1),
            ({"max_retries": 2}, 2),
        ],
        ids=["should_retry", "always", "max_retries", "at least one", "no", "neither", "max_retries alone"],
    )
    def test_how_often_a_strategy_renews(self, server: Server, settings: dict[str, Any], renewals: int) -> None:
        url = server.reply("/x", Reply(401))
        provider = _provider()
        strategy = Mock(**settings)
        strategy.get_delay.return_value = 0
        with HttpClient(HttpClientConfig(auth_hook=TokenAuthHook(TokenManager(provider), strategy))) as client:
            strategy.is_auth_error.return_value = True
            assert client.get(url).status_code == 401
        assert len(server.seen) == 1 + renewals
        assert provider.count == 1 + renewals


def test_sleeping_can_be_replaced_where_it_is(server: Server) -> None:
    url = server.reply("/x", Reply(503), Reply(200))
    strategy = ExponentialBackoffRetryStrategy(base_delay=30, jitter=False)
    with patch("time.sleep") as sleep, HttpClient(HttpClientConfig(retry_strategy=strategy)) as client:
        assert client.get(url).status_code == 200
    sleep.assert_called_once_with(30)


class TestSubclasses:
    def test_a_hooks_own_refresh_is_used(self, server: Server) -> None:
        url = server.reply("/x", Reply(401), Reply(200))
        called: list[int] = []

        class Mine(TokenAuthHook):
            def refresh_auth(self) -> bool:
                called.append(1)
                return super().refresh_auth()

        with HttpClient(HttpClientConfig(auth_hook=Mine(TokenManager(_provider())))) as client:
            assert client.get(url).status_code == 200
        assert called == [1]

    def test_a_managers_own_refresh_is_used(self, server: Server) -> None:
        url = server.reply("/x", Reply(401), Reply(200))
        called: list[int] = []

        class Mine(TokenManager):
            def force_refresh(self) -> TokenData:
                called.append(1)
                return super().force_refresh()

        with HttpClient(HttpClientConfig(auth_hook=TokenAuthHook(Mine(_provider())))) as client:
            assert client.get(url).status_code == 200
        assert called == [1]


def test_a_stand_in_for_a_strategy_needs_no_limit() -> None:
    strategy = Mock(should_retry=Mock(return_value=False), is_retryable_status=Mock(return_value=False))
    with HttpClient(HttpClientConfig(retry_strategy=strategy)) as client, pytest.raises(MaxRetryException):
        client.get("http://127.0.0.1:1/x")


def test_json_or_none_never_raises() -> None:
    content: Any = object()
    assert HttpResponse(200, {}, content, 0.0, "http://h/", HttpRequest("GET", "/")).json_or_none() is None  # type: ignore[arg-type]  # any mapping will do


class TestNothingSecretIsPrinted:
    def test_headers_are_masked_by_what_their_names_say(self, caplog: pytest.LogCaptureFixture) -> None:
        headers = {"X-Auth-Token": "aaaa1", "Proxy-Authorization": "bbbb1", "Private-Token": "cccc1", "Accept": "d"}
        with caplog.at_level(logging.DEBUG):
            LoggingRequestHook(log_headers=True).before_request(
                HttpRequest("GET", "/", headers), RequestContext(HttpRequest("GET", "/"))
            )
        assert "'Accept': 'd'" in caplog.text
        assert not any(value in caplog.text for value in ("aaaa1", "bbbb1", "cccc1"))

    def test_a_response_with_plain_headers_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        response = Mock(is_success=True, status_code=200, headers={"A": "b"}, elapsed_ms=1.0)
        with caplog.at_level(logging.DEBUG):
            LoggingResponseHook(True).after_response(response, RequestContext(HttpRequest("GET", "/")))
        assert "'A': 'b'" in caplog.text

    def test_a_config_prints_none_of_its_secrets(self) -> None:
        config = HttpClientConfig(
            default_headers={"Authorization": "Bearer zzzz1"},
            cookies={"sid": "yyyy1"},
            proxies={"http": "http://ada:xxxx1@proxy:3128"},
            client_cert=("c.pem", "k.pem", "wwww1"),
        )
        shown = repr(config)
        assert "c.pem" in shown and "proxy:3128" in shown
        assert not any(value in shown for value in ("zzzz1", "yyyy1", "xxxx1", "wwww1"))


def _provider() -> Any:
    return Provider()
