"""The recipes for Amazon Cognito."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.conftest import Forge
from tests.recipes.oidc_flows import Machine, User, free_port
from tests.recipes.oidc_vendor import OidcVendor, Rules


def scope(where: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
    """A program has scopes of a resource server and no others."""
    if where != "client_credentials" or all("/" in each for each in fields.get("scope", "").split()):
        return None
    return "invalid_grant", "not a scope of a resource server"


RULES = Rules(
    authorize="/oauth2/authorize",
    token="/oauth2/token",
    revoke="/oauth2/revoke",
    discovery=False,
    offline=lambda asked: True,
    rotates=False,
    check=scope,
)
VARIABLES = {"api": "@", "domain": "@"}


class TestMachine(Machine):
    recipe = "cognito-machine"
    rules = RULES
    variables = {**VARIABLES, "scope": "reports/read"}  # noqa: RUF012  # never changed

    def test_a_scope_of_no_resource_server_is_refused(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        assert self.get(forge, env, "--var", "scope=openid").exit_code == 7
        assert vendor.refusals == {"invalid_grant": 1}


class TestUser(User):
    recipe = "cognito-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://localhost:{free_port()}/callback",), any_port=False)
    variables = VARIABLES
