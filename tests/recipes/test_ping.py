"""The recipes for PingOne."""

from __future__ import annotations

from dataclasses import replace

from tests.recipes.oidc_flows import Device, Machine, User, free_port
from tests.recipes.oidc_vendor import Rules

AS = "/environment-1/as"
RULES = Rules(
    issuer=AS,
    authorize=f"{AS}/authorize",
    token=f"{AS}/token",
    device=f"{AS}/device_authorization",
    revoke=f"{AS}/revoke",
    jwks=f"{AS}/jwks",
    userinfo=f"{AS}/userinfo",
)
VARIABLES = {"api": "@", "issuer": f"@{AS}"}


class TestMachine(Machine):
    recipe = "ping-machine"
    rules = RULES
    variables = VARIABLES


class TestUser(User):
    recipe = "ping-user"
    rules = RULES
    client = replace(User.client, redirects=(f"http://127.0.0.1:{free_port()}/callback",), any_port=False)
    variables = VARIABLES


class TestDevice(Device):
    recipe = "ping-device"
    rules = RULES
    variables = VARIABLES
