"""What every recipe of an identity product has to show: tests for the vendors' classes to inherit."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from forge_cli.files import config_dir
from forge_cli.profiles.build import Profile
from forge_cli.profiles.load import load_document, profile
from tests.conftest import Forge, Result
from tests.login_server import browser
from tests.people import Somebody
from tests.recipes.oidc_vendor import DEVICE, Client, OidcVendor, Rules
from tests.server import Server

SECRET = "fake-client-secret-%-1"
"""With a character that has to be encoded in a form and inside Basic."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Flow:
    """One recipe and the vendor that it logs in at. An ``@`` at the start of `variables` is the server's URL."""

    recipe: ClassVar[str]
    rules: ClassVar[Rules] = Rules()
    client: ClassVar[Client] = Client()
    variables: ClassVar[Mapping[str, str]] = {}
    path: ClassVar[str] = "/api/things"
    served: ClassVar[str] = ""
    """Where the server has it, when that is not the same."""
    wanted: ClassVar[Mapping[str, str]] = {}
    """What a token must have been asked for with before the API takes it."""

    @pytest.fixture
    def env(self, tmp_path: Path) -> dict[str, str]:
        """The variables that hold the recipe's secrets, and the browser."""
        return {"BROWSER": browser(tmp_path)}

    @pytest.fixture
    def vendor(self, server: Server, forge: Forge, env: dict[str, str]) -> OidcVendor:
        return self.made(server, forge, env)

    def made(self, server: Server, forge: Forge, env: dict[str, str]) -> OidcVendor:
        """The vendor, with the profile `x` of the recipe written for it."""
        vendor = OidcVendor(server, self.rules, self.client)
        vendor.api(self.served or self.path, **self.wanted)
        options = ["--var", f"client_id={self.client.id}"]
        for name, value in self.variables.items():
            told = server.url + value[1:] if value.startswith("@") else value
            options += ["--var", f"{name}={told}"]
        if self.client.secret:
            options += ["--set", "client_secret=env:THE_SECRET"]
            env["THE_SECRET"] = self.client.secret
        if not self.client.any_port:
            options += ["--var", f"redirect_uri={self.client.redirects[0]}"]
        added = forge("profile", "add", "x", "--from", self.recipe, *options, *self.places())
        assert (added.exit_code, added.stderr) == (0, ""), added.stderr
        self.added = added.stdout
        assert forge("profile", "validate").exit_code == 0
        return vendor

    def places(self) -> list[str]:
        return []

    def get(self, forge: Forge, env: Mapping[str, str], *args: str) -> Result:
        return forge("get", self.path, "-p", "x", *args, env={**env, "CI": "1"})

    def good(self, result: Result) -> None:
        assert (result.exit_code, result.stdout) == (0, '{"hello": "world"}'), result.stderr

    def quiet(self, vendor: OidcVendor, *results: Result) -> None:
        """Nothing secret was shown."""
        for result in results:
            assert not [each for each in vendor.secrets if each in result.stdout + result.stderr]


