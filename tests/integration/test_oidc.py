"""forge against a certified OpenID provider: client credentials, and refresh tokens that rotate."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import AuthenticationException
from forge_cli.profiles.build import load_profile
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.providers import ClientCredentialsTokenProvider
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.conftest import Forge, Require
from tests.crowd import SIZE, together
from tests.integration.oidc.api import Api, claims
from tests.integration.servers import OpenIdProvider
from tests.redis_server import redis_server
from tests.server import Server

ROUNDS = int(os.environ.get("FORGE_TEST_ROUNDS", "3"))
"""How often sixteen processes need the same new token; 20 and more by hand."""

INSTALL_REDIS = "apt-get install redis-server"
WriteProfile = Callable[[str], Path]

# The provider's own login is a browser; a door for tests gives the first refresh token of a family instead.
FAMILY = """
[profiles.demo]
base_url = "@API@"
secrets = {{ client = {{ env = "CLIENT" }} }}

[profiles.demo.auth]
type = "pipeline"

[profiles.demo.auth.steps.user]
request = {{ method = "POST", url = "{issuer}/test/refresh-token", json = {{ client_id = "{client_id}" }} }}
extract = {{ token = "/refresh_token", refresh_token = "/refresh_token" }}

[profiles.demo.auth.steps.user.refresh]
extract = {{ token = "/access_token", refresh_token = "/refresh_token" }}
expires = {{ in = "/expires_in" }}
on_failure = "@FAILURE@"

