"""The recipes for a Google user; service accounts have files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Device, User
from tests.recipes.oidc_vendor import DEVICE, Client, OidcVendor, Rules


def offline(asked: Mapping[str, str]) -> bool:
    """A refresh token comes where it was asked for, and of a consent."""
    return asked.get("access_type") == "offline" and asked.get("prompt") == "consent"


RULES = Rules(
    authorize="/o/oauth2/v2/auth",
    device="/device/code",
    discovery=False,
    offline=offline,
    rotates=False,
    revoke_free=True,
    pending_status=428,
)
VARIABLES = {"api": "@", "accounts": "@", "oauth": "@"}


class TestUser(User):
    recipe = "google-user"
    rules = RULES
    client = Client(secret=SECRET, auth="post")
    variables = VARIABLES
    path = "/oauth2/v3/userinfo"

    def test_a_desktop_app_needs_its_secret_too(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        env["THE_SECRET"] = "fake-wrong-secret"
        result = self.login(forge, env)
        assert result.exit_code == 7
        assert vendor.refusals == {"invalid_client": 1}
        assert "fake-wrong-secret" not in result.stderr


class TestDevice(Device):
    recipe = "google-device"
    rules = replace(RULES, offline=lambda asked: True)
    client = Client(secret=SECRET, auth="post", grants=(DEVICE, "refresh_token"))
    variables = VARIABLES
    path = "/oauth2/v3/userinfo"
