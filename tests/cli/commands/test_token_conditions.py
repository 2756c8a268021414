"""`token status` and `explain` where a step has a condition, a side effect or both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

MFA = """
[profiles.api]
base_url = "@URL@"
retry = { strategy = "none" }
vars = { second = "yes" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.login]
request = { method = "POST", url = "/login" }
extract = { token = "/token", status = "/status" }
expires = "never"
[profiles.api.auth.steps.code]
kind = "prompt"
text = "Code"
cache = "none"
when = { value = "${steps.login.status}", equals = "MFA" }
[profiles.api.auth.steps.mfa]
request = { method = "POST", url = "/mfa", form = { code = "${steps.code.token}" }, headers = { X = "${steps.login.token}" } }
extract = { token = "/token" }
when = { value = "${steps.login.status}", equals = "MFA" }
expires = "never"
[profiles.api.auth.steps.user]
request = { method = "POST", url = "/user", form = { t = "${steps.mfa.token ?? steps.login.token}" } }
extract = { token = "/token" }
expires = "never"
"""  # noqa: E501  # a table of one line, as a person would write it


@pytest.fixture
def write(server: Server, profile_file: Callable[[str], Path]) -> Callable[[str], Path]:
    return lambda text: profile_file(text.replace("@URL@", server.url))


def test_a_condition_that_cannot_be_known_yet_may_need_a_person(
    forge: Forge, server: Server, write: Callable[[str], Path]
) -> None:
    write(MFA)
    result = forge("token", "status")
    assert (result.exit_code, result.stdout, server.seen) == (7, "", [])
    assert "step 'code'" in result.stderr


def test_a_condition_that_holds_needs_a_person(forge: Forge, server: Server, write: Callable[[str], Path]) -> None:
    write(MFA)
    server.reply("/login", Reply(200, {"token": "login-token-1", "status": "MFA"}))
    assert forge("token", "show", "--raw", "--step", "login").exit_code == 0
    result = forge("token", "status")
    assert result.exit_code == 7
    assert "step 'code'" in result.stderr


def test_a_condition_that_is_known_not_to_hold_needs_nobody(
    forge: Forge, server: Server, write: Callable[[str], Path]
) -> None:
    write(MFA)
    server.reply("/login", Reply(200, {"token": "login-token-1", "status": "OK"}))
    server.reply("/user", Reply(200, {"token": "user-token-1"}))
    assert forge("token", "show", "--raw", "--step", "login").exit_code == 0
    assert forge("token", "status").stdout == "ready, after renewing user\n"
    assert forge("token", "explain").stdout.count("-> nothing: its condition does not hold\n") == 2
    assert forge("token", "show", "--raw").stdout == "user-token-1\n"
    assert forge("token", "status").stdout == "ready\n"


@pytest.mark.parametrize(("second", "code"), [("no", 0), ("yes", 7)])
def test_a_condition_on_a_variable_is_known(forge: Forge, write: Callable[[str], Path], second: str, code: int) -> None:
    write(MFA.replace('value = "${steps.login.status}", equals = "MFA"', 'value = "${vars.second}", equals = "yes"'))
    assert forge("token", "status", "--var", f"second={second}").exit_code == code


def test_a_condition_on_a_step_that_is_ruled_out_is_known(forge: Forge, write: Callable[[str], Path]) -> None:
    one = 'when = { value = "${vars.second}", equals = "yes" }'
    text = MFA.replace('when = { value = "${steps.login.status}", equals = "MFA" }', one, 1)
    write(
        text.replace('value = "${steps.login.status}", equals = "MFA"', 'value = "${steps.code.token}", exists = true')
    )
    assert forge("token", "status", "--var", "second=no").exit_code == 0


def test_a_condition_on_a_secret_is_not_looked_into(
    forge: Forge, server: Server, write: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    secret = f'[profiles.api.secrets]\nhow = {{ command = ["touch", "{ran}"] }}\n'
    write(
        MFA.replace('value = "${steps.login.status}", equals = "MFA"', 'value = "${secrets.how}", exists = true')
        + secret
    )
    assert forge("token", "status").exit_code == 7
    assert not ran.exists()


ONCE = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.code]
request = { method = "POST", url = "/code" }
extract = { token = "/token" }
expires = { in = "/expires_in" }
side_effect = true
"""


@pytest.mark.parametrize(
    "words", [["token", "status"], ["token", "show", "--raw"], ["get", "/users"], ["token", "refresh"]], ids=" ".join
)
def test_a_refused_side_effect_names_yes(
    forge: Forge, server: Server, write: Callable[[str], Path], words: list[str]
) -> None:
    write(ONCE)
    server.reply("/code", Reply(200, {"token": "code-token-1", "expires_in": 0}))
    assert forge("token", "login").exit_code == 0
    result = forge(*words)
    assert result.exit_code == 7
    assert "run `forge token login` on a terminal, or `forge token login --yes` anywhere" in result.stderr
    assert forge("token", "login", "--yes").exit_code == 0
    assert len(server.seen) == 2


def test_a_side_effect_of_a_person_is_not_had_by_yes(forge: Forge, write: Callable[[str], Path]) -> None:
    step = (
        '[profiles.api.auth.steps.code]\nkind = "prompt"\ntext = "Code"\nhidden = false\n'
        'side_effect = true\ncache = "store"\n'
    )
    write(ONCE[: ONCE.index("[profiles.api.auth.steps")] + step)
    assert forge("token", "login", tty=True, input="code-1\n").exit_code == 0
    refused = forge("token", "refresh")
    assert refused.exit_code == 7
    assert "run `forge token login` on a terminal" in refused.stderr
    assert "--yes" not in refused.stderr


def test_a_side_effect_that_was_cleared_runs_again_unasked_and_the_help_says_so(
    forge: Forge, server: Server, write: Callable[[str], Path]
) -> None:
    write(ONCE)
    server.reply("/code", Reply(200, {"token": "code-token-1", "expires_in": 0}))
    assert forge("token", "login").exit_code == 0
    assert forge("token", "clear").exit_code == 0
    assert forge("token", "show", "--raw").exit_code == 0
    assert len(server.seen) == 2
    assert "runs it, unasked" in " ".join(forge("token", "clear", "--help").stdout.split())
