from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import ProfileError, StorageError
from forge_cli.hooks import CorrelationIdHook
from forge_cli.profiles.build import Profile, load_profile
from forge_cli.profiles.login import digest_key
from forge_cli.profiles.schema import RetryTable
from forge_cli.profiles.transport import retry_strategy
from forge_cli.profiles.wire import StepClients, Way
from forge_cli.retry import ExponentialBackoffRetryStrategy, NoRetryStrategy, SimpleRetryStrategy
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.storage.file import FileTokenStorage
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.logins import THREE, made, numbered
from tests.server import Reply, Server
from tests.tokens.made import side_by_side


@pytest.fixture
def api(server: Server) -> Server:
    """An API of three steps, any of which may stay uncalled."""
    for name in ("device", "app", "user"):
        server.reply(f"/{name}", numbered(name, expires_in=3600, refresh_token="refresh-#"), optional=True)
    server.reply("/refresh", numbered("refreshed", expires_in=3600), optional=True)
    server.reply("/users", Reply(), optional=True)
    return server


class Own(NoRetryStrategy):
    """A strategy that a profile names."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings


def paths(server: Server) -> list[str]:
    """What was asked for since this was asked last."""
    seen = [seen.path for seen in server.seen]
    server.seen.clear()
    return seen


class TestClient:
    def test_it_sends_what_the_profile_says(self, server: Server) -> None:
        server.reply("/v1/users", Reply())
        text = 'headers = { X-Shop = "${vars.shop}" }\nquery = { page = "${vars.page}" }\n'
        text += 'correlation_id = "X-Id"\nvars = { shop = "acme", page = 2 }\n'
        with made(text, f"{server.url}/v1/", vars={"shop": "other"}).client() as client:
            client.get("/users")
        [seen] = server.seen
        assert (seen.headers["X-Shop"], seen.query) == ("other", [("page", "2")])
        assert seen.headers["X-Id"]

    def test_its_limits_are_those_of_the_profile(self) -> None:
        text = 'timeout = { connect = 1, idle = 2, total = "3s" }\nredirects = 0\nmax_body = "1 KiB"\n'
        text += 'origins = ["https://files.example"]\nverify = "ca.pem"\ncorrelation_id = "X-Id"\n'
        text += 'client_cert = { cert = "c.pem", key = "~/k.pem", password = "${env.P}" }\n'
        config = made(text, "https://a.example", environ={"P": "key-password-1"}).config()
        assert (config.connect_timeout, config.idle_timeout, config.max_elapsed) == (1, 2, 3)
        assert (config.allow_redirects, config.max_redirects, config.max_body) == (False, 0, 1024)
        assert config.origins == ("https://files.example",)
        assert config.verify_ssl == str(Path.home() / "ca.pem")
        key = str(Path.home() / "k.pem")
        assert config.client_cert == (str(Path.home() / "c.pem"), key, "key-password-1")
        assert isinstance(config.request_hooks[0], CorrelationIdHook)

    def test_a_number_is_the_total_time(self) -> None:
        config = made("timeout = 7\n", "https://a.example").config()
        assert (config.connect_timeout, config.idle_timeout, config.max_elapsed) == (10, 60, 7)

    @pytest.mark.parametrize(
        ("proxy", "expected"),
        [
            ("", None),
            ('proxy = "http://${env.P}:1"', {"http": "http://proxy:1", "https": "http://proxy:1"}),
            ('proxy = { http = "http://a:1" }', {"http": "http://a:1"}),
            (
                'proxy = { https = "http://b:1", no_proxy = ["x", "y"] }',
                {"https": "http://b:1", "no_proxy": "x,y"},
            ),
        ],
        ids=["from the environment", "one for all", "http", "https and exceptions"],
    )
    def test_its_proxies_are_those_of_the_profile(self, proxy: str, expected: Any) -> None:
        assert made(f"{proxy}\n", "https://a.example", environ={"P": "proxy"}).config().proxies == expected

    def test_fields_can_be_overridden(self) -> None:
        with made("", "https://a.example").client(max_elapsed=1.5) as client:
            assert client.config.max_elapsed == 1.5

    def test_its_step_requests_have_nothing_else_of_the_profile(self, api: Server) -> None:
        text = 'headers = { X-Own = "x" }\nquery = { q = "x" }\ncorrelation_id = "X-Id"\n'
        with made(text + THREE, api.url).client() as client:
            client.get("/users")
        for seen in api.seen[:-1]:
            assert (seen.query, seen.headers["X-Own"], seen.headers["X-Id"]) == ([], None, None)
        assert (api.seen[-1].query, api.seen[-1].headers["X-Own"]) == ([("q", "x")], "x")


class TestRetryStrategy:
    def test_the_kind_is_the_one_named(self) -> None:
        assert isinstance(retry_strategy(RetryTable(strategy="none")), NoRetryStrategy)
        assert isinstance(retry_strategy(RetryTable(strategy="simple")), SimpleRetryStrategy)
        assert isinstance(retry_strategy(RetryTable()), ExponentialBackoffRetryStrategy)
        assert isinstance(retry_strategy(RetryTable(strategy="circuit-breaker")), ExponentialBackoffRetryStrategy)

    def test_one_of_the_users_own_gets_what_the_table_says(self) -> None:
        strategy: Any = retry_strategy(RetryTable(strategy=f"{__name__}:Own", max_retries=7, failure_threshold=2))
        assert type(strategy).__name__ == "Own"
        assert strategy.settings == {"max_retries": 7, "failure_threshold": 2}

    def test_one_that_does_not_take_it_is_an_error_of_the_profile(self) -> None:
        with pytest.raises(ProfileError, match="takes no arguments"):
            retry_strategy(RetryTable(strategy="forge_cli.retry:NoRetryStrategy", max_retries=7))

    def test_a_circuit_breaker_is_the_clients_and_its_logins(self) -> None:
        profile = made('retry = { strategy = "circuit-breaker" }\n', "https://a.example")
        login_clients = StepClients(profile.transport().config, RetryTable(), None)
        with profile.client() as client, login_clients(Way(False)) as login:
            assert client.config.circuit_breaker is login.config.circuit_breaker is profile.circuit_breaker is not None
        assert made("", "https://a.example").circuit_breaker is None

    def test_without_a_home_its_circuits_are_in_memory_and_that_is_told(self) -> None:
        told: list[str] = []
        profile = made(
            'retry = { strategy = "circuit-breaker" }\n', "https://a.example", environ={"HOME": ""}, notice=told.append
        )
        assert profile.circuit_breaker is not None
        assert len(told) == 1 and told[0].endswith("the circuit breaker is not shared with other processes")

    @pytest.mark.parametrize("kind", ["simple", "exponential"])
    def test_its_numbers_are_those_of_the_table(self, kind: Any) -> None:
        strategy: Any = retry_strategy(
            RetryTable(strategy=kind, max_retries=7, statuses=(418,), max_retry_after=5, max_elapsed=9)
        )
        assert (strategy.max_retries, strategy.max_retry_after, strategy.max_elapsed) == (7, 5, 9)
        assert strategy.is_retryable_status(418)
        assert not strategy.is_retryable_status(503)


class TestTokens:
    """`Profile.tokens`: a token manager over the same tokens as the profile's requests."""

    def test_it_yields_the_token_that_requests_carry(self, api: Server) -> None:
        profile = made(THREE, api.url)
        assert isinstance(profile.tokens, TokenManager)
        assert profile.tokens.get_token().access_token == "user-token-1"
        with profile.client() as client:
            client.get("/users")
        assert api.seen[-1].headers["Authorization"] == "Bearer user-token-1"
        assert paths(api) == ["/device", "/app", "/user", "/users"]

    def test_it_renews_what_the_profile_keeps(self, api: Server) -> None:
        made(THREE, api.url).tokens.get_token()
        paths(api)
        profile = made(THREE, api.url)
        used = profile.tokens.get_token()
        assert profile.tokens.force_refresh().access_token == "refreshed-token-1"
        assert profile.tokens.replace(used).access_token == "refreshed-token-1"
        assert paths(api) == ["/refresh"]
        profile.tokens.invalidate_token()
        assert profile.tokens.get_token().access_token == "user-token-2"
        assert paths(api) == ["/user"]

    def test_a_login_without_a_token_has_none(self) -> None:
        with pytest.raises(ProfileError, match="has no step that yields a token"):
            _ = made("", "https://a.example").tokens

    def test_threads_that_share_a_profile_log_in_once(self, api: Server) -> None:
        profile = made('tokens = { storage = "memory" }\n' + THREE, api.url)
        side_by_side(lambda: profile.tokens.get_token())
        assert sorted(paths(api)) == ["/app", "/device", "/user"]


