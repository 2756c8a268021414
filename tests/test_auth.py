"""What adds a credential to a request, and renews it when it is refused."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli import (
    ApiKeyAuthHook,
    AuthenticationException,
    BasicAuthHook,
    CompositeAuthHook,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    HttpResponse,
    NoAuthRetryStrategy,
    PreparedRequest,
    RequestContext,
    SimpleAuthRetryStrategy,
    TokenAuthHook,
    TokenData,
    TokenManager,
)
from forge_cli.auth import basic
from forge_cli.interfaces import TokenProviderInterface
from forge_cli.models import Headers
from tests.server import Reply, Server

REQUEST = HttpRequest("GET", "/users")


class Provider(TokenProviderInterface):
    """Numbers its tokens."""

    def __init__(self, kind: str = "Bearer") -> None:
        self.made = 0
        self._kind = kind

    @property
    def service_name(self) -> str:
        return "example"

    def fetch_token(self) -> TokenData:
        self.made += 1
        return TokenData(f"user-token-{self.made}", self._kind)

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


def context() -> RequestContext:
    return RequestContext(REQUEST)


def answer(status: int) -> HttpResponse:
    return HttpResponse(status, Headers(), b"", 0.0, "u", REQUEST)


def added(hook: Any, request: HttpRequest = REQUEST) -> dict[str, str]:
    return dict(hook.before_request(request, context()).headers or {})


class TestTokenAuthHook:
    @pytest.mark.parametrize(
        ("kind", "settings", "header"),
        [
            pytest.param("Bearer", {}, {"Authorization": "Bearer user-token-1"}, id="default"),
            pytest.param("bearer", {}, {"Authorization": "Bearer user-token-1"}, id="bearer in small letters"),
            pytest.param("MAC", {}, {"Authorization": "MAC user-token-1"}, id="the token's own type"),
            pytest.param("MAC", {"auth_header_prefix": "JWT"}, {"Authorization": "JWT user-token-1"}, id="prefix"),
            pytest.param("Bearer", {"auth_header_prefix": ""}, {"Authorization": "user-token-1"}, id="no prefix"),
            pytest.param("Bearer", {"auth_header_name": "X-Auth"}, {"X-Auth": "Bearer user-token-1"}, id="name"),
        ],
    )
    def test_adds_the_managers_token(self, kind: str, settings: dict[str, str], header: dict[str, str]) -> None:
        assert added(TokenAuthHook(TokenManager(Provider(kind)), **settings)) == header  # type: ignore[arg-type]

    def test_replaces_a_header_that_is_there(self) -> None:
        request = REQUEST.with_headers({"Authorization": "Basic x", "A": "b"})
        hook = TokenAuthHook(TokenManager(Provider()))
        assert added(hook, request) == {"Authorization": "Bearer user-token-1", "A": "b"}

    @pytest.mark.parametrize(
        ("url", "authenticated"),
        [
            ("/login", False),
            ("/login?next=/", False),
            ("https://api.example.com/login", False),
            ("https://api.example.com/login?x=1#top", False),
            ("/login/again", True),
            ("/public/a", False),
            ("/public/a/b", False),
            ("/publicly", True),
            ("/users", True),
        ],
    )
    def test_leaves_excluded_paths_alone(self, url: str, authenticated: bool) -> None:
        manager = TokenManager(Provider())
        hook = TokenAuthHook(manager, excluded_paths={"/login"}, excluded_path_patterns=["/public/*"])
        assert hook.should_authenticate(HttpRequest("GET", url)) is authenticated

    def test_renews_once_by_default(self) -> None:
        hook = TokenAuthHook(Mock())
        assert isinstance(hook.retry_strategy, SimpleAuthRetryStrategy)
        assert hook.retry_strategy.max_retries == 1
        assert hook.is_auth_error(answer(401))
        assert not hook.is_auth_error(answer(403))
        own = SimpleAuthRetryStrategy(3, auth_error_codes={403})
        assert TokenAuthHook(Mock(), own).retry_strategy is own
        assert TokenAuthHook(Mock(), own).is_auth_error(answer(403))

    def test_asks_its_manager(self) -> None:
        manager = Mock()
        manager.get_token.return_value = TokenData("user-token-1")
        hook = TokenAuthHook(manager)
        assert hook.token_manager is manager
        assert hook.get_token() == TokenData("user-token-1")
        assert hook.refresh_auth() is True
        hook.invalidate_auth()
        manager.force_refresh.assert_called_once_with()
        manager.invalidate_token.assert_called_once_with()

    def test_a_renewal_that_fails_is_false(self) -> None:
        manager = Mock()
        manager.force_refresh.side_effect = AuthenticationException("no")
        assert TokenAuthHook(manager).refresh_auth() is False

    def test_a_manager_of_the_callers_own_is_told_to_renew(self) -> None:
        manager = Mock()
        manager.get_token.return_value = TokenData("user-token-1")
        hook, about = TokenAuthHook(manager), context()
        hook.before_request(REQUEST, about)
        assert hook.recover(answer(401), about) is True
        manager.force_refresh.assert_called_once_with()
        manager.replace.assert_not_called()

    def test_recovers_only_from_a_refusal(self) -> None:
        provider = Provider()
        hook, about = TokenAuthHook(TokenManager(provider)), context()
        hook.before_request(REQUEST, about)
        assert not hook.recover(answer(200), about)
        assert provider.made == 1

    def test_a_token_that_somebody_else_renewed_meanwhile_is_taken(self) -> None:
        provider = Provider()
        hook = TokenAuthHook(TokenManager(provider))
        mine, theirs = context(), context()
        hook.before_request(REQUEST, mine)
        hook.before_request(REQUEST, theirs)
        assert hook.recover(answer(401), theirs)
        assert hook.recover(answer(401), mine)
        assert provider.made == 2
        assert added(hook) == {"Authorization": "Bearer user-token-2"}


class TestApiKeyAuthHook:
    def test_adds_its_key(self) -> None:
        assert added(ApiKeyAuthHook("key-1")) == {"X-API-Key": "key-1"}
        assert added(ApiKeyAuthHook("key-1", "X-Other")) == {"X-Other": "key-1"}

    def test_cannot_be_renewed(self) -> None:
        hook = ApiKeyAuthHook("key-1", excluded_paths={"/login"})
        assert isinstance(hook.retry_strategy, NoAuthRetryStrategy)
        assert hook.is_auth_error(answer(401))
        assert hook.refresh_auth() is False
        hook.invalidate_auth()
        assert hook.get_token() == TokenData("key-1", "ApiKey")
        assert not hook.should_authenticate(HttpRequest("GET", "/login"))


class TestBasicAuthHook:
    def test_adds_user_and_password_in_utf_8(self) -> None:
        header = added(BasicAuthHook("zoë", "pass:wörd"))["Authorization"]
        assert b64decode(header.removeprefix("Basic ")).decode() == "zoë:pass:wörd"

    def test_cannot_be_renewed(self) -> None:
        hook = BasicAuthHook("ada", "password-1", excluded_paths={"/login"})
        assert hook.refresh_auth() is False
        assert hook.get_token() == TokenData(basic("ada", "password-1").removeprefix("Basic "), "Basic")
        assert not hook.should_authenticate(HttpRequest("GET", "/login"))


class TestCompositeAuthHook:
    def both(self, strategy: Any = "first_match", **settings: Any) -> CompositeAuthHook:
        first = BasicAuthHook("ada", "password-1", excluded_paths={"/login"})
        return CompositeAuthHook([first, ApiKeyAuthHook("key-1")], strategy, **settings)

    def test_the_first_that_authenticates_a_request_does(self) -> None:
        hook = self.both()
        assert set(added(hook)) == {"Authorization"}
        assert hook.before_request(HttpRequest("GET", "/login"), context()).headers == {"X-API-Key": "key-1"}

    def test_or_all_that_do(self) -> None:
        hook = self.both("all")
        assert set(added(hook)) == {"Authorization", "X-API-Key"}
        assert hook.before_request(HttpRequest("GET", "/login"), context()).headers == {"X-API-Key": "key-1"}

    def test_any_other_strategy_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="'best'"):
            self.both("best")

    def test_the_retry_strategy_is_the_first_hooks(self) -> None:
        own = SimpleAuthRetryStrategy(7)
        assert isinstance(self.both().retry_strategy, NoAuthRetryStrategy)
        assert self.both(retry_strategy=own).retry_strategy is own
        assert isinstance(CompositeAuthHook([]).retry_strategy, SimpleAuthRetryStrategy)

    def test_of_several_that_can_renew_the_first_does(self) -> None:
        hooks = [Mock(**{"refresh_auth.return_value": renewed}) for renewed in (False, True, True)]
        assert CompositeAuthHook(hooks).refresh_auth()
        assert [hook.refresh_auth.call_count for hook in hooks] == [1, 1, 0]
        CompositeAuthHook(hooks).invalidate_auth()
        assert [hook.invalidate_auth.call_count for hook in hooks] == [1, 1, 1]
        assert CompositeAuthHook(hooks).get_token() is hooks[0].get_token.return_value

    def test_it_can_be_empty(self) -> None:
        hook = CompositeAuthHook([])
        assert not hook.should_authenticate(REQUEST)
        assert not hook.is_auth_error(answer(401))
        assert hook.get_token().access_token == ""

    def test_only_a_hook_that_authenticated_is_asked_about_the_answer(self) -> None:
        provider = Provider()
        tokens = TokenAuthHook(TokenManager(provider), excluded_paths={"/public"})
        hook = CompositeAuthHook([tokens, ApiKeyAuthHook("key-1")])
        public, private = context(), context()
        hook.before_request(HttpRequest("GET", "/public"), public)
        assert not hook.recover(answer(401), public)
        assert provider.made == 0
        hook.before_request(REQUEST, private)
        assert hook.recover(answer(401), private)
        assert provider.made == 2

    def test_finish_is_passed_on_to_those_that_have_it(self) -> None:
        class Signing(ApiKeyAuthHook):
            def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
                return replace(prepared, url=prepared.url + "signed")

        about = context()
        hook = CompositeAuthHook([Signing("key-1"), Signing("key-2"), ApiKeyAuthHook("key-3")], "all")
        hook.before_request(REQUEST, about)
        assert hook.finish(PreparedRequest("GET", "/"), about).url == "/signedsigned"

    def test_it_renews_in_a_client(self, server: Server) -> None:
        server.reply("/x", Reply(401), Reply(200))
        provider = Provider()
        hook = CompositeAuthHook([TokenAuthHook(TokenManager(provider))])
        with HttpClient(HttpClientConfig(base_url=server.url, auth_hook=hook)) as client:
            assert client.get("/x").status_code == 200
        assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer user-token-1", "Bearer user-token-2"]


def test_basic_is_that_of_the_rfc() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic("test", "123£") == "Basic dGVzdDoxMjPCow=="
