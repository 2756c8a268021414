"""`token login`, and what the token commands do where a person is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.login_server import DEVICE, PROFILE, LoginServer, browser
from tests.server import Reply, Server

ONCE = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.once]
request = { method = "POST", url = "/register" }
extract = { token = "/token" }
expires = { in = "/expires_in" }
side_effect = true
"""
PROMPT = """
[profiles.api]
base_url = "@URL@"
[profiles.api.secrets]
password = { prompt = "Password of ada" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.app]
request = { method = "POST", url = "/app" }
extract = { token = "/token" }
expires = "never"
[profiles.api.auth.steps.user]
request = { method = "POST", url = "/user", form = { a = "${steps.app.token}", p = "${secrets.password}" } }
extract = { token = "/token" }
expires = "never"
"""
COMMANDS = [
    ["token", "login"],
    ["token", "login", "--step", "user"],
    ["token", "refresh"],
    ["token", "refresh", "--all"],
    ["token", "show", "--raw"],
    ["token", "show", "--header"],
    ["token", "exec", "--", "true"],
    ["token", "explain", "--trace"],
    ["get", "/x"],
]


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> LoginServer:
    """A profile whose login is by a browser."""
    profile_file(PROFILE.replace("@URL@", server.url))
    return LoginServer(server)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("profile", [PROFILE, DEVICE], ids=["browser", "device"])
def test_without_a_terminal_it_is_exit_7_and_says_what_to_run(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path, words: list[str], profile: str
) -> None:
    profile_file(profile.replace("@URL@", server.url))
    result = forge(*words, env={"BROWSER": browser(tmp_path)})
    assert (result.exit_code, result.stdout, server.seen) == (7, "", [])
    assert "run `forge token login` on a terminal" in result.stderr
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("off", [{"CI": "true"}, {"FORGE_NO_INPUT": "1"}], ids=str)
def test_in_ci_no_browser_opens_on_a_terminal_either(
    forge: Forge, api: LoginServer, tmp_path: Path, off: dict[str, str]
) -> None:
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path), **off})
    assert (result.exit_code, api.server.seen) == (7, [])
    assert "FORGE_NO_INPUT and CI" in result.stderr
    assert forge("token", "login", "--no-input", tty=True).exit_code == 7


def test_login_by_a_browser(forge: Forge, api: LoginServer, tmp_path: Path) -> None:
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert result.exit_code == 0
    assert "renewed user" in result.stderr
    assert forge("token", "show", "--raw").stdout == "access-token-1-abcdef\n"
    assert api.logins == 1


def test_a_silent_login_still_shows_where_to_go(forge: Forge, api: LoginServer, tmp_path: Path) -> None:
    result = forge("token", "login", "-ss", tty=True, env={"BROWSER": browser(tmp_path)})
    assert "/authorize?" in result.stderr
    assert "renewed" not in result.stderr


def test_a_code_is_never_stored(forge: Forge, api: LoginServer, own_home: Path, tmp_path: Path) -> None:
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    form = dict(api.server.seen_at("/token")[0].form)
    for path in (own_home / ".config").rglob("*"):
        for secret in (form["code"], form["code_verifier"]):
            assert not path.is_file() or secret.encode() not in path.read_bytes()
    assert [row["step"] for row in json.loads(forge("token", "show", "--json").stdout)] == ["user"]


