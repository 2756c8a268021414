"""A credential on its way: added last, renewed once when it is refused, never where it does not belong."""

from __future__ import annotations

import dataclasses
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli import (
    ApiKeyAuthHook,
    AuthenticationException,
    AuthHookInterface,
    AuthorizationHook,
    AuthRetryStrategyInterface,
    ConnectionException,
    ExponentialBackoffRetryStrategy,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    HttpResponse,
    MaxRetryException,
    PreparedRequest,
    RequestContext,
    SimpleAuthRetryStrategy,
    SimpleRetryStrategy,
    TokenAuthHook,
    TokenData,
    TokenManager,
)
from forge_cli.errors import MissingSecret
from forge_cli.interfaces import TokenProviderInterface
from tests.clock import Clock
from tests.server import Reply, Seen, Server


class Provider(TokenProviderInterface):
    """Numbers its tokens; fails when it is told to."""

    def __init__(self) -> None:
        self.made = 0
        self.failure: Exception | None = None

    @property
    def service_name(self) -> str:
        return "example"

    def fetch_token(self) -> TokenData:
        if self.failure is not None:
            raise self.failure
        self.made += 1
        return TokenData(f"user-token-{self.made}")

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self.fetch_token()


@pytest.fixture
def provider() -> Provider:
    return Provider()


def protected(good: str) -> Any:
    """A route that accepts one token only."""

    def answer(seen: Seen) -> Reply:
        return Reply(200, "ok") if seen.headers["Authorization"] == f"Bearer {good}" else Reply(401, "no")

    return answer


def made(
    server: Server, provider: Provider, *, clock: Clock | None = None, hook: Any = None, **settings: Any
) -> HttpClient:
    auth = hook if hook is not None else TokenAuthHook(TokenManager(provider))
    clock = clock or Clock()
    config = HttpClientConfig(base_url=server.url, auth_hook=auth, **settings)
    return HttpClient(config, sleep=clock.sleep, clock=clock)


def tokens_at(server: Server, path: str = "/x") -> list[str | None]:
    return [seen.headers["Authorization"] for seen in server.seen_at(path)]


class TestOrder:
    def test_it_runs_last_and_overrides_defaults_and_hooks(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply())
        hook = AuthorizationHook(lambda: "hook-token-1")
        client = made(server, provider, request_hooks=(hook,), default_headers={"authorization": "default"})
        client.get("/x", headers={"AUTHORIZATION": "mine"})
        assert server.seen[0].headers.get_all("Authorization") == ["Bearer user-token-1"]

    def test_it_runs_on_each_attempt(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(503), Reply(200))
        manager = TokenManager(provider)
        strategy = SimpleRetryStrategy(retryable_status_codes={503})
        client = made(server, provider, hook=TokenAuthHook(manager), retry_strategy=strategy)
        client._sleep = lambda seconds: manager.invalidate_token()
        client.get("/x")
        assert tokens_at(server) == ["Bearer user-token-1", "Bearer user-token-2"]

    def test_finish_sees_the_encoded_request_of_each_attempt(self, server: Server) -> None:
        server.reply("/x", Reply(503), Reply(200))

        class Signer(ApiKeyAuthHook):
            def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
                text = f"{prepared.method} {prepared.url} {len(prepared.body)} {context.attempt}"
                return dataclasses.replace(prepared, headers=prepared.headers.with_field("X-Signature", text))

        strategy = SimpleRetryStrategy(retryable_status_codes={503})
        client = made(server, Provider(), hook=Signer("key-1"), retry_strategy=strategy)
        client.put("/x", {"a": 1}, params={"b": 2})
        assert [seen.headers["X-Signature"] for seen in server.seen] == [
            f"PUT {server.url}/x?b=2 8 {attempt}" for attempt in (0, 1)
        ]
        assert "x-signature" in client.prepare(HttpRequest("PUT", "/x", json_data={})).credentials