class TestStorage:
    def test_tokens_are_in_a_file_of_the_profile_s_name(self, api: Server, own_home: Path) -> None:
        profile = made(THREE, api.url)
        profile.tokens.get_token()
        assert isinstance(profile.storage, FileTokenStorage)
        assert profile.token_file == own_home / ".config" / "forge" / "tokens" / "demo.toml"
        assert profile.token_file.exists()

    def test_or_in_memory(self) -> None:
        profile = made('tokens = { storage = "memory" }\n', "https://a.example")
        assert isinstance(profile.storage, InMemoryTokenStorage)

    def test_without_a_home_they_are_in_memory_and_that_is_told_once(self, api: Server) -> None:
        told: list[str] = []
        profile = made(THREE, api.url, environ={"HOME": ""}, notice=told.append)
        profile.tokens.get_token()
        profile.tokens.get_token()
        assert paths(api) == ["/device", "/app", "/user"]
        assert len(told) == 1
        assert told[0].endswith("tokens are used now and lost when this process ends")

    def test_without_a_home_saving_is_an_error_where_it_is_the_purpose(self) -> None:
        with pytest.raises(StorageError):
            _ = made(THREE, "https://a.example", environ={"HOME": ""}, strict=True).storage


class TestDigestKey:
    def test_it_is_made_once_and_private(self, own_home: Path) -> None:
        environ = {"HOME": str(own_home)}
        key = digest_key(environ)
        assert len(key) == 32
        assert digest_key(environ) == key
        path = own_home / ".config" / "forge" / "state" / "digest.key"
        assert path.read_bytes() == key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_damaged_one_is_made_anew(self, own_home: Path) -> None:
        environ = {"HOME": str(own_home)}
        path = own_home / ".config" / "forge" / "state" / "digest.key"
        digest_key(environ)
        path.write_bytes(b"x")
        assert len(digest_key(environ)) == 32
        assert digest_key(environ) == path.read_bytes()

    def test_where_it_cannot_be_kept_it_is_for_this_run(self, own_home: Path) -> None:
        assert len(digest_key({})) == 32
        (own_home / ".config").symlink_to("/proc/self")
        assert len(digest_key({"HOME": str(own_home)})) == 32

    def test_threads_that_make_it_at_once_agree(self, own_home: Path) -> None:
        keys = side_by_side(lambda: digest_key({"HOME": str(own_home)}))
        assert len(set(keys)) == 1

    def test_a_login_that_keeps_nothing_makes_none(self, own_home: Path) -> None:
        text = '[profiles.demo.auth]\ntype = "bearer"\ntoken = "t-1"\n'
        made(text, "https://a.example").tokens.get_token()
        assert not (own_home / ".config").exists()


