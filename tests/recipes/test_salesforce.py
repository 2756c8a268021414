"""The recipes for Salesforce."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Flow, Machine, User, free_port, pasted
from tests.recipes.oidc_vendor import Client, OidcVendor, Rules
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


class TestUser(_Salesforce, User):
    recipe = "salesforce-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://127.0.0.1:{free_port()}/callback",), any_port=False)
    variables = {"login": "@"}  # noqa: RUF012  # never changed


class TestPasted(_Salesforce):
    """The address that Salesforce takes is one at which nobody listens: the person pastes where it ends."""

    recipe = "salesforce-user"
    rules = RULES
    client = replace(User.client, redirects=("http://localhost:8484/callback",), any_port=False)
    variables = {"login": "@"}  # noqa: RUF012  # never changed

    def test_the_address_is_pasted(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert pasted(env)
        self.good(self.get(forge, env))
        assert (vendor.logins, vendor.tokens) == (1, 1)
