"""Elasticsearch's own tokens: OAuth 2.0 by its names, in JSON; a refresh token is good once and for a day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, basic, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

PASSWORD = "password-of-elastic-1"
ENV = {"ELASTIC_PASSWORD": PASSWORD}
PATH, TOKEN = "/_security/_authenticate", "/_security/oauth2/token"


class Elasticsearch(Tokens):
    def __init__(self, server: Server) -> None:
        super().__init__("elastic")
        self.server = server
        self.lifetime = 1200
        self.refreshes = Tokens("refresh")
        server.reply(TOKEN, self.token, method="POST", optional=True)
        server.reply(TOKEN, self.invalidate, method="DELETE", optional=True)
        server.reply(PATH, self.api, optional=True)
        written("elasticsearch-token", elasticsearch=server.url)

    def token(self, seen: Seen) -> Reply:
        if basic(seen) != ("elastic", PASSWORD):
            return Reply(
                401, {"error": {"type": "security_exception", "reason": f"unable to authenticate {basic(seen)}"}}
            )
        match seen.json():
            case {"grant_type": "password", "username": "elastic", "password": password, **rest} if not rest:
                return self.both() if password == PASSWORD else refused("invalid_grant", 401, password)
            case {"grant_type": "refresh_token", "refresh_token": token, **rest} if not rest:
                if token not in self.refreshes.good:
                    return refused("invalid_grant", 400, token)
                self.refreshes.good.remove(token)
                return self.both()
        return refused("unsupported_grant_type")

    def both(self) -> Reply:
        told = {"access_token": self.new(), "refresh_token": self.refreshes.new(), "expires_in": self.lifetime}
        return Reply(200, {**told, "type": "Bearer", "authentication": {"username": "elastic"}})

    def invalidate(self, seen: Seen) -> Reply:
        if basic(seen) != ("elastic", PASSWORD) or seen.json()["token"] not in self.good:
            return Reply(404)
        self.good.remove(seen.json()["token"])
        return Reply(200, {"invalidated_tokens": 1, "error_count": 0})

    @property
    def grants(self) -> list[str]:
        return [seen.json()["grant_type"] for seen in self.server.seen_at(TOKEN) if seen.method == "POST"]


@pytest.fixture
def cluster(server: Server) -> Elasticsearch:
    return Elasticsearch(server)


def test_one_login_serves_two_commands(forge: Forge, cluster: Elasticsearch) -> None:
    for _ in range(2):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert lines(cluster.server.seen) == [f"POST {TOKEN}", f"GET {PATH}", f"GET {PATH}"]


def test_a_token_that_has_ended_is_refreshed_with_the_newest_refresh_token(
    forge: Forge, cluster: Elasticsearch
) -> None:
    cluster.lifetime = 0
    for _ in range(3):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert cluster.grants == ["password", "refresh_token", "refresh_token"]


def test_a_token_that_is_revoked_is_refreshed_after_the_refusal(forge: Forge, cluster: Elasticsearch) -> None:
    forge("get", PATH, env=ENV)
    cluster.revoke()
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert cluster.grants == ["password", "refresh_token"]


def test_a_refresh_token_that_is_older_than_a_day_is_not_tried(
    forge: Forge, cluster: Elasticsearch, own_home: Path
) -> None:
    forge("get", PATH, env=ENV)
    [file] = own_home.rglob("tokens/api.toml")
    # As it stands a day later.
    until = re.search(r'until = "(.*?)"', file.read_text())
    assert until is not None
    file.write_text(file.read_text().replace(until[1], "2020-01-01T00:00:00+00:00"))
    cluster.revoke()
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert cluster.grants == ["password", "password"]


def test_the_token_is_given_back(forge: Forge, cluster: Elasticsearch) -> None:
    forge("get", PATH, env=ENV)
    result = forge("token", "clear", "--revoke", env=ENV)
    assert (result.exit_code, cluster.good) == (0, set())
    assert shows_none(result, "elastic-token-1", "refresh-token-1")


def test_a_wrong_password_is_exit_7_and_is_not_shown(forge: Forge, cluster: Elasticsearch) -> None:
    result = forge("get", PATH, "-v", env={"ELASTIC_PASSWORD": "a-wrong-password"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-password")
