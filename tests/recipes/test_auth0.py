"""The recipes for Auth0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Device, Machine, User, free_port
from tests.recipes.oidc_vendor import Client, OidcVendor, Rules

AUDIENCE = "https://api.example.com"


def audience(where: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
    """The API is named where consent is given, never where a code is exchanged."""
    if where in ("authorize", "device", "client_credentials"):
        return None if fields.get("audience") == AUDIENCE else ("access_denied", "Service not found")
    return ("invalid_request", "audience is not for this") if "audience" in fields else None


RULES = Rules(
    issuer="/",
    token="/oauth/token",
    device="/oauth/device/code",
    revoke="/oauth/revoke",
    jwks="/.well-known/jwks.json",
    pending_status=403,
    check=audience,
)
VARIABLES = {"api": "@", "issuer": "@/", "audience": AUDIENCE}
WANTED = {"audience": AUDIENCE}


class TestMachine(Machine):
    recipe = "auth0-machine"
    rules = RULES
    client = Client(secret=SECRET, auth="post", grants=("client_credentials",))
    variables = VARIABLES
    wanted = WANTED

    def test_another_audience_is_refused(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert self.get(forge, env, "--var", "audience=https://other.example.com").exit_code == 7
        assert vendor.refusals == {"access_denied": 1}


class TestUser(User):
    recipe = "auth0-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://127.0.0.1:{free_port()}/callback",), any_port=False)
    variables = VARIABLES
    wanted = WANTED

    def test_a_client_that_nobody_knows_gets_nothing(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        found = forge("token", "login", "-p", "x", "--var", "client_id=other", "--timeout", "2", tty=True, env=env)
        assert found.exit_code != 0
        assert (vendor.refusals["redirect_uri"], vendor.tokens) == (1, 0)


class TestDevice(Device):
    recipe = "auth0-device"
    rules = RULES
    variables = VARIABLES
    wanted = WANTED


def test_the_tenant_needs_its_slash(forge: Forge) -> None:
    args = ("--var", "issuer=https://acme.eu.auth0.com", "--var", "api=https://a.example", "--var", "audience=x")
    result = forge("profile", "add", "x", "--from", "auth0-user", *args, "--var", "client_id=c")
    assert result.exit_code == 2
    assert "--var issuer" in result.stderr and "with the slash at its end" in result.stderr