def test_an_ended_token_is_renewed_without_the_person(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    api = LoginServer(server, expires_in=0)
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    assert forge("token", "show", "--raw").stdout.startswith("access-token-")
    assert api.logins == 1
    assert dict(server.seen_at("/token")[-1].form)["grant_type"] == "refresh_token"


def test_login_where_nobody_is_needed(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(ONCE.replace("@URL@", server.url).replace("side_effect = true\n", ""))
    server.reply("/register", Reply(200, {"token": "once-token-1", "expires_in": 60}))
    result = forge("token", "login")
    assert result.exit_code == 0
    assert "this login needs no person" in result.stderr


def test_login_of_a_step_that_is_not_there(forge: Forge, api: LoginServer) -> None:
    assert forge("token", "login", "--step", "usr", tty=True).exit_code == 2


def test_login_asks_for_a_password_and_keeps_what_needs_none(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROMPT.replace("@URL@", server.url))
    server.reply("/app", Reply(200, {"token": "app-token-1"}))
    result = forge("token", "login", env={"CI": "1"}, tty=True)
    assert result.exit_code == 7
    assert 'password = { env = "PASSWORD" }' in result.stderr
    assert forge("token", "refresh", "--step", "app", "--only").exit_code == 0
    assert len(server.seen) == 1


def test_status_says_whether_nobody_is_needed(forge: Forge, api: LoginServer, tmp_path: Path) -> None:
    # On a terminal too: the question is whether a request could go out without anybody.
    assert forge("token", "status", tty=True).exit_code == 7
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    assert forge("token", "status").exit_code == 0
    assert "code (browser), needed only to obtain it: never stored -> nothing" in forge("token", "explain").stdout


def test_explain_says_what_waits_for_a_person(forge: Forge, api: LoginServer) -> None:
    result = forge("token", "explain")
    assert "user (http): no token -> log in" in result.stdout
    assert "code (browser), needed only to obtain it: never stored -> log in" in result.stdout


class TestSideEffects:
    """A step with a side effect is run again only when a person says so."""

    @pytest.fixture(autouse=True)
    def registered(self, forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
        profile_file(ONCE.replace("@URL@", server.url))
        answers = [Reply(200, {"token": f"once-token-{number}", "expires_in": 60}) for number in (1, 2, 3)]
        server.reply("/register", *answers)
        assert forge("token", "refresh").exit_code == 0

    @pytest.mark.parametrize(
        "words", [("refresh",), ("refresh", "--all"), ("refresh", "--step", "once"), ("login",)], ids=" ".join
    )
    def test_nobody_is_there_to_say_so(self, forge: Forge, server: Server, words: tuple[str, ...]) -> None:
        result = forge("token", *words)
        if words == ("login",):
            assert (result.exit_code, len(server.seen)) == (0, 1)  # its token can be used
        else:
            assert (result.exit_code, len(server.seen)) == (7, 1)
            assert "has a side effect" in result.stderr
            assert "token login" in result.stderr or "token refresh" in result.stderr

    @pytest.mark.parametrize(("answer", "code", "runs"), [("y\n", 0, 2), ("YES\n", 0, 2), ("\n", 7, 1), ("n\n", 7, 1)])
    def test_it_is_asked(self, forge: Forge, server: Server, answer: str, code: int, runs: int) -> None:
        result = forge("token", "refresh", "--step", "once", tty=True, input=answer)
        assert (result.exit_code, len(server.seen)) == (code, runs)
        assert "Step 'once' has a side effect" in result.stderr
        assert "[y/N]" in result.stderr

    def test_yes_says_so_without_a_question(self, forge: Forge, server: Server) -> None:
        assert forge("token", "refresh", "--step", "once", "--yes").exit_code == 0
        assert len(server.seen) == 2

    def test_without_step_nobody_is_asked(self, forge: Forge, server: Server) -> None:
        result = forge("token", "refresh", tty=True)
        assert (result.exit_code, len(server.seen)) == (7, 1)


def test_the_shorthand_for_a_login_by_a_browser(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\n'
        'grant = "authorization-code"\nclient_id = "client-1"\nscope = "read"\n'
        'authorization_url = "/authorize"\ntoken_url = "/token"\n'
    )
    LoginServer(server)
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    assert forge("token", "show", "--raw").stdout == "access-token-1-abcdef\n"
    asked = dict(server.seen_at("/authorize")[0].query)
    assert (asked["client_id"], asked["scope"], asked["code_challenge_method"]) == ("client-1", "read", "S256")


def test_the_shorthand_for_a_login_by_a_code(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\n'
        'grant = "device-code"\nclient_id = "client-1"\ndevice_url = "/device"\ntoken_url = "/token"\n'
    )
    codes = {"device_code": "device-code-1", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example"}
    server.reply("/device", Reply(200, {**codes, "interval": 1, "expires_in": 60}))
    server.reply("/token", Reply(200, {"access_token": "access-token-1-abcdef", "expires_in": 60}))
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path), "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert "│   WDJB-MJHT   │" in result.stderr
    assert forge("token", "show", "--raw").stdout == "access-token-1-abcdef\n"
    form = dict(server.seen_at("/token")[0].form)
    assert (form["device_code"], form["client_id"]) == ("device-code-1", "client-1")
