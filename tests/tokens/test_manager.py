from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from forge_cli.auth import TokenAuthHook
from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import AuthenticationException
from forge_cli.interfaces import TokenProviderInterface, TokenStorageInterface
from forge_cli.models import TokenData
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.storage.file import FileTokenStorage
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.server import Reply, Seen, Server
from tests.tokens.made import THREADS, Crowded, side_by_side

KEY = "auth_token:orders"


class Provider(TokenProviderInterface):
    """A provider that counts."""

    def __init__(self, life: float = 3600, refresh: bool = False) -> None:
        self.fetched = self.refreshed = 0
        self.failures: list[Exception] = []
        self.fingerprint: str | None = None
        self.hold: Callable[[], None] = lambda: None
        self._life = life
        self._refresh = refresh

    @property
    def service_name(self) -> str:
        return "orders"

    def fetch_token(self) -> TokenData:
        self.fetched += 1
        return self._token()

    def refresh_token(self, current_token: TokenData) -> TokenData:
        self.refreshed += 1
        return self._token()

    def _token(self) -> TokenData:
        self.hold()
        if self.failures:
            raise self.failures.pop()
        number = self.fetched + self.refreshed
        end = datetime.now() + timedelta(seconds=self._life)
        return TokenData(f"token-{number}", "Bearer", end, f"refresh-{number}" if self._refresh else None)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def expired(refresh: str | None = None) -> TokenData:
    return TokenData("old-token", expires_at=datetime.now() - timedelta(hours=1), refresh_token=refresh)


