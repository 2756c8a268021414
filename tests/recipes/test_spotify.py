"""Spotify: as an app by client credentials, and as a person by a browser with PKCE and refresh tokens that may stay."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.conftest import Forge
from tests.login_server import browser
from tests.recipes.stand_in import Tokens, basic, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"SPOTIFY_CLIENT_SECRET": "spotify-secret-1"}


class Spotify(Tokens):
    """The accounts service and the API. `rotates`: whether a refresh brings another refresh token."""

    def __init__(self, server: Server) -> None:
        super().__init__("spotify")
        self.server = server
        self.lifetime = 3600
        self.rotates = False
        self.refresh_token = ""
        self.numbers = itertools.count(1)
        self.codes: dict[str, Mapping[str, str]] = {}
        server.reply("/authorize", self.authorize, optional=True)
        server.reply("/api/token", self.token, method="POST")
        server.reply("/v1/me", self.api, optional=True)

    def authorize(self, seen: Seen) -> Reply:
        asked = dict(seen.query)
        where = urlsplit(asked.get("redirect_uri", ""))
        # Registered without a port; localhost is not allowed.
        if asked.get("client_id") != "app-1" or (where.hostname, where.path) != ("127.0.0.1", "/callback"):
            return Reply(400, "INVALID_CLIENT: Invalid redirect URI")
        if asked.get("scope") != "user-read-private user-read-email":
            return Reply(400, "INVALID_SCOPE")
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return Reply(400, "response_type must be code")
        code = f"spotify-code-{len(self.codes) + 1}"
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"]})
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{answer}"})

    def token(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        match fields.pop("grant_type", None):
            case "client_credentials":
                if basic(seen) != ("app-1", "spotify-secret-1"):
                    return refused("invalid_client", 400, basic(seen))
                return self.granted()
            case "authorization_code":
                asked = self.codes.pop(fields.get("code", ""), None)
                if asked is None:
                    return refused("invalid_grant", said=fields.get("code"))
                if fields.get("client_id") != "app-1" or fields.get("redirect_uri") != asked["redirect_uri"]:
                    return refused("invalid_grant", said="redirect_uri")
                digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
                if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
                    return refused("invalid_grant", said="code_verifier")
                return self.granted(refresh=True)
            case "refresh_token" if fields == {"client_id": "app-1", "refresh_token": self.refresh_token}:
                return self.granted(refresh=self.rotates)
        return refused("invalid_grant", said=fields)

    def granted(self, *, refresh: bool = False) -> Reply:
        told: dict[str, Any] = {"access_token": self.new(), "token_type": "Bearer", "expires_in": self.lifetime}
        if refresh:
            self.refresh_token = f"spotify-refresh-{next(self.numbers)}"
            told["refresh_token"] = self.refresh_token
        return Reply(200, told)


@pytest.fixture
def app(server: Server) -> Spotify:
    written("spotify", api=f"{server.url}/v1", accounts=server.url, client_id="app-1")
    return Spotify(server)


@pytest.fixture
def user(server: Server) -> Spotify:
    written("spotify-user", api=f"{server.url}/v1", accounts=server.url, client_id="app-1")
    return Spotify(server)


def test_an_app_logs_in_once_for_two_commands(forge: Forge, app: Spotify) -> None:
    for _ in range(2):
        assert forge("get", "/me", env=ENV).exit_code == 0
    assert lines(app.server.seen) == ["POST /api/token", "GET /v1/me", "GET /v1/me"]


def test_an_app_whose_token_has_ended_or_is_revoked_asks_for_another(forge: Forge, app: Spotify) -> None:
    app.lifetime = 0
    forge("get", "/me", env=ENV)
    app.lifetime = 3600
    assert forge("get", "/me", env=ENV).exit_code == 0
    app.revoke()
    assert forge("get", "/me", env=ENV).exit_code == 0
    assert app.issued == 3


def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, app: Spotify) -> None:
    result = forge("get", "/me", "-v", env={"SPOTIFY_CLIENT_SECRET": "a-wrong-secret"})
    assert result.exit_code == 7
    assert shows_none(result, "a-wrong-secret")


def test_too_many_requests_wait_as_long_as_spotify_says(forge: Forge, app: Spotify) -> None:
    app.server.reply("/v1/albums", Reply(429, headers={"Retry-After": "0"}), app.api)
    assert forge("get", "/albums", env=ENV).exit_code == 0
    assert len(app.server.seen_at("/v1/albums")) == 2


def test_a_wait_that_is_too_long_is_an_error(forge: Forge, app: Spotify) -> None:
    app.server.reply("/v1/albums", Reply(429, headers={"Retry-After": "86400"}))
    result = forge("get", "/albums", env=ENV)
    assert (result.exit_code, "the server asks for 24 h" in result.stderr) == (4, True)


def login(forge: Forge, folder: Path) -> None:
    result = forge("token", "login", tty=True, env={"BROWSER": browser(folder)})
    assert result.exit_code == 0, result.stderr
    assert shows_none(result, "spotify-code-1", "spotify-token-1", "spotify-refresh-1")


def test_a_person_logs_in_once_for_two_commands(forge: Forge, user: Spotify, tmp_path: Path) -> None:
    login(forge, tmp_path)
    for _ in range(2):
        assert forge("get", "/me").exit_code == 0
    assert lines(user.server.seen) == ["GET /authorize", "POST /api/token", "GET /v1/me", "GET /v1/me"]
    # There is no secret that could prove who the client is.
    assert basic(user.server.seen_at("/api/token")[0]) is None


@pytest.mark.parametrize("rotates", [False, True])
def test_a_refresh_may_bring_another_refresh_token_or_none(
    forge: Forge, user: Spotify, tmp_path: Path, rotates: bool
) -> None:
    user.rotates = rotates
    user.lifetime = 0
    login(forge, tmp_path)
    for _ in range(3):
        assert forge("get", "/me").exit_code == 0
    sent = [dict(seen.form).get("refresh_token") for seen in user.server.seen_at("/api/token")[1:]]
    assert sent == [f"spotify-refresh-{number if rotates else 1}" for number in (1, 2, 3)]
    assert len(user.server.seen_at("/authorize")) == 1


def test_a_token_that_is_revoked_is_refreshed_without_a_person(forge: Forge, user: Spotify, tmp_path: Path) -> None:
    login(forge, tmp_path)
    user.revoke()
    assert forge("get", "/me").exit_code == 0
    assert user.issued == 2


def test_a_refresh_token_that_is_refused_is_exit_7_and_says_how_to_log_in(
    forge: Forge, user: Spotify, tmp_path: Path
) -> None:
    user.lifetime = 0
    login(forge, tmp_path)
    user.refresh_token = "withdrawn"
    result = forge("get", "/me")
    assert (result.exit_code, "forge token login" in result.stderr) == (7, True)
    assert shows_none(result, "spotify-refresh-1")
