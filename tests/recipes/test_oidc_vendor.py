"""The stand-in of identity products refuses what they refuse."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from tests.people import parameters
from tests.recipes.oidc_flows import ends_at
from tests.recipes.oidc_vendor import DEVICE, Client, OidcVendor, Rules
from tests.server import Reply, Server

VERIFIER = "v" * 43
CALLBACK = "http://127.0.0.1:5000/callback"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "client_id": "client-1",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "state": "s",
    "scope": "offline_access",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def vendor(server: Server) -> OidcVendor:
    return OidcVendor(server, Rules(), Client())


def sent(
    vendor: OidcVendor, form: Mapping[str, str], path: str = "/token", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON answer to a form, a refusal too."""
    request = Request(vendor.server.url + path, urlencode(form).encode(), dict(headers or {}))
    try:
        with urlopen(request, timeout=10) as response:
            text = response.read()
    except HTTPError as exc:
        text = exc.read()
    found: dict[str, Any] = json.loads(text or b"{}")
    return found


def code_of(vendor: OidcVendor, **changes: str) -> dict[str, str]:
    """What comes back from the browser."""
    asked = {**ASKED, **changes}
    return parameters(ends_at(f"{vendor.server.url}/authorize?{urlencode(asked)}"))


def exchange(vendor: OidcVendor, code: str, **changes: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "client_id": "client-1", "code": code, "redirect_uri": CALLBACK}
    return sent(vendor, {**form, "code_verifier": VERIFIER, **changes})


def test_a_code_is_good_once_and_its_tokens_end_with_the_second_try(vendor: OidcVendor) -> None:
    code = code_of(vendor)["code"]
    first = exchange(vendor, code)
    assert first["access_token"] and first["refresh_token"]
    assert exchange(vendor, code)["error"] == "invalid_grant"
    refresh = {"grant_type": "refresh_token", "client_id": "client-1", "refresh_token": first["refresh_token"]}
    assert sent(vendor, refresh)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": "short"},
        {"redirect_uri": "http://127.0.0.1:5001/callback"},
        {"client_id": "other"},
        {"client_secret": "x"},
        {"code": "other"},
    ],
    ids=str,
)
def test_an_exchange_that_does_not_fit_is_refused(vendor: OidcVendor, changes: dict[str, str]) -> None:
    code = code_of(vendor)["code"]
    assert exchange(vendor, **{"code": code, **changes})["error"] in ("invalid_grant", "invalid_client")


@pytest.mark.parametrize(
    "changes", [{"code_challenge_method": "plain"}, {"code_challenge": "x"}, {"response_type": "token"}], ids=str
)
def test_a_request_without_pkce_comes_back_with_an_error(vendor: OidcVendor, changes: dict[str, str]) -> None:
    assert "error" in code_of(vendor, **changes)
    assert vendor.logins == 0


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5000/other", "https://127.0.0.1:5000/callback", "http://evil.example/callback"]
)
def test_another_redirect_uri_is_never_redirected_to(vendor: OidcVendor, uri: str) -> None:
    assert code_of(vendor, redirect_uri=uri) == {}
    assert vendor.refusals == {"redirect_uri": 1}


def test_an_exact_address_is_compared_with_its_port(server: Server) -> None:
    vendor = OidcVendor(server, Rules(), replace(Client(), redirects=(CALLBACK,), any_port=False))
    assert "code" in code_of(vendor)
    assert code_of(vendor, redirect_uri="http://127.0.0.1:5001/callback") == {}


def test_a_refresh_token_that_was_rotated_ends_the_login(vendor: OidcVendor) -> None:
    first = exchange(vendor, code_of(vendor)["code"])
    form = {"grant_type": "refresh_token", "client_id": "client-1"}
    second = sent(vendor, {**form, "refresh_token": first["refresh_token"]})
    assert second["refresh_token"] != first["refresh_token"]
    assert sent(vendor, {**form, "refresh_token": first["refresh_token"]})["error"] == "invalid_grant"
    assert sent(vendor, {**form, "refresh_token": second["refresh_token"]})["error"] == "invalid_grant"


def test_a_client_proves_itself_in_one_way(server: Server) -> None:
    client = Client(secret="fake-secret", auth="basic", grants=("client_credentials",))
    vendor = OidcVendor(server, Rules(), client)
    form = {"grant_type": "client_credentials"}
    basic = {"Authorization": "Basic " + base64.b64encode(b"client-1:fake-secret").decode()}
    assert "access_token" in sent(vendor, form, headers=basic)
    both = {**form, "client_id": "client-1", "client_secret": "fake-secret"}
    assert sent(vendor, both)["error"] == "invalid_client"
    assert sent(vendor, both, headers=basic)["error"] == "invalid_client"


def test_a_form_is_a_form(vendor: OidcVendor) -> None:
    json_type = {"Content-Type": "application/json"}
    assert sent(vendor, {"grant_type": "client_credentials"}, headers=json_type)["error"] == "invalid_request"
    assert sent(vendor, {"client_id": "client-1"}, "/token?grant_type=x")["error"] == "invalid_request"
    assert sent(vendor, {"client_id": "client-1", "scope": ""})["error"] == "unauthorized_client"


def test_a_device_code_is_good_once(server: Server) -> None:
    vendor = OidcVendor(server, Rules(), Client(grants=(DEVICE,)))
    vendor.polls = ["granted"]
    code = sent(vendor, {"client_id": "client-1"}, "/device")["device_code"]
    form = {"grant_type": DEVICE, "client_id": "client-1", "device_code": code}
    assert "access_token" in sent(vendor, form)
    assert sent(vendor, form)["error"] == "invalid_grant"


def test_the_api_takes_a_live_token_that_was_asked_for_as_it_wants(server: Server) -> None:
    vendor = OidcVendor(server, Rules(), Client(secret="s", auth="post", grants=("client_credentials",)))
    form = {"grant_type": "client_credentials", "client_id": "client-1", "client_secret": "s"}
    token = sent(vendor, {**form, "audience": "a"})["access_token"]
    for path, wanted in (("/a", "a"), ("/b", "b")):
        server.reply(path, vendor.guard(Reply(200), audience=wanted))

    def status(path: str) -> int:
        try:
            with urlopen(Request(server.url + path, headers={"Authorization": f"Bearer {token}"}), timeout=10) as found:
                return int(found.status)
        except HTTPError as exc:
            return exc.code

    assert (status("/a"), status("/b")) == (200, 401)
    vendor.expire()
    assert status("/a") == 401
