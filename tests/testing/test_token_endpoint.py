"""The token endpoint is as strict as the standard, or programs tested by it meet their first refusal in production."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import pytest

from forge_cli import (
    AuthenticationException,
    ClientCredentialsTokenProvider,
    HttpClient,
    HttpClientConfigBuilder,
    TokenData,
    TokenManager,
)
from forge_cli.testing import Reply, ScriptedServer, TokenEndpoint, oauth_error

CLIENTS = {"reporting": "client-secret-1", "other": "client-secret-2"}
USERS = {"ada": "password-1"}
CLIENT = {"client_id": "reporting", "client_secret": "client-secret-1"}
LOGIN = {"grant_type": "password", "username": "ada", "password": "password-1"}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Got:
    status: int
    headers: Mapping[str, str]
    document: Any


def send(url: str, form: Mapping[str, str] | str, method: str = "POST", **headers: str) -> Got:
    parts = urlsplit(url)
    fields = {"Content-Type": "application/x-www-form-urlencoded"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    body = form if isinstance(form, str) else urlencode(form)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=5)) as connection:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, fields)
        with connection.getresponse() as response:
            content = response.read()
            return Got(response.status, dict(response.getheaders()), json.loads(content or b"null"))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rotating(clock: Clock) -> Iterator[TokenEndpoint]:
    with TokenEndpoint(CLIENTS, USERS, refresh="rotated", clock=clock) as endpoint:
        yield endpoint


def login(endpoint: TokenEndpoint) -> dict[str, Any]:
    document: dict[str, Any] = send(endpoint.url, LOGIN | CLIENT).document
    return document


def renew(endpoint: TokenEndpoint, refresh: str, **more: str) -> Got:
    return send(endpoint.url, {"grant_type": "refresh_token", "refresh_token": refresh} | CLIENT | more)


class TestGrants:
    def test_client_credentials_give_a_token_and_no_refresh_token(self, rotating: TokenEndpoint) -> None:
        got = send(rotating.url, {"grant_type": "client_credentials", "scope": "b a"} | CLIENT)
        assert got.status == 200
        assert got.document == {
            "access_token": "access-token-1",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "a b",
        }
        assert (got.headers["Cache-Control"], got.headers["Pragma"]) == ("no-store", "no-cache")
        assert rotating.accepts("access-token-1")

    def test_a_password_gives_both_tokens(self, rotating: TokenEndpoint) -> None:
        document = login(rotating)
        assert (document["access_token"], document["refresh_token"]) == ("access-token-1", "refresh-token-1")
        assert "scope" not in document

    def test_without_a_lifetime_nothing_is_said_of_it(self) -> None:
        with TokenEndpoint(CLIENTS, lifetime=None) as endpoint:
            got = send(endpoint.url, {"grant_type": "client_credentials"} | CLIENT)
            assert "expires_in" not in got.document
            assert endpoint.accepts("access-token-1")

    def test_a_kept_refresh_token_is_not_said_again_and_stays_good(self) -> None:
        with TokenEndpoint(CLIENTS, USERS) as endpoint:
            refresh = login(endpoint)["refresh_token"]
            answers = [renew(endpoint, refresh) for _ in range(2)]
        assert [answer.document["access_token"] for answer in answers] == ["access-token-2", "access-token-3"]
        assert ["refresh_token" in answer.document for answer in answers] == [False, False]

    def test_rotation_gives_the_next_refresh_token(self, rotating: TokenEndpoint) -> None:
        first = login(rotating)
        second = renew(rotating, first["refresh_token"])
        assert second.document["refresh_token"] == "refresh-token-2"
        assert renew(rotating, "refresh-token-2").status == 200
        assert rotating.calls == {"password": 1, "refresh_token": 2}

    def test_a_refresh_token_that_is_used_again_ends_the_login(self, rotating: TokenEndpoint) -> None:
        first = login(rotating)
        renew(rotating, first["refresh_token"])
        other = login(rotating)
        assert renew(rotating, first["refresh_token"]).document["error"] == "invalid_grant"
        assert renew(rotating, "refresh-token-2").document["error"] == "invalid_grant"
        assert [rotating.accepts(f"access-token-{n}") for n in (1, 2)] == [False, False]
        assert rotating.accepts(other["access_token"])

    def test_a_renewal_may_narrow_the_scope_and_never_widen_it(self, rotating: TokenEndpoint) -> None:
        refresh = send(rotating.url, LOGIN | CLIENT | {"scope": "read write"}).document["refresh_token"]
        assert renew(rotating, refresh, scope="admin").document["error"] == "invalid_scope"
        assert renew(rotating, refresh, scope="read").document["scope"] == "read"

    def test_another_client_cannot_use_a_refresh_token(self, rotating: TokenEndpoint) -> None:
        refresh = login(rotating)["refresh_token"]
        got = renew(rotating, refresh, client_id="other", client_secret="client-secret-2")
        assert got.document["error"] == "invalid_grant"

    @pytest.mark.parametrize("grant", ["password", "refresh_token", "authorization_code"])
    def test_a_grant_that_is_not_there_is_refused(self, grant: str) -> None:
        with TokenEndpoint(CLIENTS) as endpoint:
            got = send(endpoint.url, {"grant_type": grant} | CLIENT)
        assert (got.status, got.document["error"]) == (400, "unsupported_grant_type")

    def test_refresh_tokens_can_be_left_out(self) -> None:
        with TokenEndpoint(CLIENTS, USERS, refresh="none") as endpoint:
            assert "refresh_token" not in login(endpoint)
            assert renew(endpoint, "refresh-token-1").document["error"] == "unsupported_grant_type"

    def test_an_unknown_scope_is_refused(self) -> None:
        with TokenEndpoint(CLIENTS, scopes={"read"}) as endpoint:
            got = send(endpoint.url, {"grant_type": "client_credentials", "scope": "read admin"} | CLIENT)
        assert (got.status, got.document["error"]) == (400, "invalid_scope")


class TestClientAuthentication:
    @pytest.mark.parametrize(
        ("client_auth", "way", "status"),
        [
            ("any", "header", 200),
            ("any", "body", 200),
            ("header", "header", 200),
            ("header", "body", 401),
            ("body", "header", 401),
            ("body", "body", 200),
        ],
    )
    def test_a_client_uses_a_way_that_is_allowed(self, client_auth: Any, way: str, status: int) -> None:
        header = {"Authorization": basic(*CLIENT.values())} if way == "header" else {}
        form = {"grant_type": "client_credentials"} | (CLIENT if way == "body" else {})
        with TokenEndpoint(CLIENTS, client_auth=client_auth) as endpoint:
            got = send(endpoint.url, form, **header)
        assert got.status == status
        assert ("WWW-Authenticate" in got.headers) == (status == 401 and way == "header")

    @pytest.mark.parametrize(
        "authorization",
        [
            basic("reporting", "wrong"),
            basic("nobody", "client-secret-1"),
            "Basic !!!",
            "Basic " + base64.b64encode(b"\xff").decode(),
            "Basic " + base64.b64encode(b"reporting").decode(),
            "Bearer client-secret-1",
        ],
    )
    def test_a_header_that_proves_nothing_is_refused_with_a_challenge(
        self, rotating: TokenEndpoint, authorization: str
    ) -> None:
        got = send(rotating.url, {"grant_type": "client_credentials"}, Authorization=authorization)
        assert (got.status, got.document["error"]) == (401, "invalid_client")
        assert got.headers["WWW-Authenticate"].startswith("Basic ")

    @pytest.mark.parametrize("form", [{}, {"client_id": "reporting"}, CLIENT | {"client_secret": "wrong"}], ids=str)
    def test_a_body_that_proves_nothing_is_refused(self, rotating: TokenEndpoint, form: dict[str, str]) -> None:
        got = send(rotating.url, {"grant_type": "client_credentials"} | form)
        assert (got.status, got.document["error"]) == (401, "invalid_client")
        assert "WWW-Authenticate" not in got.headers

    def test_two_ways_at_once_are_refused(self, rotating: TokenEndpoint) -> None:
        form = {"grant_type": "client_credentials"} | CLIENT
        got = send(rotating.url, form, Authorization=basic(*CLIENT.values()))
        assert (got.status, got.document["error"]) == (400, "invalid_request")

    def test_two_clients_in_one_request_are_refused(self, rotating: TokenEndpoint) -> None:
        form = {"grant_type": "client_credentials", "client_id": "other"}
        got = send(rotating.url, form, Authorization=basic(*CLIENT.values()))
        assert (got.status, got.document["error"]) == (400, "invalid_request")

    def test_the_header_is_form_encoded_inside(self) -> None:
        with TokenEndpoint({"a:b": "50% + ü"}) as endpoint:
            authorization = basic(quote_plus("a:b"), quote_plus("50% + ü"))
            assert send(endpoint.url, {"grant_type": "client_credentials"}, Authorization=authorization).status == 200


class TestRequests:
    @pytest.mark.parametrize(
        "form",
        ["", "grant_type=", "grant_type=password&grant_type=password", "grant_type=password&username=ada&password="],
        ids=["nothing", "an empty grant", "two grants", "an empty password"],
    )
    def test_a_malformed_request_is_refused(self, rotating: TokenEndpoint, form: str) -> None:
        got = send(rotating.url, f"{form}&{urlencode(CLIENT)}")
        assert (got.status, got.document["error"]) == (400, "invalid_request")

    def test_only_post_will_do(self, rotating: TokenEndpoint) -> None:
        got = send(rotating.url, "", method="GET")
        assert (got.status, got.headers["Allow"]) == (405, "POST")

    def test_json_is_no_form(self, rotating: TokenEndpoint) -> None:
        got = send(rotating.url, json.dumps(LOGIN | CLIENT), Content_Type="application/json")
        assert (got.status, got.document["error"]) == (400, "invalid_request")

    def test_bytes_that_are_no_text_are_refused(self, rotating: TokenEndpoint) -> None:
        got = send(rotating.url, "grant_type=\u00ff")
        assert (got.status, got.document["error"]) == (400, "invalid_request")

    def test_a_secret_in_the_url_is_refused(self, rotating: TokenEndpoint) -> None:
        got = send(f"{rotating.url}?client_secret=client-secret-1", LOGIN | CLIENT)
        assert (got.status, got.document["error"]) == (400, "invalid_request")
        assert rotating.refusals == {"invalid_request": 1}

    def test_a_wrong_password_is_refused(self, rotating: TokenEndpoint) -> None:
        got = send(rotating.url, LOGIN | CLIENT | {"password": "wrong"})
        assert (got.status, got.document["error"]) == (400, "invalid_grant")


class TestWhatATestDoes:
    def test_failures_come_first_and_in_order(self, rotating: TokenEndpoint) -> None:
        rotating.fail_next(Reply(503), oauth_error("invalid_client", status=401))
        assert [send(rotating.url, LOGIN | CLIENT).status for _ in range(3)] == [503, 401, 200]
        assert rotating.calls == {"password": 3}

    def test_a_token_ends_with_its_lifetime(self, rotating: TokenEndpoint, clock: Clock) -> None:
        login(rotating)
        clock.now += 3599
        assert rotating.accepts("access-token-1")
        clock.now += 1
        assert not rotating.accepts("access-token-1")

    def test_expired_access_tokens_can_be_renewed(self, rotating: TokenEndpoint) -> None:
        refresh = login(rotating)["refresh_token"]
        rotating.expire()
        assert not rotating.accepts("access-token-1")
        assert renew(rotating, refresh).status == 200

    def test_a_revoked_refresh_token_takes_its_access_tokens_with_it(self, rotating: TokenEndpoint) -> None:
        first, second = login(rotating), login(rotating)
        rotating.revoke(first["refresh_token"])
        rotating.revoke(second["access_token"])
        assert [rotating.accepts(f"access-token-{n}") for n in (1, 2)] == [False, False]
        assert [renew(rotating, token["refresh_token"]).status for token in (first, second)] == [400, 200]

    def test_what_was_never_given_out_is_not_accepted(self, rotating: TokenEndpoint) -> None:
        rotating.revoke("unknown")
        assert not rotating.accepts("unknown")

    def test_an_api_behind_it_asks_for_a_good_token(self, server: ScriptedServer) -> None:
        with TokenEndpoint(CLIENTS, server=server) as endpoint:
            users = server.reply("/users", endpoint.guard(Reply(body=[]), lambda seen: Reply(body=[seen.method])))
            send(endpoint.url, {"grant_type": "client_credentials"} | CLIENT)
            good, bad = "Bearer access-token-1", "bearer access-token-9"
            answers = [send(users, "", "GET", Authorization=value) for value in ("", bad, good, good, good)]
        assert endpoint.url.startswith(server.url)
        assert [answer.status for answer in answers] == [401, 401, 200, 200, 200]
        assert [answer.headers.get("WWW-Authenticate") for answer in answers[:2]] == [
            "Bearer",
            'Bearer error="invalid_token"',
        ]
        assert [answer.document for answer in answers[2:]] == [[], ["GET"], ["GET"]]

    def test_threads_get_a_token_each(self, rotating: TokenEndpoint) -> None:
        threads = [threading.Thread(target=login, args=(rotating,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert rotating.calls == {"password": 8}
        assert all(rotating.accepts(f"access-token-{n}") for n in range(1, 9))


class TestWithTheLibrary:
    @pytest.mark.parametrize("auth_method", ["body", "header"])
    def test_a_refused_token_is_replaced_once(self, server: ScriptedServer, auth_method: Any) -> None:
        endpoint = TokenEndpoint(CLIENTS, server=server, client_auth=auth_method)
        server.reply("/users", endpoint.guard(Reply(body=["Ada"])))
        with ClientCredentialsTokenProvider(
            endpoint.url, "reporting", "client-secret-1", "api", auth_method=auth_method
        ) as provider:
            config = HttpClientConfigBuilder().with_base_url(server.url).with_token_auth(TokenManager(provider)).build()
            with HttpClient(config) as client:
                assert client.get("/users").json() == ["Ada"]
                endpoint.expire()
                assert client.get("/users").json() == ["Ada"]
        assert endpoint.calls == {"client_credentials": 2}

    def test_a_refresh_token_that_was_rotated_is_the_one_that_is_kept(self, rotating: TokenEndpoint) -> None:
        with ClientCredentialsTokenProvider(rotating.url, "reporting", "client-secret-1", "api") as provider:
            first = TokenData.from_response(login(rotating))
            second = provider.refresh_token(first)
            third = provider.refresh_token(second)
        assert (second.refresh_token, third.refresh_token) == ("refresh-token-2", "refresh-token-3")

    def test_an_outage_is_an_error_that_names_the_service(self, rotating: TokenEndpoint) -> None:
        rotating.fail_next(Reply(503))
        with (
            ClientCredentialsTokenProvider(rotating.url, "reporting", "client-secret-1", "api") as provider,
            pytest.raises(AuthenticationException, match="api"),
        ):
            TokenManager(provider).get_token()
