"""A9, A4: a real Redis that is killed in the middle of a renewal costs at most the saving."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from forge_cli import (
    HttpClient,
    HttpClientConfig,
    PasswordGrantTokenProvider,
    RedisTokenStorage,
    TokenData,
    TokenManager,
)
from forge_cli.auth import TokenAuthHook
from forge_cli.errors import StorageError
from forge_cli.testing import Reply, Seen, TokenEndpoint
from tests.children import ROOT
from tests.conftest import Require
from tests.redis_server import RedisServer, redis_server
from tests.server import Server

SECRET, PASSWORD = "client-secret-1", "user-password-1"
KEY = "auth_token:example"
PROFILE = f"""
[profiles.demo]
base_url = "@URL@"
tokens = {{ storage = "redis", url = "@REDIS@" }}

[profiles.demo.auth]
type = "pipeline"

[profiles.demo.auth.steps.user]
extract = {{ token = "/access_token", expires_in = "/expires_in", refresh_token = "/refresh_token" }}

[profiles.demo.auth.steps.user.request]
method = "POST"
url = "/token"
form = {{ grant_type = "password", username = "ada", password = "{PASSWORD}" }}
basic = ["reporting", "{SECRET}"]

[profiles.demo.auth.steps.user.refresh.request]
method = "POST"
url = "/token"
form = {{ grant_type = "refresh_token", refresh_token = "${{self.refresh_token}}" }}
basic = ["reporting", "{SECRET}"]
"""


@pytest.fixture
def redis(require: Require) -> Iterator[RedisServer]:
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        yield running


class Api:
    """An API behind a token endpoint that rotates refresh tokens, at which something may happen meanwhile."""

    def __init__(self, server: Server) -> None:
        self.endpoint = TokenEndpoint({"reporting": SECRET}, {"ada": PASSWORD}, refresh="rotated", path="/hidden")
        self.meanwhile: list[Callable[[], object]] = []
        """What happens once the endpoint has given out its next tokens, and before they arrive."""
        self.refused = 0
        self.url = server.url
        server.reply("/token", self._token, optional=True)
        server.reply("/users", self._users, optional=True)
        self._guarded = self.endpoint.guard(Reply(200, ["Ada"]))

    @property
    def asked(self) -> int:
        """How many token requests came."""
        return sum(self.endpoint.calls.values())

    def _token(self, seen: Seen) -> Reply:
        answer = self.endpoint._answer(seen)
        if self.meanwhile:
            self.meanwhile.pop()()
        return answer

    def _users(self, seen: Seen) -> Reply:
        answer = self._guarded(seen)
        self.refused += answer.status != 200
        return answer


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    made = Api(server)
    with made.endpoint:
        yield made


class Program:
    """A program of its own that uses the API, with what it was told."""

    def __init__(self, api: Api, redis: RedisServer) -> None:
        self.provider = PasswordGrantTokenProvider(f"{api.url}/token", "reporting", SECRET, "ada", PASSWORD, "example")
        self.storage = RedisTokenStorage(redis.url)
        self.manager = TokenManager(self.provider, self.storage)
        self.client = HttpClient(HttpClientConfig(base_url=api.url, auth_hook=TokenAuthHook(self.manager)))

    def get(self) -> int:
        return self.client.get("/users").status_code

    def close(self) -> None:
        self.client.close()
        self.provider.close()


@pytest.fixture
def program(api: Api, redis: RedisServer) -> Iterator[Callable[[], Program]]:
    made: list[Program] = []

    def make() -> Program:
        made.append(Program(api, redis))
        return made[-1]

    yield make
    for each in made:
        each.close()


class TestLibrary:
    def test_the_fresh_token_is_used_and_the_next_renewal_is_saved(
        self, api: Api, redis: RedisServer, program: Callable[[], Program]
    ) -> None:
        one = program()
        assert one.get() == 200
        api.meanwhile.append(redis.kill)
        assert one.manager.force_refresh().access_token == "access-token-2"
        # Nothing more is asked of the server that is gone, nor of the token endpoint.
        assert (one.get(), api.asked) == (200, 2)
        redis.start()
        assert (one.get(), api.asked) == (200, 2)
        api.endpoint.expire()
        assert (one.get(), api.asked) == (200, 3)
        stored = one.storage.get(KEY)
        assert stored is not None
        assert (stored.access_token, stored.refresh_token) == ("access-token-3", "refresh-token-3")
        # The one request that the API refused is the one that said so.
        assert (api.refused, api.endpoint.refusals) == (1, {})

    def test_who_cannot_read_is_told_so_and_sends_nothing(
        self, api: Api, redis: RedisServer, program: Callable[[], Program], server: Server
    ) -> None:
        one, other = program(), program()
        assert one.get() == 200
        redis.kill()
        sent = len(server.seen)
        for ask in (other.manager.get_token, other.manager.force_refresh, other.get):
            with pytest.raises(StorageError, match="redis cannot be reached") as caught:
                ask()
            assert caught.value.hint == "check that the server runs, and `url`"
        assert len(server.seen) == sent
        redis.start()
        assert (other.get(), api.refused, api.endpoint.refusals) == (200, 0, {})

    def test_who_waits_for_the_lock_is_told_so_and_sends_nothing(
        self, api: Api, redis: RedisServer, program: Callable[[], Program]
    ) -> None:
        one, other = program(), program()
        arrived = threading.Event()

        class Watched(RedisTokenStorage):
            @contextmanager
            def lock(self, key: str, timeout: float = 60.0) -> Iterator[None]:
                arrived.set()
                with super().lock(key, timeout):
                    yield

        waiting = TokenManager(other.provider, Watched(redis.url))

        with ThreadPoolExecutor(1) as pool:
            found: list[Future[TokenData]] = []

            def meanwhile() -> None:
                found.append(pool.submit(waiting.get_token))
                assert arrived.wait(10)
                redis.kill()
                found[0].exception(10)

            api.meanwhile.append(meanwhile)
            assert (one.get(), api.asked) == (200, 1)
        error = found[0].exception()
        assert isinstance(error, StorageError)
        assert error.message == "cannot lock a token: redis cannot be reached"
        redis.start()
        assert waiting.get_token().access_token == "access-token-2"
        assert (one.get(), other.get(), api.asked) == (200, 200, 2)
        assert (api.refused, api.endpoint.refusals) == (0, {})

    def test_a_token_that_another_obtained_meanwhile_is_not_overwritten(
        self, api: Api, redis: RedisServer, program: Callable[[], Program]
    ) -> None:
        one, other = program(), program()

        def meanwhile() -> None:
            # The new server knows nothing of the lock.
            redis.kill()
            redis.start()
            assert other.get() == 200

        api.meanwhile.append(meanwhile)
        assert (one.get(), api.asked) == (200, 2)
        assert one.manager.get_token().access_token == "access-token-1"
        stored = other.storage.get(KEY)
        assert stored is not None
        assert stored.access_token == "access-token-2"
        assert (one.get(), other.get(), program().get()) == (200, 200, 200)
        assert (api.asked, api.refused, api.endpoint.refusals) == (2, 0, {})


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: list[str]


@pytest.fixture
def forge(api: Api, redis: RedisServer, profile_file: Callable[[str], Path]) -> Callable[..., Ended]:
    """The real executable, with the profile."""
    profile_file(PROFILE.replace("@URL@", api.url).replace("@REDIS@", redis.url))

    def run(*arguments: str) -> Ended:
        command = [sys.executable, "-m", "forge_cli", *arguments]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        return Ended(done.returncode, done.stdout, done.stderr.splitlines())

    return run


class TestExecutable:
    def test_the_request_goes_out_with_the_fresh_token_and_one_notice(
        self, api: Api, redis: RedisServer, forge: Callable[..., Ended]
    ) -> None:
        assert forge("get", "/users") == (0, '["Ada"]', [])
        api.endpoint.expire()
        api.meanwhile.append(redis.kill)
        ended = forge("get", "/users")
        assert (ended.exit_code, ended.stdout) == (0, '["Ada"]')
        [notice] = ended.stderr
        assert "redis cannot be reached: the new token and its refresh token are used now and lost" in notice
        assert api.endpoint.calls == {"password": 1, "refresh_token": 1}

    def test_while_it_is_down_nothing_is_sent_and_afterwards_all_is_well(
        self, api: Api, redis: RedisServer, forge: Callable[..., Ended], server: Server
    ) -> None:
        api.meanwhile.append(redis.kill)
        assert forge("get", "/users").exit_code == 0
        sent = len(server.seen)
        ended = forge("get", "/users")
        assert (ended.exit_code, ended.stdout) == (9, "")
        assert "cannot read a token: redis cannot be reached" in ended.stderr[0]
        assert redis.url not in "".join(ended.stderr)
        assert len(server.seen) == sent
        redis.start()
        for _ in range(2):
            assert forge("get", "/users") == (0, '["Ada"]', [])
        # What was lost is obtained once more, and then kept.
        assert (api.endpoint.calls, api.refused) == ({"password": 2}, 0)

    def test_a_renewal_that_is_asked_for_is_an_error(
        self, api: Api, redis: RedisServer, forge: Callable[..., Ended]
    ) -> None:
        assert forge("get", "/users").exit_code == 0
        api.meanwhile.append(redis.kill)
        ended = forge("token", "refresh")
        assert ended.exit_code == 9
        assert "redis cannot be reached" in ended.stderr[0]
        assert "token-2" not in ended.stdout + "".join(ended.stderr)
        redis.start()
        assert (forge("get", "/users").exit_code, api.refused) == (0, 0)
