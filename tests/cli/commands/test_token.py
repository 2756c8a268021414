"""The token commands, run as a user runs them against a real login."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_cli.demo.api import DemoApi
from forge_cli.demo.profile import ENVIRON, PROFILE
from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.server import Reply, Server

ROOT = Path(__file__).parents[3]
OAUTH2 = """
[profiles.api.auth]
type = "oauth2"
grant = "client-credentials"
token_url = "/t"
client_id = "me"
client_secret = "client-secret-1"
"""
LOGIN = {"/v1/devices/token": 1, "/v1/apps/token": 1, "/v1/users/login": 1}


@pytest.fixture
def demo(profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoApi]:
    """The three-step API, and a profile that logs in to it."""
    api = DemoApi()
    profile_file(PROFILE.replace("@URL@", api.start()))
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    yield api
    api.stop()


@pytest.fixture
def warm(demo: DemoApi, forge: Forge) -> DemoApi:
    """The same, logged in, and its calls forgotten."""
    assert forge("token", "refresh", "-s").exit_code == 0
    demo.calls.clear()
    return demo


def profile(server: Server, auth: str, more: str = "") -> str:
    return f'[profiles.api]\nbase_url = "{server.url}"\n{more}\n{auth}\n'


def rows(forge: Forge, *words: str) -> list[dict[str, Any]]:
    result = forge("token", "show", "--json", *words)
    assert result.exit_code == 0
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


class TestShow:
    """What is stored; nothing is sent."""

    def test_nothing_stored_is_an_empty_table(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "show")
        assert (result.exit_code, dict(demo.calls)) == (0, {})
        assert result.stdout.split() == "profile step token type scope issued expires source storage".split()
        assert "no tokens are stored" in result.stderr

    def test_each_token_is_a_row_and_masked(self, forge: Forge, warm: DemoApi) -> None:
        result = forge("token", "show")
        assert (result.exit_code, dict(warm.calls)) == (0, {})
        header, *lines = result.stdout.splitlines()
        assert header.startswith("profile")
        assert [line.split()[:2] for line in lines] == [["demo", "device"], ["demo", "app"], ["demo", "user"]]
        assert "demo-user-token-0001" not in result.stdout
        assert "demo…0001" in lines[2]
        assert re.search(r"expires in \d+ (min|h|d), \d{4}-\d\d-\d\dT[\d:]+[+-]\d\d:\d\d \(\d{10}\)", lines[2])
        assert "http POST /v1/users/login" in lines[2]
        assert str(config_dir() / "tokens" / "demo.toml") in lines[2]

    def test_json_is_masked_unless_revealed(self, forge: Forge, warm: DemoApi) -> None:
        masked, clear = rows(forge, "--step", "user"), rows(forge, "--step", "user", "--reveal")
        assert [row["token"] for row in (*masked, *clear)] == ["demo…0001", "demo-user-token-0001"]
        assert masked[0]["expired"] is False
        assert masked[0]["expires_at"] > 1_700_000_000

    def test_reveal_shows_tokens_in_the_table(self, forge: Forge, warm: DemoApi) -> None:
        assert "demo-user-token-0001" in forge("token", "show", "--reveal").stdout

    @pytest.mark.parametrize(
        ("expires", "say"),
        [
            ('expires = { in = "/expires_in" }\n', "expired"),
            ("", "expiry unknown"),
            ('expires = "never"\n', "never expires"),
        ],
        ids=["expired", "unknown", "never"],
    )
    def test_the_end_is_said_as_it_is(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path], expires: str, say: str
    ) -> None:
        step = 'request = { url = "/login" }\nextract = { token = "/token" }\n'
        auth = '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.s]\n'
        profile_file(profile(server, f"{auth}{step}{expires}"))
        server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 0}))
        assert forge("token", "refresh").exit_code == 0
        assert say in forge("token", "show").stdout

    def test_two_forms_at_once_are_exit_2(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "show", "--raw", "--json")
        assert (result.exit_code, dict(demo.calls)) == (2, {})
        assert "cannot go together" in result.stderr

    def test_an_unknown_step_lists_those_there_are(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "show", "--step", "usr")
        assert result.exit_code == 2
        assert "one of: device, app, user" in result.stderr

    def test_a_damaged_store_is_no_traceback(self, forge: Forge, warm: DemoApi) -> None:
        (config_dir() / "tokens" / "demo.toml").write_text("\0garbage demo-user-token-0001")
        result = forge("token", "show")
        assert result.exit_code == 0
        assert "Traceback" not in result.stderr
        assert "demo-user-token-0001" not in result.stdout + result.stderr


class TestObtaining:
    """The forms that programs use: they log in first where that is needed."""

    def test_raw_is_the_bare_token(self, forge: Forge, demo: DemoApi) -> None:
        assert forge("token", "show", "--raw").stdout_bytes == b"demo-user-token-0001\n"
        assert dict(demo.calls) == LOGIN
        assert forge("token", "show", "--raw", "--step", "app").stdout == "demo-app-token-0001\n"
        assert dict(demo.calls) == LOGIN

    def test_raw_renews_what_was_forgotten(self, forge: Forge, warm: DemoApi) -> None:
        assert forge("token", "clear", "--step", "user", "-s").exit_code == 0
        assert forge("token", "show", "--raw").stdout == "demo-user-token-0002\n"
        assert dict(warm.calls) == {"/v1/users/login": 1}

    @pytest.mark.parametrize(
        ("words", "out"),
        [
            (["--header"], "Authorization: Bearer demo-user-token-0001\n"),
            (["--header", "Authorization"], "Bearer demo-user-token-0001\n"),
            (["--header", "authorization"], "Bearer demo-user-token-0001\n"),
            (["--header", "-s"], "Authorization: Bearer demo-user-token-0001\n"),
            (["--env"], "export FORGE_TOKEN=demo-user-token-0001\nexport FORGE_TOKEN_USER=demo-user-token-0001\n"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_forms_for_a_shell(self, forge: Forge, demo: DemoApi, words: list[str], out: str) -> None:
        assert forge("token", "show", *words).stdout == out

    def test_a_header_that_is_not_sent_is_exit_2_and_names_those_that_are(self, forge: Forge, warm: DemoApi) -> None:
        result = forge("token", "show", "--header", "X-Api-Key")
        assert result.exit_code == 2
        assert "it sends: Authorization" in result.stderr

    def test_header_of_basic_and_of_a_cookie(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, 'auth = { type = "basic", username = "ada", password = "pass-word-1" }'))
        assert forge("token", "show", "--header").stdout == "Authorization: Basic YWRhOnBhc3Mtd29yZC0x\n"
        assert forge("token", "show", "--raw").exit_code == 2
        profile_file(profile(server, 'auth = { type = "api-key", key = "user-token-1", in = "cookie", name = "sid" }'))
        assert forge("token", "show", "--header").stdout == "Cookie: sid=user-token-1\n"

    def test_a_credential_that_is_no_header_is_named(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, 'auth = { type = "api-key", key = "user-token-1", in = "query", name = "key" }'))
        result = forge("token", "show", "--header")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "the query parameter 'key' is a credential too" in result.stderr

    def test_a_token_cannot_smuggle_a_header_in(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, OAUTH2))
        server.reply("/t", Reply(200, {"access_token": "user-token\r\nX-Evil: 1"}))
        result = forge("token", "show", "--header")
        assert (result.exit_code, result.stdout) == (7, "")
        assert "X-Evil" not in result.stderr

    def test_env_is_quoted_for_the_shell(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, """auth = { type = "bearer", token = "it's $(id) `id`" }"""))
        text = forge("token", "show", "--env").stdout
        command = ["sh", "-c", f'{text}printf %s "$FORGE_TOKEN"']
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert shown.stdout == "it's $(id) `id`"

    def test_refused_is_exit_7(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "show", "--raw", env={"DEMO_PASSWORD": "wrong-password"})
        assert (result.exit_code, result.stdout) == (7, "")
        assert "login step 'user'" in result.stderr
        assert "PASSWORD_WRONG" in result.stderr
        assert "wrong-password" not in result.stderr

    def test_unverified_tls_is_said_every_time(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, 'auth = { type = "bearer", token = "user-token-1" }', "verify = false"))
        assert "certificates are not verified" in forge("token", "show", "--raw", "-s").stderr


class TestDecode:
    """The claims of a JWT."""

    @staticmethod
    def jwt(claims: object) -> str:
        parts = ({"alg": "none"}, claims)
        return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + ".c2ln"

    def stored(self, forge: Forge, server: Server, profile_file: Callable[[str], Path], token: str) -> None:
        profile_file(profile(server, OAUTH2))
        server.reply("/t", Reply(200, {"access_token": token, "expires_in": 60}))
        assert forge("token", "refresh", "-s").exit_code == 0

    def test_claims_are_shown_as_not_verified(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        self.stored(forge, server, profile_file, self.jwt({"sub": "ada", "exp": 1}))
        result = forge("token", "show", "--decode")
        label, _, text = result.stdout.partition("\n")
        assert (result.exit_code, label) == (0, "# api token, not verified")
        assert json.loads(text) == {"sub": "ada", "exp": 1}
        assert len(server.seen) == 1

    def test_claims_cannot_drive_the_terminal(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        self.stored(forge, server, profile_file, self.jwt({"sub": "a\x9b2J\u202e"}))
        result = forge("token", "show", "--decode", tty=True, env={"NO_COLOR": "1"})
        assert "\x9b" not in result.stdout
        assert "\u202e" not in result.stdout

    @pytest.mark.parametrize("token", ["opaque-token-1", "a.b.c", "a.%%%.c"])
    def test_an_opaque_token_is_exit_2(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path], token: str
    ) -> None:
        self.stored(forge, server, profile_file, token)
        result = forge("token", "show", "--decode")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "opaque" in result.stderr

    def test_nothing_stored_is_exit_2(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "show", "--decode")
        assert (result.exit_code, dict(demo.calls)) == (2, {})
        assert "forge token refresh" in result.stderr


class TestRefresh:
    """What each form of renewing calls, and what stays."""

    def test_the_injected_step_by_its_refresh_token(self, forge: Forge, warm: DemoApi) -> None:
        result = forge("token", "refresh")
        assert (result.exit_code, result.stdout, dict(warm.calls)) == (0, "", {"/v1/users/refresh": 1})
        assert re.fullmatch(r"forge: renewed user: expires in .*\n", result.stderr)
        assert rows(forge, "--step", "user", "--reveal")[0]["token"] == "demo-user-token-0002"

    def test_a_step_and_what_is_bound_to_it(self, forge: Forge, warm: DemoApi) -> None:
        result = forge("token", "refresh", "--step", "app")
        assert dict(warm.calls) == {"/v1/apps/token": 1, "/v1/users/login": 1}
        assert [line.split(":")[1] for line in result.stderr.splitlines()] == [" renewed app", " renewed user"]

    def test_only_one_step(self, forge: Forge, warm: DemoApi) -> None:
        assert forge("token", "refresh", "--step", "app", "--only").exit_code == 0
        assert dict(warm.calls) == {"/v1/apps/token": 1}
        assert rows(forge, "--step", "user", "--reveal")[0]["token"] == "demo-user-token-0001"
        assert forge("get", "/users").exit_code == 0
        assert dict(warm.calls) == {"/v1/apps/token": 1, "/users": 1}

    def test_all_from_the_beginning(self, forge: Forge, warm: DemoApi) -> None:
        assert forge("token", "refresh", "--all").exit_code == 0
        assert dict(warm.calls) == LOGIN

    def test_a_cold_cache_logs_in(self, forge: Forge, demo: DemoApi) -> None:
        assert forge("token", "refresh").exit_code == 0
        assert dict(demo.calls) == LOGIN

    @pytest.mark.parametrize("more", [["--step", "app"], ["--only"]], ids=" ".join)
    def test_all_goes_alone(self, forge: Forge, demo: DemoApi, more: list[str]) -> None:
        result = forge("token", "refresh", "--all", *more)
        assert (result.exit_code, dict(demo.calls)) == (2, {})

    def test_a_computed_token_cannot_be_renewed(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(profile(server, 'auth = { type = "bearer", token = "user-token-1" }'))
        result = forge("token", "refresh")
        assert result.exit_code == 2
        assert "no token that could be renewed" in result.stderr

    def test_a_token_that_cannot_be_saved_is_exit_9(self, forge: Forge, demo: DemoApi) -> None:
        tokens = config_dir() / "tokens"
        tokens.write_text("a file where the folder should be")
        result = forge("token", "refresh")
        assert result.exit_code == 9
        assert str(tokens) in result.stderr


class TestStatus:
    """Whether a request could be authenticated without a person."""

    def test_ready_also_when_it_has_to_log_in_first(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "status")
        assert (result.exit_code, result.stdout) == (0, "ready, after renewing device, app, user\n")
        assert dict(demo.calls) == {}

    def test_ready_with_what_is_stored(self, forge: Forge, warm: DemoApi) -> None:
        assert forge("token", "status").stdout == "ready\n"

    def test_a_missing_secret_is_exit_7_and_named(
        self, forge: Forge, demo: DemoApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DEMO_PASSWORD")
        result = forge("token", "status")
        assert (result.exit_code, dict(demo.calls)) == (7, {})
        assert "DEMO_PASSWORD is not set" in result.stderr

    def test_json(self, forge: Forge, demo: DemoApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DEMO_PASSWORD")
        result = forge("token", "status", "--json")
        found = json.loads(result.stdout)
        assert (result.exit_code, found["ready"], result.stderr) == (7, False, "")
        assert "DEMO_PASSWORD" in found["reason"]
        assert [step["would"] for step in found["steps"]] == ["log in"] * 3

    def test_no_prompt_and_no_network(self, forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
        profile_file(
            profile(server, 'auth = { type = "bearer", token = "${secrets.t}" }')
            + '[profiles.api.secrets]\nt = { prompt = "Token" }\n'
        )
        result = forge("token", "status")
        assert (result.exit_code, server.seen) == (7, [])


class TestListAndClear:
    """All that is stored, and how it goes."""

    def test_list_shows_every_profile(self, forge: Forge, warm: DemoApi) -> None:
        found = json.loads(forge("token", "list", "--json").stdout)
        assert [(row["profile"], row["step"]) for row in found] == [("demo", s) for s in ("device", "app", "user")]
        assert "demo-user-token-0001" not in json.dumps(found)
        assert all(row.values() for row in found if row.pop("expired") is False)
        table = forge("token", "list").stdout.splitlines()
        assert len(table) == 4
        assert "source" not in table[0]

    def test_list_of_nothing_is_empty(self, forge: Forge) -> None:
        result = forge("token", "list")
        assert result.exit_code == 0
        assert "no tokens are stored" in result.stderr
        assert json.loads(forge("token", "list", "--json").stdout) == []

    def test_clear_forgets_all_of_a_profile(self, forge: Forge, warm: DemoApi) -> None:
        result = forge("token", "clear")
        assert (result.exit_code, result.stderr) == (0, "forge: forgot device, app, user\n")
        assert rows(forge) == []

    def test_clear_of_a_step_takes_what_was_made_from_it(self, forge: Forge, warm: DemoApi) -> None:
        assert forge("token", "clear", "--step", "app").stderr == "forge: forgot app, user\n"
        assert [row["step"] for row in rows(forge)] == ["device"]

    def test_clear_of_all_profiles_needs_none(self, forge: Forge, warm: DemoApi) -> None:
        (config_dir() / "profiles.toml").unlink()
        assert forge("token", "clear", "--all-profiles").stderr == "forge: forgot 3 tokens\n"
        assert json.loads(forge("token", "list", "--json").stdout) == []
        assert "nothing to forget" in forge("token", "clear", "--all-profiles").stderr

    def test_clear_of_nothing_says_so(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "clear")
        assert result.exit_code == 0
        assert "nothing to forget" in result.stderr

    def test_a_step_of_all_profiles_is_exit_2(self, forge: Forge) -> None:
        assert forge("token", "clear", "--all-profiles", "--step", "a").exit_code == 2


class TestExplain:
    """The login as a tree."""

    def test_a_cold_login(self, forge: Forge, demo: DemoApi) -> None:
        result = forge("token", "explain")
        assert result.stdout == (
            "user (http): no token -> log in\n"
            "└─ app (http): no token -> log in\n"
            "   └─ device (http): no token -> log in\n"
        )
        assert dict(demo.calls) == {}

    def test_a_warm_one(self, forge: Forge, warm: DemoApi) -> None:
        lines = forge("token", "explain").stdout.splitlines()
        assert re.fullmatch(r"user \(http\): expires in .* -> use", lines[0])
        assert dict(warm.calls) == {}

    def test_json(self, forge: Forge, demo: DemoApi) -> None:
        found = json.loads(forge("token", "explain", "--json").stdout)
        assert found["profile"] == "demo"
        assert [(s["step"], s["needs"], s["injected"]) for s in found["steps"]] == [
            ("device", [], False),
            ("app", ["device"], False),
            ("user", ["app"], True),
        ]

    def test_a_login_without_steps(self, forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
        profile_file(profile(server, 'auth = { type = "basic", username = "a", password = "b" }'))
        assert forge("token", "explain").stdout == "profile 'api' logs in by no steps\n"


class TestExec:
    """Run by a child, because the command takes the place of forge."""

    def run(self, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "forge_cli", "token", "exec", *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, **settings)

    def test_the_token_is_in_the_environment_alone(self, demo: DemoApi) -> None:
        script = 'echo "$FORGE_TOKEN $FORGE_TOKEN_USER" ; tr "\\0" " " < /proc/$$/cmdline'
        result = self.run("--", "sh", "-c", script)
        first, command = result.stdout.splitlines()
        assert first == "demo-user-token-0001 demo-user-token-0001"
        assert "demo-user" not in command

    def test_a_step_of_ones_own_choice(self, demo: DemoApi) -> None:
        result = self.run("--step", "app", "--", "sh", "-c", 'echo "$FORGE_TOKEN $FORGE_TOKEN_APP"')
        assert result.stdout == "demo-app-token-0001 demo-app-token-0001\n"

    def test_the_exit_code_passes_through(self, demo: DemoApi) -> None:
        assert self.run("--", "sh", "-c", "exit 42").returncode == 42

    def test_options_of_the_command_are_its_own(self, demo: DemoApi) -> None:
        assert self.run("printf", "%s", "-s", "--step").stdout == "-s--step"

    def test_standard_input_is_the_commands(self, demo: DemoApi) -> None:
        assert self.run("--", "cat", input="hello").stdout == "hello"

    def test_the_command_dies_of_a_closed_pipe_as_ever(self, demo: DemoApi) -> None:
        result = self.run("--", "sh", "-c", "(yes; echo $? >&2) | head -1")
        assert result.stdout == "y\n"
        assert "Broken pipe" not in result.stderr

    def test_no_such_program_is_exit_2(self, demo: DemoApi) -> None:
        result = self.run("--", "no-such-program-1")
        assert result.returncode == 2
        assert "cannot run 'no-such-program-1': no such file" in result.stderr

    def test_a_refused_login_runs_nothing(self, demo: DemoApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEMO_PASSWORD", "wrong-password")
        result = self.run("--", "echo", "ran")
        assert (result.returncode, result.stdout) == (7, "")


def test_token_alone_shows_its_commands(forge: Forge) -> None:
    result = forge("token")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "refresh" in result.stderr


class TestSecretsOfCommands:
    """What a command printed for a secret is kept beside the tokens, and is called what it is."""

    @pytest.fixture
    def kept(self, forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
        secret = '[profiles.api.secrets]\nkey = { command = ["echo", "printed-secret-1"], ttl = "1h" }\n'
        profile_file(profile(server, 'auth = { type = "bearer", token = "${secrets.key}" }') + secret)
        assert forge("token", "show", "--raw").stdout == "printed-secret-1\n"

    @pytest.mark.usefixtures("kept")
    def test_clear_and_list_say_whose_value_it_is(self, forge: Forge) -> None:
        [row] = json.loads(forge("token", "list", "--json").stdout)
        assert row["step"] == "the value of secret 'key'"
        assert forge("token", "clear").stderr == "forge: forgot the value of secret 'key'\n"

    @pytest.mark.usefixtures("kept")
    def test_one_that_was_kept_before_names_were_is_a_secrets(self, forge: Forge) -> None:
        path = config_dir() / "tokens" / "api.toml"
        text = path.read_text()
        assert 'secret = "key"' in text
        path.write_text(text.replace('secret = "key"', ""))
        assert forge("token", "clear").stderr == "forge: forgot the value of a secret\n"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"', "1" + "0" * 400])
@pytest.mark.parametrize("expires", ['{ in = "/e" }', '{ at = "/e", unit = "ms" }', '{ in = "/e", from = "/e" }'])
def test_an_end_that_is_no_number_is_no_crash(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], expires: str, value: str
) -> None:
    step = (
        f'[profiles.api.auth.steps.s]\nrequest = {{ url = "/t" }}\nextract = {{ token = "/t" }}\nexpires = {expires}\n'
    )
    more = 'clock = { at = "/e", unit = "s" }\n'
    profile_file(profile(server, f'[profiles.api.auth]\ntype = "pipeline"\n{step}{more}'))
    answer = f'{{"t": "user-token-1", "e": {value}}}'
    server.reply("/t", Reply(200, answer, {"Content-Type": "application/json"}))
    for words in (["refresh"], ["show"], ["list"], ["status"], ["explain"], ["show", "--raw"]):
        result = forge("token", *words)
        assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("clock", ["nan", "inf", '"soon"'])
def test_a_clock_that_somebody_has_damaged_is_passed_over(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], clock: str
) -> None:
    text = """[profiles.api.auth]
