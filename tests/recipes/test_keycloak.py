"""The recipes for Keycloak; the exchange of a token has a file of its own."""

from __future__ import annotations

from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Device, Machine, User
from tests.recipes.oidc_vendor import DEVICE, Client, OidcVendor, Rules

REALM = "/realms/acme"
OIDC = f"{REALM}/protocol/openid-connect"
RULES = Rules(
    issuer=REALM,
    authorize=f"{OIDC}/auth",
    token=f"{OIDC}/token",
    device=f"{OIDC}/auth/device",
    revoke=f"{OIDC}/revoke",
    jwks=f"{OIDC}/certs",
    userinfo=f"{OIDC}/userinfo",
    offline=lambda asked: True,
    extra={"refresh_expires_in": 1800, "not-before-policy": 0},
)
VARIABLES = {"api": "@", "keycloak": "@", "realm": "acme"}


class TestMachine(Machine):
    recipe = "keycloak-machine"
    rules = RULES
    variables = VARIABLES
    client = Client(secret=SECRET, auth="basic", grants=("client_credentials",))


class TestUser(User):
    recipe = "keycloak-user"
    rules = RULES
    variables = VARIABLES

    def test_the_end_of_the_refresh_token_is_kept(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        vendor.extra["refresh_expires_in"] = 1
        assert self.login(forge, env).exit_code == 0
        stored = (config_dir() / "tokens" / "x.toml").read_text()
        assert "until" in stored


class TestDevice(Device):
    recipe = "keycloak-device"
    rules = RULES
    variables = VARIABLES
    client = Client(grants=(DEVICE, "refresh_token"))