class Machine(Flow):
    """A login without a person."""

    client = Client(secret=SECRET, auth="basic", grants=("client_credentials",))
    refused: ClassVar[str] = "invalid_client"

    def test_the_first_call_logs_in_and_the_next_does_not(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        first, second = self.get(forge, env, "-vv"), self.get(forge, env, "-vv")
        self.good(first)
        self.good(second)
        assert vendor.calls == {self.client.grants[0]: 1}
        assert vendor.refusals == {}
        self.quiet(vendor, first, second)
        assert "token login" not in self.added and "forge get" in self.added

    def test_an_ended_token_is_had_anew_and_the_call_goes_through(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        self.good(self.get(forge, env))
        vendor.expire()
        self.good(self.get(forge, env))
        assert vendor.calls == {self.client.grants[0]: 2}

    def test_a_refused_client_is_exit_7_and_its_secret_is_not_told(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        self.spoil(env)
        result = self.get(forge, env, "-vv")
        assert (result.exit_code, result.stdout) == (7, "")
        assert "fake-wrong-secret" not in result.stderr
        assert vendor.refusals == {self.refused: 1}

    def spoil(self, env: dict[str, str]) -> None:
        """Make the client's proof wrong."""
        env["THE_SECRET"] = "fake-wrong-secret"


class Person(Flow):
    """What holds for every login of a person, once it is done by `login`."""

    refreshes: ClassVar[bool] = True
    revokes: ClassVar[bool] = True

    def login(self, forge: Forge, env: Mapping[str, str]) -> Result:
        return forge("token", "login", "-p", "x", "--timeout", "30", tty=True, env=env)

    def test_a_login_lasts(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert "forge token login -p x" in self.added
        done = self.login(forge, env)
        assert done.exit_code == 0, done.stderr
        tokens = vendor.tokens
        first, second = self.get(forge, env, "-vv"), self.get(forge, env, "-vv")
        self.good(first)
        self.good(second)
        assert (vendor.logins, vendor.tokens) == (1, tokens)
        assert set(vendor.refusals) <= {"authorization_pending", "slow_down"}
        self.quiet(vendor, done, first, second)

    def test_an_ended_token_is_renewed_without_the_person(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        assert self.login(forge, env).exit_code == 0
        for count in (1, 2, 3):
            vendor.expire()
            result = self.get(forge, env)
            if not self.refreshes:
                assert (result.exit_code, vendor.calls["refresh_token"]) == (7, 0)
                return
            self.good(result)
            assert vendor.calls["refresh_token"] == count
        assert vendor.logins == 1

    def test_a_login_that_was_ended_there_asks_for_another(
        self, forge: Forge, vendor: OidcVendor, env: dict[str, str]
    ) -> None:
        assert self.login(forge, env).exit_code == 0
        vendor.end_everything()
        result = self.get(forge, env)
        assert (result.exit_code, result.stdout) == (7, "")
        assert "forge token login" in result.stderr
        assert vendor.logins == 1
        self.quiet(vendor, result)

    def test_it_can_be_given_back(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert self.login(forge, env).exit_code == 0
        result = forge("token", "clear", "--revoke", "-p", "x", env=env)
        assert result.exit_code == 0, result.stderr
        assert ("revoked" in result.stderr, vendor.live == 0) == (self.revokes, self.revokes or not self.refreshes)
        assert self.get(forge, env).exit_code == 7
        self.quiet(vendor, result)


class User(Person):
    """A login in the browser."""

    def test_a_person_who_says_no_is_exit_7(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        vendor.denies = True
        result = self.login(forge, env)
        assert result.exit_code == 7
        assert "access_denied" in result.stderr
        assert vendor.tokens == 0


class Device(Person):
    """A login by a code on another device."""

    client = Client(grants=(DEVICE, "refresh_token"))

    @pytest.fixture(autouse=True)
    def slept(self) -> list[float]:
        self.naps: list[float] = []
        return self.naps

    def login(self, forge: Forge, env: Mapping[str, str]) -> Result:
        """As `token login` does it, but for the waiting."""
        person = Somebody()
        made = as_person(person, env, self.naps.append)
        made.login.pipeline.obtain(list(made.login.targets))
        self.told = "".join(person.told)
        return Result(0, b"", self.told)

    def test_a_slow_person_is_waited_for(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        vendor.polls = ["authorization_pending", "slow_down", "granted"]
        self.login(forge, env)
        assert self.naps == [5.0, 5.0, 10.0]
        assert "WDJB-MJHT" in self.told and "/activate" in self.told
        assert vendor.calls[DEVICE] == 3


def as_person(person: Somebody, env: Mapping[str, str], sleep: Callable[[float], None]) -> Profile:
    """The profile `x`, with this person."""
    document = load_document(config_dir() / "profiles.toml")
    home = {"HOME": str(Path.home()), "XDG_CONFIG_HOME": str(Path.home() / ".config")}
    return Profile(profile(document, "x"), environ={**home, **env}, person=person, sleep=sleep)


def ends_at(url: str) -> str:
    """Where the page leads."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    found = connection.getresponse().headers["Location"]
    connection.close()
    return found or ""
