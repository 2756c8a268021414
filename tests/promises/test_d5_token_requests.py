"""D5: token requests are not repeated for ever, refusals end somewhere, and exit codes say which end it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge, Result
from tests.logins import THREE, numbered
from tests.server import Answer, Reply, Seen, Server

QUICK = "retry = { base_delay = 0, jitter = false }\n"


class Api:
    """An API with a login of one step that can be refreshed, and the command that uses it."""

    def __init__(self, forge: Forge, server: Server, write: Callable[[str], Path]) -> None:
        self._forge = forge
        self._write = write
        self.server = server

    def get(self, on_failure: str = "login", more: str = "") -> Result:
        self._write(
            f'[profiles.demo]\nbase_url = "{self.server.url}"\n{QUICK}{more}'
            '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'
            'request = { method = "POST", url = "/login" }\n'
            'extract = { token = "/token", refresh_token = { pointer = "/refresh_token", optional = true } }\n'
            f'[profiles.demo.auth.steps.user.refresh]\non_failure = "{on_failure}"\n'
            'request = { method = "POST", url = "/refresh", form = { rt = "${self.refresh_token}" } }\n'
        )
        return self._forge("get", "/users")

    def paths(self) -> list[str]:
        """What came since this was asked last."""
        found = [seen.path for seen in self.server.seen]
        self.server.seen.clear()
        return found


@pytest.fixture
def api(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> Api:
    return Api(forge, server, profile_file)


def refusing(*tokens: str) -> Answer:
    """Answers 401 to these tokens."""

    def answer(seen: Seen) -> Reply:
        return Reply(401 if seen.headers["Authorization"].removeprefix("Bearer ") in tokens else 200)

    return answer


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_login_that_is_refused_is_asked_once_and_is_exit_7(api: Api, status: int) -> None:
    api.server.reply("/login", Reply(status, {"error": "no"}))
    result = api.get()
    assert result.exit_code == 7
    assert "login step 'user'" in result.stderr
    assert f"-> {status}" in result.stderr
    assert api.paths() == ["/login"]


@pytest.mark.parametrize(
    "body", ["<html>Welcome</html>", "{}", '{"token": null}', ""], ids=["html", "{}", "null", "empty"]
)
def test_an_answer_that_is_no_login_is_exit_7(api: Api, body: str) -> None:
    api.server.reply("/login", Reply(200, body))
    assert api.get().exit_code == 7
    assert api.paths() == ["/login"]


def test_a_login_that_is_not_reached_is_exit_8(api: Api) -> None:
    api.server.reply("/login", Reply(raw=b""))
    assert api.get().exit_code == 8
    assert api.paths() == ["/login"] * 4  # no side effect is declared: a login may be repeated


def test_a_login_that_takes_too_long_is_exit_28(api: Api) -> None:
    def endless(seen: Seen) -> Reply:
        return Reply(body=iter(lambda: b" " * 100, None))

    api.server.reply("/login", endless)
    assert api.get(more="timeout = 0.3\n").exit_code == 28


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_leads_to_a_login(api: Api, status: int) -> None:
    api.server.reply("/login", numbered("user", refresh_token="refresh-#"))
    api.server.reply("/refresh", Reply(status, {"error": "invalid_grant"}))
    api.server.reply("/users", refusing("user-token-1"))
    assert api.get().exit_code == 0
    assert api.paths() == ["/login", "/users", "/refresh", "/login", "/users"]
    assert api.get().exit_code == 0
    assert api.paths() == ["/users"]


def test_or_to_exit_7_where_the_profile_says_so(api: Api) -> None:
    api.server.reply("/login", numbered("user", refresh_token="refresh-#"))
    api.server.reply("/refresh", Reply(400, {"error": "invalid_grant"}))
    api.server.reply("/users", refusing("user-token-1"))
    result = api.get(on_failure="error")
    assert (result.exit_code, "invalid_grant" in result.stderr) == (7, True)
    assert api.paths() == ["/login", "/users", "/refresh"]


def test_a_refused_login_after_a_refused_refresh_is_exit_7_and_no_loop(api: Api) -> None:
    api.server.reply("/login", Reply(body={"token": "user-token-1", "refresh_token": "r-1"}), Reply(403))
    api.server.reply("/refresh", Reply(400))
    api.server.reply("/users", refusing("user-token-1"))
    assert api.get().exit_code == 7
    assert api.paths() == ["/login", "/users", "/refresh", "/login"]
    assert api.get().exit_code == 7
    assert "/refresh" not in api.paths()


def test_a_401_that_stays_is_exit_4_after_one_renewal_and_one_replay(api: Api) -> None:
    api.server.reply("/login", numbered("user"))
    api.server.reply("/users", Reply(401))
    assert api.get().exit_code == 4
    assert api.paths() == ["/login", "/users", "/login", "/users"]


def test_a_401_between_other_failures_is_no_loop_either(api: Api) -> None:
    api.server.reply("/login", numbered("user"))
    api.server.reply("/users", Reply(503), Reply(401), Reply(503), Reply(200))
    assert api.get().exit_code == 0
    assert api.paths() == ["/login", "/users", "/users", "/login", "/users", "/users"]


def test_a_401_to_a_stripped_request_renews_nothing_and_names_origins(api: Api, other_server: Server) -> None:
    api.server.reply("/login", numbered("user"))
    api.server.reply("/users", Reply(302, headers={"Location": other_server.reply("/users", Reply(401))}))
    result = api.get()
    assert (result.exit_code, "origins" in result.stderr) == (4, True)
    assert api.paths() == ["/login", "/users"]


def test_a_parent_that_is_refused_is_not_asked_again_by_each_child(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/device", Reply(403))
    profile_file(f'[profiles.demo]\nbase_url = "{server.url}"\n{QUICK}{THREE}')
    result = forge("get", "/users")
    assert (result.exit_code, "login step 'device'" in result.stderr) == (7, True)
    assert [seen.path for seen in server.seen] == ["/device"]


def test_a_login_that_the_server_asks_to_wait_for_waits_no_longer_than_allowed(api: Api) -> None:
    api.server.reply("/login", Reply(429, headers={"Retry-After": "86400"}))
    result = api.get()
    assert result.exit_code == 7
    assert "asks for 24 h" in result.stderr
    assert api.paths() == ["/login"]


def test_no_failure_of_a_login_shows_a_secret(api: Api) -> None:
    leaked = {"refresh_token": "leaked-refresh-1", "message": "password user-password-9 is wrong"}
    api.server.reply("/login", Reply(401, leaked))
    result = api.get()
    assert "leaked-refresh-1" not in result.stderr + result.stdout