def test_a_base_url_may_not_get_a_query_from_what_is_filled_in(profile_file: Callable[[str], Path]) -> None:
    profile_file('[profiles.a]\nbase_url = "https://a.example/${env.API_PATH}"\n')
    with pytest.raises(ProfileError, match="the base_url of profile 'a' has a query") as caught:
        load_profile(environ={**os.environ, "API_PATH": "v1?key=1"})
    assert "`query`" in str(caught.value)
    assert load_profile(environ={**os.environ, "API_PATH": "v1"}).base_url == "https://a.example/v1"


def test_a_profile_is_loaded_by_name_from_a_file(api: Server, own_home: Path) -> None:
    made("", api.url)
    path = own_home / "profiles.toml"
    path.write_text(path.read_text() + "[profiles.other]\nvars = { a = 1 }\n")
    assert load_profile("demo", config=path).base_url == api.url
    assert load_profile("other", config=str(path), vars={"a": "2"}).scope.vars == {"a": "2"}
    with pytest.raises(ProfileError, match="no profile is chosen"):
        load_profile(config=path)


def test_what_happens_is_told_to_the_listener(api: Server) -> None:
    told: list[Any] = []
    with made(THREE, api.url, listener=told.append).client() as client:
        client.get("/users")
    steps = [event.step for event in told if type(event).__name__ == "StepEvent"]
    assert steps == ["device", None, "app", None, "user", None]


