"""Keycloak: a user's token, refreshed by tokens that are good once, exchanged for another audience (RFC 8693)."""

from __future__ import annotations

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"KEYCLOAK_CLIENT_SECRET": "client-secret-1", "KEYCLOAK_PASSWORD": "password-of-ada-1"}
URL = "/realms/main/protocol/openid-connect/token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class Keycloak:
    """A realm with one client and one user, and a service that takes exchanged tokens alone."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.user, self.service, self.refreshes = Tokens("user"), Tokens("service"), Tokens("refresh")
        self.user_life, self.refresh_life, self.service_life = 300, 1800, 300
        server.reply(URL, self.token, method="POST")
        server.reply("/orders", self.service.api, optional=True)
        written(
            "keycloak-token-exchange",
            api=server.url, keycloak=server.url, realm="main", client_id="cli", audience="orders", username="ada",
        )  # fmt: skip

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        if (fields.pop("client_id", None), fields.pop("client_secret", None)) != ("cli", "client-secret-1"):
            return refused("unauthorized_client", 401, seen.form)
        match fields:
            case {"grant_type": "password", "username": "ada", "password": "password-of-ada-1"}:
                return self.both()
            case {"grant_type": "refresh_token", "refresh_token": token} if token in self.refreshes.good:
                self.refreshes.revoke()
                return self.both()
            case {"grant_type": "token-exchange"}:
                return refused("unsupported_grant_type")
            case {"grant_type": grant, "subject_token": token, "subject_token_type": kind, "audience": audience}:
                if (grant, kind, audience) != (EXCHANGE, ACCESS_TOKEN, "orders") or token not in self.user.good:
                    return refused("invalid_request", 400, token)
                told = {"access_token": self.service.new(), "expires_in": self.service_life, "token_type": "Bearer"}
                return Reply(200, {**told, "issued_token_type": ACCESS_TOKEN, "refresh_expires_in": 0})
        return refused("invalid_grant", 401, fields)

    def both(self) -> Reply:
        access = {"access_token": self.user.new(), "expires_in": self.user_life, "token_type": "Bearer"}
        refresh = {"refresh_token": self.refreshes.new(), "refresh_expires_in": self.refresh_life}
        return Reply(200, {**access, **refresh, "scope": "profile"})

    @property
    def grants(self) -> list[str]:
        return [dict(seen.form)["grant_type"].rpartition(":")[2] for seen in self.server.seen_at(URL)]


@pytest.fixture
def keycloak(server: Server) -> Keycloak:
    return Keycloak(server)


def test_one_login_serves_two_commands(forge: Forge, keycloak: Keycloak) -> None:
    for _ in range(2):
        assert forge("get", "/orders", env=ENV).exit_code == 0
    assert lines(keycloak.server.seen) == [f"POST {URL}", f"POST {URL}", "GET /orders", "GET /orders"]
    assert keycloak.grants == ["password", "token-exchange"]


def test_the_exchanged_token_lives_on_when_that_of_the_user_has_ended(forge: Forge, keycloak: Keycloak) -> None:
    keycloak.user_life = 0
    forge("get", "/orders", env=ENV)
    keycloak.user.revoke()
    assert forge("get", "/orders", env=ENV).exit_code == 0
    assert keycloak.grants == ["password", "token-exchange"]


def test_an_exchanged_token_that_has_ended_is_exchanged_again_without_a_login(forge: Forge, keycloak: Keycloak) -> None:
    keycloak.service_life = 0
    for _ in range(2):
        assert forge("get", "/orders", env=ENV).exit_code == 0
    assert keycloak.grants == ["password", "token-exchange", "token-exchange"]


def test_the_user_is_refreshed_only_when_an_exchange_needs_it(forge: Forge, keycloak: Keycloak) -> None:
    keycloak.user_life = 0
    for _ in range(3):
        assert forge("get", "/orders", env=ENV).exit_code == 0
        keycloak.service.revoke()
    exchanges = ["refresh_token", "token-exchange"]
    assert keycloak.grants == ["password", "token-exchange", *exchanges, *exchanges]
    # Each refresh token was good once.
    assert keycloak.refreshes.issued == 3


def test_a_refresh_token_that_has_ended_is_not_tried(forge: Forge, keycloak: Keycloak) -> None:
    keycloak.user_life, keycloak.refresh_life = 0, -1
    forge("get", "/orders", env=ENV)
    keycloak.service.revoke()
    assert forge("get", "/orders", env=ENV).exit_code == 0
    assert keycloak.grants == ["password", "token-exchange", "password", "token-exchange"]


def test_a_refusal_by_the_service_is_answered_by_one_exchange(forge: Forge, keycloak: Keycloak) -> None:
    forge("get", "/orders", env=ENV)
    keycloak.service.revoke()
    assert forge("get", "/orders", env=ENV).exit_code == 0
    assert keycloak.grants == ["password", "token-exchange", "token-exchange"]


@pytest.mark.parametrize("name", list(ENV))
def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, keycloak: Keycloak, name: str) -> None:
    result = forge("get", "/orders", "-v", env={**ENV, name: "a-wrong-secret"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-secret", *ENV.values())