class TestRecovery:
    def test_a_refused_token_is_renewed_and_the_request_sent_once_more(
        self, server: Server, provider: Provider
    ) -> None:
        server.reply("/x", protected("user-token-2"))
        client = made(server, provider)
        assert client.get("/x").text == "ok"
        assert tokens_at(server) == ["Bearer user-token-1", "Bearer user-token-2"]
        assert provider.made == 2
        client.get("/x")
        assert provider.made == 2

    def test_it_happens_once(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(401, "no"))
        assert made(server, provider).get("/x").status_code == 401
        assert (len(server.seen), provider.made) == (2, 2)

    def test_a_post_is_sent_again_too_for_it_was_refused(self, server: Server, provider: Provider) -> None:
        server.reply("/x", protected("user-token-2"))
        assert made(server, provider).post("/x", {"a": 1}).status_code == 200
        assert [seen.json() for seen in server.seen] == [{"a": 1}, {"a": 1}]

    def test_an_upload_is_rewound(self, server: Server, provider: Provider) -> None:
        server.reply("/x", protected("user-token-2"))
        assert made(server, provider).put("/x", data=io.BytesIO(b"content")).status_code == 200
        assert [seen.body for seen in server.seen] == [b"content", b"content"]

    def test_a_body_that_cannot_be_sent_again_is_not(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(401))
        assert made(server, provider).post("/x", content=iter([b"once"])).status_code == 401
        assert (len(server.seen), provider.made) == (1, 1)

    def test_it_does_not_use_up_attempts(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(503), Reply(401), Reply(503), Reply(200))
        clock = Clock()
        hook = Mock()
        hook.before_request.side_effect = lambda request, context: request
        strategy = ExponentialBackoffRetryStrategy(2, jitter=False)
        client = made(server, provider, clock=clock, retry_strategy=strategy, request_hooks=(hook,))
        assert client.get("/x").status_code == 200
        assert clock.slept == [1, 2]
        contexts = [call[0][1] for call in hook.before_request.call_args_list]
        assert len(contexts) == 4
        assert (contexts[0].attempt, contexts[0].metadata["auth_retry"]) == (2, 1)

    def test_hooks_run_again_but_response_hooks_do_not_see_the_refusal(
        self, server: Server, provider: Provider
    ) -> None:
        server.reply("/x", protected("user-token-2"))
        hook = Mock()
        hook.after_response.side_effect = lambda response, context: response
        made(server, provider, response_hooks=(hook,), error_hooks=(hook,)).get("/x")
        assert [call[0][0].status_code for call in hook.after_response.call_args_list] == [200]
        hook.on_error.assert_not_called()

    def test_a_renewal_that_fails_leaves_the_401(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(401, "no"))
        client = made(server, provider)
        client.auth_hook.get_token()  # type: ignore[union-attr]
        provider.failure = AuthenticationException("the token endpoint is down")
        assert client.get("/x").text == "no"
        assert len(server.seen) == 1

    def test_the_strategy_says_how_often_and_after_how_long(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(403), Reply(403), Reply(200))
        clock = Clock()
        hook = TokenAuthHook(TokenManager(provider), SimpleAuthRetryStrategy(2, 1.5, {403}))
        assert made(server, provider, hook=hook, clock=clock).get("/x").status_code == 200
        assert clock.slept == [1.5, 1.5]

    def test_its_wait_keeps_to_the_deadline(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(401))
        clock = Clock()
        hook = TokenAuthHook(TokenManager(provider), SimpleAuthRetryStrategy(1, 30))
        assert made(server, provider, hook=hook, clock=clock, max_elapsed=20).get("/x").status_code == 401
        assert (clock.slept, provider.made) == ([], 1)

    def test_an_answer_that_is_no_refusal_is_not_waited_for(self, server: Server, provider: Provider) -> None:
        server.reply("/x", Reply(200))
        clock = Clock()

        class Always(SimpleAuthRetryStrategy):
            def should_retry(self, response: HttpResponse, attempt: int) -> bool:
                return attempt < 1

        hook = TokenAuthHook(TokenManager(provider), Always(delay=5))
        made(server, provider, hook=hook, clock=clock).get("/x")
        assert (clock.slept, len(server.seen)) == ([], 1)

    @pytest.mark.parametrize("path", ["/x", "/x?a=1"])
    def test_an_excluded_path_is_neither_authenticated_nor_repeated(
        self, server: Server, provider: Provider, path: str
    ) -> None:
        server.reply("/x", Reply(401))
        hook = TokenAuthHook(TokenManager(provider), excluded_paths={"/x"})
        assert made(server, provider, hook=hook).get(path).status_code == 401
        assert (tokens_at(server), provider.made) == ([None], 0)

    def test_a_foreign_url_is_neither_authenticated_nor_repeated(
        self, server: Server, other_server: Server, provider: Provider
    ) -> None:
        url = other_server.reply("/x", Reply(401))
        assert made(server, provider).get(url).status_code == 401
        assert (tokens_at(other_server), provider.made) == ([None], 0)

    def test_a_401_after_a_redirect_elsewhere_renews_nothing(
        self, server: Server, other_server: Server, provider: Provider
    ) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply(401))}))
        assert made(server, provider).get("/x").status_code == 401
        assert (tokens_at(other_server, "/y"), provider.made) == ([None], 1)

    def test_a_401_after_a_redirect_at_home_starts_again_from_the_beginning(
        self, server: Server, provider: Provider
    ) -> None:
        server.reply("/x", Reply(302, headers={"Location": "/y"}))
        server.reply("/y", protected("user-token-2"))
        assert made(server, provider).get("/x").status_code == 200
        assert [seen.path for seen in server.seen] == ["/x", "/y", "/x", "/y"]

    def test_a_storm_of_refusals_renews_once(self, server: Server, provider: Provider) -> None:
        threads = 12
        barrier = threading.Barrier(threads)

        def answer(seen: Seen) -> Reply:
            if seen.headers["Authorization"] == "Bearer user-token-1":
                barrier.wait(10)
                return Reply(401)
            return Reply(200)

        server.reply("/x", answer)
        client = made(server, provider)
        with ThreadPoolExecutor(threads) as pool:
            statuses = list(pool.map(lambda _: client.get("/x").status_code, range(threads)))
        assert statuses == [200] * threads
        assert provider.made == 2

    def test_a_stream_recovers_before_it_is_handed_out(self, server: Server, provider: Provider) -> None:
        server.reply("/x", protected("user-token-2"))
        with made(server, provider).stream("GET", "/x") as answer:
            assert (answer.status_code, answer.read()) == (200, b"ok")


