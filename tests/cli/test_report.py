"""What `--debug` shows of a failure can be pasted into a public ticket."""

from __future__ import annotations

import importlib
import os
import platform
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.cli.report import report
from forge_cli.cli.run import Run
from forge_cli.redact import REDACTOR
from tests.conftest import Forge
from tests.server import Reply, Server

HOST = "intern.corp-5516.test"
SECRET = "report-secret-5516"
PROFILE = f"""
[profiles.customer-5516]
base_url = "https://{HOST}:8443/customers"
origins = ["https://files.corp-5516.test"]
secrets.s = {{ env = "CUSTOMER_SECRET" }}
auth = {{ type = "bearer", token = "${{secrets.s}}" }}
retry = {{ max_retries = 0 }}
"""


@pytest.fixture
def profile(profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    profile_file(PROFILE)
    monkeypatch.setenv("CUSTOMER_SECRET", SECRET)


def of(stderr: str) -> str:
    """The report alone: what stands before and after it is for the person."""
    return stderr.split("it can be made public\n")[1].split("--- end of the report")[0]


@pytest.mark.usefixtures("profile")
class TestOfAFailedRequest:
    def test_it_says_with_what_and_where_it_failed(self, forge: Forge) -> None:
        shown = of(forge("get", "/x", "--debug").stderr)
        for word in ("forge ", "CPython", "urllib3 ", "command: get", "options: --debug", "auth BearerAuth"):
            assert word in shown
        assert 'File "forge_cli/client.py", line' in shown
        assert "ConnectionException" in shown

    def test_it_names_no_host_unless_asked(self, forge: Forge) -> None:
        shown = of(forge("get", "/x", "--debug").stderr)
        assert "<host>" in shown
        assert "corp-5516" not in shown
        assert HOST in of(forge("get", "/x", "--debug", "--debug").stderr)

    @pytest.mark.parametrize("words", [(), ("https://other.corp-5516.test/y",), ("https://u:p@x.corp-5516.test",)])
    def test_neither_one_of_the_command_line_nor_of_a_proxy(self, forge: Forge, words: tuple[str, ...]) -> None:
        env = {"HTTPS_PROXY": "http://proxy.corp-5516.test:3128"} if not words else {}
        shown = of(forge("get", *(words or ("/x",)), "--debug", "--retry", "0", env=env).stderr)
        assert "corp-5516" not in shown

    def test_it_holds_no_secret_and_no_value_of_the_command_line(self, forge: Forge) -> None:
        words = ("-H", f"X-Key: {SECRET}", "--bearer", f"{SECRET}-2", f"password={SECRET}-3", "-uada:pw-5516")
        for each in (words[:2], words[2:4], words[4:5], words[5:]):
            shown = of(forge("get", "/x", "--debug", *each).stderr)
            assert SECRET not in shown
            assert "pw-5516" not in shown
            assert "customer-5516" not in shown

    def test_it_names_no_place_of_the_user(self, forge: Forge, own_home: Path) -> None:
        for words in (("get", "/x"), ("get", "/x", "--config", "missing.toml"), ("get", "/x", "-o", "no/such/file")):
            result = forge(*words, "--debug")
            assert result.exit_code
            assert str(own_home) not in of(result.stderr)
            assert str(Path(importlib.__file__).parents[1]) not in of(result.stderr)


def test_no_host_and_no_secret_of_an_answer_or_a_login(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER_SECRET", SECRET)
    server.reply("/login", Reply(401, {"message": f"bad {SECRET}", "token": "given-token-5516"}))
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\nsecrets.s = {{ env = "CUSTOMER_SECRET" }}\n'
        '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\n'
        'request = { method = "POST", url = "/login", form = { s = "${secrets.s}" } }\nextract = { token = "/token" }\n'
    )
    result = forge("get", "/x", "--debug")
    assert result.exit_code == 7
    assert "StepFailed" in of(result.stderr)
    assert SECRET not in result.stderr
    assert "given-token-5516" not in result.stderr
    assert str(server.port) not in of(result.stderr)


def failure(text: str) -> BaseException:
    try:
        raise RuntimeError(text)
    except RuntimeError as exc:
        return exc


def test_a_bug_is_reported_alike() -> None:
    REDACTOR.add(SECRET)
    run = Run(environ={"HOME": "/srv/ada", "FORGE_CONFIG": f"{SECRET}.toml", "CI": "1"})
    run.arguments = ("get", "https://a.corp-5516.test/x", "--bearer", "plain-5516", "-s", "--", "--after")
    text = report(
        failure(f"at https://a.corp-5516.test/?k={SECRET} and /srv/ada/x, /home/grace/y"), run, ("get", "run")
    )
    assert "RuntimeError: at https://<host>/?k=*** and ~/x, ~/y" in text
    assert "options: --bearer, -s\n" in text
    assert "variables: CI, FORGE_CONFIG\n" in text
    for word in (SECRET, "plain-5516", "corp-5516", "ada", "grace", "--after"):
        assert word not in text


def test_a_token_that_nobody_knew_is_masked_in_the_text_of_an_error() -> None:
    text = report(failure('{"access_token": "a-5516-b", "jwt": "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.x"}'), Run(environ={}))
    assert "a-5516-b" not in text
    assert "eyJ" not in text


def test_causes_come_first_and_hidden_ones_stay_hidden() -> None:
    try:
        try:
            raise ValueError("first")
        except ValueError as exc:
            raise KeyError("second") from exc
    except KeyError as exc:
        told = report(exc, Run(environ={}))
    assert told.index("ValueError: first") < told.index("which was the cause of") < told.index("KeyError: 'second'")
    try:
        try:
            raise ValueError("hidden-5516")
        except ValueError:
            raise KeyError("second") from None
    except KeyError as exc:
        assert "hidden-5516" not in report(exc, Run(environ={}))


def test_what_fails_while_it_is_made_hides_nothing(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    # What knows the platform may itself fail, as in some sandboxes.
    def fail() -> str:
        raise OSError("no name")

    monkeypatch.setattr(platform, "platform", fail)
    result = forge("get", "/x", "-p", "none", "--debug")
    assert result.exit_code == 2
    assert "ProfileError, and OSError while it was reported" in result.stderr
    assert "no profile file" in result.stderr


def test_a_host_of_one_letter_does_not_eat_the_report() -> None:
    run = Run(environ={})
    run.arguments = ("get", "http://a/x")
    assert "Traceback" in report(failure(f"{socket.AF_INET} {os.sep}"), run)
