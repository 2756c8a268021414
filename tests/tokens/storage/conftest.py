"""Redis for the storages that are shared through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Require
from tests.redis_server import RedisServer, redis_server

_INSTALL = "apt-get install redis-server"


@pytest.fixture(scope="session")
def _redis(require: Require) -> Iterator[RedisServer]:
    with redis_server(require("redis-server", _INSTALL)) as server:
        yield server


@pytest.fixture
def redis(_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it; not to be harmed."""
    with _redis.client() as client:
        client.flushall()
    return _redis


@pytest.fixture
def own_redis(require: Require) -> Iterator[RedisServer]:
    """A Redis of this test alone, to be harmed."""
    with redis_server(require("redis-server", _INSTALL)) as server:
        yield server
