from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import ConnectionException, HttpClientException, HttpStatusException, MaxRetryException
from forge_cli.events import StepEvent
from forge_cli.login.definition import RequestTable
from forge_cli.login.scope import Scope
from forge_cli.models import HttpRequest, RequestContext
from forge_cli.profiles.schema import RetryTable
from forge_cli.profiles.secrets import Secrets
from forge_cli.profiles.wire import StepClients, Unsent, Way, Wire
from forge_cli.retry import ExponentialBackoffRetryStrategy, NoRetryStrategy, SimpleRetryStrategy
from tests.logins import made
from tests.server import Reply, Server

SCOPE = Scope(secrets=Secrets({}, environ={}, prompt=None, base_dir=Path()))
QUICK = 'retry = { base_delay = 0 }\n[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'


def test_there_is_one_client_for_each_way_of_sending() -> None:
    made_for: list[Way] = []
    told: list[Any] = []

    def client(way: Way) -> HttpClient:
        made_for.append(way)
        return HttpClient(HttpClientConfig(base_url="http://127.0.0.1:1", retry_strategy=NoRetryStrategy()))

    wire = Wire(client, told.append, lambda: 1)
    for redirects, repeat in ((0, True), (3, True), (0, False)):
        table = RequestTable(url="/", redirects=redirects)
        with pytest.raises(MaxRetryException) as caught:
            wire.send("user", table, HttpRequest("GET", "/"), SCOPE, repeat=repeat, deadline=None)
        assert isinstance(caught.value.original_exception, ConnectionException)
    assert made_for == [Way(True), Way(False)]
    assert told == [StepEvent("user"), StepEvent(None)] * 3


@pytest.mark.parametrize(
    ("stated", "sent", "away"),
    [
        ("/a", "/a", False),
        ("/a", "http://127.0.0.1:1/b", False),
        ("http://127.0.0.1:1/a", "http://localhost:1/a", True),
        ("/a", "https://127.0.0.1:1/a", True),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/a", True),
    ],
    ids=["as stated", "redirected", "another host", "another scheme", "another port"],
)
def test_where_a_redirect_leads_away_the_certificate_of_the_profile_stays_behind(
    stated: str, sent: str, away: bool
) -> None:
    made_for: list[Way] = []
    config = HttpClientConfig(base_url="http://127.0.0.1:1", client_cert=("a.pem", "a.key", None))
    clients = StepClients(lambda: config, RetryTable(max_retries=0), None)

    def client(way: Way) -> HttpClient:
        made_for.append(way)
        return HttpClient(HttpClientConfig(retry_strategy=NoRetryStrategy()))

    scope = replace(SCOPE, base_url="http://127.0.0.1:1")
    with pytest.raises(HttpClientException):
        Wire(client, None, lambda: 1).send(
            "user", RequestTable(url=stated), HttpRequest("GET", sent), scope, repeat=True, deadline=None
        )
    [way] = made_for
    assert way.away is away
    assert clients(way).config.client_cert == (None if away else ("a.pem", "a.key", None))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionException("refused", context={"sent": False}), True),
        (ConnectionException("reset", context={"sent": True}), False),
        (ConnectionException("who knows"), False),
        (HttpStatusException("HTTP 503", 503), False),
        (ValueError("x"), False),
    ],
    ids=["never left", "left", "unknown", "answered", "foreign"],
)
def test_what_can_be_sent_once_is_repeated_only_when_it_never_left(error: Exception, expected: bool) -> None:
    strategy = Unsent(SimpleRetryStrategy(2, 0.5, max_elapsed=9))
    context = RequestContext(HttpRequest("GET", "/"))
    assert strategy.should_retry(context, error) is expected
    assert (strategy.max_retries, strategy.get_delay(context), strategy.max_elapsed) == (2, 0.5, 9)
    assert not hasattr(strategy, "is_retryable_status")
    context.attempt = 2
    assert not strategy.should_retry(context, error)


