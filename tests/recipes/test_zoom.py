"""Zoom's server-to-server apps: the token request has its parameters in the query."""

from __future__ import annotations

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, basic, lines, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"ZOOM_CLIENT_SECRET": "zoom-secret-1", "ZOOM_ACCOUNT_ID": "zoom-account-1"}


class Zoom(Tokens):
    def __init__(self, server: Server) -> None:
        super().__init__("zoom")
        self.server = server
        self.lifetime = 3600
        server.reply("/oauth/token", self.token, method="POST")
        server.reply("/v2/users", self.api, optional=True)
        written("zoom", api=f"{server.url}/v2", login=server.url, client_id="app-1")

    def token(self, seen: Seen) -> Reply:
        if basic(seen) != ("app-1", "zoom-secret-1"):
            return Reply(
                400, {"reason": f"Invalid client_id or client_secret {basic(seen)}", "error": "invalid_client"}
            )
        expected = [("grant_type", "account_credentials"), ("account_id", "zoom-account-1")]
        if seen.query != expected or seen.body:
            return Reply(400, {"reason": f"Bad Request: {seen.target}", "error": "unsupported_grant_type"})
        told = {"access_token": self.new(), "token_type": "bearer", "expires_in": self.lifetime, "scope": "user:read"}
        return Reply(200, told)


@pytest.fixture
def zoom(server: Server) -> Zoom:
    return Zoom(server)


def test_one_login_serves_two_commands(forge: Forge, zoom: Zoom) -> None:
    for _ in range(2):
        assert forge("get", "/users", env=ENV).exit_code == 0
    assert lines(zoom.server.seen) == ["POST /oauth/token", "GET /v2/users", "GET /v2/users"]


def test_there_is_no_refresh_token_so_a_token_that_has_ended_is_asked_for_anew(forge: Forge, zoom: Zoom) -> None:
    zoom.lifetime = 0
    for _ in range(2):
        assert forge("get", "/users", env=ENV).exit_code == 0
    assert zoom.issued == 2


def test_a_token_that_is_revoked_is_replaced_after_the_refusal(forge: Forge, zoom: Zoom) -> None:
    forge("get", "/users", env=ENV)
    zoom.revoke()
    assert forge("get", "/users", env=ENV).exit_code == 0
    assert zoom.issued == 2


def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, zoom: Zoom) -> None:
    result = forge("get", "/users", "-v", env={**ENV, "ZOOM_CLIENT_SECRET": "a-wrong-secret"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-secret", "zoom-account-1")


def test_the_secret_in_the_url_is_shown_nowhere(forge: Forge, zoom: Zoom) -> None:
    result = forge("get", "/users", "-v", env={**ENV, "ZOOM_ACCOUNT_ID": "a-wrong-account"})
    assert result.exit_code == 7
    assert "/oauth/token?grant_type=account_credentials&account_id=" in result.stderr
    assert shows_none(result, "a-wrong-account", "zoom-secret-1")
    traced = forge("token", "explain", "--trace", env=ENV)
    assert traced.exit_code == 0
    assert "account_id=" in traced.stdout + traced.stderr
    assert shows_none(traced, "zoom-account-1", "zoom-secret-1", "zoom-token-1")
