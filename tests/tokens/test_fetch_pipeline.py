from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from forge_cli.auth import TokenAuthHook
from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import AuthenticationException
from forge_cli.interfaces import TokenFetcherInterface, TokenStorageInterface
from forge_cli.models import TokenData
from forge_cli.tokens.fetch_pipeline import PipelineTokenProvider, TokenFetchPipeline
from forge_cli.tokens.fetchers import BodyTokenFetcher
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.storage.file import FileTokenStorage
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.server import Reply, Seen, Server
from tests.tokens.made import THREADS, Crowded, side_by_side

LONG_AGO = datetime.now() - timedelta(hours=1)
LATER = datetime.now() + timedelta(hours=1)


class Fetcher(TokenFetcherInterface):
    """A fetcher that counts, and notes what it was given."""

    def __init__(self, name: str, *needs: str, life: float | None = 3600, ttl: timedelta | None = None) -> None:
        self._name, self._needs, self._life, self._ttl = name, list(needs), life, ttl
        self.given: list[list[str] | None] = []
        self.failure: Exception | None = None
        self.told: list[tuple[Exception, Any]] = []
        self.token: str | None = None
        self.hold: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        return self._name

    @property
    def depends_on(self) -> list[str]:
        return self._needs

    @property
    def ttl(self) -> timedelta | None:
        return self._ttl

    @property
    def count(self) -> int:
        return len(self.given)

    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData:
        self.given.append(None if context is None else sorted(context))
        self.hold()
        if self.failure is not None:
            raise self.failure
        end = None if self._life is None else datetime.now() + timedelta(seconds=self._life)
        return TokenData(self.token or f"{self._name}-token-{self.count}", expires_at=end)

    def on_fetch_error(self, error: Exception, context: Any = None) -> None:
        self.told.append((error, context))


class Chain:
    """device -> app -> user, and a step beside them."""

    def __init__(self, storage: Any = None, prefix: str = "p") -> None:
        self.device, self.app, self.user = Fetcher("device"), Fetcher("app", "device"), Fetcher("user", "app")
        self.beside = Fetcher("beside", "device")
        self.storage = storage or InMemoryTokenStorage()
        self.pipeline = TokenFetchPipeline([self.beside, self.device, self.app, self.user], self.storage, prefix)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.device.count, self.app.count, self.user.count, self.beside.count


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_each_step_runs_once_and_the_last_one_s_token_is_returned(chain: Chain) -> None:
    assert chain.pipeline.execute().access_token == "user-token-1"
    assert chain.pipeline.execute().access_token == "user-token-1"
    assert chain.counts == (1, 1, 1, 1)


def test_a_step_receives_only_what_it_depends_on(chain: Chain) -> None:
    chain.pipeline.execute()
    assert [f.given for f in (chain.device, chain.app, chain.user)] == [[None], [["device"]], [["app"]]]


def test_each_token_has_a_key_of_its_own(chain: Chain) -> None:
    chain.pipeline.execute()
    assert sorted(chain.storage.keys()) == ["p:app", "p:beside", "p:device", "p:user"]
    bare = Chain(prefix="")
    bare.pipeline.execute()
    assert sorted(bare.storage.keys()) == ["app", "beside", "device", "user"]