class TestFailures:
    @pytest.mark.parametrize(
        ("failure", "message"),
        [
            (AuthenticationException("Failed to fetch token for example"), "Failed to fetch token for example"),
            (ConnectionException("Connection failed"), "Authentication hook failed: Connection failed"),
            (ValueError("token=user-token-9"), "Authentication hook failed: ValueError: token=***"),
        ],
        ids=["authentication", "connection", "foreign"],
    )
    def test_one_of_the_hook_is_an_authentication_failure(
        self, server: Server, provider: Provider, failure: Exception, message: str
    ) -> None:
        provider.failure = failure
        strategy = SimpleRetryStrategy(5, 0)
        with pytest.raises(MaxRetryException) as caught:
            made(server, provider, retry_strategy=strategy).get("/x")
        original = caught.value.original_exception
        assert isinstance(original, AuthenticationException)
        assert original.message == message
        assert original.context["request"] == HttpRequest("GET", "/x")
        assert (caught.value.attempts, server.seen) == (1, [])

    def test_a_missing_secret_is_no_answer_of_the_network(self, server: Server, provider: Provider) -> None:
        provider.failure = MissingSecret("the variable API_TOKEN is not set")
        with pytest.raises(MissingSecret):
            made(server, provider).get("/x")

    def test_a_hook_that_returns_nothing_is_named(self, server: Server, provider: Provider) -> None:
        class Forgetful(ApiKeyAuthHook):
            def before_request(self, request: HttpRequest, context: RequestContext) -> Any:
                return None

        with pytest.raises(MaxRetryException, match="hook Forgetful returned nothing"):
            made(server, provider, hook=Forgetful("key-1")).get("/x")

    def test_one_of_the_signature_is_an_authentication_failure(self, server: Server, provider: Provider) -> None:
        class Broken(ApiKeyAuthHook):
            def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
                raise ValueError("no key")

        with pytest.raises(MaxRetryException, match="Authentication hook failed: ValueError: no key"):
            made(server, provider, hook=Broken("key-1")).get("/x")


