"""ServiceNow: a password grant of forms alone, whose token is the same until it ends."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"SERVICENOW_CLIENT_SECRET": "client-secret-1", "SERVICENOW_PASSWORD": "password-of-ada-1"}
PATH = "/api/now/table/incident"
CLIENT = {"client_id": "client-1", "client_secret": "client-secret-1"}
USER = {"grant_type": "password", "username": "ada", "password": "password-of-ada-1"}


class ServiceNow(Tokens):
    """An instance. `left`: how long its token still lives."""

    def __init__(self, server: Server) -> None:
        super().__init__("now")
        self.server = server
        self.left = 1800
        self.refresh_token = "refresh-token-1"
        self.tells_refresh_token = True
        server.reply("/oauth_token.do", self.token, method="POST")
        server.reply(PATH, self.api, optional=True)
        written("servicenow", instance=server.url, client_id="client-1", username="ada")

    def token(self, seen: Seen) -> Reply:
        fields = form(seen)
        if fields is None or seen.headers["Authorization"]:
            return Reply(401, {"error_description": "access_denied", "error": "server_error"})
        match fields:
            case {**given} if given == {**CLIENT, **USER}:
                return self.told()
            case {**given} if given == {**CLIENT, "grant_type": "refresh_token", "refresh_token": self.refresh_token}:
                self.good.clear()
                return self.told()
        return refused("access_denied", 401, fields)

    def told(self) -> Reply:
        token = next(iter(self.good), None) or self.new()
        told: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": self.left}
        return Reply(200, told | ({"refresh_token": self.refresh_token} if self.tells_refresh_token else {}))


@pytest.fixture
def instance(server: Server) -> ServiceNow:
    return ServiceNow(server)


def grants(instance: ServiceNow) -> list[str]:
    return [dict(seen.form)["grant_type"] for seen in instance.server.seen_at("/oauth_token.do")]


def test_one_login_serves_two_commands(forge: Forge, instance: ServiceNow) -> None:
    for _ in range(2):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert lines(instance.server.seen) == ["POST /oauth_token.do", f"GET {PATH}", f"GET {PATH}"]
    # It has XML too.
    assert [seen.headers["Accept"] for seen in instance.server.seen_at(PATH)] == ["application/json"] * 2


def test_the_same_token_again_ends_when_the_instance_says(forge: Forge, instance: ServiceNow) -> None:
    forge("get", PATH, env=ENV)
    # Half an hour later somebody logs in anew: the token is the one from before, and has a minute left.
    instance.left = 60
    assert forge("token", "refresh", "--all", env=ENV).exit_code == 0
    [shown] = json.loads(forge("token", "show", "--json", env=ENV).stdout)
    assert instance.issued == 1
    assert 0 < shown["expires_at"] - time.time() <= 60


@pytest.mark.parametrize("tells", [True, False])
def test_a_token_that_has_ended_is_refreshed(forge: Forge, instance: ServiceNow, tells: bool) -> None:
    instance.left = 0
    forge("get", PATH, env=ENV)
    instance.tells_refresh_token = tells
    for _ in range(2):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert grants(instance) == ["password", "refresh_token", "refresh_token"]


def test_a_token_that_is_revoked_is_refreshed_after_the_refusal(forge: Forge, instance: ServiceNow) -> None:
    forge("get", PATH, env=ENV)
    instance.revoke()
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert grants(instance) == ["password", "refresh_token"]


def test_a_refresh_token_that_is_refused_leads_to_a_login(forge: Forge, instance: ServiceNow) -> None:
    forge("get", PATH, env=ENV)
    instance.revoke()
    instance.refresh_token = "refresh-token-2"
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert grants(instance) == ["password", "refresh_token", "password"]


@pytest.mark.parametrize("name", list(ENV))
def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, instance: ServiceNow, name: str) -> None:
    result = forge("get", PATH, "-v", env={**ENV, name: "a-wrong-secret"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-secret", *ENV.values())
