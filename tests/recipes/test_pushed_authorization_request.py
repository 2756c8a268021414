"""Pushed authorization requests (RFC 9126): the browser carries a reference that is good once, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import itertools
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import Forge
from tests.login_server import browser
from tests.recipes.stand_in import Tokens, basic, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"OIDC_CLIENT_SECRET": "client-secret-1"}
METADATA = "/.well-known/openid-configuration"


class Issuer(Tokens):
    """An issuer that refuses parameters in the browser. `iss`: what it says of itself in the answer (RFC 9207)."""

    def __init__(self, server: Server) -> None:
        super().__init__("access")
        self.server = server
        self.lifetime = 300
        self.iss = server.url
        self.refresh_token = ""
        self.pushed: dict[str, dict[str, str]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self._numbers = itertools.count(1)
        server.reply(METADATA, self.metadata, optional=True)
        server.reply("/par", self.par, method="POST", optional=True)
        server.reply("/authorize", self.authorize, method="GET", optional=True)
        server.reply("/token", self.token, method="POST", optional=True)
        server.reply("/items", self.api, optional=True)

    def metadata(self, seen: Seen) -> Reply:
        url = self.server.url
        places = {"authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token"}
        announced = {"authorization_response_iss_parameter_supported": True}
        return Reply(200, {"issuer": url, **places, **announced, "require_pushed_authorization_requests": True})

    def par(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        if basic(seen) != ("client-1", "client-secret-1"):
            return refused("invalid_client", 401, basic(seen))
        wanted = {"client_id", "scope", "response_type", "redirect_uri", "state", "nonce"}
        if set(fields) != wanted | {"code_challenge", "code_challenge_method"} or fields["client_id"] != "client-1":
            return refused("invalid_request", said=fields)
        uri = f"urn:ietf:params:oauth:request_uri:pushed-{next(self._numbers)}"
        self.pushed[uri] = fields
        return Reply(201, {"request_uri": uri, "expires_in": 60})

    def authorize(self, seen: Seen) -> Reply:
        asked = self.pushed.pop(dict(seen.query).get("request_uri", ""), None)
        if asked is None or {name for name, _ in seen.query} != {"client_id", "request_uri"}:
            return Reply(400, "the request must be pushed")
        code = f"auth-code-{next(self._numbers)}"
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.iss})
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{answer}"})

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        if basic(seen) != ("client-1", "client-secret-1"):
            return refused("invalid_client", 401, basic(seen))
        if fields == {"grant_type": "refresh_token", "refresh_token": self.refresh_token}:
            return self.granted()
        asked = self.codes.pop(fields.get("code", ""), None)
        if asked is None or fields.get("grant_type") != "authorization_code":
            return refused("invalid_grant", said=fields)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        if not proven or fields.get("redirect_uri") != asked["redirect_uri"]:
            return refused("invalid_grant", said=fields)
        return self.granted()

    def granted(self) -> Reply:
        self.refresh_token = f"refresh-token-{self.issued + 1}"
        told: dict[str, Any] = {"access_token": self.new(), "token_type": "Bearer", "expires_in": self.lifetime}
        return Reply(200, {**told, "refresh_token": self.refresh_token})


@pytest.fixture
def issuer(server: Server) -> Issuer:
    url = server.url
    written("pushed-authorization-request", api=url, issuer=url, par_url=f"{url}/par", client_id="client-1")
    return Issuer(server)


def login(forge: Forge, folder: Path) -> None:
    result = forge("token", "login", tty=True, env={**ENV, "BROWSER": browser(folder)})
    assert result.exit_code == 0, result.stderr
    assert shows_none(result, "auth-code-", "access-token-1", "refresh-token-1", *ENV.values())


def test_one_login_serves_two_commands(forge: Forge, issuer: Issuer, tmp_path: Path) -> None:
    login(forge, tmp_path)
    for _ in range(2):
        assert forge("get", "/items", env=ENV).exit_code == 0
    asked = [f"GET {METADATA}", "POST /par", "GET /authorize", "POST /token", "GET /items", "GET /items"]
    assert lines(issuer.server.seen) == asked


def test_a_token_that_has_ended_is_refreshed(forge: Forge, issuer: Issuer, tmp_path: Path) -> None:
    issuer.lifetime = 0
    login(forge, tmp_path)
    for _ in range(2):
        assert forge("get", "/items", env=ENV).exit_code == 0
    assert (issuer.issued, len(issuer.server.seen_at("/par"))) == (3, 1)


def test_a_token_that_is_revoked_is_refreshed_after_the_refusal(forge: Forge, issuer: Issuer, tmp_path: Path) -> None:
    login(forge, tmp_path)
    issuer.revoke()
    assert forge("get", "/items", env=ENV).exit_code == 0
    assert issuer.issued == 2


def test_a_wrong_secret_is_refused_before_the_browser_opens(forge: Forge, issuer: Issuer, tmp_path: Path) -> None:
    wrong = {"OIDC_CLIENT_SECRET": "a-wrong-secret", "BROWSER": browser(tmp_path)}
    result = forge("token", "login", tty=True, env=wrong)
    assert (result.exit_code, issuer.server.seen_at("/authorize")) == (7, [])
    assert "invalid_client" in result.stderr
    assert shows_none(result, "a-wrong-secret")


def test_an_answer_of_another_issuer_is_refused(forge: Forge, issuer: Issuer, tmp_path: Path) -> None:
    issuer.iss = "https://somebody-else.example"
    result = forge("token", "login", tty=True, env={**ENV, "BROWSER": browser(tmp_path)})
    assert (result.exit_code, issuer.server.seen_at("/token")) == (7, [])
