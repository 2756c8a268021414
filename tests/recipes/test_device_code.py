"""Logins by a code on another device: GitHub says "not yet" in a 200, Entra ID in a 400."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from forge_cli.errors import StepFailed
from forge_cli.profiles.build import Profile, load_profile
from tests.conftest import Forge
from tests.people import Somebody
from tests.recipes.stand_in import Tokens, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class Vendor(Tokens):
    """Who hands out codes. `answers` are what polls find until the person is done; a poll too early is slowed down.

    Time is what the login slept.
    """

    def __init__(self, server: Server, name: str, status: int, prefix: str, scope: str) -> None:
        super().__init__(name)
        self.server = server
        self.status = status
        self.scope = scope
        self.lifetime: int | None = None
        self.refresh_token = ""
        self.answers: list[str] = []
        self.slept: list[float] = []
        self.interval = 5.0
        self._codes: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._last = 0.0
        self.device_path, self.token_path = f"{prefix}/device", f"{prefix}/token"

    def serve(self, device: str, token: str, api: str) -> None:
        self.device_path, self.token_path = device, token
        self.server.reply(device, self.device, method="POST", optional=True)
        self.server.reply(token, self.token, method="POST", optional=True)
        self.server.reply(api, self.api, optional=True)

    def device(self, seen: Seen) -> Reply:
        if form(seen) != {"client_id": "client-1", "scope": self.scope}:
            return refused("invalid_client", self.status, seen.form)
        if self.name == "github" and seen.headers["Accept"] != "application/json":
            return Reply(200, "device_code=x&user_code=y", {"Content-Type": "application/x-www-form-urlencoded"})
        code = f"device-code-{next(self._numbers)}"
        self._codes[code] = sum(self.slept)
        told = {"device_code": code, "user_code": "WDJB-MJHT", "verification_uri": f"{self.server.url}/enter"}
        return Reply(200, {**told, "expires_in": 900, "interval": int(self.interval)})

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        if fields.pop("client_id", None) != "client-1":
            return refused("incorrect_client_credentials", self.status, fields)
        if fields == {"grant_type": "refresh_token", "refresh_token": self.refresh_token}:
            return self.granted()
        code = fields.pop("device_code", "")
        if fields != {"grant_type": DEVICE_CODE} or code not in self._codes:
            return refused("bad_refresh_token" if "refresh_token" in fields else "invalid_grant", self.status, fields)
        now = sum(self.slept)
        early, self._last = now - max(self._last, self._codes[code]) < self.interval, now
        if early:
            self.interval += 5
            return refused("slow_down", self.status)
        if self.answers:
            return refused(self.answers.pop(0), self.status)
        del self._codes[code]
        return self.granted()

    def granted(self) -> Reply:
        told: dict[str, Any] = {"access_token": self.new(), "token_type": "bearer", "scope": "read"}
        if self.lifetime is not None:
            self.refresh_token = f"refresh-token-{self.issued}"
            told |= {"expires_in": self.lifetime, "refresh_token": self.refresh_token}
        return Reply(200, told)

    def profile(self, person: Somebody) -> Profile:
        """The profile, for a person who is at a terminal and does not make it wait."""
        return Profile(load_profile("api").settings, person=person, sleep=self.slept.append)


def github(server: Server) -> Vendor:
    written("github-device", api=f"{server.url}/api", github=server.url, client_id="client-1")
    vendor = Vendor(server, "github", 200, "", "repo read:user")
    vendor.serve("/login/device/code", "/login/oauth/access_token", "/api/me")
    return vendor


def entra(server: Server) -> Vendor:
    written("entra-device", api=f"{server.url}/api", login=server.url, tenant="tenant-1", client_id="client-1")
    vendor = Vendor(server, "entra", 400, "", "https://graph.microsoft.com/User.Read offline_access")
    vendor.lifetime = 3600
    vendor.serve("/tenant-1/oauth2/v2.0/devicecode", "/tenant-1/oauth2/v2.0/token", "/api/me")
    return vendor


@pytest.fixture(params=[github, entra])
def vendor(server: Server, request: pytest.FixtureRequest) -> Vendor:
    make: Callable[[Server], Vendor] = request.param
    return make(server)


def test_a_person_enters_the_code_once_for_many_commands(forge: Forge, vendor: Vendor) -> None:
    vendor.answers = ["authorization_pending"] * 2
    person = Somebody()
    with vendor.profile(person).client() as http:
        assert http.get("/me").status_code == 200
    assert (vendor.slept, any("WDJB-MJHT" in text for text in person.told)) == ([5.0] * 3, True)
    for _ in range(2):
        assert forge("get", "/me").exit_code == 0
    assert len(vendor.server.seen_at(vendor.token_path)) == 3
    assert lines(vendor.server.seen)[-3:] == ["GET /api/me"] * 3
    if vendor.name == "github":
        asked = [(seen.headers["Accept"], seen.headers["X-GitHub-Api-Version"]) for seen in vendor.server.seen[-3:]]
        assert asked == [("application/vnd.github+json", "2022-11-28")] * 3


def test_slow_down_makes_every_further_wait_longer(vendor: Vendor) -> None:
    vendor.answers = ["slow_down", "authorization_pending"]
    with vendor.profile(Somebody()).client() as http:
        assert http.get("/me").status_code == 200
    assert vendor.slept == [5.0, 10.0, 10.0]


@pytest.mark.parametrize("word", ["access_denied", "expired_token"])
def test_a_refusal_is_final_and_names_no_code(vendor: Vendor, word: str) -> None:
    vendor.answers = ["authorization_pending", word]
    with vendor.profile(Somebody()).client() as http, pytest.raises(Exception, match=word) as caught:
        http.get("/me")
    error = getattr(caught.value, "original_exception", None) or caught.value
    assert isinstance(error, StepFailed)
    assert "device-code-1" not in str(error)
    assert len(vendor.server.seen_at(vendor.token_path)) == 2


def test_without_a_terminal_nothing_is_asked(forge: Forge, vendor: Vendor) -> None:
    result = forge("get", "/me")
    assert (result.exit_code, vendor.server.seen) == (7, [])
    assert "forge token login" in result.stderr


def test_another_client_is_exit_7(forge: Forge, vendor: Vendor) -> None:
    result = forge("token", "login", "--var", "client_id=somebody-else", tty=True)
    assert (result.exit_code, "client" in result.stderr) == (7, True)


@pytest.mark.parametrize("lifetime", [0, 3600], ids=["ended", "revoked"])
def test_a_token_that_is_no_longer_good_is_refreshed_without_a_person(
    forge: Forge, vendor: Vendor, lifetime: int
) -> None:
    vendor.lifetime = lifetime
    with vendor.profile(Somebody()).client() as http:
        http.get("/me")
    vendor.revoke()
    for _ in range(2):
        assert forge("get", "/me").exit_code == 0
    assert len(vendor.server.seen_at(vendor.device_path)) == 1
    sent = [dict(seen.form).get("refresh_token") for seen in vendor.server.seen_at(vendor.token_path)[1:]]
    assert sent == (["refresh-token-1", "refresh-token-2"] if lifetime == 0 else ["refresh-token-1"])


def test_a_refresh_token_that_is_refused_needs_the_person_again(forge: Forge, vendor: Vendor) -> None:
    vendor.lifetime = 3600
    with vendor.profile(Somebody()).client() as http:
        http.get("/me")
    vendor.revoke()
    vendor.refresh_token = "withdrawn"
    result = forge("get", "/me")
    assert (result.exit_code, "forge token login" in result.stderr) == (7, True)
    assert shows_none(result, "refresh-token-1")
