from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from forge_cli.errors import AuthenticationException
from forge_cli.models import HttpMethod, TokenData
from forge_cli.tokens.fetchers import BodyTokenFetcher, HeaderTokenFetcher, HttpTokenFetcher
from tests.server import Reply, Server

HOUR = timedelta(hours=1)


def lifetime(token: TokenData) -> float | None:
    """Seconds that a token still has, as callers count them."""
    return None if token.expires_at is None else (token.expires_at - datetime.now()).total_seconds()


class TestBody:
    def test_it_posts_a_form(self, server: Server) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1", "expires_in": 60, "refresh_token": "r-1"}))
        fetcher = BodyTokenFetcher("login", f"{server.url}/", "/token", request_data={"user": "ada"})
        token = fetcher.fetch()
        assert (token.access_token, token.token_type, token.refresh_token) == ("token-1", "Bearer", "r-1")
        assert lifetime(token) == pytest.approx(60, abs=5)
        [seen] = server.seen
        assert (seen.method, seen.form) == ("POST", [("user", "ada")])
        assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"

    def test_it_posts_json(self, server: Server) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1"}))
        data = {"user": "ada", "roles": [1]}
        BodyTokenFetcher("login", server.url, "/token", request_data=data, content_type="json").fetch()
        assert (server.seen[0].json(), server.seen[0].headers["Content-Type"]) == (data, "application/json")

    @pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
    def test_a_content_type_of_one_s_own_stays(self, server: Server, name: str) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1"}))
        headers = {name: "application/vnd.api+json", "X-Tenant": "a"}
        BodyTokenFetcher("login", server.url, "/token", "POST", headers, {"a": 1}, content_type="json").fetch()
        assert server.seen[0].headers.get_all("Content-Type") == ["application/vnd.api+json"]
        assert server.seen[0].headers["X-Tenant"] == "a"

    def test_get_sends_the_data_in_the_query(self, server: Server) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1"}))
        BodyTokenFetcher("login", server.url, "/token", HttpMethod.GET, request_data={"user": "ada"}).fetch()
        assert (server.seen[0].method, server.seen[0].query) == ("GET", [("user", "ada")])

    def test_other_methods_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="Unsupported method: PUT"):
            BodyTokenFetcher("login", "http://localhost", "/token", "PUT").fetch()

    def test_an_unknown_content_type_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="content_type must be 'form' or 'json', not 'xml'"):
            BodyTokenFetcher("login", "http://localhost", "/token", content_type="xml")  # type: ignore[arg-type]

    def test_the_fields_can_have_other_names(self, server: Server) -> None:
        server.reply("/token", Reply(body={"jwt": 42, "kind": "MAC", "life": "120", "renew": "r-1", "region": "eu"}))
        token = BodyTokenFetcher(
            "login",
            server.url,
            "/token",
            token_field="jwt",
            token_type_field="kind",
            expires_in_field="life",
            refresh_token_field="renew",
        ).fetch()
        assert (token.access_token, token.token_type, token.refresh_token) == ("42", "MAC", "r-1")
        assert token.extra == {"region": "eu"}
        assert lifetime(token) == pytest.approx(120, abs=5)

    @pytest.mark.parametrize(
        ("ttl", "body", "expected"),
        [(HOUR, {"expires_in": 60}, 3600), (HOUR, {}, 3600), (None, {"expires_in": 60}, 60), (None, {}, None)],
        ids=["both", "ttl", "expires_in", "neither"],
    )
    def test_a_ttl_beats_what_the_answer_says(
        self, server: Server, ttl: timedelta | None, body: dict[str, Any], expected: float | None
    ) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1", **body}))
        left = lifetime(BodyTokenFetcher("login", server.url, "/token", ttl=ttl).fetch())
        assert left == (expected if expected is None else pytest.approx(expected, abs=5))

    def test_the_answer_s_own_type_beats_the_default(self, server: Server) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1", "token_type": "MAC"}))
        assert BodyTokenFetcher("login", server.url, "/token").fetch().token_type == "MAC"

    def test_the_default_type_is_used_when_the_answer_names_none(self, server: Server) -> None:
        server.reply("/token", Reply(body={"access_token": "token-1", "token_type": ""}))
        assert BodyTokenFetcher("login", server.url, "/token", default_token_type="JWT").fetch().token_type == "JWT"

    def test_a_subclass_sends_the_token_of_another_step(self, server: Server) -> None:
        class User(BodyTokenFetcher):
            def _build_request_data(self, context: Mapping[str, TokenData] | None) -> dict[str, Any]:
                assert context is not None
                return {**super()._build_request_data(context), "app": context["app"].access_token}

        server.reply("/token", Reply(body={"access_token": "token-1"}))
        fetcher = User("user", server.url, "/token", request_data={"user": "ada"}, depends_on=["app"])
        fetcher.fetch({"app": TokenData("app-token-1")})
        assert server.seen[0].form == [("user", "ada"), ("app", "app-token-1")]
        assert fetcher.depends_on == ["app"]


