"""vault-approle, vault-approle-kv and vault-approle-aws, against a stand-in that is as strict as Vault."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.installed import calls, ends_of, installed, later, media_type, refused, valid
from tests.server import Reply, Seen, Server

LOGIN, RENEW = "POST /v1/auth/approle/login", "POST /v1/auth/token/renew-self"
ROLE, SECRET = "role-1234", "approle-secret-1234"


class Vault:
    """AppRole, tokens that can be renewed, a KV engine and one that leases AWS keys, and the API that has the key."""

    def __init__(self, server: Server) -> None:
        self.life, self.renewals = 3600, 2
        self.live: set[str] = set()
        self.api_keys = {"api-key-of-vault-1"}
        self.leases: dict[str, str] = {}
        self._numbers, self._keys = itertools.count(1), itertools.count(1)
        for path, handler, method in (
            ("/v1/auth/approle/login", self._login, "POST"),
            ("/v1/auth/token/renew-self", self._renew, "POST"),
            ("/v1/secret/data/app", self._kv, "GET"),
            ("/v1/aws/creds/reader", self._lease, "GET"),
            ("/v1/sys/forbidden", lambda seen: self._denied(seen) or Reply(403, _errors("permission denied")), "GET"),
            ("/things", self._things, "GET"),
            ("/bucket", self._bucket, "GET"),
        ):
            server.reply(path, handler, method=method, optional=True)

    def revoke(self) -> None:
        """Vault takes its tokens back, and with them what they leased."""
        self.live.clear()
        self.leases.clear()

    def _denied(self, seen: Seen) -> Reply | None:
        if seen.headers["X-Vault-Request"] != "true":
            return Reply(412, _errors("no X-Vault-Request"))
        if seen.headers["X-Vault-Token"] not in self.live:
            return Reply(403, _errors("2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"))
        return None

    def _auth(self, token: str) -> Reply:
        self.live.add(token)
        auth = {"client_token": token, "lease_duration": self.life, "renewable": self.life > 0, "policies": ["default"]}
        return Reply(200, {"auth": auth, "lease_duration": 0, "data": None})

    def _login(self, seen: Seen) -> Reply:
        if media_type(seen) != "application/json" or seen.headers["X-Vault-Token"] is not None:
            return Reply(400, _errors("error parsing JSON"))
        if seen.json() != {"role_id": ROLE, "secret_id": SECRET}:
            return Reply(400, _errors("invalid role or secret ID"))
        return self._auth(f"hvs.vault-token-{next(self._numbers)}")

    def _renew(self, seen: Seen) -> Reply:
        if (problem := self._denied(seen)) is not None:
            return problem
        if not self.renewals:
            return Reply(400, _errors("lease is not renewable"))
        self.renewals -= 1
        return self._auth(str(seen.headers["X-Vault-Token"]))

    def _kv(self, seen: Seen) -> Reply:
        data = {"data": {"api_key": max(self.api_keys)}, "metadata": {"version": 1}}
        return self._denied(seen) or Reply(200, {"lease_duration": 0, "data": data})

    def _lease(self, seen: Seen) -> Reply:
        if (problem := self._denied(seen)) is not None:
            return problem
        number = next(self._keys)
        self.leases[f"AKIAFAKE{number}"] = f"leased-secret-key-{number}"
        keys = {"access_key": f"AKIAFAKE{number}", "secret_key": self.leases[f"AKIAFAKE{number}"]}
        return Reply(200, {"lease_id": f"aws/creds/reader/{number}", "lease_duration": 900, "data": keys})

    def _things(self, seen: Seen) -> Reply:
        return Reply(200, []) if seen.headers["X-API-Key"] in self.api_keys else Reply(401)

    def _bucket(self, seen: Seen) -> Reply:
        given = seen.headers["Authorization"] or ""
        key = given.partition("Credential=")[2].partition("/")[0]
        if not given.startswith("AWS4-HMAC-SHA256 ") or "/eu-central-1/execute-api/aws4_request" not in given:
            return Reply(403, headers={"x-amzn-ErrorType": "MissingAuthenticationTokenException"})
        known = key in self.leases
        return Reply(200) if known else Reply(403, headers={"x-amzn-ErrorType": "UnrecognizedClientException"})


def _errors(text: str) -> dict[str, list[str]]:
    return {"errors": [text]}


@pytest.fixture
def vault(server: Server) -> Vault:
    return Vault(server)


@pytest.fixture
def profile(server: Server, vault: Vault, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Vault itself."""
    monkeypatch.setenv("SECRET_ID", SECRET)
    variables = {"vault": server.url, "role_id": ROLE}
    installed(profile_file, "vault-approle", variables, {"secret_id": {"env": "SECRET_ID"}})


