"""The recipes for Salesforce."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Flow, Machine, User, free_port
from tests.recipes.oidc_vendor import JWT_BEARER, Client, OidcVendor, Rules
from tests.recipes.test_okta import written
from tests.server import Reply, Server

OAUTH = "/services/oauth2"
RULES = Rules(
    authorize=f"{OAUTH}/authorize",
    token=f"{OAUTH}/token",
    revoke=f"{OAUTH}/revoke",
    discovery=False,
    offline=lambda asked: "refresh_token" in asked.get("scope", "").split(),
    rotates=False,
    lifetime=None,
    says_lifetime=False,
    revoke_free=True,
)
PATH = "/services/data/"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ada(where: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
    """The assertion is for a user that may use the app."""
    claims = fields["assertion"].split(".")[1]
    good = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"] == "ada@acme.com"
    return None if good else ("invalid_grant", "user has not approved this consumer")


class _Salesforce(Flow):
    """The API is at an address that only the login names."""

    path = PATH
    # Nothing of the API is where the login is.
    served = "/nothing"

    @pytest.fixture
    def vendor(self, server: Server, other_server: Server, forge: Forge, env: dict[str, str]) -> OidcVendor:
        vendor = self.made(server, forge, env)
        vendor.extra["instance_url"] = other_server.url
        other_server.reply(PATH, vendor.guard(Reply(body={"hello": "world"})), optional=True)
        return vendor


class TestMachine(_Salesforce, Machine):
    recipe = "salesforce-machine"
    rules = RULES
    client = Client(secret=SECRET, auth="post", grants=("client_credentials",))
    variables = {"domain": "@"}  # noqa: RUF012  # never changed


class TestSigned(_Salesforce, Machine):
    recipe = "salesforce-jwt"
    rules = replace(RULES, check=ada)
    client = Client(auth="grant", grants=(JWT_BEARER,), key=KEY.public_key(), headers={"alg": "RS256"})
    variables = {"login": "@", "username": "ada@acme.com"}  # noqa: RUF012  # never changed
    refused = "invalid_grant"

    @pytest.fixture(autouse=True)
    def key(self, tmp_path: Path) -> None:
        self.pem = written(KEY, tmp_path / "key.pem")

    def places(self) -> list[str]:
        return ["--set", f"private_key=file:{self.pem}"]

    def test_a_user_who_may_not_is_refused(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert self.get(forge, env, "--var", "username=bob@acme.com").exit_code == 7
        assert vendor.refusals == {"invalid_grant": 1}

    def spoil(self, env: dict[str, str]) -> None:
        written(rsa.generate_private_key(public_exponent=65537, key_size=2048), self.pem)


class TestUser(_Salesforce, User):
    recipe = "salesforce-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://localhost:{free_port()}/callback",), any_port=False)
    variables = {"login": "@"}  # noqa: RUF012  # never changed
