"""What no stand-in can show: that a recipe, as it comes, goes to the addresses that the vendor documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forge_cli.login.exchange import absolute
from forge_cli.profiles.build import load_profile
from forge_cli.profiles.recipe import find
from tests.recipes.stand_in import written

ASKED = {
    "api": "https://api.example.com",
    "api_key": "key-1",
    "client_id": "client-1",
    "region": "eu-west-1",
    "role_arn": "arn:aws:iam::123456789012:role/reader",
}
DOCUMENTED = {
    "paypal": {"base": "https://api-m.paypal.com", "token": "https://api-m.paypal.com/v1/oauth2/token"},
    "zoom": {"base": "https://api.zoom.us/v2", "token": "https://zoom.us/oauth/token"},
    "spotify": {"base": "https://api.spotify.com/v1", "token": "https://accounts.spotify.com/api/token"},
    "spotify-user": {
        "base": "https://api.spotify.com/v1",
        "browser": "https://accounts.spotify.com/authorize",
        "token": "https://accounts.spotify.com/api/token",
    },
    "x-app-only": {"base": "https://api.x.com", "token": "https://api.x.com/oauth2/token"},
    "binance": {"base": "https://api.binance.com", "time": "https://api.binance.com/api/v3/time"},
    "binance-ed25519": {"base": "https://api.binance.com", "time": "https://api.binance.com/api/v3/time"},
    "aws-sts-assume-role": {
        "base": "https://api.example.com",
        "role": "https://sts.amazonaws.com/",
        "role_with_mfa": "https://sts.amazonaws.com/",
    },
    "aws-sts-web-identity": {"base": "https://api.example.com", "role": "https://sts.amazonaws.com/"},
    "stripe": {"base": "https://api.stripe.com"},
    "withings": {
        "base": "https://wbsapi.withings.net",
        "browser": "https://account.withings.com/oauth2_user/authorize2",
        "user": "https://wbsapi.withings.net/v2/oauth2",
    },
    "github-device": {
        "base": "https://api.github.com",
        "token": "https://github.com/login/device/code",
        "token poll": "https://github.com/login/oauth/access_token",
    },
    "entra-device": {
        "base": "https://graph.microsoft.com/v1.0",
        "token": "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/devicecode",
        "token poll": "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token",
    },
}


@pytest.mark.parametrize("recipe", list(DOCUMENTED))
def test_a_recipe_goes_to_the_addresses_of_its_vendor(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = find(recipe, None, Path())
    named: dict[str, Any] = {name: ASKED[name] for name, value in wanted.vars.items() if value is None}
    named |= {"tenant": "tenant-1"} if recipe == "entra-device" else {}
    written(recipe, **named)
    for place in wanted.secrets.values():
        monkeypatch.setenv(place.get("env", "UNUSED"), "some-secret-1")
    profile = load_profile("api")
    found = {"base": profile.base_url}
    for name, step in profile.login.steps.items():
        table: Any = step.table
        poll = getattr(table, "poll", None)
        requests = {name: getattr(table, "request", table), f"{name} poll": getattr(poll, "request", None)}
        for label, request in requests.items():
            if (url := getattr(request, "url", None)) is not None:
                found[label] = absolute(profile.scope.text(url), profile.scope)
    assert found == DOCUMENTED[recipe]