type = "pipeline"
inject = [{ in = "header", name = "X-Now", value = "${now | unix}" }, { in = "header", name = "X", value = "${steps.s.token}" }]
[profiles.api.auth.steps.s]
request = { url = "/t" }
extract = { token = "/t" }
clock = { at = "/now", unit = "s" }
"""  # noqa: E501  # a table of one line, as a person would write it
    profile_file(profile(server, text))
    server.reply("/t", Reply(200, {"t": "user-token-1", "now": 1}))
    assert forge("token", "refresh").exit_code == 0
    path = config_dir() / "tokens" / "api.toml"
    damaged = re.sub(r"clock = \S+", f"clock = {clock}", path.read_text())
    assert clock in damaged
    path.write_text(damaged)
    result = forge("token", "show", "--header", "X-Now")
    assert result.exit_code == 0, result.stderr
    assert int(result.stdout) > 1_700_000_000


@pytest.mark.parametrize(
    ("auth", "what"),
    [
        (
            '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.app]\nextract = { token = "/t" }\n'
            'request = { url = "/t", basic = ["${vars.user}", "pass-word-1"] }\n',
            "step 'app': the user in `basic` has a colon",
        ),
        (
            'auth = { type = "basic", username = "${vars.user}", password = "pass-word-1" }',
            "the user in `inject` has a",
        ),
    ],
    ids=["of a step", "of each request"],
)
def test_a_user_with_a_colon_is_exit_2_and_says_where(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], auth: str, what: str
) -> None:
    profile_file(profile(server, auth, 'vars = { user = "ada" }'))
    result = forge("get", "/a", "--var", "user=ada:lovelace")
    assert (result.exit_code, server.seen) == (2, [])
    assert what in result.stderr
    assert "lovelace" not in result.stderr
