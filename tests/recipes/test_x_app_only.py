"""X without a user: both halves of Basic are percent-encoded, the token never ends, and can be taken back."""

from __future__ import annotations

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, basic, lines, shows_none, written
from tests.server import Reply, Seen, Server

SECRET = "secret of/the+app"
ENV = {"X_API_SECRET": SECRET}
PATH = "/2/tweets/search/recent"
REFUSED = {
    "errors": [{"code": 99, "label": "authenticity_token_error", "message": "Unable to verify your credentials"}]
}


class X(Tokens):
    def __init__(self, server: Server) -> None:
        super().__init__("x")
        self.server = server
        server.reply("/oauth2/token", self.token, method="POST")
        server.reply("/oauth2/invalidate_token", self.invalidate, method="POST", optional=True)
        server.reply(PATH, self.api, optional=True)
        written("x-app-only", api=server.url, api_key="key:1")

    def allowed(self, seen: Seen) -> bool:
        typed = seen.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=UTF-8"
        return typed and basic(seen) == ("key%3A1", "secret%20of%2Fthe%2Bapp")

    def token(self, seen: Seen) -> Reply:
        if not self.allowed(seen) or seen.body != b"grant_type=client_credentials":
            return Reply(403, {**REFUSED, "sent": basic(seen)})
        # Everybody who asks gets the same token, until it is invalidated.
        token = next(iter(self.good), None) or self.new()
        return Reply(200, {"token_type": "bearer", "access_token": token})

    def invalidate(self, seen: Seen) -> Reply:
        token = dict(seen.form).get("access_token")
        if not self.allowed(seen) or token not in self.good:
            return Reply(403, REFUSED)
        self.revoke()
        return Reply(200, {"access_token": token})


@pytest.fixture
def x(server: Server) -> X:
    return X(server)


def test_one_login_serves_two_commands_and_the_token_never_ends(forge: Forge, x: X) -> None:
    for _ in range(2):
        assert forge("get", PATH, env=ENV).exit_code == 0
    assert lines(x.server.seen) == ["POST /oauth2/token", f"GET {PATH}", f"GET {PATH}"]
    assert "never expires" in forge("token", "show", env=ENV).stdout


def test_a_token_that_is_revoked_is_replaced_after_the_refusal(forge: Forge, x: X) -> None:
    forge("get", PATH, env=ENV)
    x.revoke()
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert x.issued == 2


def test_a_token_is_given_back(forge: Forge, x: X) -> None:
    forge("get", PATH, env=ENV)
    result = forge("token", "clear", "--revoke", env=ENV)
    assert (result.exit_code, x.good) == (0, set())
    assert shows_none(result, "x-token-1")
    assert forge("get", PATH, env=ENV).exit_code == 0
    assert x.issued == 2


def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, x: X) -> None:
    result = forge("get", PATH, "-v", env={"X_API_SECRET": "a wrong secret"})
    assert result.exit_code == 7
    assert shows_none(result, "a wrong secret", "a%20wrong%20secret")


def test_an_answer_that_is_no_bearer_token_is_refused(forge: Forge, x: X, other_server: Server) -> None:
    other_server.reply("/oauth2/token", Reply(200, {"token_type": "mac", "access_token": "some-token-1"}))
    result = forge("get", PATH, "--var", f"api={other_server.url}", env=ENV)
    assert (result.exit_code, "token_type" in result.stderr) == (7, True)
    # Of the stand-in nothing was wanted in this test.
    forge("get", PATH, env=ENV)