def test_a_token_is_fetched_once_and_kept_under_the_service_s_name(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    manager = TokenManager(provider, storage)
    assert manager.get_token() == manager.get_token() == storage.get(KEY)
    assert (provider.fetched, storage.keys()) == (1, [KEY])


@pytest.mark.parametrize("life", [3600, 20, 2], ids=["an hour", "20 s", "2 s"])
def test_short_lives_are_usable(life: float) -> None:
    provider = Provider(life)
    manager = TokenManager(provider)
    manager.get_token()
    manager.get_token()
    assert provider.fetched == 1


def test_an_expired_token_is_refreshed_when_it_can_be(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    storage.set(KEY, expired("refresh-0"))
    assert TokenManager(provider, storage).get_token().access_token == "token-1"
    assert (provider.fetched, provider.refreshed) == (0, 1)


def test_an_expired_token_is_fetched_anew_when_it_cannot(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    storage.set(KEY, expired())
    TokenManager(provider, storage).get_token()
    assert (provider.fetched, provider.refreshed) == (1, 0)


def test_invalidation_deletes_the_token(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    manager = TokenManager(provider, storage)
    manager.get_token()
    manager.invalidate_token()
    assert not storage.exists(KEY)
    assert manager.get_token().access_token == "token-2"


@pytest.mark.parametrize(("refresh", "counts"), [(True, (1, 1)), (False, (2, 0))], ids=["refreshable", "not"])
def test_force_refresh_renews_a_token_that_is_still_good(refresh: bool, counts: tuple[int, int]) -> None:
    provider = Provider(refresh=refresh)
    manager = TokenManager(provider)
    manager.get_token()
    assert manager.force_refresh().access_token == "token-2"
    assert manager.get_token().access_token == "token-2"
    assert (provider.fetched, provider.refreshed) == counts


def test_force_refresh_without_a_token_fetches_one(provider: Provider) -> None:
    assert TokenManager(provider).force_refresh().access_token == "token-1"


def test_a_failed_renewal_keeps_the_old_token(provider: Provider) -> None:
    manager = TokenManager(provider)
    manager.get_token()
    provider.failures = [AuthenticationException("refused")]
    with pytest.raises(AuthenticationException, match="refused"):
        manager.force_refresh()
    assert manager.get_token().access_token == "token-1"


def test_the_provider_s_exception_passes_unchanged(provider: Provider) -> None:
    failure = KeyError("anything")
    provider.failures = [failure]
    with pytest.raises(KeyError) as caught:
        TokenManager(provider).get_token()
    assert caught.value is failure


def test_what_a_caller_stored_himself_is_a_hit(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    token = TokenData("callers-token", expires_at=datetime.now() + timedelta(hours=1))
    storage.set(KEY, token)
    provider.fingerprint = "ada"
    assert TokenManager(provider, storage).get_token() is token
    assert provider.fetched == 0


def test_a_token_of_another_user_is_not_used(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    provider.fingerprint = "ada"
    TokenManager(provider, storage).get_token()
    provider.fingerprint = "grace"
    TokenManager(provider, storage).get_token()
    TokenManager(provider, storage).get_token()
    assert provider.fetched == 2


def test_a_process_that_starts_later_uses_the_token_in_the_file(provider: Provider, tmp_path: Path) -> None:
    for _ in range(2):
        TokenManager(provider, FileTokenStorage(tmp_path / "tokens" / "orders.toml")).get_token()
    assert provider.fetched == 1


@pytest.mark.parametrize(
    "work",
    [lambda manager: manager.get_token(), lambda manager: manager.replace(expired())],
    ids=["get_token", "replace"],
)
def test_any_number_of_threads_fetch_once(provider: Provider, work: Callable[[TokenManager], TokenData]) -> None:
    storage = Crowded()
    provider.hold = lambda: storage.await_crowd(KEY)
    manager = TokenManager(provider, storage)
    tokens = side_by_side(lambda: work(manager).access_token)
    assert (set(tokens), provider.fetched) == ({"token-1"}, 1)


def test_threads_that_were_all_refused_renew_once() -> None:
    provider, storage = Provider(refresh=True), Crowded()
    manager = TokenManager(provider, storage)
    used = manager.get_token()
    provider.hold = lambda: storage.await_crowd(KEY)
    tokens = side_by_side(lambda: manager.replace(used).access_token)
    assert set(tokens) == {"token-2"}
    assert (provider.fetched, provider.refreshed) == (1, 1)


def test_a_storm_of_401_costs_one_renewal_and_each_request_is_sent_again_once(server: Server) -> None:
    provider = Provider(refresh=True)
    manager = TokenManager(provider)

    def api(seen: Seen) -> Reply:
        return Reply(200 if seen.headers["Authorization"] == "Bearer token-2" else 401)

    url = server.reply("/orders", api)
    with HttpClient(HttpClientConfig(auth_hook=TokenAuthHook(manager), pool_maxsize=THREADS)) as client:
        statuses = side_by_side(lambda: client.get(url).status_code)
    assert set(statuses) == {200}
    assert (provider.fetched, provider.refreshed) == (1, 1)
    sent = [seen.headers["Authorization"] for seen in server.seen]
    assert sent.count("Bearer token-2") == THREADS


def test_a_401_that_stays_is_renewed_once_and_returned(server: Server) -> None:
    provider = Provider()
    url = server.reply("/orders", Reply(401))
    with HttpClient(HttpClientConfig(auth_hook=TokenAuthHook(TokenManager(provider)))) as client:
        assert client.get(url).status_code == 401
    assert (provider.fetched, len(server.seen)) == (2, 2)


class TestStandIns:
    """Programs test themselves with mocks of the interfaces."""

    @pytest.mark.parametrize("stand_in", [Mock(), MagicMock(), Mock(spec=TokenProviderInterface)])
    def test_a_provider(self, stand_in: Any) -> None:
        stand_in.service_name = "orders"
        stand_in.fetch_token.return_value = TokenData("token-1", expires_at=datetime.now() + timedelta(hours=1))
        manager = TokenManager(stand_in)
        assert manager.get_token() == manager.get_token() == stand_in.fetch_token.return_value
        manager.force_refresh()
        assert stand_in.fetch_token.call_count == 2
        stand_in.refresh_token.assert_not_called()

    @pytest.mark.parametrize("stand_in", [Mock(), MagicMock(), Mock(spec=TokenStorageInterface)])
    def test_a_storage(self, stand_in: Any, provider: Provider) -> None:
        stand_in.get.return_value = None
        manager = TokenManager(provider, stand_in)
        token = manager.get_token()
        stand_in.set.assert_called_once_with(KEY, token)
        stand_in.get.return_value = token
        assert manager.get_token() == token
        manager.invalidate_token()
        stand_in.delete.assert_called_once_with(KEY)
        assert provider.fetched == 1

    @pytest.mark.parametrize("kind", [SimpleNamespace, Mock, MagicMock, lambda **given: Mock(spec=TokenData, **given)])
    def test_a_token(self, kind: Callable[..., Any], provider: Provider) -> None:
        end = datetime.now() + timedelta(hours=1)
        token = kind(access_token="token-1", token_type="MAC", expires_at=end, refresh_token=None, extra={"id": 7})
        stand_in = Mock(service_name="orders")
        stand_in.fetch_token.return_value = token
        expected = TokenData("token-1", "MAC", end, extra={"id": 7})
        manager = TokenManager(stand_in)
        assert manager.get_token() == manager.get_token() == manager.force_refresh() == expected
        assert manager.replace(token) == expected
        stored = InMemoryTokenStorage()
        stored.set(KEY, token)
        manager = TokenManager(provider, stored)
        assert manager.get_token() == expected
        assert manager.replace(token).access_token == "token-1"
        assert provider.fetched == 1

    @pytest.mark.parametrize("kind", [SimpleNamespace, Mock])
    def test_a_token_that_says_itself_that_it_has_expired(self, kind: Callable[..., Any]) -> None:
        provider = Provider(refresh=True)
        storage = InMemoryTokenStorage()
        storage.set(KEY, kind(access_token="old-token", is_expired=True, refresh_token="refresh-0"))
        assert TokenManager(provider, storage).get_token().access_token == "token-1"
        assert (provider.fetched, provider.refreshed) == (0, 1)

    def test_all_that_it_has_is_taken(self, provider: Provider) -> None:
        storage, end = InMemoryTokenStorage(), datetime.now() + timedelta(hours=1)
        fields = {"token_type": "MAC", "expires_at": end, "refresh_token": "refresh-0", "scope": "read"}
        marks = {"issued_at": datetime.now(UTC), "meta": {"fingerprint": "another"}}
        token: Any = SimpleNamespace(access_token="old-token", extra={"id": 7}, **fields, **marks)
        storage.set(KEY, token)
        manager = TokenManager(provider, storage)
        assert manager.get_token() == TokenData("old-token", "MAC", end, "refresh-0", "read", {"id": 7})
        assert (manager.get_token().issued_at, manager.get_token().meta) == tuple(marks.values())
        provider.fingerprint = "ada"
        assert manager.get_token().access_token == "token-1"

    def test_an_end_that_is_known_counts_for_more(self, provider: Provider) -> None:
        storage, end = InMemoryTokenStorage(), datetime.now() + timedelta(hours=1)
        token: Any = SimpleNamespace(access_token="old-token", is_expired=True, expires_at=end)
        storage.set(KEY, token)
        assert TokenManager(provider, storage).get_token() == TokenData("old-token", expires_at=end)

    @pytest.mark.parametrize("found", [None, "token-1", Mock(), SimpleNamespace(access_token=None)])
    def test_no_token_at_all(self, found: Any, provider: Provider) -> None:
        stand_in = Mock(service_name="orders")
        stand_in.fetch_token.return_value = found
        with pytest.raises(AuthenticationException, match="provider of 'orders' returned no token") as caught:
            TokenManager(stand_in).get_token()
        assert caught.value.service_name == "orders"
        storage = Mock()
        storage.get.return_value = found
        assert TokenManager(provider, storage).get_token().access_token == "token-1"

    def test_a_renewal_that_brings_no_token_is_followed_by_a_fetch(self) -> None:
        stand_in = Mock(service_name="orders")
        stand_in.fetch_token.side_effect = [TokenData("token-1", refresh_token="refresh-1"), TokenData("token-2")]
        manager = TokenManager(stand_in)
        manager.get_token()
        assert manager.force_refresh().access_token == "token-2"
        stand_in.refresh_token.assert_called_once()

    def test_a_storage_that_writes_down_the_fields(self, provider: Provider) -> None:
        class Written(InMemoryTokenStorage):
            def __init__(self) -> None:
                super().__init__()
                self.texts = dict[str, str]()

            def set(self, key: str, token: TokenData) -> None:
                self.texts[key] = json.dumps(dataclasses.asdict(token), default=str)

            def get(self, key: str) -> TokenData | None:
                return TokenData(**json.loads(self.texts[key])) if key in self.texts else None

        storage = Written()
        for _ in range(2):
            assert TokenManager(provider, storage).get_token().access_token == "token-1"
        assert TokenManager(provider, storage).force_refresh().access_token == "token-2"
        assert sorted(json.loads(storage.texts[KEY])) == sorted(field.name for field in dataclasses.fields(TokenData))

    def test_a_storage_that_keeps_only_the_old_fields(self, provider: Provider) -> None:
        class Old(InMemoryTokenStorage):
            def get(self, key: str) -> TokenData | None:
                token = super().get(key)
                return None if token is None else TokenData(token.access_token, expires_at=token.expires_at)

        manager = TokenManager(provider, Old())
        used = manager.get_token()
        assert manager.get_token().access_token == "token-1"
        assert manager.replace(used).access_token == "token-2"
        assert manager.force_refresh().access_token == "token-3"


def test_aware_and_naive_ends_are_the_same_to_it(provider: Provider) -> None:
    storage = InMemoryTokenStorage()
    storage.set(KEY, TokenData("aware-token", expires_at=datetime.now(UTC) + timedelta(hours=1)))
    assert TokenManager(provider, storage).get_token().access_token == "aware-token"


def test_a_renewal_of_a_subclass_s_own_is_not_passed_over() -> None:
    class Plain(TokenManager):
        pass

    class Forced(TokenManager):
        def force_refresh(self) -> TokenData:
            return self.get_token()

    class Both(Forced):
        def force_refresh(self) -> TokenData:
            return self.get_token()

        def replace(self, used: TokenData) -> TokenData:
            return self.get_token()

    assert [kind.replaces for kind in (TokenManager, Plain, Forced, Both)] == [True, True, False, True]