def test_a_profile_used_by_many_threads_has_one_login() -> None:
    profile: Profile = made(THREE, "https://a.example")
    barrier = threading.Barrier(8)

    def login() -> int:
        barrier.wait()
        return id(profile.login)

    assert len(set(side_by_side(login, 8))) == 1


def test_a_login_at_another_origin_is_nothing_to_tell(server: Server, other_server: Server) -> None:
    url = other_server.reply("/login", numbered("user"))
    server.reply("/users", Reply())
    text = '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'
    text += f'request = {{ method = "POST", url = "{url}" }}\nextract = {{ token = "/token" }}\n'
    told: list[Any] = []
    with made(text, server.url, listener=told.append).client() as client:
        client.get("/users")
    assert "Foreign" not in {type(event).__name__ for event in told}
    assert server.seen[0].headers["Authorization"] == "Bearer user-token-1"


STORED = '[profiles.api]\nbase_url = "http://127.0.0.1:9"\n[profiles.api.tokens]\n'


class TestStorages:
    @pytest.mark.parametrize(
        ("settings", "kind"),
        [
            ('storage = "memory"', "InMemoryTokenStorage"),
            ('storage = "file"', "FileTokenStorage"),
            ('storage = "redis"\nurl = "redis://127.0.0.1:1/0"\nprefix = "team"', "RedisTokenStorage"),
            (
                'storage = "command"\nread = ["r", "{key}"]\nwrite = ["w", "{key}"]\ndelete = ["d", "{key}"]',
                "CommandTokenStorage",
            ),
            ('storage = "my_storage:Mine"\nurl = "${env.HOME}"', "Mine"),
        ],
    )
    def test_a_profile_chooses_where_its_tokens_are(
        self, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, settings: str, kind: str
    ) -> None:
        text = "class Mine:\n    get = set = delete = exists = None\n    def __init__(self, url): self.url = url\n"
        (Path.cwd() / "my_storage.py").write_text(text)
        monkeypatch.syspath_prepend(Path.cwd())
        profile_file(STORED + settings)
        assert type(load_profile().storage).__name__ == kind

    def test_the_environment_chooses_before_the_profile(self, profile_file: Callable[[str], Path]) -> None:
        profile_file(STORED + 'storage = "command"\nread = ["r"]\nwrite = ["w"]\ndelete = ["d"]')
        environ = {**os.environ, "FORGE_TOKEN_STORAGE": "memory"}
        assert type(load_profile(environ=environ).storage).__name__ == "InMemoryTokenStorage"

    @pytest.mark.parametrize("kind", ["sys:exit", "os:system", "json:loads", "builtins:dict", ":", "a b:c", "disk"])
    def test_the_environment_names_a_storage_or_nothing_is_used(
        self, profile_file: Callable[[str], Path], kind: str
    ) -> None:
        profile_file(STORED)
        with pytest.raises(ProfileError, match=f"token storage '{kind}'"):
            _ = load_profile(environ={**os.environ, "FORGE_TOKEN_STORAGE": kind}).storage

    def test_a_storage_of_ones_own_that_takes_other_settings_is_named(
        self, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "class Mine:\n    get = set = delete = exists = None\n    def __init__(self, place): pass\n"
        (Path.cwd() / "picky_storage.py").write_text(text)
        monkeypatch.syspath_prepend(Path.cwd())
        profile_file(STORED + 'storage = "picky_storage:Mine"')
        with pytest.raises(ProfileError, match=r"'picky_storage:Mine' cannot be made: .*'place'"):
            _ = load_profile().storage

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ('storage = "disk"', "unknown token storage (one of: memory, file, keyring, redis, command)"),
            ('storage = "django"', "unknown token storage (one of"),
            ('storage = "file"\nurl = "x"', "`url` does not go with the token storage 'file'"),
            ('storage = "command"\nread = ["r"]', "missing key: write"),
            ('storage = "sys:exit"', "token storage 'sys:exit' is no class"),
            ('storage = "builtins:dict"', "'builtins:dict' has no 'set', so it is no token storage"),
        ],
    )
    def test_settings_that_do_not_fit_are_problems(
        self, profile_file: Callable[[str], Path], settings: str, said: str
    ) -> None:
        profile_file(STORED + settings)
        with pytest.raises(ProfileError) as caught:
            load_profile()
        assert said in "\n".join(caught.value.problems)
