"""Elasticsearch: a key is created once, used until it ends, and never created again unasked."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from typing import Any

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import basic, lines, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"ELASTIC_PASSWORD": "password-of-elastic-1"}
PATH = "/_security/_authenticate"
KEYS = "/_security/api_key"


class Elasticsearch:
    """A cluster. `life`: seconds of a new key, None for a cluster that says nothing of an end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.life: float | None = 86400
        self.keys: dict[str, str] = {}
        self.names: list[str] = []
        self.trouble = 0
        self._numbers = itertools.count(1)
        server.reply(KEYS, self.create, method="POST", optional=True)
        server.reply(KEYS, self.invalidate, method="DELETE", optional=True)
        server.reply(PATH, self.api, optional=True)
        self.file = written("elasticsearch-api-key", elasticsearch=server.url)

    def create(self, seen: Seen) -> Reply:
        if basic(seen) != ("elastic", "password-of-elastic-1"):
            return Reply(
                401, {"error": {"type": "security_exception", "reason": f"unable to authenticate {basic(seen)}"}}
            )
        said = seen.json()
        if set(said) != {"name", "expiration", "role_descriptors"} or not re.fullmatch(r"\d+[dhm]", said["expiration"]):
            return Reply(400, {"error": {"type": "parse_exception"}})
        self.names.append(said["name"])
        number = next(self._numbers)
        name, secret = f"id-{number}", f"key-secret-{number}"
        self.keys[name] = secret
        if self.trouble:
            self.trouble -= 1
            return Reply(503)
        told: dict[str, Any] = {"id": name, "name": said["name"], "api_key": secret}
        if self.life is not None:
            told["expiration"] = int((time.time() + self.life) * 1000)
        return Reply(200, told)

    def invalidate(self, seen: Seen) -> Reply:
        if basic(seen) != ("elastic", "password-of-elastic-1"):
            return Reply(401)
        ids = seen.json()["ids"]
        for name in ids:
            del self.keys[name]
        return Reply(200, {"invalidated_api_keys": ids, "error_count": 0})

    def api(self, seen: Seen) -> Reply:
        scheme, _, packed = (seen.headers["Authorization"] or "").partition(" ")
        name, _, secret = base64.b64decode(packed).decode().partition(":")
        good = scheme == "ApiKey" and name in self.keys and self.keys[name] == secret
        return Reply(200, {"username": "elastic"}) if good else Reply(401, {"error": {"type": "security_exception"}})


@pytest.fixture
def cluster(server: Server) -> Elasticsearch:
    return Elasticsearch(server)


def test_one_key_serves_two_commands(forge: Forge, cluster: Elasticsearch) -> None:
    for _ in range(2):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert lines(cluster.server.seen) == [f"POST {KEYS}", f"GET {PATH}", f"GET {PATH}"]
    assert re.fullmatch(r"forge-\d{10}", cluster.names[0])
    # The end is in milliseconds.
    shown = json.loads(forge("token", "show", "--json", env=ENV).stdout)[0]
    assert abs(shown["expires_at"] - time.time() - 86400) < 60


@pytest.mark.parametrize("life", [0.0, None], ids=["ended", "refused"])
def test_a_key_that_has_gone_is_not_created_again_unasked(
    forge: Forge, cluster: Elasticsearch, life: float | None
) -> None:
    cluster.life = life
    assert forge("get", PATH, env=ENV).exit_code == 0
    if life is None:
        cluster.keys.clear()
    result = forge("get", PATH, env=ENV)
    assert (result.exit_code, len(cluster.names)) == (7, 1)
    assert "forge token login" in result.stderr
    cluster.life = 86400
    assert forge("token", "login", "--yes", env=ENV).exit_code == 0
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert len(cluster.names) == 2


def test_a_creation_whose_answer_is_lost_is_not_repeated(forge: Forge, cluster: Elasticsearch) -> None:
    cluster.trouble = 1
    result = forge("get", PATH, env=ENV)
    assert (result.exit_code, len(cluster.names)) == (7, 1)
    assert shows_none(result, "key-secret-1", ENV["ELASTIC_PASSWORD"])


def test_the_key_is_given_back(forge: Forge, cluster: Elasticsearch) -> None:
    forge("get", PATH, env=ENV)
    result = forge("token", "clear", "--revoke", env=ENV)
    assert (result.exit_code, cluster.keys) == (0, {})
    assert shows_none(result, "key-secret-1")


def test_a_wrong_password_is_exit_7_and_is_not_shown(forge: Forge, cluster: Elasticsearch) -> None:
    result = forge("get", PATH, "-v", env={"ELASTIC_PASSWORD": "a-wrong-password"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-password")
