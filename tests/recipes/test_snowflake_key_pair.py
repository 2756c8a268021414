"""Snowflake: every token is signed here, and names the fingerprint of the key that Snowflake knows."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Forge
from tests.recipes.stand_in import bearer, claims_of, lines, pem, shows_none, unpacked, written
from tests.server import Reply, Seen, Server

PATH = "/api/v2/statements"
ACCOUNT = "MYORG-ACCOUNT123"


class Snowflake:
    """An account with the user ADA, whose public key it has. `refusing` are tokens that it takes no more."""

    def __init__(self, server: Server, key: rsa.RSAPrivateKey) -> None:
        self.server = server
        self.key = key.public_key()
        self.refusing: set[str | None] = set()
        self.welcomed: list[str] = []
        server.reply(PATH, self.api, method="POST", optional=True)

    def api(self, seen: Seen) -> Reply:
        token = bearer(seen) or ""
        if seen.headers["Accept"] != "application/json":
            return Reply(406)
        trouble = self.trouble(seen, token)
        if trouble is not None:
            return Reply(401, {"code": "390144", "message": f"JWT token is invalid: {trouble}: {token}"})
        self.welcomed.append(token)
        return Reply(200, {"statementHandle": "1"})

    def trouble(self, seen: Seen, token: str) -> str | None:
        if seen.headers["X-Snowflake-Authorization-Token-Type"] != "KEYPAIR_JWT" or token in self.refusing:
            return "type"
        try:
            _, said = claims_of(token, self.key)
        except ValueError as exc:
            return str(exc)
        public = self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        fingerprint = base64.b64encode(hashlib.sha256(public).digest()).decode()
        who = {"iss": f"{ACCOUNT}.ADA.SHA256:{fingerprint}", "sub": f"{ACCOUNT}.ADA"}
        if {name: said.get(name) for name in who} != who:
            return "issuer"
        life = said["exp"] - said["iat"]
        return None if abs(said["iat"] - time.time()) < 60 and 0 < life <= 3600 else "lifetime"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def snowflake(server: Server, key: rsa.RSAPrivateKey) -> Snowflake:
    (Path.home() / ".snowflake").mkdir()
    (Path.home() / ".snowflake" / "rsa_key.p8").write_text(pem(key))
    written("snowflake-key-pair", api=server.url, account=ACCOUNT.lower(), user="ada")
    return Snowflake(server, key)


def test_one_signature_serves_two_commands_and_nothing_is_asked_of_a_server(forge: Forge, snowflake: Snowflake) -> None:
    for _ in range(2):
        result = forge("post", PATH, "statement=select 1")
        assert result.exit_code == 0, result.stderr
    assert lines(snowflake.server.seen) == [f"POST {PATH}", f"POST {PATH}"]
    assert len(set(snowflake.welcomed)) == 1


def test_a_token_that_has_ended_is_signed_anew(forge: Forge, snowflake: Snowflake, own_home: Path) -> None:
    profiles = own_home / ".config" / "forge" / "profiles.toml"
    profiles.write_text(profiles.read_text().replace('lifetime = "59m"', 'lifetime = "1s"\nskew = "5s"'))
    for _ in range(2):
        assert forge("post", PATH, "statement=select 1").exit_code == 0
    tokens = [json.loads(unpacked(token.split(".")[1])) for token in snowflake.welcomed]
    assert all(claims["exp"] - claims["iat"] == 1 for claims in tokens)
    assert len(snowflake.server.seen) == 2


def test_a_token_that_is_refused_is_signed_anew_once(forge: Forge, snowflake: Snowflake) -> None:
    forge("post", PATH, "statement=select 1")
    snowflake.refusing.update(snowflake.welcomed)
    forge("post", PATH, "statement=select 1")
    assert len(snowflake.server.seen) == 3


def test_another_key_is_refused_and_not_shown(forge: Forge, snowflake: Snowflake, own_home: Path) -> None:
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    (own_home / ".snowflake" / "rsa_key.p8").write_text(other)
    result = forge("post", PATH, "statement=select 1", "-v")
    assert (result.exit_code, snowflake.welcomed) == (4, [])
    sent = {bearer(seen) or "" for seen in snowflake.server.seen}
    assert not any(token in result.stderr for token in sent)
    assert shows_none(result, *other.splitlines()[1:-1])


def test_what_is_no_key_is_said_before_anything_is_sent(forge: Forge, snowflake: Snowflake, own_home: Path) -> None:
    (own_home / ".snowflake" / "rsa_key.p8").write_text("not-a-key-but-secret-1")
    result = forge("post", PATH, "statement=select 1")
    assert (result.exit_code, snowflake.server.seen) == (2, [])
    assert shows_none(result, "not-a-key-but-secret-1")