@pytest.fixture
def kv(server: Server, vault: Vault, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An API whose key is in Vault."""
    monkeypatch.setenv("SECRET_ID", SECRET)
    variables = {"vault": server.url, "api": server.url, "role_id": ROLE, "secret": "app"}
    installed(profile_file, "vault-approle-kv", variables, {"secret_id": {"env": "SECRET_ID"}})


@pytest.fixture
def aws(server: Server, vault: Vault, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS by keys of Vault's."""
    monkeypatch.setenv("SECRET_ID", SECRET)
    variables = {
        "vault": server.url, "api": server.url, "role_id": ROLE,
        "region": "eu-central-1", "service": "execute-api", "role": "reader",
    }  # fmt: skip
    installed(profile_file, "vault-approle-aws", variables, {"secret_id": {"env": "SECRET_ID"}})


@pytest.mark.usefixtures("profile")
class TestVault:
    def test_the_first_call_logs_in_and_the_next_uses_the_token(self, forge: Forge, server: Server) -> None:
        valid(forge)
        for _ in range(2):
            assert forge("get", "/secret/data/app").exit_code == 0
        assert calls(server.seen) == [LOGIN, "GET /v1/secret/data/app", "GET /v1/secret/data/app"]

    def test_a_token_near_its_end_renews_itself(self, forge: Forge, server: Server) -> None:
        forge("get", "/secret/data/app")
        later(minutes=59, seconds=45)
        assert forge("get", "/secret/data/app").exit_code == 0
        assert calls(server.seen)[2:] == [RENEW, "GET /v1/secret/data/app"]
        tokens = {seen.headers["X-Vault-Token"] for seen in server.seen[1:]}
        assert tokens == {"hvs.vault-token-1"}

    def test_a_token_that_has_ended_is_not_renewed_but_made_anew(self, forge: Forge, server: Server) -> None:
        forge("get", "/secret/data/app")
        later(minutes=61)
        assert forge("get", "/secret/data/app").exit_code == 0
        assert calls(server.seen)[2:] == [LOGIN, "GET /v1/secret/data/app"]

    def test_past_its_longest_life_a_login_follows(self, forge: Forge, server: Server, vault: Vault) -> None:
        vault.renewals = 1
        for _ in range(3):
            assert forge("get", "/secret/data/app").exit_code == 0
            later(minutes=59, seconds=45)
        logins = [call for call in calls(server.seen) if not call.endswith("app")]
        assert logins == [LOGIN, RENEW, RENEW, LOGIN]

    def test_a_revoked_token_is_made_anew_and_a_policy_is_not_asked_twice(
        self, forge: Forge, server: Server, vault: Vault
    ) -> None:
        forge("get", "/secret/data/app")
        vault.revoke()
        assert forge("get", "/secret/data/app").exit_code == 0
        assert calls(server.seen)[3:] == [LOGIN, "GET /v1/secret/data/app"]
        assert forge("get", "/sys/forbidden").exit_code == 4
        assert calls(server.seen)[5:] == ["GET /v1/sys/forbidden"]

    def test_a_life_of_0_never_ends(self, forge: Forge, server: Server, vault: Vault) -> None:
        vault.life = 0
        forge("get", "/secret/data/app")
        assert ends_of("login") is None
        later(days=4000)
        forge("get", "/secret/data/app")
        assert calls(server.seen).count(LOGIN) == 1

    def test_a_wrong_secret_id_is_exit_7_and_not_shown(self, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_ID", "wrong-secret-id-9")
        result = forge("get", "/secret/data/app")
        refused(result, "wrong-secret-id-9")
        assert "invalid role or secret ID" in result.stderr


@pytest.mark.usefixtures("kv")
class TestKeyInVault:
    READ = (LOGIN, "GET /v1/secret/data/app")

    def test_the_key_is_read_once_and_lives_on_without_the_token_that_read_it(
        self, forge: Forge, server: Server, vault: Vault
    ) -> None:
        valid(forge)
        vault.life = 60
        forge("get", "/things")
        later(minutes=50)
        assert forge("get", "/things").exit_code == 0
        assert calls(server.seen) == [*self.READ, "GET /things", "GET /things"]

    def test_a_key_that_was_replaced_is_read_again_without_a_login(
        self, forge: Forge, server: Server, vault: Vault
    ) -> None:
        forge("get", "/things")
        vault.api_keys = {"api-key-of-vault-2"}
        assert forge("get", "/things").exit_code == 0
        assert calls(server.seen)[2:] == ["GET /things", "GET /things", "GET /v1/secret/data/app", "GET /things"]

    def test_a_token_that_vault_revoked_is_made_anew_when_the_key_is_read(
        self, forge: Forge, server: Server, vault: Vault
    ) -> None:
        vault.life = 30 * 86400
        forge("get", "/things")
        vault.revoke()
        later(hours=2)
        assert forge("get", "/things").exit_code == 0
        assert calls(server.seen)[3:] == ["GET /v1/secret/data/app", *self.READ, "GET /things"]

    def test_a_wrong_secret_id_is_exit_7_and_not_shown(self, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_ID", "wrong-secret-id-9")
        refused(forge("get", "/things"), "wrong-secret-id-9")


@pytest.mark.usefixtures("aws")
class TestLeasedKeys:
    LEASE = "GET /v1/aws/creds/reader"

    def test_keys_are_leased_once_and_sign_each_request(self, forge: Forge, server: Server) -> None:
        valid(forge)
        for _ in range(2):
            assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen) == [LOGIN, self.LEASE, "GET /bucket", "GET /bucket"]
        assert all("leased-secret-key" not in str(seen.headers) for seen in server.seen)

    def test_an_ended_lease_is_taken_anew_and_the_token_stays(self, forge: Forge, server: Server) -> None:
        forge("get", "/bucket")
        later(minutes=16)
        assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen)[3:] == [self.LEASE, "GET /bucket"]

    def test_a_token_that_renews_itself_keeps_its_leases(self, forge: Forge, server: Server, vault: Vault) -> None:
        vault.life = 100
        forge("get", "/bucket")
        later(seconds=95)
        assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen)[3:] == [RENEW, "GET /bucket"]

    def test_a_token_that_ended_takes_its_leases_along(self, forge: Forge, server: Server, vault: Vault) -> None:
        vault.life = 100
        forge("get", "/bucket")
        vault.revoke()
        later(seconds=101)
        assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen)[3:] == [LOGIN, self.LEASE, "GET /bucket"]

    def test_a_lease_that_was_revoked_is_taken_anew(self, forge: Forge, server: Server, vault: Vault) -> None:
        forge("get", "/bucket")
        vault.leases.clear()
        assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen)[3:] == ["GET /bucket", self.LEASE, "GET /bucket"]

    def test_a_token_that_vault_revoked_is_made_anew_with_its_lease(
        self, forge: Forge, server: Server, vault: Vault
    ) -> None:
        forge("get", "/bucket")
        vault.revoke()
        assert forge("get", "/bucket").exit_code == 0
        assert calls(server.seen)[3:] == ["GET /bucket", self.LEASE, LOGIN, self.LEASE, "GET /bucket"]

    def test_a_wrong_secret_id_is_exit_7_and_not_shown(self, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_ID", "wrong-secret-id-9")
        refused(forge("get", "/bucket"), "wrong-secret-id-9")
