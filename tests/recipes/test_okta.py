"""The recipes for Okta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Forge
from tests.recipes.oidc_flows import Device, Machine, User, free_port
from tests.recipes.oidc_vendor import Client, OidcVendor, Rules

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def scope(where: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
    """A program has to say which scope, and none of OpenID Connect."""
    if where != "client_credentials":
        return None
    asked = set(fields.get("scope", "").split())
    return None if asked and not asked & {"openid", "offline_access"} else ("invalid_scope", "scopes of your own")


AS = "/oauth2/default"
RULES = Rules(
    issuer=AS,
    authorize=f"{AS}/v1/authorize",
    token=f"{AS}/v1/token",
    device=f"{AS}/v1/device/authorize",
    revoke=f"{AS}/v1/revoke",
    jwks=f"{AS}/v1/keys",
    userinfo=f"{AS}/v1/userinfo",
    check=scope,
)
VARIABLES = {"api": "@", "issuer": f"@{AS}"}


class TestMachine(Machine):
    recipe = "okta-machine"
    rules = RULES
    variables = {**VARIABLES, "scope": "reports.read"}  # noqa: RUF012  # never changed

    def test_a_scope_of_openid_is_refused(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert self.get(forge, env, "--var", "scope=openid").exit_code == 7
        assert vendor.refusals == {"invalid_scope": 1}


class TestManagement(Machine):
    """The client signs: it has no secret that could be sent."""

    recipe = "okta-management"
    rules = Rules(token="/oauth2/v1/token", discovery=False, check=scope)
    client = Client(
        auth="key", grants=("client_credentials",), key=KEY.public_key(), headers={"kid": "key-7", "alg": "RS256"}
    )
    variables = {"org": "@", "key_id": "key-7"}  # noqa: RUF012  # never changed
    path = "/api/v1/users"

    @pytest.fixture(autouse=True)
    def key(self, tmp_path: Path) -> Path:
        self.pem = written(KEY, tmp_path / "key.pem")
        return self.pem

    def places(self) -> list[str]:
        return ["--set", f"private_key=file:{self.pem}"]

    def spoil(self, env: dict[str, str]) -> None:
        written(rsa.generate_private_key(public_exponent=65537, key_size=2048), self.pem)


def written(key: rsa.RSAPrivateKey, path: Path) -> Path:
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*pem))
    return path


class TestUser(User):
    recipe = "okta-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://127.0.0.1:{free_port()}/callback",), any_port=False)
    variables = VARIABLES


class TestDevice(Device):
    recipe = "okta-device"
    rules = RULES
    variables = VARIABLES
