"""A9: Redis as a store: text and never objects, limits on every wait, and no password in what is said."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge, Require
from tests.redis_server import redis_server
from tests.server import Reply, Server

PASSWORD = "redis-password-5518"


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Callable[[str], Server]:
    def write(url: str) -> Server:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\ntokens = {{ storage = "redis", url = "{url}" }}\n'
            '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\n'
            'request = { url = "/login" }\nextract = { token = "/token" }\nexpires = { ttl = "1h" }\n'
        )
        server.reply("/login", Reply(body={"token": "user-token-1"}), optional=True)
        server.reply("/x", Reply(), optional=True)
        return server

    return write


@pytest.mark.parametrize("answers", [False, True], ids=["refused", "silent"])
def test_one_that_is_down_is_exit_9_in_time_and_nothing_is_sent(
    forge: Forge, api: Callable[[str], Server], answers: bool
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if answers:
            held.listen()  # and nobody accepts
        held_port = held.getsockname()[1]
        server = api(f"redis://ada:{PASSWORD}@127.0.0.1:{held_port}/0")
        begun = time.monotonic()
        result = forge("get", "/x", "--debug")
    assert time.monotonic() - begun < 10
    assert (result.exit_code, server.seen) == (9, [])
    assert PASSWORD not in result.stderr
    assert f":{held_port}" not in result.stderr
    assert "storage" in result.stderr or "Redis" in result.stderr


def test_what_is_kept_is_json_with_an_end(forge: Forge, api: Callable[[str], Server], require: Require) -> None:
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        server = api(running.url)
        for _ in range(2):
            assert forge("get", "/x").exit_code == 0
        assert len(server.seen_at("/login")) == 1
        client = running.client()
        entries = [key for key in client.scan_iter() if client.type(key) in (b"string", "string")]
        [shared] = [key for key in entries if bytes(key).endswith(b".key")]
        kept = client.get(shared)
        assert isinstance(kept, bytes) and re.fullmatch(b"[0-9a-f]{64}", kept)
        entries.remove(shared)
        assert entries
        for key in entries:
            assert isinstance(json.loads(client.get(key) or ""), dict)
