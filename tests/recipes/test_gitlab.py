"""The recipes for GitLab."""

from __future__ import annotations

from dataclasses import replace

from tests.recipes.oidc_flows import Device, User, free_port
from tests.recipes.oidc_vendor import Rules

RULES = Rules(
    authorize="/oauth/authorize",
    token="/oauth/token",
    device="/oauth/authorize_device",
    revoke="/oauth/revoke",
    discovery=False,
    scopes=frozenset({"api", "read_api", "read_user"}),
    offline=lambda asked: True,
    lifetime=7200,
)
VARIABLES = {"gitlab": "@"}


class TestUser(User):
    recipe = "gitlab-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://127.0.0.1:{free_port()}/callback",), any_port=False)
    variables = VARIABLES
    path = "/user"
    served = "/api/v4/user"


class TestDevice(Device):
    recipe = "gitlab-device"
    rules = RULES
    variables = VARIABLES
    path = "/user"
    served = "/api/v4/user"
