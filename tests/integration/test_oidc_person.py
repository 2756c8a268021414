"""Logins of a person at a certified OpenID provider: the real program, a real browser, and who sits before both."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest

from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.conftest import Require
from tests.integration.browser.chromium import Chromium, Page, chromium
from tests.integration.oidc.api import Api, claims
from tests.integration.servers import OpenIdProvider
from tests.people import parameters
from tests.server import Server

ROOT = Path(__file__).parents[2]
WriteProfile = Callable[[str], Path]
_SECONDS = 60
EVERYTHING = "openid offline_access read"

PROFILE = """
[profiles.demo]
base_url = "@API@"
secrets = {{ client = {{ env = "CLIENT" }}, key = {{ env = "CLIENT_KEY" }} }}

[profiles.demo.auth]
type = "oauth2"
grant = "{grant}"
issuer = "{issuer}"
client_id = "{client}"
scope = "{scope}"
{more}
"""
KEY = 'client_auth = "private-key-jwt"\nprivate_key = "${secrets.key}"\nkey_id = "client"'
# offline_access is for those who are asked for their consent (OpenID Connect Core 1.0, section 11).
CONSENT = 'authorization_params = { prompt = "consent" }'


class Ended(NamedTuple):
    exit_code: int | None
    output: str


class Login:
    """`forge token login` on a terminal, and the address that it opens in the browser."""

    def __init__(self, child: pexpect.spawn[str], opened: int) -> None:
        self.child = child
        self._opened = opened

    def address(self) -> str:
        """What the program of BROWSER was given."""
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self._opened], [], [], _SECONDS)
            assert ready, "nothing was opened"
            text += os.read(self._opened, 4096)
        return text.decode().strip()

    def shown(self, pattern: str) -> str:
        """What the terminal shows at the group of a pattern, once it is there."""
        self.child.expect(pattern)
        assert isinstance(self.child.match, re.Match)
        return str(self.child.match.group(1))

    def ended(self) -> Ended:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return Ended(self.child.exitstatus, self.child.before or "")


class User:
    """Ada, her browser and her terminal."""

    def __init__(self, oidc: OpenIdProvider, api: Api, page: Page, write: WriteProfile, home: Path) -> None:
        self.oidc = oidc
        self.api = api
        self.page = page
        self._write = write
        self._home = home
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "CLIENT": oidc.client_secret,
            "CLIENT_KEY": oidc.client_key,
        }

    def has(self, more: str, *, client: str, grant: str = "authorization-code", scope: str = EVERYTHING) -> None:
        """Write the profile."""
        text = PROFILE.format(issuer=self.oidc.issuer, grant=grant, client=client, scope=scope, more=more)
        self._write(text.replace("@API@", self.api.url))

    def forge(self, *words: str) -> Ended:
        """The program without a terminal."""
        command = [sys.executable, "-m", "forge_cli", *words]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=_SECONDS)
        return Ended(done.returncode, done.stdout + done.stderr)

    def approves(self, *, knows: bool = False) -> None:
        """Log in, unless the provider knows her, and consent."""
        if not knows:
            self.page.enter("input[name=login]", "ada")
            self.page.enter("input[name=password]", "any")
            self.page.click("button[type=submit]")
        self.page.see("Authorize")
        self.page.click("form[action] button[type=submit]")

    def token(self) -> TokenData:
        """The access token's own record."""
        [token] = [found for _, found in self.records() if found.meta["step"] == "token"]
        return token

    def records(self) -> list[tuple[str, TokenData]]:
        return list(FileTokenStorage(self._home / ".config" / "forge" / "tokens" / "demo.toml").items())


@pytest.fixture(scope="session")
def browser(require: Require) -> Iterator[Chromium]:
    with chromium(require("chromium", "apt-get install chromium"), os.environ) as running:
        yield running


@pytest.fixture
def user(
    oidc: OpenIdProvider, browser: Chromium, server: Server, profile_file: WriteProfile, own_home: Path
) -> Iterator[User]:
    with browser.page() as page:
        yield User(oidc, Api(server), page, profile_file, own_home)


