from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli.errors import AuthenticationException, ConnectionException
from forge_cli.models import TokenData
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.providers import (
    BaseOAuth2TokenProvider,
    ClientCredentialsTokenProvider,
    PasswordGrantTokenProvider,
)
from tests.server import Reply, Server

SECRET = "client-secret-1"
ANSWER = {"access_token": "token-1", "expires_in": 3600}


class Provider(ClientCredentialsTokenProvider):
    """As a program would make it."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, "client-1", SECRET, "orders", **options)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else can get."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_the_client_is_named_in_the_form_by_default(server: Server) -> None:
    url = server.reply("/token", Reply(body=ANSWER))
    with Provider(url, scope="read", extra_params={"audience": "api"}) as provider:
        token = provider.fetch_token()
    assert (token.access_token, token.token_type, provider.service_name) == ("token-1", "Bearer", "orders")
    assert sorted(server.seen[0].form) == [
        ("audience", "api"),
        ("client_id", "client-1"),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", "read"),
    ]
    assert server.seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_client_can_be_named_in_the_header(server: Server) -> None:
    url = server.reply("/token", Reply(body=ANSWER))
    with Provider(url, auth_method="header", grant_type="custom") as provider:
        provider.fetch_token()
    assert server.seen[0].headers["Authorization"] == "Basic " + b64encode(f"client-1:{SECRET}".encode()).decode()
    assert server.seen[0].form == [("grant_type", "custom")]


def test_an_unknown_way_to_name_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="auth_method must be 'body' or 'header', not 'cookie'"):
        Provider("http://localhost", auth_method="cookie")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, {"error": "invalid_client", "client_secret": SECRET}),
        Reply(500, f"<h1>{SECRET}</h1>" + "x" * 2000),
        Reply(200, "no json"),
        Reply(200, ["a list"]),
        Reply(200, {"token": "elsewhere"}),
        Reply(302, headers={"Location": "/elsewhere"}),
    ],
    ids=["refused", "in trouble", "no json", "no object", "no token", "redirected"],
)
def test_any_failure_is_an_authentication_failure_without_a_secret(server: Server, reply: Reply) -> None:
    with Provider(server.reply("/token", reply)) as provider, pytest.raises(AuthenticationException) as caught:
        provider.fetch_token()
    error = caught.value
    assert error.message == "Failed to fetch token for orders"
    assert error.service_name == "orders"
    assert error.original_exception is not None
    assert error.context["token_url"] == f"{server.url}/token"
    assert SECRET not in str(error)
    assert len(str(error)) < 800
    assert len(server.seen) == 1


def test_an_endpoint_that_is_not_there_is_asked_once(server: Server, closed_port: int) -> None:
    with Provider(f"http://127.0.0.1:{closed_port}/token") as provider:
        for attempt in (provider.fetch_token, lambda: provider.refresh_token(TokenData("t", refresh_token="r-1"))):
            with pytest.raises(AuthenticationException) as caught:
                attempt()
            assert isinstance(caught.value.original_exception, ConnectionException)


def test_a_connection_that_breaks_while_refreshing_is_not_followed_by_a_fetch(server: Server) -> None:
    with Provider(server.reply("/token", Reply(raw=b""))) as provider, pytest.raises(AuthenticationException):
        provider.refresh_token(TokenData("old-token", refresh_token="refresh-1"))
    assert len(server.seen) == 1


class TestRefreshing:
    OLD = TokenData("old-token", refresh_token="refresh-1", scope="read")

    def test_it_names_the_client_and_the_parameters_as_before(self, server: Server) -> None:
        url = server.reply("/token", Reply(body={**ANSWER, "refresh_token": "refresh-2", "scope": "read write"}))
        with Provider(url, auth_method="header", extra_params={"audience": "api"}) as provider:
            token = provider.refresh_token(self.OLD)
        assert (token.access_token, token.refresh_token, token.scope) == ("token-1", "refresh-2", "read write")
        assert sorted(server.seen[0].form) == [
            ("audience", "api"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh-1"),
        ]
        assert server.seen[0].headers["Authorization"].startswith("Basic ")

    def test_an_answer_without_a_refresh_token_keeps_the_old_one(self, server: Server) -> None:
        with Provider(server.reply("/token", Reply(body=ANSWER))) as provider:
            token = provider.refresh_token(self.OLD)
        assert (token.refresh_token, token.scope) == ("refresh-1", "read")

    def test_a_refusal_leads_to_a_fetch(self, server: Server) -> None:
        url = server.reply("/token", Reply(400, {"error": "invalid_grant"}), Reply(body=ANSWER))
        with Provider(url) as provider:
            assert provider.refresh_token(self.OLD).access_token == "token-1"
        assert [dict(seen.form)["grant_type"] for seen in server.seen] == ["refresh_token", "client_credentials"]

    def test_without_a_refresh_token_it_fetches(self, server: Server) -> None:
        with Provider(server.reply("/token", Reply(body=ANSWER))) as provider:
            assert provider.refresh_token(TokenData("old-token")).access_token == "token-1"
        assert dict(server.seen[0].form)["grant_type"] == "client_credentials"


def test_a_manager_uses_the_token_while_it_lives_and_then_the_refresh_token(server: Server) -> None:
    answers = [{"access_token": "token-1", "expires_in": -1, "refresh_token": "refresh-1"}, ANSWER]
    with Provider(server.reply("/token", *(Reply(body=answer) for answer in answers))) as provider:
        manager = TokenManager(provider)
        assert [manager.get_token().access_token for _ in range(3)] == ["token-1", "token-1", "token-1"]
    assert [dict(seen.form)["grant_type"] for seen in server.seen] == ["client_credentials", "refresh_token"]


def test_a_token_that_is_about_to_end_is_used_when_the_endpoint_is_not_there(closed_port: int) -> None:
    from_then = datetime.now()
    with Provider(f"http://127.0.0.1:{closed_port}/token") as provider:
        manager = TokenManager(provider)
        token = TokenData("token-1", expires_at=from_then + timedelta(seconds=20), refresh_token="refresh-1")
        manager._storage.set("auth_token:orders", token)  # type: ignore[union-attr]  # the default storage
        assert manager.get_token() == token


@pytest.mark.parametrize(
    "other",
    [
        Provider("http://localhost/other"),
        Provider("http://localhost/token", scope="write"),
        Provider("http://localhost/token", extra_params={"audience": "b"}),
        ClientCredentialsTokenProvider("http://localhost/token", "client-2", SECRET, "orders"),
    ],
    ids=["url", "scope", "parameters", "client"],
)
def test_the_fingerprint_tells_what_a_token_is_for(other: ClientCredentialsTokenProvider) -> None:
    provider = Provider("http://localhost/token")
    assert provider.fingerprint == Provider("http://localhost/token").fingerprint
    assert provider.fingerprint != other.fingerprint
    assert SECRET not in provider.fingerprint


def test_a_grant_of_one_s_own_overrides_fetch_token_and_is_renewed_by_the_refresh_grant(server: Server) -> None:
    class Fixed(BaseOAuth2TokenProvider):
        def fetch_token(self) -> TokenData:
            return TokenData("token-0", refresh_token="refresh-0")

    url = server.reply("/token", Reply(body=ANSWER), Reply(400))
    with Fixed(url, "client-1", SECRET, "orders") as provider:
        assert provider.refresh_token(provider.fetch_token()).access_token == "token-1"
        assert provider.refresh_token(provider.fetch_token()).access_token == "token-0"
        assert provider.refresh_token(TokenData("old-token")).access_token == "token-0"
    assert [dict(seen.form)["refresh_token"] for seen in server.seen] == ["refresh-0", "refresh-0"]


def test_a_grant_of_one_s_own_is_a_form_beside_the_client_s_name(server: Server) -> None:
    class Assertion(BaseOAuth2TokenProvider):
        def grant(self) -> dict[str, str]:
            return {"grant_type": "assertion", "assertion": "signed-1"}

    url = server.reply("/token", Reply(body=ANSWER), Reply(400))
    with Assertion(url, "client-1", SECRET, "orders", "read") as provider:
        assert provider.fetch_token().access_token == "token-1"
        with pytest.raises(AuthenticationException, match="Failed to fetch token for orders"):
            provider.fetch_token()
    assert sorted(server.seen[0].form) == [
        ("assertion", "signed-1"),
        ("client_id", "client-1"),
        ("client_secret", SECRET),
        ("grant_type", "assertion"),
        ("scope", "read"),
    ]


def test_without_a_grant_it_says_what_to_override() -> None:
    provider = BaseOAuth2TokenProvider("http://localhost/token", "client-1", SECRET, "orders")
    with provider, pytest.raises(AuthenticationException, match="overrides neither grant nor fetch_token") as caught:
        provider.fetch_token()
    assert caught.value.service_name == "orders"


def test_a_client_that_stands_in_for_the_network_will_do() -> None:
    provider = Provider("http://localhost/token")
    provider._client = Mock()
    provider._client.post.return_value.json.return_value = ANSWER
    assert provider.fetch_token().access_token == "token-1"
    provider._client.post.side_effect = OSError("unplugged")
    with pytest.raises(AuthenticationException, match="Failed to fetch token for orders"):
        provider.fetch_token()


def test_a_password_is_sent_with_the_users_name(server: Server) -> None:
    url = server.reply("/token", Reply(body={**ANSWER, "refresh_token": "refresh-1"}))
    with PasswordGrantTokenProvider(url, "client-1", SECRET, "ada", "password-1", "orders", "read") as provider:
        token = provider.fetch_token()
        assert provider.service_name == "orders"
        provider.refresh_token(token)
    assert sorted(server.seen[0].form) == [
        ("client_id", "client-1"),
        ("client_secret", SECRET),
        ("grant_type", "password"),
        ("password", "password-1"),
        ("scope", "read"),
        ("username", "ada"),
    ]
    assert ("grant_type", "refresh_token") in server.seen[1].form


def test_a_password_is_sent_again_only_without_a_refresh_token_or_after_its_refusal(server: Server) -> None:
    url = server.reply("/token", Reply(400, {"error": "invalid_grant"}), Reply(body=ANSWER))
    with PasswordGrantTokenProvider(url, "client-1", SECRET, "ada", "password-1", "orders") as provider:
        provider.refresh_token(TokenData("old-token", refresh_token="refresh-0"))
        provider.refresh_token(TokenData("old-token"))
    assert [dict(seen.form)["grant_type"] for seen in server.seen] == ["refresh_token", "password", "password"]


def test_the_token_of_one_user_is_not_anothers() -> None:
    made = [PasswordGrantTokenProvider("u", "c", SECRET, user, "password-1", "orders") for user in ("ada", "bob")]
    assert made[0].fingerprint != made[1].fingerprint


def test_a_refused_password_is_not_in_the_error(server: Server) -> None:
    url = server.reply("/token", Reply(400, {"error": "invalid_grant", "echo": "password-1"}))
    provider = PasswordGrantTokenProvider(url, "client-1", SECRET, "ada", "password-1", "orders")
    with provider, pytest.raises(AuthenticationException, match="Failed to fetch token for orders") as caught:
        provider.fetch_token()
    assert "password-1" not in str(caught.value)


@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_refusal_names_the_status_the_service_and_what_the_answer_says(server: Server, status: int) -> None:
    url = server.reply("/token", Reply(status, {"error": "no", "access_token": "token-in-an-error"}))
    with Provider(url) as provider, pytest.raises(AuthenticationException) as caught:
        provider.fetch_token()
    cause = caught.value.original_exception
    assert isinstance(cause, AuthenticationException)
    assert cause.message.startswith(f"Token request failed with status {status}: ")
    assert '"error": "no"' in cause.message
    assert "token-in-an-error" not in str(caught.value)
    assert cause.service_name == caught.value.service_name == "orders"
