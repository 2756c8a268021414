"""What the token commands say of a login: each thing once, and nothing that was not filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

ProfileFile = Callable[[str], Path]


def test_a_step_that_needs_a_person_is_named_once(forge: Forge, server: Server, profile_file: ProfileFile) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nclient_id = "c"\n'
        'grant = "authorization-code"\ntoken_url = "/token"\nauthorization_url = "/authorize"\n'
    )
    for command in (("token", "status"), ("get", "/me")):
        result = forge(*command)
        assert result.exit_code == 7
        assert result.stderr.count("step 'browser'") == 1, result.stderr


@pytest.mark.parametrize("left", ["expires_in", "no"], ids=["has ended", "does not say"])
def test_a_token_that_has_ended_on_arrival_is_told_of_once(
    forge: Forge, server: Server, profile_file: ProfileFile, left: str
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nclient_id = "c"\n'
        'grant = "password"\nusername = "u"\npassword = "p"\ntoken_url = "/token"\n'
    )
    server.reply("/token", Reply(body={"access_token": "access-1-zz", left: 0}))
    server.reply("/me", Reply(200, {}))
    result = forge("get", "/me")
    assert result.exit_code == 0
    said = result.stderr.count("step 'token' was given a token that has already ended")
    assert said == (1 if left == "expires_in" else 0)


def test_the_source_of_a_token_has_no_reference_that_is_not_filled_in(
    forge: Forge, server: Server, profile_file: ProfileFile
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nclient_id = "c"\n'
        f'client_auth = "none"\ngrant = "client-credentials"\nissuer = "{server.url}"\n'
    )
    body = {"issuer": server.url, "token_endpoint": f"{server.url}/token"}
    server.reply("/.well-known/openid-configuration", Reply(body=body))
    server.reply("/token", Reply(body={"access_token": "access-1-zz", "expires_in": 600}))
    assert forge("token", "refresh").exit_code == 0
    result = forge("token", "show", "--json")
    assert "${" not in result.stdout
    assert '"source": "http POST"' in result.stdout
    assert f'"source": "http GET {server.url}/.well-known/openid-configuration"' in result.stdout


def test_endpoints_of_the_issuer_can_be_read_in_a_trace(
    forge: Forge, server: Server, profile_file: ProfileFile
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nclient_id = "c"\n'
        f'client_auth = "none"\ngrant = "client-credentials"\nissuer = "{server.url}"\n'
    )
    body = {"issuer": server.url, "token_endpoint": f"{server.url}/oauth/token"}
    server.reply("/.well-known/openid-configuration", Reply(body=body))
    server.reply("/oauth/token", Reply(body={"access_token": "access-1-zz", "expires_in": 600}))
    result = forge("token", "explain", "--trace")
    assert f"token_endpoint {server.url}/oauth/token" in result.stdout
    assert "> POST /oauth/token HTTP/1.1" in result.stdout
    assert "access-1-zz" not in result.stdout


def test_the_steps_behind_a_grant_have_only_keys_that_a_profile_may_have(
    forge: Forge, server: Server, profile_file: ProfileFile
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\nclient_id = "c"\n'
        f'client_auth = "none"\ngrant = "client-credentials"\nissuer = "{server.url}"\n'
    )
    shown = forge("profile", "show", "--expand", "--json").stdout
    assert "openid-configuration" in shown
    assert '"named"' not in shown
    assert '"issuer": ' not in shown
