"""private_key_jwt at an issuer that describes itself: each assertion is good once, and for the token endpoint alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, claims_of, form, lines, pem, refused, shows_none, written
from tests.server import Reply, Seen, Server

METADATA = "/.well-known/openid-configuration"
KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Issuer(Tokens):
    def __init__(self, server: Server, key: rsa.RSAPrivateKey) -> None:
        super().__init__("access")
        self.server = server
        self.key = key.public_key()
        self.lifetime = 300
        self.named = server.url
        self.seen: set[str] = set()
        self.busy = 0
        server.reply(METADATA, self.metadata, method="GET", optional=True)
        server.reply("/token", self.token, method="POST", optional=True)
        server.reply("/items", self.api, optional=True)

    def metadata(self, seen: Seen) -> Reply:
        return Reply(200, {"issuer": self.named, "token_endpoint": f"{self.server.url}/token"})

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        assertion = fields.pop("client_assertion", "")
        wanted = {"grant_type": "client_credentials", "scope": "read write", "client_id": "client-1"}
        if fields != {**wanted, "client_assertion_type": KIND} or seen.headers["Authorization"]:
            return refused("invalid_request", said=fields)
        trouble = self.trouble(assertion)
        if trouble is not None:
            return refused("invalid_client", 401, f"{trouble}: {assertion}")
        if self.busy:
            self.busy -= 1
            return Reply(503)
        return Reply(200, {"access_token": self.new(), "token_type": "Bearer", "expires_in": self.lifetime})

    def trouble(self, assertion: str) -> str | None:
        try:
            head, claims = claims_of(assertion, self.key)
        except ValueError as exc:
            return str(exc)
        who: dict[str, Any] = {name: claims.get(name) for name in ("iss", "sub", "aud")}
        if head.get("kid") != "key-1" or who != {
            "iss": "client-1",
            "sub": "client-1",
            "aud": f"{self.server.url}/token",
        }:
            return "claims"
        if not time.time() - 60 < claims["iat"] <= time.time() < claims["exp"] <= time.time() + 600:
            return "lifetime"
        if claims["jti"] in self.seen:
            return "jti was seen"
        self.seen.add(claims["jti"])
        return None


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issuer(server: Server, key: rsa.RSAPrivateKey) -> Issuer:
    (Path.home() / "client.pem").write_text(pem(key))
    place = {"private_key": {"file": str(Path.home() / "client.pem")}}
    named = {"issuer": server.url, "client_id": "client-1", "key_id": "key-1", "scope": "read write"}
    written("oidc-private-key-jwt", places=place, api=server.url, **named)
    return Issuer(server, key)


def test_one_login_serves_two_commands(forge: Forge, issuer: Issuer) -> None:
    for _ in range(2):
        result = forge("get", "/items")
        assert result.exit_code == 0, result.stderr
    assert lines(issuer.server.seen) == [f"GET {METADATA}", "POST /token", "GET /items", "GET /items"]


def test_every_token_request_has_an_assertion_of_its_own_and_the_metadata_stay(forge: Forge, issuer: Issuer) -> None:
    issuer.lifetime = 0
    for _ in range(3):
        assert forge("get", "/items").exit_code == 0
    assert (issuer.issued, len(issuer.seen), len(issuer.server.seen_at(METADATA))) == (3, 3, 1)


def test_a_retry_of_the_token_request_has_an_assertion_of_its_own_too(forge: Forge, issuer: Issuer) -> None:
    path = config_dir() / "profiles.toml"
    path.write_text(path.read_text() + "\n[profiles.api.retry]\nbase_delay = 0\n")
    issuer.busy = 1
    result = forge("get", "/items")
    assert (result.exit_code, len(issuer.seen)) == (0, 2), result.stderr


def test_a_token_that_is_revoked_is_replaced_after_the_refusal(forge: Forge, issuer: Issuer) -> None:
    forge("get", "/items")
    issuer.revoke()
    assert forge("get", "/items").exit_code == 0
    assert (issuer.issued, len(issuer.server.seen_at(METADATA))) == (2, 1)


def test_another_key_is_exit_7_and_is_not_shown(forge: Forge, issuer: Issuer) -> None:
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    (Path.home() / "client.pem").write_text(other)
    result = forge("get", "/items", "-v")
    assert (result.exit_code, "another signature" in result.stderr) == (7, True)
    assertion = dict(issuer.server.seen_at("/token")[0].form)["client_assertion"]
    assert shows_none(result, assertion, assertion.rpartition(".")[2], *other.splitlines()[1:-1])


def test_metadata_of_another_issuer_are_refused(forge: Forge, issuer: Issuer) -> None:
    issuer.named = "https://somebody-else.example"
    result = forge("get", "/items")
    assert (result.exit_code, issuer.server.seen_at("/token")) == (7, [])


def test_the_assertion_is_not_kept(forge: Forge, issuer: Issuer) -> None:
    forge("get", "/items")
    assertion = dict(issuer.server.seen_at("/token")[0].form)["client_assertion"]
    kept = [path.read_bytes() for path in (Path.home() / ".config").rglob("*") if path.is_file()]
    assert not any(assertion.encode() in data for data in kept)
    shown = json.loads(forge("token", "show", "--json").stdout)
    assert {row["step"] for row in shown} == {"metadata", "token"}
