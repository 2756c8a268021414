"""The recipe for an OAuth app of GitHub."""

from __future__ import annotations

import base64

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, User
from tests.recipes.oidc_vendor import Client, OidcVendor, Rules
from tests.server import Reply, Seen


class TestUser(User):
    recipe = "github-oauth"
    # What GitHub refuses is a 200, and a form where nothing else is asked for.
    rules = Rules(
        authorize="/login/oauth/authorize",
        token="/login/oauth/access_token",
        discovery=False,
        offline=lambda asked: False,
        lifetime=None,
        says_lifetime=False,
        refused_status=200,
        form_unless_json=True,
    )
    client = Client(secret=SECRET, auth="post", grants=("authorization_code",))
    variables = {"api": "@", "github": "@"}  # noqa: RUF012  # never changed
    path = "/user"
    refreshes = False

    def test_it_can_be_given_back(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        """By a DELETE with the app's own credentials."""

        def deleted(seen: Seen) -> Reply:
            wanted = base64.b64encode(f"{self.client.id}:{SECRET}".encode()).decode()
            assert seen.headers["Authorization"] == f"Basic {wanted}"
            assert set(seen.json()) == {"access_token"} and seen.json()["access_token"] in vendor.secrets
            vendor.end_everything()
            return Reply(204)

        vendor.server.reply(f"/applications/{self.client.id}/token", deleted, method="DELETE")
        assert self.login(forge, env).exit_code == 0
        result = forge("token", "clear", "--revoke", "-p", "x", env=env)
        assert result.exit_code == 0, result.stderr
        assert self.get(forge, env).exit_code == 7

    def test_a_refusal_in_a_200_is_one(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        env["THE_SECRET"] = "fake-wrong-secret"
        result = self.login(forge, env)
        assert result.exit_code == 7
        assert "fake-wrong-secret" not in result.stderr
