"""PayPal: client credentials, against a stand-in that takes nothing but what its documentation says."""

from __future__ import annotations

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, basic, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

SECRET = "secret-of-the-app:with/marks+"
ENV = {"PAYPAL_CLIENT_SECRET": SECRET}


class PayPal(Tokens):
    def __init__(self, server: Server) -> None:
        super().__init__("paypal")
        self.server = server
        self.lifetime = 32400
        server.reply("/v1/oauth2/token", self.token, method="POST")
        server.reply("/v1/catalogs/products", self.api, optional=True)
        written("paypal", api=server.url, client_id="app-1")

    def token(self, seen: Seen) -> Reply:
        if form(seen) != {"grant_type": "client_credentials"}:
            return refused("unsupported_grant_type")
        # The pair is form-encoded inside Basic (RFC 6749, section 2.3.1).
        if basic(seen) != ("app-1", "secret-of-the-app%3Awith%2Fmarks%2B"):
            return refused("invalid_client", 401, basic(seen))
        return Reply(200, {"access_token": self.new(), "token_type": "Bearer", "expires_in": self.lifetime})


@pytest.fixture
def paypal(server: Server) -> PayPal:
    return PayPal(server)


def test_one_login_serves_two_commands(forge: Forge, paypal: PayPal) -> None:
    for _ in range(2):
        assert forge("get", "/v1/catalogs/products", env=ENV).exit_code == 0
    assert lines(paypal.server.seen) == [
        "POST /v1/oauth2/token", "GET /v1/catalogs/products", "GET /v1/catalogs/products"
    ]  # fmt: skip


def test_a_token_that_has_ended_is_replaced_before_the_request(forge: Forge, paypal: PayPal) -> None:
    paypal.lifetime = 0
    for _ in range(2):
        forge("get", "/v1/catalogs/products", env=ENV)
    assert paypal.issued == 2
    assert [seen.headers["Authorization"] for seen in paypal.server.seen_at("/v1/catalogs/products")] == [
        "Bearer paypal-token-1", "Bearer paypal-token-2"
    ]  # fmt: skip


def test_a_token_that_is_revoked_is_replaced_after_the_refusal(forge: Forge, paypal: PayPal) -> None:
    forge("get", "/v1/catalogs/products", env=ENV)
    paypal.revoke()
    assert forge("get", "/v1/catalogs/products", env=ENV).exit_code == 0
    assert (paypal.issued, len(paypal.server.seen_at("/v1/catalogs/products"))) == (2, 3)


def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, paypal: PayPal) -> None:
    result = forge("get", "/v1/catalogs/products", "-v", env={"PAYPAL_CLIENT_SECRET": "a-wrong-secret"})
    assert result.exit_code == 7
    assert "invalid_client" in result.stderr
    assert shows_none(result, "a-wrong-secret")