@pytest.fixture
def login(user: User, tmp_path: Path) -> Iterator[Callable[..., Login]]:
    """Start `forge token login`, whose browser is a program that hands the address over."""
    pipe, script = tmp_path / "addresses", tmp_path / "browser"
    os.mkfifo(pipe)
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >{pipe}\n')
    script.chmod(0o700)
    with ExitStack() as stack:
        # Open for writing too, so that it does not end with the first writer.
        opened = os.open(pipe, os.O_RDWR)
        stack.callback(os.close, opened)

        def start(*words: str) -> Login:
            child = pexpect.spawn(
                sys.executable,
                ["-m", "forge_cli", "token", "login", *words],
                env={**user.environ, "BROWSER": str(script)},
                encoding="utf-8",
                timeout=_SECONDS,
                dimensions=(40, 1000),
            )
            stack.callback(child.close, force=True)
            return Login(child, opened)

        yield start


Start = Callable[..., Login]


def logged_in(user: User, login: Start) -> str:
    """A whole login in the browser; the address at which it began."""
    running = login()
    address = running.address()
    user.page.open(address)
    user.approves()
    page = user.page.see("You can close this page")
    ended = running.ended()
    assert ended.exit_code == 0, ended.output
    # Nothing secret is on the page, nor on the terminal beside the address.
    assert "code=" not in page
    assert user.token().access_token not in ended.output
    return address


def renewed(user: User) -> TokenData:
    """The token after the API has refused the one before, and a command without a person has renewed it."""
    assert user.forge("get", "/users").exit_code == 0
    user.api.refuse_used()
    ended = user.forge("get", "/users")
    assert ended.exit_code == 0, ended.output
    return user.token()


def test_the_code_flow_with_a_public_client(user: User, login: Start) -> None:
    user.has(CONSENT, client="public-client")
    asked = parameters(logged_in(user, login))
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    token = user.token()
    assert (claims(token.access_token)["sub"], claims(token.access_token)["aud"]) == ("ada", user.oidc.resource)
    identity = claims(token.extra["id_token"])
    assert (identity["iss"], identity["aud"], identity["sub"]) == (user.oidc.issuer, "public-client", "ada")
    assert identity["nonce"] == asked["nonce"]
    assert user.oidc.counts() == {"token": 1, "grants": {"authorization_code": 1}, "errors": {}}


def test_a_refresh_token_rotates_and_its_id_token_is_of_the_same_login(user: User, login: Start) -> None:
    user.has(CONSENT, client="public-client")
    asked = parameters(logged_in(user, login))
    known = [user.token()]
    for _ in range(2):
        known.append(renewed(user))
    for secret in ("access_token", "refresh_token"):
        assert len({getattr(token, secret) for token in known}) == 3, secret
    # Two that are issued in one second can be the same text.
    found = [claims(token.extra["id_token"]) for token in known]
    assert [(each["sub"], each.get("nonce", asked["nonce"])) for each in found] == [("ada", asked["nonce"])] * 3
    assert user.oidc.counts()["grants"] == {"authorization_code": 1, "refresh_token": 2}


def test_an_id_token_for_another_login_is_refused(user: User, login: Start) -> None:
    user.has(CONSENT, client="public-client")
    running = login()
    address = running.address()
    # As if the code of another login had been slipped in.
    user.page.open(address.replace(parameters(address)["nonce"], "another-nonce"))
    user.approves()
    ended = running.ended()
    assert (ended.exit_code, "its nonce differs" in ended.output) == (7, True), ended.output
    assert "token" not in [found.meta["step"] for _, found in user.records()]


def test_an_answer_to_another_request_is_not_taken(user: User, login: Start) -> None:
    user.has(CONSENT, client="public-client")
    running = login("--timeout", "10")
    address = running.address()
    user.page.open(address.replace(parameters(address)["state"], "another-state"))
    user.approves()
    user.page.see("This is not the answer to the login that is being waited for.")
    ended = running.ended()
    assert ended.exit_code == 28, ended.output
    assert user.oidc.counts()["token"] == 0