class TestHeader:
    def test_the_token_is_in_a_header_in_any_case(self, server: Server) -> None:
        server.reply("/token", Reply(204, headers={"X-Session": "token-1"}))
        fetcher = HeaderTokenFetcher("login", server.url, "/token", token_header="x-session", ttl=HOUR, token_type="S")
        token = fetcher.fetch()
        assert (token.access_token, token.token_type) == ("token-1", "S")
        assert lifetime(token) == pytest.approx(3600, abs=5)
        assert fetcher.ttl == HOUR

    def test_it_posts_a_form(self, server: Server) -> None:
        server.reply("/token", Reply(headers={"Authorization": "token-1"}))
        HeaderTokenFetcher("login", server.url, "/token", request_data={"user": "ada"}).fetch()
        assert server.seen[0].form == [("user", "ada")]

    def test_without_a_ttl_the_end_is_unknown(self, server: Server) -> None:
        server.reply("/token", Reply(headers={"Authorization": "token-1"}))
        assert HeaderTokenFetcher("login", server.url, "/token").fetch().expires_at is None

    def test_a_subclass_sends_the_token_of_another_step(self, server: Server) -> None:
        class User(HeaderTokenFetcher):
            def _build_request_headers(self, context: Mapping[str, TokenData] | None) -> dict[str, str]:
                assert context is not None
                return {**super()._build_request_headers(context), "X-App": context["app"].access_token}

        server.reply("/token", Reply(headers={"Authorization": "token-1"}))
        User("user", server.url, "/token", request_headers={"X-Key": "1"}).fetch({"app": TokenData("app-token-1")})
        assert (server.seen[0].headers["X-App"], server.seen[0].headers["X-Key"]) == ("app-token-1", "1")


@pytest.mark.parametrize(
    ("kind", "reply", "message"),
    [
        (BodyTokenFetcher, Reply(401, "no"), "Token request failed with status 401: no"),
        (HeaderTokenFetcher, Reply(302, headers={"Location": "/x"}), "Token request failed with status 302: "),
        (HeaderTokenFetcher, Reply(200), "Token header 'Authorization' not found in response"),
        (BodyTokenFetcher, Reply(200, {"token": "x"}), "Token field 'access_token' not found in response"),
        (BodyTokenFetcher, Reply(200, ["x"]), "Token field 'access_token' not found in response"),
        (BodyTokenFetcher, Reply(200, {"access_token": ""}), "Token field 'access_token' not found in response"),
        (BodyTokenFetcher, Reply(200, "<html>"), "Failed to parse token response: "),
    ],
)
def test_failures_say_what_callers_look_for(
    server: Server, kind: type[BodyTokenFetcher | HeaderTokenFetcher], reply: Reply, message: str
) -> None:
    server.reply("/token", reply)
    with pytest.raises(AuthenticationException) as caught:
        kind("login", server.url, "/token").fetch()
    assert caught.value.message.startswith(message)
    assert caught.value.service_name == "login"


def test_the_body_of_a_refusal_is_redacted_and_then_cut(server: Server) -> None:
    server.reply("/token", Reply(403, '{"access_token": "leaked-token-1"}' + "x" * 1000))
    with pytest.raises(AuthenticationException) as caught:
        BodyTokenFetcher("login", server.url, "/token").fetch()
    assert "leaked-token-1" not in caught.value.message
    assert len(caught.value.message) == len("Token request failed with status 403: ") + 500


def test_a_closed_fetcher_opens_a_new_connection(server: Server) -> None:
    server.reply("/token", Reply(body={"access_token": "token-1"}))
    fetcher = BodyTokenFetcher("login", server.url, "/token")
    fetcher.close()
    fetcher.fetch()
    fetcher.fetch()
    assert server.connections == 1
    fetcher.close()
    fetcher.fetch()
    assert server.connections == 2
    fetcher.close()


def test_a_fetcher_of_one_s_own_needs_a_name_and_a_fetch(server: Server) -> None:
    class Own(HttpTokenFetcher):
        def name(self) -> str:  # type: ignore[override]  # callers write it as a plain method
            return "own"

        def fetch(self) -> TokenData:  # type: ignore[override]  # and leave the context out
            return TokenData(self._make_request("GET", "/token", data={"a": 1}).text)

    server.reply("/token", Reply(body="token-1"))
    fetcher = Own(server.url, headers={"X-Key": "1"})
    assert fetcher.fetch().access_token == "token-1"
    assert (server.seen[0].query, server.seen[0].headers["X-Key"]) == ([("a", "1")], "1")
    assert (fetcher.depends_on, fetcher.ttl) == ([], None)
    fetcher.close()


def fetcher(
    base: str = "http://localhost", path: str = "/token", headers: Any = None, data: Any = None
) -> BodyTokenFetcher:
    return BodyTokenFetcher("login", base, path, request_headers=headers, request_data=data)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fetcher(), fetcher(base="http://127.0.0.1")),
        (fetcher(), fetcher(path="/other")),
        (fetcher(data={"user": "ada"}), fetcher(data={"user": "grace"})),
        (fetcher(headers={"X-Tenant": "a"}), fetcher(headers={"X-Tenant": "b"})),
        (fetcher(headers={"X-API-Key": "key-of-ada"}), fetcher(headers={"X-API-Key": "key-of-grace"})),
        (fetcher(data={"a": 1, "password": "x"}), fetcher(data={"b": 1, "password": "x"})),
    ],
    ids=["host", "path", "user", "tenant", "key", "field"],
)
def test_the_fingerprint_tells_what_a_token_is_for(one: BodyTokenFetcher, other: BodyTokenFetcher) -> None:
    assert one.fingerprint == one.fingerprint != other.fingerprint
    assert one.fingerprint.isalnum()


def test_the_fingerprint_does_not_depend_on_the_order_or_the_type_of_the_fields() -> None:
    one, other = {"a": 1, "b": 2, "password": "x"}, {"password": "x", "b": 2, "a": 1}
    headers = {"a": "one"}
    assert fetcher(headers=headers, data=one).fingerprint == fetcher(headers=headers, data=other).fingerprint
