"""`FORGE_ERRORS=json`: why a command failed, as one object for a program, for each exit code that has a message."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from forge_cli import retry
from forge_cli.cli.exit_codes import PASSING_STATUSES, kind_of, passing
from forge_cli.cli.failure import Failure
from forge_cli.errors import (
    AuthenticationException,
    ConnectionException,
    ForgeError,
    HttpClientException,
    LockTimeout,
    MissingSecret,
    NeedsPerson,
    NotFoundException,
    ServerErrorException,
    SSLException,
    StepFailed,
    StorageError,
    TimeoutException,
    UsageError,
)
from forge_cli.redact import REDACTOR
from tests.conftest import Forge, Result
from tests.server import Reply, Server

KEYS = ["exit", "kind", "step", "retryable", "message", "hint"]
JSON = {"FORGE_ERRORS": "json"}


def document(result: Result) -> dict[str, Any]:
    """The object, which is the last line of stderr."""
    found: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])
    assert list(found) == KEYS
    assert found["exit"] == result.exit_code
    return found


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [(302, 3, False), (404, 4, False), (429, 4, True), (500, 5, True), (501, 5, False)],
    ids=str,
)
def test_a_status(forge: Forge, server: Server, status: int, code: int, retryable: bool) -> None:
    url = server.reply("/x", Reply(status, b"body", {"Location": "/y"}))
    result = forge("get", url, "--retry", "0", "--no-follow", env=JSON)
    assert result.stdout == "body"
    found = document(result)
    assert (found["exit"], found["kind"], found["step"], found["retryable"]) == (code, "status", None, retryable)
    assert str(status) in found["message"]
    assert found["hint"] == ("-L follows it" if status == 302 else None)
    assert len(result.stderr.splitlines()) == 1


def test_expectations_are_one_object_that_names_each(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200, {"a": 1}))
    found = document(forge("get", url, "--expect", "body:/a==2", "--expect", "header:X==1", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"], found["hint"]) == (12, "expect", False, None)
    assert found["message"] == "expected body:/a==2, got 1\nexpected header:X==1, got nothing"


def test_a_status_that_is_no_success_says_also_what_was_expected(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(404, {"a": 1}))
    result = forge("get", url, "--expect", "body:/a==2", env=JSON)
    assert document(result)["message"] == "expected body:/a==2, got 1\n404 Not Found"
    text = forge("get", url, "--expect", "body:/a==2").stderr
    assert text == "forge: expected body:/a==2, got 1\nforge: 404 Not Found\n"


@pytest.mark.parametrize("words", [["get"], ["get", "--nonsense"], ["frobnicate"], []], ids=" ".join)
def test_a_mistyped_command(forge: Forge, words: list[str]) -> None:
    found = document(forge(*words, env=JSON))
    assert (found["exit"], found["kind"]) == (2, "usage")
    assert found["hint"].startswith("see `forge ")


def test_conflicting_options_and_a_missing_profile(forge: Forge) -> None:
    found = document(forge("get", "https://api.example.com", "--json", "-f", env=JSON))
    assert (found["exit"], found["kind"], found["hint"]) == (2, "usage", "choose one kind of body")
    found = document(forge("get", "/x", env=JSON))
    assert (found["exit"], found["kind"]) == (2, "profile")


def test_all_problems_of_a_profile_are_in_the_message(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file('[profiles.a]\nbase_ur = "x"\ntimeut = 3\n')
    message = document(forge("get", "/x", env=JSON))["message"]
    assert "base_ur" in message and "timeut" in message


def test_a_redirect_that_goes_round_is_6(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(302, headers={"Location": "/x"}))
    found = document(forge("get", url, env=JSON))
    assert (found["exit"], found["kind"], found["hint"]) == (6, "redirect", "--no-follow shows the redirect")


def test_a_refused_login_is_7_and_names_its_step(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.login]\nrequest = { method = "POST", url = "/login" }\n'
        'extract = { token = "/token" }\n'
    )
    server.reply("/login", Reply(403))
    found = document(forge("get", "/x", env=JSON))
    assert (found["exit"], found["kind"], found["step"], found["retryable"]) == (7, "step-failed", "login", False)


def test_a_password_that_nobody_can_type_is_7(forge: Forge) -> None:
    found = document(forge("get", "http://127.0.0.1:1/", "-u", "ada", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (7, "needs-person", False)


def test_status_of_a_token_that_needs_a_person_is_7(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        '[profiles.api]\nbase_url = "http://127.0.0.1:1"\n[profiles.api.auth]\ntype = "bearer"\n'
        'token = "${env.NOT_THERE}"\n'
    )
    result = forge("token", "status", env=JSON)
    assert result.exit_code == 7
    assert "NOT_THERE" in document(result)["message"]


def test_no_connection_is_8(forge: Forge) -> None:
    found = document(forge("get", "http://127.0.0.1:1/", "--retry", "0", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (8, "connection", True)


def test_a_file_that_cannot_be_written_is_9(forge: Forge) -> None:
    found = document(forge("get", "http://127.0.0.1:1/", "-o", "not/there", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (9, "storage", False)


def test_a_short_body_is_10(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    found = document(forge("get", url, "--retry", "0", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (10, "incomplete-response", True)


def test_an_open_circuit_is_11(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n'
        '[profiles.api.retry]\nstrategy = "circuit-breaker"\nmax_retries = 0\nfailure_threshold = 1\n'
    )
    server.reply("/x", Reply(503))
    assert document(forge("get", "/x", env=JSON))["exit"] == 5
    found = document(forge("get", "/x", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (11, "circuit-open", True)


def test_a_passed_time_limit_is_28(forge: Forge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = document(forge("get", f"http://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "0.2", env=JSON))
    assert (found["exit"], found["kind"], found["retryable"]) == (28, "timeout", True)


def test_notices_stay_unless_s_and_ss_says_nothing(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(503, headers={"Retry-After": "0"}))
    lines = forge("get", url, "--retry", "1", env=JSON).stderr.splitlines()
    assert len(lines) == 2 and "retry 1 of 1" in lines[0] and json.loads(lines[1])["exit"] == 5
    assert len(forge("get", url, "--retry", "1", "-s", env=JSON).stderr.splitlines()) == 1
    assert forge("get", url, "--retry", "1", "-ss", env=JSON).stderr == ""


def test_success_and_other_values_of_the_variable_say_nothing_of_it(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200), Reply(404))
    assert forge("get", url, env=JSON).stderr == ""
    assert forge("get", url, env={"FORGE_ERRORS": "text"}).stderr == "forge: 404 Not Found\n"


def test_the_object_holds_no_secret_and_is_one_line_of_ascii() -> None:
    REDACTOR.add("user-token-1")
    failure = Failure(
        exit=2, kind="usage", message="é user-token-1\n\x1b[2J", hint="user-token-1", details=("a\u2028b",)
    )
    text = failure.document()
    assert text.isascii() and "\n" not in text and "user-token-1" not in text
    assert json.loads(text)["message"] == "é ***\n\x1b[2J\na\u2028b"


@pytest.mark.parametrize(
    ("error", "kind", "later"),
    [
        (UsageError("x"), "usage", False),
        (MissingSecret("x"), "missing-secret", False),
        (NotFoundException(), "status", False),
        (ServerErrorException("x", 503), "status", True),
        (SSLException("x"), "ssl", False),
        (ConnectionException("x"), "connection", True),
        (TimeoutException("x"), "timeout", True),
        (StorageError("x"), "storage", False),
        (LockTimeout("x"), "lock-timeout", True),
        (NeedsPerson("x"), "needs-person", False),
        (AuthenticationException("x"), "authentication", False),
        (StepFailed("login", "x", status=401), "step-failed", False),
        (StepFailed("login", "x", status=503), "step-failed", True),
        (HttpClientException("x"), "http-client", False),
        (ForgeError("x"), "forge", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_class_of_an_error_is_its_kind(error: ForgeError, kind: str, later: bool) -> None:
    own = cast("type[ForgeError]", type("Mine", (type(error),), {}))
    mine = own.__new__(own)
    vars(mine).update(vars(error))
    assert (kind_of(error), kind_of(mine), passing(error)) == (kind, kind, later)


def test_what_may_pass_is_what_is_retried() -> None:
    assert PASSING_STATUSES == retry.RETRYABLE_STATUSES