def test_the_order_comes_from_the_dependencies(chain: Chain) -> None:
    assert chain.pipeline.step_names == ["device", "beside", "app", "user"]
    assert chain.pipeline.get_step("app") is chain.app
    assert chain.pipeline.get_step("nobody") is None


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Fetcher("a", "b"), Fetcher("b", "a")], "circle"),
        ([Fetcher("a"), Fetcher("a")], "two steps are called 'a'"),
        ([Fetcher("a", "nobody")], "not available"),
    ],
    ids=["circle", "twice", "unknown"],
)
def test_steps_that_cannot_be_ordered_are_an_error(steps: list[Fetcher], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenFetchPipeline(steps, InMemoryTokenStorage())


def test_unchecked_dependencies_matter_only_when_the_step_runs() -> None:
    storage = InMemoryTokenStorage()
    step = Fetcher("user", "nobody")
    pipeline = TokenFetchPipeline([step], storage, validate_dependencies=False)
    storage.set("user", TokenData("callers-token"))
    assert pipeline.execute().access_token == "callers-token"
    storage.clear()
    with pytest.raises(AuthenticationException, match="Dependency 'nobody' not available for step 'user'") as caught:
        pipeline.execute()
    assert (caught.value.service_name, step.count) == ("user", 0)


def test_without_steps_there_is_no_token() -> None:
    pipeline = TokenFetchPipeline([], InMemoryTokenStorage())
    for attempt in (pipeline.execute, pipeline.renew):
        with pytest.raises(AuthenticationException, match="No tokens fetched from pipeline") as caught:
            attempt()
        assert caught.value.service_name == "pipeline"


def test_only_what_is_needed_runs(chain: Chain) -> None:
    chain.pipeline.execute()
    chain.storage.set("p:user", TokenData("x", expires_at=LONG_AGO))
    chain.storage.set("p:device", TokenData("device-token-1", expires_at=LONG_AGO))
    chain.pipeline.execute()
    assert chain.counts == (1, 1, 2, 1)


def test_a_parent_that_has_ended_does_not_end_what_was_derived_from_it(chain: Chain) -> None:
    chain.device._life = -10
    chain.pipeline.execute()
    chain.pipeline.execute()
    assert chain.counts == (1, 1, 1, 1)


def test_a_renewed_step_drops_what_was_derived_from_it(chain: Chain) -> None:
    chain.pipeline.execute()
    chain.storage.delete("p:app")
    chain.storage.delete("p:user")
    chain.storage.set("p:user", TokenData("x", expires_at=LONG_AGO))
    chain.pipeline.execute()
    assert chain.counts == (1, 2, 2, 1)


def test_force_refresh_runs_every_step_and_deletes_nothing_first(chain: Chain) -> None:
    chain.pipeline.execute()
    chain.app.failure = OSError("unplugged")
    with pytest.raises(AuthenticationException):
        chain.pipeline.execute(force_refresh=True)
    assert chain.pipeline.execute().access_token == "user-token-1"
    chain.app.failure = None
    assert chain.pipeline.execute(force_refresh=True).access_token == "user-token-2"
    assert chain.counts == (3, 3, 2, 3)


def test_a_failure_names_the_step_and_tells_it(chain: Chain) -> None:
    failure = RuntimeError('{"client_secret": "leaked-secret-1"}')
    chain.app.failure = failure
    with pytest.raises(AuthenticationException) as caught:
        chain.pipeline.execute()
    assert caught.value.message == """Token fetch failed for step 'app': {"client_secret": "***"}"""
    assert "leaked-secret-1" not in caught.value.message
    assert (caught.value.service_name, caught.value.original_exception) == ("app", failure)
    [(error, context)] = chain.app.told
    assert (error, sorted(context)) == (failure, ["device"])


def test_a_ttl_is_in_the_returned_token_and_in_the_stored_one() -> None:
    storage = InMemoryTokenStorage()
    step = Fetcher("user", life=None, ttl=timedelta(hours=1))
    token = TokenFetchPipeline([step], storage).execute()
    assert token.expires_at is not None
    assert 3590 < (token.expires_at - datetime.now()).total_seconds() <= 3600
    assert storage.get("user") == token


def test_a_token_with_an_end_of_its_own_keeps_it() -> None:
    token = TokenFetchPipeline([Fetcher("user", life=60, ttl=timedelta(hours=1))], InMemoryTokenStorage()).execute()
    assert token.expires_at is not None
    assert (token.expires_at - datetime.now()).total_seconds() <= 60


def test_invalidation_cascades_and_leaves_the_others(chain: Chain) -> None:
    chain.pipeline.execute()
    chain.pipeline.invalidate_step("nobody")
    chain.pipeline.invalidate_step("app")
    assert sorted(chain.storage.keys()) == ["p:beside", "p:device"]
    chain.pipeline.execute()
    assert chain.counts == (1, 2, 2, 1)
    chain.pipeline.invalidate_all()
    assert chain.storage.keys() == []


def test_values_that_a_caller_stored_are_hits(chain: Chain) -> None:
    chain.storage.set("p:app", TokenData("callers-token", expires_at=LATER))
    assert chain.pipeline.execute().access_token == "user-token-1"
    assert chain.counts == (1, 0, 1, 1)  # the device is for the step beside


def test_a_token_that_was_made_for_another_user_is_not_used(server: Server) -> None:
    server.reply("/token", Reply(body={"access_token": "token-1"}), Reply(body={"access_token": "token-2"}))
    storage = InMemoryTokenStorage()

    def login(user: str) -> str:
        step = BodyTokenFetcher("login", server.url, "/token", request_data={"user": user})
        return TokenFetchPipeline([step], storage).execute().access_token

    assert [login("ada"), login("ada"), login("grace")] == ["token-1", "token-1", "token-2"]


def test_any_number_of_threads_run_each_step_once() -> None:
    storage = Crowded()
    chain = Chain(storage)
    for name in chain.pipeline.step_names:
        chain.pipeline.get_step(name).hold = partial(storage.await_crowd, f"p:{name}")
    assert {token.access_token for token in side_by_side(chain.pipeline.execute)} == {"user-token-1"}
    assert chain.counts == (1, 1, 1, 1)


def test_pipelines_over_one_file_run_each_step_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens" / "chain.toml"
    chains = [Chain(FileTokenStorage(path)) for _ in range(4)]
    order = iter(chains)
    side_by_side(lambda: next(order).pipeline.execute(), len(chains))
    assert [sum(column) for column in zip(*(chain.counts for chain in chains), strict=True)] == [1, 1, 1, 1]


def test_a_step_that_invalidates_while_it_fails_hangs_nobody(chain: Chain) -> None:
    class Cleaning(Fetcher):
        def on_fetch_error(self, error: Exception, context: Any = None) -> None:
            pipeline.invalidate_all()

    step = Cleaning("user", "device")
    step.failure = OSError("unplugged")
    pipeline = TokenFetchPipeline([chain.device, step], chain.storage)
    with pytest.raises(AuthenticationException):
        pipeline.execute()
    assert chain.storage.keys() == []


class TestProvider:
    def test_it_yields_the_pipeline_s_token(self, chain: Chain) -> None:
        provider = PipelineTokenProvider(chain.pipeline, "orders")
        assert (provider.service_name, provider.pipeline) == ("orders", chain.pipeline)
        assert provider.fetch_token().access_token == "user-token-1"
        assert provider.fetch_token().access_token == "user-token-1"

    @pytest.mark.parametrize(
        ("start", "expected"),
        [(None, (2, 2, 2, 2)), ("device", (2, 2, 2, 2)), ("app", (1, 2, 2, 1)), ("user", (1, 1, 2, 1))],
    )
    def test_a_renewal_begins_where_it_was_told_to(
        self, chain: Chain, start: str | None, expected: tuple[int, ...]
    ) -> None:
        provider = PipelineTokenProvider(chain.pipeline, "orders", start)
        assert provider.refresh_token(provider.fetch_token()).access_token == "user-token-2"
        assert chain.counts == expected

    def test_a_manager_can_force_a_renewal_that_its_own_storage_knows_nothing_of(self, chain: Chain) -> None:
        chain.pipeline.execute()
        manager = TokenManager(PipelineTokenProvider(chain.pipeline, "orders", "user"))
        assert manager.force_refresh().access_token == "user-token-2"
        assert manager.get_token().access_token == "user-token-2"
        assert chain.counts == (1, 1, 2, 1)

    def test_forcing_a_renewal_when_there_is_nothing_yet_logs_in_once(self, chain: Chain) -> None:
        assert TokenManager(PipelineTokenProvider(chain.pipeline, "orders")).force_refresh().access_token
        assert chain.counts == (1, 1, 1, 1)

    def test_a_manager_whose_token_has_ended_runs_only_what_is_needed(self, chain: Chain) -> None:
        chain.user._life = -1
        manager = TokenManager(PipelineTokenProvider(chain.pipeline, "orders"))
        manager.get_token()
        manager.get_token()
        assert chain.counts == (1, 1, 2, 1)

    def test_a_storm_of_401_costs_one_renewal(self, chain: Chain, server: Server) -> None:
        def api(seen: Seen) -> Reply:
            return Reply(200 if seen.headers["Authorization"] == "Bearer user-token-2" else 401)

        url = server.reply("/orders", api)
        manager = TokenManager(PipelineTokenProvider(chain.pipeline, "orders", "app"))
        with HttpClient(HttpClientConfig(auth_hook=TokenAuthHook(manager), pool_maxsize=THREADS)) as client:
            assert set(side_by_side(lambda: client.get(url).status_code)) == {200}
        assert chain.counts == (1, 2, 2, 1)

    def test_managers_that_share_a_pipeline_renew_once(self, chain: Chain) -> None:
        managers = [TokenManager(PipelineTokenProvider(chain.pipeline, "orders")) for _ in range(8)]
        used = {manager.get_token().access_token for manager in managers}
        order = iter(managers)
        old = chain.pipeline.execute()
        tokens = side_by_side(lambda: next(order).replace(old).access_token, len(managers))
        assert (used, set(tokens)) == ({"user-token-1"}, {"user-token-2"})
        assert chain.counts == (2, 2, 2, 2)

    def test_closing_closes_the_steps(self) -> None:
        closing = Mock(depends_on=[], ttl=None)
        closing.name = "a"
        PipelineTokenProvider(TokenFetchPipeline([closing, Fetcher("b")], InMemoryTokenStorage()), "orders").close()
        closing.close.assert_called_once_with()


class TestStandIns:
    """Programs test themselves with mocks, and write steps that are less than the interface."""

    def test_mocks_of_fetchers_and_storage(self) -> None:
        storage = Mock(spec=TokenStorageInterface)
        storage.get.return_value = None
        first, last = MagicMock(depends_on=[], ttl=None), Mock(depends_on=["first"], ttl=None)
        first.name, last.name = "first", "last"
        first.fetch.return_value, last.fetch.return_value = TokenData("token-1"), TokenData("token-2")
        assert TokenFetchPipeline([first, last], storage, "p").execute() == TokenData("token-2")
        first.fetch.assert_called_once_with(None)
        last.fetch.assert_called_once_with({"first": TokenData("token-1")})
        assert [call.args for call in storage.set.call_args_list] == [
            ("p:first", TokenData("token-1")),
            ("p:last", TokenData("token-2")),
        ]

    def test_a_mock_of_the_pipeline(self) -> None:
        pipeline = Mock()
        assert PipelineTokenProvider(pipeline, "orders").fetch_token() is pipeline.execute.return_value
        pipeline.execute.assert_called_once_with(force_refresh=False)

    @pytest.mark.parametrize(
        ("start", "calls"),
        [("app", ["invalidate_step('app')"]), (None, ["invalidate_all()"])],
        ids=["one step", "all"],
    )
    @pytest.mark.parametrize("way", ["refresh_token", "renew_token"])
    def test_a_pipeline_that_cannot_renew_is_invalidated_and_run(
        self, start: str | None, calls: list[str], way: str
    ) -> None:
        class Own:
            def __init__(self) -> None:
                self.log = list[str]()

            def execute(self, force_refresh: bool = False) -> TokenData:
                self.log.append(f"execute({force_refresh})")
                return TokenData("token-2")

            def invalidate_step(self, step_name: str) -> None:
                self.log.append(f"invalidate_step({step_name!r})")

            def invalidate_all(self) -> None:
                self.log.append("invalidate_all()")

        pipeline: Any = Own()
        provider = PipelineTokenProvider(pipeline, "orders", start)
        assert getattr(provider, way)(TokenData("token-1")) == TokenData("token-2")
        assert pipeline.log == [*calls, "execute(True)"]
        provider.close()

    @pytest.mark.parametrize("stand_in", [Mock(), Mock(spec=TokenFetchPipeline)], ids=["any", "of the class"])
    def test_a_manager_renews_through_a_mock_of_the_pipeline(self, stand_in: Any) -> None:
        stand_in.execute.return_value = TokenData("token-1")
        manager = TokenManager(PipelineTokenProvider(stand_in, "orders", "app"))
        used = manager.get_token()
        stand_in.execute.return_value = TokenData("token-2")
        assert manager.replace(used) == manager.get_token() == TokenData("token-2")
        stand_in.invalidate_step.assert_called_once_with("app")

    @pytest.mark.parametrize("found", [None, "token-1", Mock()], ids=["nothing", "text", "a mock of nothing"])
    def test_a_fetcher_that_returns_no_token_is_named(self, found: Any) -> None:
        fetcher = Mock(depends_on=[], ttl=None)
        fetcher.name, fetcher.fetch.return_value = "app", found
        pipeline = TokenFetchPipeline([fetcher], InMemoryTokenStorage())
        with pytest.raises(AuthenticationException, match="step 'app': no token was returned") as caught:
            pipeline.execute()
        assert caught.value.service_name == "app"

    def test_a_fetcher_s_token_of_a_class_of_its_own_gets_the_ttl(self) -> None:
        fetcher = Mock(depends_on=[], ttl=timedelta(hours=1))
        fetcher.name, fetcher.fetch.return_value = "app", Mock(access_token="token-1", expires_at=None)
        token = TokenFetchPipeline([fetcher], InMemoryTokenStorage()).execute()
        assert (token.access_token, token.expires_at is None) == ("token-1", False)

    def test_a_step_without_context_and_with_a_name_that_is_a_method(self) -> None:
        class Plain:
            depends_on: tuple[str, ...] = ()

            def name(self) -> str:
                return "plain"

            def fetch(self) -> TokenData:
                return TokenData("token-1")

        class Dependent(Plain):
            depends_on = ("plain",)

            def name(self) -> str:
                return "dependent"

        class Flexible(Plain):
            depends_on = ("dependent",)

            def name(self) -> str:
                return "flexible"

            def fetch(self, *contexts: Mapping[str, TokenData]) -> TokenData:
                return TokenData(contexts[0]["dependent"].access_token + "+")

        pipeline = TokenFetchPipeline([Plain(), Dependent(), Flexible()], InMemoryTokenStorage())
        assert pipeline.execute().access_token == "token-1+"
