"""B1: credentials belong to an origin. What leaves it travels without them."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from forge_cli import (
    ApiKeyAuthHook,
    AuthorizationHook,
    BasicAuthHook,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    MaxRetryException,
    RequestContext,
    TokenAuthHook,
    TokenManager,
)
from forge_cli.errors import RedirectException
from forge_cli.events import Redirecting
from forge_cli.interfaces import TokenProviderInterface
from forge_cli.models import TokenData
from tests.server import Reply, Seen, Server

# Each of them somewhere in a request that carries everything.
SECRETS = (
    "default-key-1",
    "default-cookie-1",
    "default-query-1",
    "user-token-1",
    "own-key-1",
    "own-cookie-1",
    "own-pass-1",
)


class Provider(TokenProviderInterface):
    service_name = "example"

    def fetch_token(self) -> TokenData:
        return TokenData("user-token-1")

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


class QueryKey(ApiKeyAuthHook):
    """A key in the query, and one in a header whose name says nothing."""

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        params = {**dict(request.params or {}), "k": self._key}
        return dataclasses.replace(request, params=params, headers={**(request.headers or {}), "X-Plain": self._key})


class CookieAndBasic(ApiKeyAuthHook):
    """A cookie, and a user with a password."""

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return dataclasses.replace(request, cookies={"own": self._key}, auth=("ada", self._key))


def everything(server: Server, **settings: Any) -> HttpClient:
    """A client with a secret in each place that a config has."""
    return HttpClient(
        HttpClientConfig(
            base_url=server.url,
            default_headers={"X-Api-Key": "default-key-1", "X-Plain": "default-key-1"},
            cookies={"sid": "default-cookie-1"},
            default_params={"plain": "default-query-1"},
            auth_hook=settings.pop("auth_hook", None) or TokenAuthHook(TokenManager(Provider())),
            request_hooks=(AuthorizationHook(lambda: "hook-token-1"),),
            **settings,
        )
    )


OWN: dict[str, Any] = {"headers": {"X-Own-Token": "own-key-1"}, "cookies": {"own": "own-cookie-1"}}


def text_of(seen: Seen) -> str:
    return f"{seen.target}\n{seen.headers}\n{seen.body!r}"


def secrets_in(seen: Seen) -> set[str]:
    return {secret for secret in (*SECRETS, "hook-token-1") if secret in text_of(seen)}


class TestRedirects:
    def test_one_to_another_origin_is_followed_without_any_credential(
        self, server: Server, other_server: Server
    ) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply(200, "ok"))}))
        heard: list[Any] = []
        client = everything(server)
        client._listener = heard.append
        assert client.get("/x", **OWN).text == "ok"
        assert secrets_in(server.seen[0]) >= {"default-key-1", "default-cookie-1", "default-query-1", "user-token-1"}
        assert secrets_in(other_server.seen[0]) == set()
        assert [event.stripped for event in heard if isinstance(event, Redirecting)] == [True]

    @pytest.mark.parametrize(
        "hook",
        [
            ApiKeyAuthHook("own-key-1", "X-Whatever"),
            BasicAuthHook("ada", "own-pass-1"),
            QueryKey("own-key-1"),
            CookieAndBasic("own-key-1"),
        ],
        ids=lambda hook: type(hook).__name__,
    )
    def test_whatever_a_hook_added_is_stripped(self, server: Server, other_server: Server, hook: Any) -> None:
        def echo(seen: Seen) -> Reply:
            # A server that sends the whole query along.
            return Reply(302, headers={"Location": f"{other_server.url}/y?{seen.target.partition('?')[2]}&page=2"})

        server.reply("/x", echo)
        other_server.reply("/y", Reply())
        everything(server, auth_hook=hook).get("/x")
        [seen] = other_server.seen
        assert secrets_in(seen) == set()
        assert seen.query == [("page", "2")]
        assert seen.headers["Authorization"] is None

    def test_basic_of_a_request_and_of_a_url_stay_at_home(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply())}))
        with HttpClient(HttpClientConfig(base_url=server.url)) as client:
            client.get("/x", auth=("ada", "own-pass-1"))
            client.get(f"http://ada:own-pass-1@{server.host}/x")
        assert all(seen.headers["Authorization"] for seen in server.seen)
        assert [seen.headers["Authorization"] for seen in other_server.seen] == [None, None]

    def test_it_is_the_same_without_a_base_url(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply())}))
        config = HttpClientConfig(default_headers={"X-Plain": "default-key-1"}, auth_hook=ApiKeyAuthHook("own-key-1"))
        with HttpClient(config) as client:
            client.get(f"{server.url}/x")
        assert secrets_in(server.seen[0]) == {"default-key-1", "own-key-1"}
        assert secrets_in(other_server.seen[0]) == set()

    def test_what_is_no_credential_travels_on(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply())}))
        everything(server).get("/x", headers={"X-Trace": "1", "Accept": "text/plain"})
        assert (other_server.seen[0].headers["X-Trace"], other_server.seen[0].headers["Accept"]) == ("1", "text/plain")

    def test_one_back_home_has_none_either(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.url + "/y"}))
        other_server.reply("/y", Reply(302, headers={"Location": server.url + "/z"}))
        server.reply("/z", Reply(401))
        assert everything(server).get("/x").status_code == 401
        [seen] = server.seen_at("/z")
        assert "user-token-1" not in text_of(seen)

    @pytest.mark.parametrize("status", [307, 308])
    def test_one_that_would_carry_a_body_elsewhere_is_refused(
        self, server: Server, other_server: Server, status: int
    ) -> None:
        server.reply("/x", Reply(status, headers={"Location": f"{other_server.url}/y"}))
        with pytest.raises(MaxRetryException) as caught:
            everything(server).post("/x", {"password": "own-pass-1"})
        assert isinstance(caught.value.original_exception, RedirectException)
        assert caught.value.hint is not None
        assert "origins" in caught.value.hint
        assert other_server.seen == []

    def test_further_origins_may_be_named(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(307, headers={"Location": other_server.reply("/y", Reply())}))
        client = everything(server, origins=(other_server.url,))
        client.post("/x", {"a": 1})
        client.get(f"{other_server.url}/y")
        redirected, direct = other_server.seen
        assert redirected.json() == {"a": 1}
        assert {"default-key-1", "user-token-1", "default-cookie-1"} <= secrets_in(redirected)
        assert {"default-key-1", "user-token-1", "default-cookie-1", "default-query-1"} <= secrets_in(direct)

    def test_another_name_of_the_same_machine_is_another_origin(self, server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": f"http://localhost:{server.port}/y"}))
        server.reply("/y", Reply())
        everything(server).get("/x")
        assert secrets_in(server.seen_at("/y")[0]) == set()


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def bundle(self, authority: trustme.CA, tmp_path: Path) -> str:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return str(path)

    @pytest.fixture
    def client_cert(self, authority: trustme.CA, tmp_path: Path) -> tuple[str, str | None, str | None]:
        path = tmp_path / "client.pem"
        authority.issue_cert("ada@example.com").private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path), None, None

    @pytest.fixture
    def secure(self, authority: trustme.CA) -> Iterator[Server]:
        with self.tls_server(authority, required=False) as server:
            yield server

    def tls_server(self, authority: trustme.CA, *, required: bool) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
        return Server(tls=context)

    def test_a_step_down_to_http_is_refused(self, secure: Server, server: Server, bundle: str) -> None:
        secure.reply("/x", Reply(302, headers={"Location": f"{server.url}/y"}))
        with pytest.raises(MaxRetryException, match="it would leave TLS") as caught:
            HttpClient(HttpClientConfig(secure.url, verify_ssl=bundle)).get("/x")
        assert isinstance(caught.value.original_exception, RedirectException)
        assert server.seen == []

    def test_a_step_up_to_https_is_another_origin(self, secure: Server, server: Server, bundle: str) -> None:
        secure.reply("/y", Reply(200, "ok"))
        server.reply("/x", Reply(301, headers={"Location": f"{secure.url}/y"}))
        assert everything(server, verify_ssl=bundle).get("/x").text == "ok"
        assert secrets_in(secure.seen[0]) == set()

    def test_a_client_certificate_is_shown_at_home_only(
        self, authority: trustme.CA, bundle: str, client_cert: tuple[str, str | None, str | None]
    ) -> None:
        with self.tls_server(authority, required=True) as home, self.tls_server(authority, required=True) as other:
            home.reply("/x", Reply(302, headers={"Location": other.reply("/y", Reply(200, "elsewhere"))}))
            home.reply("/ok", Reply(200, "ok"))
            config = HttpClientConfig(home.url, verify_ssl=bundle, client_cert=client_cert)
            with HttpClient(config) as client:
                assert client.get("/ok").text == "ok"
                for url in ("/x", f"{other.url}/y"):
                    with pytest.raises(MaxRetryException):
                        client.get(url)
            assert other.seen == []
            with HttpClient(dataclasses.replace(config, origins=(other.url,))) as client:
                assert client.get("/x").text == "elsewhere"