[profiles.demo.auth.steps.user.refresh.request]
method = "POST"
url = "{issuer}/token"
basic = ["{client_id}", "${{secrets.client}}"]
form = {{ grant_type = "refresh_token", refresh_token = "${{self.refresh_token}}" }}
"""


class Family:
    """A profile whose refresh tokens rotate, and the file where the current one is."""

    def __init__(self, oidc: OpenIdProvider, api: Api, write: WriteProfile, home: Path) -> None:
        self._text = FAMILY.format(issuer=oidc.issuer, client_id=oidc.client_id).replace("@API@", api.url)
        self._write = write
        self.environ = {"CLIENT": oidc.client_secret}
        self.file = home / ".config" / "forge" / "tokens" / "demo.toml"
        self.when_refused("login")

    def when_refused(self, then: str) -> None:
        self._write(self._text.replace("@FAILURE@", then))

    def keep_in(self, redis: str) -> None:
        """Keep the tokens there; the family begins anew."""
        self._text = self._text.replace("secrets =", f'tokens = {{ storage = "redis", url = "{redis}" }}\nsecrets =', 1)
        self.when_refused("login")

    def refresh_token(self) -> str:
        [(_, token)] = FileTokenStorage(self.file).items()
        assert token.refresh_token is not None
        return token.refresh_token


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server)


@pytest.fixture
def family(oidc: OpenIdProvider, api: Api, profile_file: WriteProfile, own_home: Path, forge: Forge) -> Family:
    """A family whose first refresh token has just been used for the first time."""
    found = Family(oidc, api, profile_file, own_home)
    result = forge("get", "/users", env=found.environ)
    assert (result.exit_code, oidc.counts()["grants"]) == (0, {"refresh_token": 1}), result.stderr
    oidc.reset()
    return found


def test_client_credentials_through_a_profile_give_a_jwt(
    forge: Forge, oidc: OpenIdProvider, api: Api, profile_file: WriteProfile
) -> None:
    profile_file(
        f'[profiles.demo]\nbase_url = "{api.url}"\nsecrets = {{ client = {{ env = "CLIENT" }} }}\n'
        f'[profiles.demo.auth]\ntype = "oauth2"\ngrant = "client-credentials"\ntoken_url = "{oidc.token_url}"\n'
        f'client_id = "{oidc.client_id}"\nclient_secret = "${{secrets.client}}"\nscope = "read"\n'
    )
    environ = {"CLIENT": oidc.client_secret}
    for _ in range(2):
        assert forge("get", "/users", env=environ).exit_code == 0
    assert oidc.counts() == {"token": 1, "grants": {"client_credentials": 1}, "errors": {}}
    [token] = api.used
    assert (claims(token)["aud"], claims(token)["scope"]) == (oidc.resource, "read")
    refused = forge("get", "/users", env={"CLIENT": "wrong-secret-1"})
    assert refused.exit_code == 7
    assert "invalid_client" in refused.stderr
    assert "wrong-secret-1" not in refused.stderr


@pytest.mark.parametrize("way", ["header", "body"])
def test_client_credentials_through_the_library_give_a_jwt(oidc: OpenIdProvider, way: Any) -> None:
    client = oidc.client_id if way == "header" else oidc.post_client_id
    with ClientCredentialsTokenProvider(
        oidc.token_url, client, oidc.client_secret, "api", scope="read write", auth_method=way
    ) as provider:
        manager = TokenManager(provider)
        token = manager.get_token()
        assert manager.get_token() == token
        assert manager.force_refresh().access_token != token.access_token
    assert (claims(token.access_token)["aud"], token.scope) == (oidc.resource, "read write")
    assert oidc.counts() == {"token": 2, "grants": {"client_credentials": 2}, "errors": {}}


def test_a_wrong_client_is_refused_once(oidc: OpenIdProvider) -> None:
    provider = ClientCredentialsTokenProvider(oidc.token_url, oidc.post_client_id, "wrong-secret-1", "api")
    with provider, pytest.raises(AuthenticationException) as caught:
        provider.fetch_token()
    assert "invalid_client" in str(caught.value)
    assert "wrong-secret-1" not in str(caught.value)
    assert oidc.counts()["token"] == 1


def test_a_refresh_token_that_rotates_is_stored_each_time(
    forge: Forge, oidc: OpenIdProvider, api: Api, family: Family
) -> None:
    known = {family.refresh_token()}
    for _ in range(3):
        api.refuse_used()
        assert forge("get", "/users", env=family.environ).exit_code == 0
        known.add(family.refresh_token())
    assert len(known) == 4
    assert oidc.counts() == {"token": 3, "grants": {"refresh_token": 3}, "errors": {}}


def test_sixteen_processes_make_one_token_request_a_round(oidc: OpenIdProvider, api: Api, family: Family) -> None:
    known = {family.refresh_token()}
    for number in range(1, ROUNDS + 1):
        api.refuse_used()
        crowd = together(["get", "/users"], environ=family.environ)
        assert (crowd.codes, crowd.stderr) == ([0] * SIZE, "")
        assert oidc.counts() == {"token": number, "grants": {"refresh_token": number}, "errors": {}}
        # Had the provider not rotated it, none of this would prove anything.
        assert family.refresh_token() not in known
        known.add(family.refresh_token())


@pytest.mark.parametrize("storage", ["file", "redis"])
def test_sixteen_threads_make_one_token_request_a_round(
    oidc: OpenIdProvider, api: Api, family: Family, own_home: Path, require: Require, storage: str
) -> None:
    with ExitStack() as stack:
        if storage == "redis":
            family.keep_in(stack.enter_context(redis_server(require("redis-server", INSTALL_REDIS))).url)
        path = own_home / ".config" / "forge" / "profiles.toml"
        profile = load_profile(config=path, environ={**os.environ, **family.environ})
        client = stack.enter_context(profile.client())
        pool = stack.enter_context(ThreadPoolExecutor(SIZE))
        # The first of a family is none that the API takes.
        assert client.get("/users").status_code == 200
        oidc.reset()
        gate, known = threading.Barrier(SIZE), {profile.tokens.get_token().refresh_token}

        def ask(_: int) -> int:
            gate.wait(20)
            return client.get("/users").status_code

        for number in range(1, ROUNDS + 1):
            api.refuse_used()
            assert list(pool.map(ask, range(SIZE))) == [200] * SIZE
            assert oidc.counts() == {"token": number, "grants": {"refresh_token": number}, "errors": {}}
            known.add(profile.tokens.get_token().refresh_token)
            assert len(known) == number + 1


def test_sixteen_processes_share_a_family_in_redis(
    oidc: OpenIdProvider, api: Api, family: Family, require: Require, forge: Forge
) -> None:
    with redis_server(require("redis-server", INSTALL_REDIS)) as running:
        family.keep_in(running.url)
        assert forge("get", "/users", env=family.environ).exit_code == 0
        oidc.reset()
        for number in range(1, ROUNDS + 1):
            api.refuse_used()
            crowd = together(["get", "/users"], environ=family.environ)
            assert (crowd.codes, crowd.stderr) == ([0] * SIZE, "")
            # A token that is used twice would be an error, and end the family.
            assert oidc.counts() == {"token": number, "grants": {"refresh_token": number}, "errors": {}}


def test_one_old_refresh_token_revokes_the_family(forge: Forge, oidc: OpenIdProvider, api: Api, family: Family) -> None:
    family.when_refused("error")
    api.refuse_used()
    assert forge("get", "/users", env=family.environ).exit_code == 0
    old = family.file.read_bytes()
    api.refuse_used()
    assert forge("get", "/users", env=family.environ).exit_code == 0
    new = family.file.read_bytes()
    api.refuse_used()
    for stored in (old, new):
        family.file.write_bytes(stored)
        result = forge("get", "/users", env=family.environ)
        assert (result.exit_code, "invalid_grant" in result.stderr) == (7, True), result.stderr
    assert oidc.counts()["errors"] == {"invalid_grant": 2}


def test_a_revoked_family_leads_to_a_login(forge: Forge, oidc: OpenIdProvider, api: Api, family: Family) -> None:
    old = family.file.read_bytes()
    api.refuse_used()
    assert forge("get", "/users", env=family.environ).exit_code == 0
    family.file.write_bytes(old)
    api.refuse_used()
    result = forge("get", "/users", env=family.environ)
    # The new family begins with a token that this API does not take; the next command renews it.
    assert (result.exit_code, forge("get", "/users", env=family.environ).exit_code) == (4, 0)
    assert oidc.counts() == {"token": 3, "grants": {"refresh_token": 2}, "errors": {"invalid_grant": 1}}


def test_the_library_renews_a_profile_s_token(oidc: OpenIdProvider, family: Family, own_home: Path) -> None:
    path = own_home / ".config" / "forge" / "profiles.toml"
    profile = load_profile(config=path, environ={**os.environ, **family.environ})
    before = profile.tokens.get_token()
    after = profile.tokens.force_refresh()
    assert before.access_token != after.access_token
    assert before.refresh_token != after.refresh_token
    assert oidc.counts()["grants"] == {"refresh_token": 1}
