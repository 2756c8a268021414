"""google-service-account and google-id-token, against a stand-in that is as strict as Google's token endpoint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from tests.conftest import Forge
from tests.recipes.installed import (
    bearer,
    calls,
    installed,
    later,
    media_type,
    now,
    refused,
    replaced,
    rs256,
    rsa_key,
    unsigned_jwt,
    valid,
)
from tests.server import Reply, Seen, Server

EMAIL, KEY_ID = "robot@project.iam.gserviceaccount.com", "key-7"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Google:
    """The token endpoint, and an API."""

    def __init__(self, server: Server) -> None:
        self.key, self.pem = rsa_key()
        self.live: set[str] = set()
        self.life = 3600
        self._url = server.reply("/token", self._token, method="POST")
        self._numbers = itertools.count(1)
        server.reply("/b", self._buckets, method="GET", optional=True)

    def key_file(self, **changes: str) -> str:
        """The JSON file that the console hands out."""
        path = Path.home() / "google.json"
        whole = {
            "type": "service_account",
            "private_key_id": KEY_ID,
            "private_key": self.pem,
            "client_email": EMAIL,
            **changes,
        }
        path.write_text(json.dumps(whole))
        path.chmod(0o600)
        return str(path)

    def _token(self, seen: Seen) -> Reply:
        if media_type(seen) != "application/x-www-form-urlencoded":
            return Reply(400, {"error": "invalid_request"})
        form = dict(seen.form)
        if set(form) != {"grant_type", "assertion"} or form["grant_type"] != GRANT:
            return Reply(400, {"error": "unsupported_grant_type"})
        try:
            header, claims = rs256(form["assertion"], self.key)
        except (InvalidSignature, AssertionError, ValueError):
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        at = now().timestamp()
        fit = claims["iat"] <= at + 1 and at < claims["exp"] <= claims["iat"] + 3600 and claims["aud"] == self._url
        if not fit or header["kid"] != KEY_ID or claims["iss"] != EMAIL:
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT"})
        return self._issued(claims)

    def _issued(self, claims: dict[str, Any]) -> Reply:
        number = next(self._numbers)
        if "target_audience" in claims:
            end = int(now().timestamp()) + self.life
            token = unsigned_jwt({"aud": claims["target_audience"], "exp": end, "jti": number})
            answer: dict[str, Any] = {"id_token": token}
        elif "scope" in claims:
            token = f"google-token-{number}"
            answer = {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}
        else:
            return Reply(400, {"error": "invalid_scope"})
        self.live.add(token)
        return Reply(200, answer)

    def _buckets(self, seen: Seen) -> Reply:
        return Reply(200, {"items": []}) if bearer(seen) in self.live else Reply(401, {"error": {"code": 401}})


@pytest.fixture
def google(server: Server) -> Google:
    return Google(server)


@pytest.fixture(params=["google-service-account", "google-id-token"])
def recipe(request: pytest.FixtureRequest, server: Server, google: Google, profile_file: Callable[[str], Path]) -> str:
    """Each recipe, installed."""
    name: str = request.param
    own = (
        {"api": server.url, "scope": SCOPE} if "account" in name else {"service": server.url, "audience": "iap-client"}
    )
    places = {"key_file": {"file": google.key_file()}}
    installed(profile_file, name, {**own, "token_url": f"{server.url}/token"}, places)
    return name


def test_an_assertion_buys_a_token_that_the_next_call_uses(forge: Forge, server: Server, recipe: str) -> None:
    valid(forge)
    for _ in range(2):
        assert forge("get", "/b").exit_code == 0
    assert calls(server.seen) == ["POST /token", "GET /b", "GET /b"]


def test_an_ended_token_is_bought_anew(forge: Forge, server: Server, recipe: str) -> None:
    forge("get", "/b")
    later(minutes=59)
    forge("get", "/b")
    later(minutes=2)
    assert forge("get", "/b").exit_code == 0
    assert calls(server.seen) == ["POST /token", "GET /b", "GET /b", "POST /token", "GET /b"]


def test_a_revoked_token_is_bought_anew(forge: Forge, server: Server, google: Google, recipe: str) -> None:
    forge("get", "/b")
    google.live.clear()
    assert forge("get", "/b").exit_code == 0
    assert calls(server.seen) == ["POST /token", "GET /b", "GET /b", "POST /token", "GET /b"]


def test_another_key_is_exit_7_and_no_secret_is_shown(
    forge: Forge, server: Server, google: Google, recipe: str
) -> None:
    google.key_file(private_key=rsa_key()[1])
    result = forge("get", "/b")
    refused(result, dict(server.seen[0].form)["assertion"], EMAIL, "PRIVATE KEY")
    assert "Invalid JWT Signature" in result.stderr


def test_the_end_of_an_id_token_is_its_own_exp(
    forge: Forge, server: Server, google: Google, profile_file: Callable[[str], Path]
) -> None:
    google.life = 120
    variables = {"service": server.url, "audience": server.url, "token_url": f"{server.url}/token"}
    installed(profile_file, "google-id-token", variables, {"key_file": {"file": google.key_file()}})
    forge("get", "/b")
    later(seconds=60)
    forge("get", "/b")
    later(seconds=60)
    forge("get", "/b")
    assert calls(server.seen) == ["POST /token", "GET /b", "GET /b", "POST /token", "GET /b"]


def test_another_project_can_be_charged(
    forge: Forge, server: Server, google: Google, profile_file: Callable[[str], Path]
) -> None:
    change = replaced("# headers = { X-Goog", "headers = { X-Goog")
    variables = {"api": server.url, "scope": SCOPE, "token_url": f"{server.url}/token"}
    places = {"key_file": {"file": google.key_file()}}
    installed(profile_file, "google-service-account", variables, places, change)
    assert forge("get", "/b").exit_code == 0
    assert server.seen_at("/b")[0].headers["X-Goog-User-Project"] == "my-project"
    assert server.seen_at("/token")[0].headers["X-Goog-User-Project"] is None
