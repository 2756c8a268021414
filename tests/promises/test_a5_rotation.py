"""A5: sixteen at a time, and what each round renews is renewed once: no rotated token is spent twice."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forge_cli.profiles.build import Profile, load_profile
from tests.conftest import Require
from tests.crowd import SIZE, together
from tests.redis_server import redis_server
from tests.server import Reply, Seen, Server

ROUNDS = int(os.environ.get("FORGE_TEST_ROUNDS", "2"))
"""How often all of them need the same new token; 20 and more by hand."""

GOOD = ({"status": 0, "body": {}}, {"ok": True})
"""What the two APIs answer to a good token."""

WITHINGS = """
[profiles.demo]
base_url = "@URL@"
tokens = @TOKENS@
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/token", form = { action = "requesttoken", grant_type = "authorization_code", code = "code-1" } }
success = { body = { "/status" = 0 } }
extract = { token = "/body/access_token", refresh_token = "/body/refresh_token" }
expires = { in = "/body/expires_in" }
[profiles.demo.auth.steps.user.refresh]
request = { method = "POST", url = "/token", form = { action = "requesttoken", grant_type = "refresh_token", refresh_token = "${self.refresh_token}" } }
on_failure = "error"
[[profiles.demo.auth.invalidate]]
when = { body = { "/status" = 401 } }
steps = ["user"]
"""  # noqa: E501  # a table of one line, as a person would write it
VAULT = """
[profiles.demo]
base_url = "@URL@"
tokens = @TOKENS@
[profiles.demo.auth]
type = "pipeline"
inject = [{ in = "header", name = "X-Vault-Token", value = "${steps.login.token}" }]
[profiles.demo.auth.steps.login]
request = { method = "POST", url = "/login", json = { role_id = "role-1" } }
extract = { token = "/auth/client_token" }
expires = { in = "/auth/lease_duration" }
refresh = { renew = true, on_failure = "error", request = { method = "POST", url = "/renew-self", headers = { X-Vault-Token = "${self.token}" } } }
"""  # noqa: E501
OAUTH = """
[profiles.demo]
base_url = "@URL@"
tokens = @TOKENS@
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/token", form = { grant_type = "password", username = "ada", password = "ada-1" } }
extract = { token = "/access_token", refresh_token = "/refresh_token" }
expires = { in = "/expires_in" }
[profiles.demo.auth.steps.user.refresh]
request = { method = "POST", url = "/token", form = { grant_type = "refresh_token", refresh_token = "${self.refresh_token}" } }
on_failure = "error"
"""  # noqa: E501


class OAuth:
    """Refresh tokens as token endpoints rotate them; each kind is one rule about the old one."""

    profile = OAUTH

    def __init__(self, server: Server) -> None:
        self.renewed = self.logins = 0
        self.trouble: list[str] = []
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()
        self._access = ""
        self.good: set[str] = set()
        self.spent: set[str] = set()
        server.reply("/token", self._token)
        server.reply("/users", self._users)

    def next_round(self, profile: Profile) -> None:
        """The API refuses the access token from now on."""
        self._access = ""

    def spend(self, old: str) -> None:
        """What becomes of a refresh token that was used."""
        self.good.discard(old)
        self.spent.add(old)

    def reused(self) -> None:
        """Somebody used a refresh token that was used before."""
        self.trouble.append("a refresh token was used that is spent")

    def following(self, old: str | None, fresh: str) -> str | None:
        """The refresh token of the answer; None: it has none."""
        return fresh

    def _token(self, seen: Seen) -> Reply:
        old = dict(seen.form).get("refresh_token")
        with self._guard:
            if old is None:
                self.logins += 1
            elif old in self.good:
                self.renewed += 1
                self.spend(old)
            else:
                self.reused()
                return Reply(400, {"error": "invalid_grant"})
            number = next(self._numbers)
            self._access = f"access-token-{number}-abc"
            new = self.following(old, f"refresh-token-{number}-abc")
            self.good.add(new or old or "")
            given = {} if new is None else {"refresh_token": new}
            return Reply(200, {"access_token": self._access, "expires_in": 3600, **given})

    def _users(self, seen: Seen) -> Reply:
        good = seen.headers["Authorization"] == f"Bearer {self._access}"
        return Reply(200, {"ok": True}) if good else Reply(401, {"error": "invalid_token"})


class Family(OAuth):
    """Who uses an old one again is a thief, and so the whole family dies: Auth0, and Keycloak where it is set so."""

    def reused(self) -> None:
        super().reused()
        self.good.clear()


class Grace(OAuth):
    """The old one is good for a while longer, so that an answer may get lost: Okta, Elasticsearch."""

    def spend(self, old: str) -> None:
        if old in self.spent:
            self.trouble.append("a refresh token was used twice")
        self.spent.add(old)


class Kept(OAuth):
    """The same stays good, and the answer may leave it out: ServiceNow, Google."""

    def spend(self, old: str) -> None:
        self.spent.add(old)

    def following(self, old: str | None, fresh: str) -> str | None:
        return fresh if old is None else None


class Withings:
    """Refresh tokens are good once; the old one dies when the access token that came for it is first used."""

    profile = WITHINGS

    def __init__(self, server: Server) -> None:
        self.renewed = self.logins = 0
        self.trouble: list[str] = []
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()
        self._access = ""
        self._good: set[str] = set()
        self._dies: dict[str, str] = {}
        server.reply("/token", self._token)
        server.reply("/users", self._users)

    def next_round(self, profile: Profile) -> None:
        """The API refuses the access token from now on."""
        self._access = ""

    def _token(self, seen: Seen) -> Reply:
        form = dict(seen.form)
        with self._guard:
            if form["grant_type"] == "authorization_code":
                self.logins += 1
            elif form["refresh_token"] in self._good:
                self.renewed += 1
            else:
                self.trouble.append("a refresh token was used that is spent")
                return Reply(200, {"status": 503, "error": "invalid refresh token"})
            number = next(self._numbers)
            access, refresh = f"access-token-{number}-abc", f"refresh-token-{number}-abc"
            self._access = access
            self._good.add(refresh)
            if old := form.get("refresh_token"):
                self._dies[access] = old
        return Reply(
            200, {"status": 0, "body": {"access_token": access, "refresh_token": refresh, "expires_in": 10800}}
        )

    def _users(self, seen: Seen) -> Reply:
        token = (seen.headers["Authorization"] or "").removeprefix("Bearer ")
        with self._guard:
            if token != self._access:
                return Reply(200, {"status": 401})
            self._good.discard(self._dies.pop(token, ""))
        return Reply(200, {"status": 0, "body": {}})


class Vault:
    """A token is renewed with itself, while it lives, and stays the same."""

    profile = VAULT

    def __init__(self, server: Server) -> None:
        self.renewed = self.logins = 0
        self.trouble: list[str] = []
        self._guard = threading.Lock()
        server.reply("/login", self._login)
        server.reply("/renew-self", self._renew)
        server.reply("/users", self._users)

    def next_round(self, profile: Profile) -> None:
        """The token has twenty seconds left, and thirty before its end it is renewed."""
        [key] = profile.storage.keys()
        end = datetime.now(UTC) + timedelta(seconds=20)
        old = replace(profile.storage.get(key), expires_at=end, issued_at=end - timedelta(hours=1))
        profile.storage.set(key, old)

    def _login(self, seen: Seen) -> Reply:
        with self._guard:
            self.logins += 1
        return self._lease()

    def _renew(self, seen: Seen) -> Reply:
        with self._guard:
            self.renewed += 1
        return self._lease() if self._good(seen) else Reply(403, {"errors": ["invalid token"]})

    def _users(self, seen: Seen) -> Reply:
        return Reply(200, {"ok": True}) if self._good(seen) else Reply(403, {"errors": ["invalid token"]})

    def _good(self, seen: Seen) -> bool:
        good = seen.headers["X-Vault-Token"] == "hvs.vault-token-1"
        if not good:
            self.trouble.append("a token was used that is none")
        return good

    def _lease(self) -> Reply:
        return Reply(200, {"auth": {"client_token": "hvs.vault-token-1", "lease_duration": 3600}})


Vendor = Withings | Vault | OAuth
# How tokens are kept has nothing to do with how they are rotated: two rules are enough for the other storage.
KINDS: dict[str, tuple[type[Vendor], str]] = {
    "file: old token dies at its use": (OAuth, "file"),
    "file: reuse revokes the family": (Family, "file"),
    "file: old token has a grace period": (Grace, "file"),
    "file: token stays and is left out": (Kept, "file"),
    "file: old token dies at the use of the new": (Withings, "file"),
    "file: renewed with itself": (Vault, "file"),
    "redis: reuse revokes the family": (Family, "redis"),
    "redis: renewed with itself": (Vault, "redis"),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def vendor(
    request: pytest.FixtureRequest, server: Server, require: Require, profile_file: Callable[[str], Path]
) -> Iterator[Vendor]:
    kind, storage = request.param
    made: Vendor = kind(server)

    def write(tokens: str) -> None:
        profile_file(made.profile.replace("@URL@", server.url).replace("@TOKENS@", tokens))

    if storage == "file":
        write('{ storage = "file" }')
        yield made
        return
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        write(f'{{ storage = "redis", url = "{running.url}" }}')
        yield made


@pytest.fixture
def profile(vendor: Vendor, own_home: Path) -> Profile:
    """A profile of this process, logged in."""
    found = load_profile(config=own_home / ".config" / "forge" / "profiles.toml")
    with found.client() as client:
        assert client.get("/users").status_code == 200
    assert (vendor.logins, vendor.renewed) == (1, 0)
    return found


def test_sixteen_processes_renew_once_a_round(vendor: Vendor, profile: Profile) -> None:
    for number in range(1, ROUNDS + 1):
        vendor.next_round(profile)
        crowd = together(["get", "/users"])
        assert (crowd.codes, crowd.stderr) == ([0] * SIZE, "")
        assert (vendor.logins, vendor.renewed, vendor.trouble) == (1, number, [])


def test_sixteen_threads_renew_once_a_round(vendor: Vendor, profile: Profile) -> None:
    gate = threading.Barrier(SIZE)
    with profile.client() as client, ThreadPoolExecutor(SIZE) as pool:

        def ask(_: int) -> bool:
            gate.wait(20)
            return bool(client.get("/users").json() in GOOD)

        for number in range(1, ROUNDS + 1):
            vendor.next_round(profile)
            assert list(pool.map(ask, range(SIZE))) == [True] * SIZE
            assert (vendor.logins, vendor.renewed, vendor.trouble) == (1, number, [])
