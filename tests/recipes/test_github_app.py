"""github-app and github-app-account, against a stand-in that is as strict as GitHub."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Forge
from tests.recipes.installed import bearer, calls, installed, iso, later, now, refused, rs256, rsa_key, valid
from tests.server import Reply, Seen, Server

APP, INSTALLATION = "Iv23abc", 4711
BUY = f"POST /app/installations/{INSTALLATION}/access_tokens"
REPOSITORIES = "GET /installation/repositories"


class GitHub:
    """The endpoints of an app, and one that wants an installation token."""

    def __init__(self, server: Server, key: rsa.RSAPrivateKey) -> None:
        self.key = key
        self.live: set[str] = set()
        self._numbers = itertools.count(1)
        path = f"/app/installations/{INSTALLATION}/access_tokens"
        server.reply(path, self._buy, method="POST", optional=True)
        server.reply("/app/installations", self._list, method="GET", optional=True)
        server.reply("/installation/repositories", self._repositories, method="GET", optional=True)

    def _assertion(self, seen: Seen) -> Reply | None:
        """Why the app's own JWT is not accepted."""
        assert seen.headers["Accept"] == "application/vnd.github+json"
        try:
            _, claims = rs256(bearer(seen), self.key)
        except (InvalidSignature, AssertionError, ValueError):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        at = now().timestamp()
        fit = claims["iat"] <= at < claims["exp"] <= at + 600 and claims["exp"] - claims["iat"] <= 600
        if not fit or claims["iss"] != APP or not all(type(claims[name]) is int for name in ("iat", "exp")):
            return Reply(401, {"message": "'Expiration time' claim ('exp') is too far in the future"})
        return None

    def _buy(self, seen: Seen) -> Reply:
        if (problem := self._assertion(seen)) is not None:
            return problem
        token = f"installation-token-{next(self._numbers)}"
        self.live.add(token)
        return Reply(201, {"token": token, "expires_at": iso(now() + timedelta(hours=1)), "permissions": {}})

    def _list(self, seen: Seen) -> Reply:
        places = [{"id": 12, "account": {"login": "other"}}, {"id": INSTALLATION, "account": {"login": "octo-org"}}]
        return self._assertion(seen) or Reply(200, places)

    def _repositories(self, seen: Seen) -> Reply:
        good = bearer(seen) in self.live
        return Reply(200, {"total_count": 1}) if good else Reply(401, {"message": "Bad credentials"})


@pytest.fixture
def github(server: Server, profile_file: Callable[[str], Path]) -> GitHub:
    key, pem = rsa_key()
    place = Path.home() / "app.pem"
    place.write_text(pem)
    place.chmod(0o600)
    variables = {"app_id": APP, "installation_id": str(INSTALLATION), "api": server.url}
    installed(profile_file, "github-app", variables, {"private_key": {"file": str(place)}})
    return GitHub(server, key)


def test_the_first_call_buys_a_token_and_the_next_uses_it(forge: Forge, server: Server, github: GitHub) -> None:
    valid(forge)
    for _ in range(2):
        result = forge("get", "/installation/repositories")
        assert (result.exit_code, result.stdout.strip()) == (0, '{"total_count": 1}')
    assert calls(server.seen) == [BUY, REPOSITORIES, REPOSITORIES]


def test_the_token_outlives_the_assertion_that_bought_it(forge: Forge, server: Server, github: GitHub) -> None:
    forge("get", "/installation/repositories")
    later(minutes=30)  # the assertion had nine
    assert "renewing" not in forge("token", "status").stdout
    assert forge("get", "/installation/repositories").exit_code == 0
    assert calls(server.seen).count(BUY) == 1


def test_an_ended_token_is_bought_anew_with_a_new_assertion(forge: Forge, server: Server, github: GitHub) -> None:
    forge("get", "/installation/repositories")
    later(minutes=61)
    assert forge("get", "/installation/repositories").exit_code == 0
    bought = [seen for seen in server.seen if seen.method == "POST"]
    assert len(bought) == 2


def test_a_revoked_token_is_bought_anew_with_the_same_assertion(forge: Forge, server: Server, github: GitHub) -> None:
    forge("get", "/installation/repositories")
    github.live.clear()
    assert forge("get", "/installation/repositories").exit_code == 0
    assert calls(server.seen) == [BUY, REPOSITORIES, REPOSITORIES, BUY, REPOSITORIES]
    first, second = (bearer(seen) for seen in server.seen if seen.method == "POST")
    assert first == second


def test_another_key_is_exit_7_and_no_secret_is_shown(forge: Forge, server: Server, github: GitHub) -> None:
    github.key = rsa_key()[0]
    result = forge("get", "/installation/repositories")
    refused(result, bearer(server.seen[0]), "PRIVATE KEY")
    assert "installation" in result.stderr and "401" in result.stderr


def test_the_installation_is_found_by_its_account(
    forge: Forge, server: Server, github: GitHub, profile_file: Callable[[str], Path]
) -> None:
    variables = {"app_id": APP, "account": "octo-org", "api": server.url}
    place = {"file": str(Path.home() / "app.pem")}
    installed(profile_file, "github-app-account", variables, {"private_key": place})
    valid(forge)
    for _ in range(2):
        assert forge("get", "/installation/repositories").exit_code == 0
    later(minutes=61)
    assert forge("get", "/installation/repositories").exit_code == 0
    found = ["GET /app/installations", BUY]
    assert calls(server.seen) == [*found, REPOSITORIES, REPOSITORIES, BUY, REPOSITORIES]


def test_an_account_without_the_app_is_named(
    forge: Forge, server: Server, github: GitHub, profile_file: Callable[[str], Path]
) -> None:
    variables = {"app_id": APP, "account": "nobody", "api": server.url}
    place = {"file": str(Path.home() / "app.pem")}
    installed(profile_file, "github-app-account", variables, {"private_key": place})
    result = forge("get", "/installation/repositories")
    refused(result)
    assert "'found'" in result.stderr and "no element" in result.stderr
