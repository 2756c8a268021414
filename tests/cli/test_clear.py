"""Credentials over plain http: said once in each run, whatever silences the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.cli.clear import InTheClear, travels_in_the_clear
from forge_cli.events import Sending, StepEvent
from forge_cli.models import Headers, PreparedRequest
from forge_cli.redact import REDACTOR
from tests.conftest import Forge
from tests.server import Reply, Server

SAID = "not https: anybody in between"
THERE = "http://api.example/x"


def told(*events: object) -> list[str]:
    warned: list[str] = []
    passed: list[object] = []
    listener = InTheClear(warned.append, passed.append)
    for event in events:
        listener(event)
    assert passed == list(events)
    return warned


def sending(url: str = THERE, *, body: bytes | None = None, **headers: str) -> Sending:
    return Sending(PreparedRequest("GET", url, Headers(headers), body))


@pytest.mark.parametrize(
    "event",
    [
        sending(Authorization="Bearer user-token-1"),
        sending(Cookie="session=1"),
        sending(f"{THERE}?api_key=1"),
        sending(body=b'{"password": "pass-word-1"}'),
        sending(Team="known-secret-1"),
    ],
    ids=["a header", "a cookie", "the query", "a body", "a known secret in any header"],
)
def test_a_credential_in_the_clear_is_told_once(event: Sending) -> None:
    REDACTOR.add("known-secret-1")
    [warning] = told(event, event)
    assert SAID in warning
    assert "api.example" in warning


@pytest.mark.parametrize(
    "url",
    ["https://api.example/x", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x", "HTTPS://a/"],
)
def test_what_is_tls_or_stays_on_this_machine_is_not(url: str) -> None:
    assert told(sending(url, Authorization="Bearer user-token-1")) == []
    assert not travels_in_the_clear(url)


def test_nor_is_what_has_no_credential_unless_it_is_a_login() -> None:
    harmless = sending(body=b'{"name": "Ada"}', Accept="text/plain")
    assert told(harmless) == []
    assert len(told(StepEvent("login"), harmless, StepEvent(None), harmless)) == 1
    assert told(StepEvent("login"), StepEvent(None), harmless) == []


@pytest.mark.parametrize("quiet", [(), ("-ss",)], ids=["loud", "-ss"])
def test_every_run_says_so_and_nothing_silences_it(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], quiet: tuple[str, ...]
) -> None:
    # It leads to this machine all the same, which only the system knows.
    elsewhere = server.url.replace("127.0.0.1", "0.0.0.0")
    server.reply("/x", Reply(200, "ok"))
    server.reply("/login", Reply(200, {"token": "user-token-1"}))
    profile_file(
        f'[profiles.api]\nbase_url = "{elsewhere}"\n'
        '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\n'
        'request = { method = "POST", url = "/login", form = { user = "ada" } }\nextract = { token = "/token" }\n'
    )
    for words in (("token", "refresh"), ("get", "/x")):
        result = forge(*words, *quiet)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count(SAID) == 1


def test_doctor_says_so_too(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    plain = '[profiles.open]\nbase_url = "http://api.example"\n'
    auth = '[profiles.secret]\nbase_url = "http://api.example"\nauth = { type = "bearer", token = "${env.HOME}" }\n'
    profile_file(plain + auth)
    lines = forge("doctor").stdout.splitlines()
    [found] = [line for line in lines if "in the clear" in line]
    assert found.startswith("fix  profiles: secret: ")
