"""Withings: answers in an envelope, refusals in a 200, and refresh tokens that are good once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.login_server import browser
from tests.recipes.stand_in import Tokens, bearer, form, lines, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"WITHINGS_CLIENT_SECRET": "withings-secret-1"}
CLIENT = {"client_id": "client-1", "client_secret": "withings-secret-1"}


class Withings(Tokens):
    """The account pages and the API. A new access token, once used, ends the refresh token before it."""

    def __init__(self, server: Server) -> None:
        super().__init__("withings")
        self.server = server
        self.lifetime = 10800
        self.codes: dict[str, Mapping[str, str]] = {}
        self.refreshing: dict[str, str] = {}
        self.lost: list[str] = []
        self._numbers = itertools.count(1)
        server.reply("/oauth2_user/authorize2", self.authorize, method="GET", optional=True)
        server.reply("/v2/oauth2", self.token, method="POST", optional=True)
        server.reply("/measure", self.measure, method="POST", optional=True)
        written("withings", api=server.url, account=server.url, client_id="client-1")

    def authorize(self, seen: Seen) -> Reply:
        asked = dict(seen.query)
        if asked.get("client_id") != "client-1" or asked.get("scope") != "user.metrics":
            return Reply(400, "invalid client or scope")
        code = f"withings-code-{next(self._numbers)}"
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"]})
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{answer}"})

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        if {name: fields.pop(name, None) for name in CLIENT} != CLIENT or fields.pop("action", "") != "requesttoken":
            return self.trouble(601, fields)
        match fields:
            case {"grant_type": "authorization_code", "code": code, "redirect_uri": where, **rest} if not rest:
                asked = self.codes.pop(code, None)
                if asked is None or asked["redirect_uri"] != where:
                    return self.trouble(503, code)
                return self.both()
            case {"grant_type": "refresh_token", "refresh_token": token, **rest} if not rest:
                if token not in self.refreshing:
                    return self.trouble(401, token)
                return self.both()
        return self.trouble(503, fields)

    def both(self) -> Reply:
        access = self.new()
        refresh = f"withings-refresh-{self.issued}"
        self.refreshing[refresh] = access
        told = {"userid": "7", "access_token": access, "refresh_token": refresh, "expires_in": self.lifetime}
        return Reply(200, {"status": 0, "body": {**told, "token_type": "Bearer", "scope": "user.metrics"}})

    def measure(self, seen: Seen) -> Reply:
        token = bearer(seen)
        if token not in self.good:
            return self.trouble(401, token)
        self.refreshing = {refresh: access for refresh, access in self.refreshing.items() if access == token}
        # By now the refresh token that came with this one has to be safe on disk.
        if not any(refresh in (config_dir() / "tokens" / "api.toml").read_text() for refresh in self.refreshing):
            self.lost.append(str(token))
        return Reply(200, {"status": 0, "body": {"measuregrps": []}})

    @staticmethod
    def trouble(status: int, said: Any) -> Reply:
        return Reply(200, {"status": status, "body": {}, "error": f"Invalid params: {said}"})

    @property
    def grants(self) -> list[str]:
        return [dict(seen.form)["grant_type"] for seen in self.server.seen_at("/v2/oauth2")]


@pytest.fixture
def withings(server: Server) -> Withings:
    return Withings(server)


def login(forge: Forge, folder: Path) -> None:
    result = forge("token", "login", tty=True, env={**ENV, "BROWSER": browser(folder)})
    assert result.exit_code == 0, result.stderr
    assert shows_none(result, "withings-code-1", "withings-token-1", "withings-refresh-1", *ENV.values())


def measure(forge: Forge) -> tuple[int, bool]:
    result = forge("post", "/measure", "--form", "action=getmeas", env=ENV)
    return result.exit_code, "measuregrps" in result.stdout


def test_one_login_serves_two_commands(forge: Forge, withings: Withings, tmp_path: Path) -> None:
    login(forge, tmp_path)
    for _ in range(2):
        assert measure(forge) == (0, True)
    paths = ["GET /oauth2_user/authorize2", "POST /v2/oauth2", "POST /measure", "POST /measure"]
    assert lines(withings.server.seen) == paths


def test_a_token_that_has_ended_is_refreshed_with_the_newest_refresh_token(
    forge: Forge, withings: Withings, tmp_path: Path
) -> None:
    withings.lifetime = 0
    login(forge, tmp_path)
    for _ in range(3):
        assert measure(forge) == (0, True)
    assert withings.grants == ["authorization_code"] + ["refresh_token"] * 3
    # Whatever happens to a command from here on, no refresh token is lost.
    assert withings.lost == []


def test_a_refusal_inside_a_200_leads_to_a_refresh(forge: Forge, withings: Withings, tmp_path: Path) -> None:
    login(forge, tmp_path)
    withings.revoke()
    assert measure(forge) == (0, True)
    assert withings.grants == ["authorization_code", "refresh_token"]


def test_a_refresh_token_that_is_refused_inside_a_200_is_exit_7(
    forge: Forge, withings: Withings, tmp_path: Path
) -> None:
    login(forge, tmp_path)
    withings.revoke()
    withings.refreshing.clear()
    result = forge("post", "/measure", "--form", "action=getmeas", env=ENV)
    assert (result.exit_code, "forge token login" in result.stderr) == (7, True)
    assert shows_none(result, "withings-refresh-1", *ENV.values())


def test_a_wrong_secret_is_refused_inside_a_200_and_is_not_shown(
    forge: Forge, withings: Withings, tmp_path: Path
) -> None:
    wrong = {"WITHINGS_CLIENT_SECRET": "a-wrong-secret", "BROWSER": browser(tmp_path)}
    result = forge("token", "login", tty=True, env=wrong)
    assert (result.exit_code, "/status" in result.stderr) == (7, True)
    assert shows_none(result, "a-wrong-secret", "withings-code-1")


def test_without_a_terminal_nothing_is_asked(forge: Forge, withings: Withings) -> None:
    result = forge("post", "/measure", "--form", "action=getmeas", env=ENV)
    assert (result.exit_code, withings.server.seen) == (7, [])
    assert "forge token login" in result.stderr


def test_the_callback_is_the_one_that_is_registered(forge: Forge, withings: Withings, tmp_path: Path) -> None:
    options = ("--var", "redirect_uri=http://127.0.0.1/health")
    result = forge("token", "login", *options, tty=True, env={**ENV, "BROWSER": browser(tmp_path)})
    assert result.exit_code == 0, result.stderr
    [page] = withings.server.seen_at("/oauth2_user/authorize2")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/health", dict(page.query)["redirect_uri"])
    assert withings.issued == 1
