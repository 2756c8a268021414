"""What no stand-in can show: that these recipes, as they come, go to the addresses that the vendors document."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from forge_cli.profiles.recipe import find

MICROSOFT = "https://login.microsoftonline.com/acme/oauth2/v2.0"
SALESFORCE = "https://login.salesforce.com/services/oauth2"
DOCUMENTED = {
    "entra-machine": [f"{MICROSOFT}/token", "https://graph.microsoft.com/v1.0"],
    "entra-machine-certificate": [f"{MICROSOFT}/token", "https://graph.microsoft.com/v1.0"],
    "entra-user": [f"{MICROSOFT}/authorize", f"{MICROSOFT}/token"],
    "google-user": [
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com/revoke",
    ],
    "google-device": ["https://oauth2.googleapis.com/device/code", "https://oauth2.googleapis.com/token"],
    "github-oauth": [
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        "https://api.github.com/applications/acme/token",
    ],
    "gitlab-user": [
        "https://gitlab.com/oauth/authorize",
        "https://gitlab.com/oauth/token",
        "https://gitlab.com/api/v4",
    ],
    "gitlab-device": ["https://gitlab.com/oauth/authorize_device", "https://gitlab.com/oauth/token"],
    "salesforce-user": [f"{SALESFORCE}/authorize", f"{SALESFORCE}/token", f"{SALESFORCE}/revoke"],
    "salesforce-jwt": [f"{SALESFORCE}/token"],
    "okta-management": ["https://acme.okta.com/oauth2/v1/token"],
    "cognito-machine": ["https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"],
    "keycloak-user": ["https://sso.example.com/realms/acme"],
}
GIVEN = {
    "org": "https://acme.okta.com",
    "domain": "https://acme.auth.eu-west-1.amazoncognito.com",
    "keycloak": "https://sso.example.com",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_recipe_goes_where_the_vendor_says(name: str, tmp_path: Path) -> None:
    found = find(name, None, tmp_path)
    answers = {var: GIVEN.get(var, "acme") for var, value in found.vars.items() if value is None or var == "tenant"}
    places = {each: found.place(each, "x") for each, ask in found.head.asks.items() if ask.into == "secrets"}
    made = found.made("x", answers, places)
    values = tomllib.loads(made)["profiles"]["x"]["vars"]
    text = re.sub(r"\$\{vars\.(\w+)\}", lambda match: str(values[match[1]]), made)
    assert [url for url in DOCUMENTED[name] if f'"{url}"' not in text] == []
