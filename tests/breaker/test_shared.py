"""Circuits of the commands: with tokens in Redis they are there too, and what happens when it is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge_cli.files import config_dir
from tests.conftest import Forge, Require
from tests.redis_server import RedisServer, redis_server
from tests.server import Reply, Server

LOGIN = """
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.one]
request = { url = "/login" }
extract = { token = "/token" }
expires = { ttl = "1h" }
"""


@pytest.fixture
def running(require: Require) -> Iterator[RedisServer]:
    with redis_server(require("redis-server", "apt-get install redis-server")) as server:
        yield server


@pytest.fixture
def write(server: Server, running: RedisServer, profile_file: Callable[[str], Path]) -> Callable[[str], Path]:
    """A profile with tokens in Redis and a circuit that three failures open."""

    def written(login: str) -> Path:
        return profile_file(
            f'default_profile = "api"\n[profiles.api]\nbase_url = "{server.url}"\n'
            f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n'
            'retry = { strategy = "circuit-breaker", max_retries = 0, failure_threshold = 3, recovery_timeout = "60s" }'
            f"\n{login}"
        )

    return written


def test_every_command_shares_its_circuits_where_the_tokens_are(
    forge: Forge, server: Server, write: Callable[[str], Path]
) -> None:
    write(LOGIN)
    server.reply("/login", Reply(200, {"token": "user-token-1"}))
    server.reply("/x", Reply(500))
    for _ in range(3):
        assert forge("get", "/x").exit_code == 5
    assert forge("get", "/x").exit_code == 11
    assert forge("batch", "-", "--timeout", "0.2", input="/x\n").exit_code == 11
    assert len(server.seen_at("/x")) == 3
    # So that it holds on another machine too.
    assert not (config_dir() / "state" / "breaker.json").exists()


def test_a_storage_of_the_environment_decides_over_the_circuits_too(
    forge: Forge, server: Server, write: Callable[[str], Path], running: RedisServer
) -> None:
    write("")
    server.reply("/x", Reply(500))
    assert forge("get", "/x", env={"FORGE_TOKEN_STORAGE": "file"}).exit_code == 5
    assert (config_dir() / "state" / "breaker.json").exists()
    assert list(running.client().scan_iter()) == []


@pytest.mark.parametrize("silent", [False, True], ids=["down", "silent"])
def test_without_redis_what_needs_no_token_goes_on_with_circuits_of_its_own(
    forge: Forge, server: Server, write: Callable[[str], Path], running: RedisServer, silent: bool
) -> None:
    write("")
    server.reply("/x", Reply(200))
    begun = time.monotonic()
    if silent:
        with running.paused():
            result = forge("get", "/x")
    else:
        running.kill()
        result = forge("get", "/x")
    assert result.exit_code == 0
    assert result.stderr.count("the circuit breaker is not shared") == 1
    assert running.url not in result.stderr
    assert time.monotonic() - begun < 6


def test_without_redis_what_needs_a_token_is_exit_9_and_nothing_is_sent(
    forge: Forge, server: Server, write: Callable[[str], Path], running: RedisServer
) -> None:
    write(LOGIN)
    running.kill()
    result = forge("get", "/x")
    assert (result.exit_code, server.seen) == (9, [])
    assert running.url not in result.stderr