def test_who_says_no_is_exit_7(user: User, login: Start) -> None:
    user.has(CONSENT, client="public-client")
    running = login()
    user.page.open(running.address())
    user.page.click(".login-help a")
    user.page.see("The login did not work")
    ended = running.ended()
    assert (ended.exit_code, "refused: access_denied" in ended.output) == (7, True), ended.output


@pytest.mark.parametrize(
    ("client", "more"),
    [
        ("basic-client", 'client_secret = "${secrets.client}"'),
        ("post-client", 'client_secret = "${secrets.client}"\nclient_auth = "post"'),
        ("key-client", KEY),
        ("par-client", 'client_secret = "${secrets.client}"\npar_url = "@ISSUER@/request"'),
        ("key-client", f'{KEY}\npar_url = "@ISSUER@/request"'),
    ],
    ids=["secret in Basic", "secret in the form", "private key", "pushed", "pushed with a private key"],
)
def test_a_client_proves_who_it_is_in_each_request(user: User, login: Start, client: str, more: str) -> None:
    user.has(f"{more.replace('@ISSUER@', user.oidc.issuer)}\n{CONSENT}", client=client)
    address = logged_in(user, login)
    assert ("request_uri" in parameters(address)) == ("par_url" in more)
    before = user.token().refresh_token
    assert renewed(user).refresh_token != before
    assert user.forge("token", "clear", "--revoke").exit_code == 0
    assert user.oidc.counts()["errors"] == {}


def test_the_resource_is_named_at_the_token_endpoint_too(user: User, login: Start) -> None:
    user.has(f'resource = "{user.oidc.resource}"\n{CONSENT}', client="strict-client")
    logged_in(user, login)
    assert claims(user.token().access_token)["aud"] == user.oidc.resource
    assert claims(renewed(user).access_token)["aud"] == user.oidc.resource


def test_what_is_given_back_is_no_longer_good(user: User, login: Start) -> None:
    user.api.any = True
    user.has(f'resource = "{user.oidc.opaque}"\n{CONSENT}', client="public-client")
    logged_in(user, login)
    token = user.token()
    secrets = [token.access_token, str(token.refresh_token)]
    assert [user.oidc.active(secret) for secret in secrets] == [True, True]
    ended = user.forge("token", "clear", "--revoke")
    assert (ended.exit_code, user.records()) == (0, []), ended.output
    assert [user.oidc.active(secret) for secret in secrets] == [False, False]


@pytest.mark.parametrize(
    ("client", "more"), [("public-client", ""), ("key-client", KEY)], ids=["public", "private key"]
)
def test_a_code_on_another_device(user: User, login: Start, client: str, more: str) -> None:
    user.has(more, client=client, grant="device-code")
    running = login()
    address = running.shown(r"(http\S+/device)\r\n")
    code = running.shown(r"(\w{4}-\w{4})")
    # What opens by itself has the code in it, and on another device it is typed.
    assert parameters(running.address()) == {"user_code": code}
    user.page.open(address)
    user.page.enter("input[name=user_code]", code)
    user.page.click("button[type=submit]")
    user.page.see(code)
    user.page.click("button[autofocus]")
    user.approves()
    user.page.see("Sign-in Success")
    ended = running.ended()
    assert ended.exit_code == 0, ended.output
    token = user.token()
    assert claims(token.access_token)["sub"] == "ada"
    assert claims(token.extra["id_token"])["sub"] == "ada"
    assert renewed(user).refresh_token != token.refresh_token
    grants = user.oidc.counts()["grants"]
    assert grants == {"urn:ietf:params:oauth:grant-type:device_code": 1, "refresh_token": 1}


def test_who_aborts_on_the_device_is_exit_7(user: User, login: Start) -> None:
    user.has("", client="public-client", grant="device-code")
    running = login()
    user.page.open(running.address())
    user.page.click("button[name=abort]")
    user.page.see("interrupted")
    ended = running.ended()
    assert (ended.exit_code, "refused: access_denied" in ended.output) == (7, True), ended.output