def test_it_takes_over_no_limit_that_a_strategy_does_not_have() -> None:
    assert Unsent(NoRetryStrategy()).max_elapsed is None
    assert Unsent(ExponentialBackoffRetryStrategy()).max_elapsed is None


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_login_that_meets_trouble_is_repeated(server: Server, status: int) -> None:
    server.reply("/login", Reply(status), Reply(body={"token": "user-token-1"}))
    text = QUICK + 'request = { method = "POST", url = "/login" }\nextract = { token = "/token" }\n'
    made(text, server.url).login.pipeline.obtain(["user"])
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_login_that_is_refused_is_not(server: Server, status: int) -> None:
    server.reply("/login", Reply(status))
    text = QUICK + 'request = { method = "POST", url = "/login" }\nextract = { token = "/token" }\n'
    with pytest.raises(Exception, match=r"refused|server failed"):
        made(text, server.url).login.pipeline.obtain(["user"])
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("trouble", [Reply(503), Reply(raw=b"")], ids=["503", "reset"])
def test_a_refresh_token_is_sent_once_whatever_the_method(server: Server, method: str, trouble: Reply) -> None:
    server.reply("/login", Reply(body={"token": "user-token-1", "r": "refresh-1"}))
    server.reply("/refresh", trouble)
    text = (
        QUICK + 'request = { method = "POST", url = "/login" }\nextract = { token = "/token", refresh_token = "/r" }\n'
    )
    text += f'refresh = {{ request = {{ method = "{method}", url = "/refresh?r=${{self.refresh_token}}" }} }}\n'
    pipeline = made(text, server.url).login.pipeline
    pipeline.obtain(["user"])
    with pytest.raises(Exception, match=r"503|closed|reset|broke|connection"):
        pipeline.renew(["user"])
    assert len(server.seen_at("/refresh")) == 1


def test_a_refresh_that_never_left_is_repeated(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/refresh"
    server.reply("/login", Reply(body={"token": "user-token-1", "r": "refresh-1"}))
    text = (
        QUICK + 'request = { method = "POST", url = "/login" }\nextract = { token = "/token", refresh_token = "/r" }\n'
    )
    text += f'refresh = {{ request = {{ method = "POST", url = "{url}", text = "${{self.refresh_token}}" }} }}\n'
    told: list[Any] = []
    pipeline = made(text, server.url, listener=told.append).login.pipeline
    pipeline.obtain(["user"])
    with pytest.raises(ConnectionException):
        pipeline.renew(["user"])
    assert [type(event).__name__ for event in told].count("Retrying") == 3


def test_each_attempt_of_a_signed_step_has_a_signature_of_its_own(server: Server) -> None:
    server.reply("/login", Reply(503), Reply(body={"token": "user-token-1"}))
    signed = """request = { method = "POST", url = "/login", sign = { type = "template", inject = [
  { in = "header", name = "X-Nonce", value = "${nonce}" },
  { in = "header", name = "X-Now", value = "${now | unix_ms}" },
] } }
extract = { token = "/token" }
"""
    made(QUICK + signed, server.url).login.pipeline.obtain(["user"])
    first, second = (int(seen.headers["X-Nonce"] or 0) for seen in server.seen)
    assert first < second
    first, second = (int(seen.headers["X-Now"] or 0) for seen in server.seen)
    assert first < second


def test_a_step_at_another_origin_is_signed_too(server: Server) -> None:
    server.reply("/login", Reply(body={"token": "user-token-1"}))
    signed = f"""request = {{ method = "POST", url = "{server.url}/login", sign = {{ type = "template", inject = [
  {{ in = "header", name = "X-Signed", value = "yes" }},
] }} }}
extract = {{ token = "/token" }}
"""
    made(QUICK + signed, "https://api.example.com").login.pipeline.obtain(["user"])
    assert server.seen[0].headers["X-Signed"] == "yes"