class TestDuckTyping:
    def test_any_object_with_the_members_will_do(self, server: Server) -> None:
        server.reply("/x", Reply(401), Reply(200))
        hook = Mock(spec=AuthHookInterface)
        hook.should_authenticate.return_value = True
        hook.before_request.side_effect = lambda request, context: request.with_headers({"X-Auth": "yes"})
        hook.is_auth_error.side_effect = lambda response: response.status_code == 401
        hook.retry_strategy.should_retry.return_value = True
        hook.retry_strategy.get_delay.return_value = 0
        hook.refresh_auth.return_value = True
        assert made(server, Provider(), hook=hook).get("/x").status_code == 200
        assert [seen.headers["X-Auth"] for seen in server.seen] == ["yes", "yes"]
        hook.refresh_auth.assert_called_once_with()
        hook.finish.assert_not_called()
        hook.recover.assert_not_called()

    def test_one_that_is_never_refused_needs_no_strategy(self, server: Server) -> None:
        server.reply("/x", Reply(401))
        hook = Mock()
        hook.before_request.side_effect = lambda request, context: request
        hook.is_auth_error.return_value = False
        assert made(server, Provider(), hook=hook).get("/x").status_code == 401
        hook.retry_strategy.should_retry.assert_not_called()

    def test_one_that_does_not_want_a_request_is_not_asked_again(self, server: Server) -> None:
        server.reply("/x", Reply(401))
        hook = Mock()
        hook.should_authenticate.return_value = False
        assert made(server, Provider(), hook=hook).get("/x").status_code == 401
        hook.before_request.assert_not_called()
        hook.is_auth_error.assert_not_called()

    def test_a_manager_may_be_a_double(self, server: Server) -> None:
        server.reply("/x", protected("user-token-2"))
        manager = Mock()
        manager.get_token.side_effect = [TokenData("user-token-1"), TokenData("user-token-2")]
        assert made(server, Provider(), hook=TokenAuthHook(manager)).get("/x").status_code == 200
        manager.force_refresh.assert_called_once_with()

    def test_recover_of_ones_own_sees_every_answer(self, server: Server, provider: Provider) -> None:
        server.reply("/a", Reply(302, headers={"Location": "/b"}))
        server.reply("/b", Reply(200, {"error": "expired"}), Reply(200, {"name": "Ada"}))
        seen: list[tuple[int, bytes]] = []

        class Looking(ApiKeyAuthHook):
            reads_body = True

            @property
            def retry_strategy(self) -> AuthRetryStrategyInterface:
                strategy = Mock()
                strategy.should_retry.side_effect = lambda response, attempt: attempt < 1
                return strategy

            def recover(self, response: HttpResponse, context: RequestContext) -> bool:
                seen.append((response.status_code, response.content))
                return b"expired" in response.content

        answer = made(server, provider, hook=Looking("key-1")).get("/a")
        assert answer.json() == {"name": "Ada"}
        assert seen == [(302, b""), (200, b'{"error": "expired"}')]
        assert len(server.seen) == 4


def test_one_request_renews_once_however_often_it_is_retried(server: Server) -> None:
    url = server.reply("/x", Reply(401), Reply(503), Reply(401), Reply(200))
    renewed: list[int] = []

    class Provider:
        service_name = "api"

        def fetch_token(self) -> TokenData:
            renewed.append(1)
            return TokenData(f"user-token-{len(renewed)}")

        def refresh_token(self, current_token: TokenData) -> TokenData:
            return self.fetch_token()

    config = HttpClientConfig(
        auth_hook=TokenAuthHook(TokenManager(Provider())),  # type: ignore[arg-type]  # duck-typed, as callers do
        retry_strategy=ExponentialBackoffRetryStrategy(base_delay=0),
    )
    with HttpClient(config) as client:
        assert client.get(url).status_code == 401
    assert len(renewed) == 2  # the first token, and one renewal
