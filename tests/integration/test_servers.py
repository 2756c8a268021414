"""The real servers do what the other tests take for granted."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.integration.servers import OpenIdProvider, call


def claims(token: str) -> Any:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def refreshed(oidc: OpenIdProvider, token: str) -> tuple[int, Any]:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return call(oidc.token_url, form=form, basic=f"{oidc.client_id}:{oidc.client_secret}")


def test_httpbin_echoes(httpbin: str) -> None:
    status, answer = call(f"{httpbin}/anything?q=1", json_body={"a": 1})
    assert (status, answer["args"], answer["json"]) == (200, {"q": "1"}, {"a": 1})


@pytest.mark.parametrize("way", ["basic", "post"])
def test_client_credentials_give_a_jwt(oidc: OpenIdProvider, way: str) -> None:
    oidc.access_token_ttl(5)
    form = {"grant_type": "client_credentials", "scope": "read"}
    basic = ""
    if way == "basic":
        basic = f"{oidc.client_id}:{oidc.client_secret}"
    else:
        form |= {"client_id": oidc.post_client_id, "client_secret": oidc.client_secret}
    status, answer = call(oidc.token_url, form=form, basic=basic)
    assert (status, answer["token_type"], answer["expires_in"], answer["scope"]) == (200, "Bearer", 5, "read")
    assert claims(answer["access_token"])["aud"] == oidc.resource
    assert oidc.counts() == {"token": 1, "grants": {"client_credentials": 1}, "errors": {}}


def test_a_wrong_client_secret_is_refused(oidc: OpenIdProvider) -> None:
    status, answer = call(oidc.token_url, form={"grant_type": "client_credentials"}, basic=f"{oidc.client_id}:wrong")
    assert (status, answer["error"]) == (401, "invalid_client")


def test_a_refresh_token_rotates_and_gives_a_jwt(oidc: OpenIdProvider) -> None:
    first = oidc.refresh_token()
    status, answer = refreshed(oidc, first)
    assert status == 200
    assert answer["refresh_token"] != first
    assert claims(answer["access_token"])["sub"] == "ada"


def test_reuse_of_a_refresh_token_revokes_the_family(oidc: OpenIdProvider) -> None:
    first = oidc.refresh_token()
    second = refreshed(oidc, first)[1]["refresh_token"]
    for spent in (first, second):
        status, answer = refreshed(oidc, spent)
        assert (status, answer["error"]) == (400, "invalid_grant")
    assert oidc.counts()["errors"] == {"invalid_grant": 2}
