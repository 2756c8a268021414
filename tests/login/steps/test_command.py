from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ProfileError, StepFailed
from forge_cli.login.definition import ExpiresTable, ExtractTable, RequestTable, VerifyTable
from forge_cli.login.scope import Scope
from forge_cli.login.steps.command import CommandStep, Printed
from forge_cli.login.work import Work
from forge_cli.models import HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets
from forge_cli.profiles.world import World
from forge_cli.redact import REDACTOR

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRON = {"PATH": "/usr/bin:/bin", "CLUSTER": "cluster-1", "OTHER": "other-1"}
# What a Kubernetes client asks its helper for.
CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {
        "expirationTimestamp": "2026-01-01T01:00:00Z",
        "token": "k8s-token-1",
        "clientCertificateData": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "clientKeyData": "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n",
    },
}


def no_request(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
    raise AssertionError("a program needs no request")


def work(folder: Path = Path("/nowhere"), environ: Mapping[str, str] = ENVIRON) -> Work:
    scope = Scope(secrets=Secrets({}, environ={}, prompt=None, base_dir=folder))
    world = World(environ=environ, folder=folder)
    return Work("helper", scope, NOW, no_request, world.command, lambda seconds: None)


def step(*command: str, **options: Any) -> CommandStep:
    return CommandStep(kind="command", command=command, **options)


def printing(value: Any, **options: Any) -> CommandStep:
    return step("printf", "%s", json.dumps(value), **options)


def test_all_that_is_printed_is_the_token() -> None:
    result = step("echo", "helper-token-1").run(work())
    assert (result.outputs, result.end.at, result.end.known) == ({"token": "helper-token-1"}, None, False)
    assert REDACTOR.text("it is helper-token-1") == "it is ***"


def test_an_exec_credential_gives_a_token_its_end_and_an_identity() -> None:
    extract = {"token": "/status/token", "cert": "/status/clientCertificateData", "key": "/status/clientKeyData"}
    expires = ExpiresTable(at="/status/expirationTimestamp", unit="iso")
    result = printing(CREDENTIAL, extract=extract, expires=expires).run(work())
    assert result.outputs == {
        "token": "k8s-token-1",
        "cert": CREDENTIAL["status"]["clientCertificateData"],  # type: ignore[index]
        "key": CREDENTIAL["status"]["clientKeyData"],  # type: ignore[index]
    }
    assert result.end.at == NOW + timedelta(hours=1)
    assert REDACTOR.text("k8s-token-1") == "***"


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        (ExpiresTable(in_="/expires_in"), NOW + timedelta(seconds=90)),
        (ExpiresTable(at="/end"), NOW + timedelta(seconds=30)),
        (ExpiresTable(jwt="token"), NOW + timedelta(seconds=60)),
        (ExpiresTable(ttl=5), NOW + timedelta(seconds=5)),
        (ExpiresTable(cookie="sid"), None),
        ("never", None),
    ],
    ids=str,
)
def test_the_end_is_in_what_is_printed(expires: Any, end: datetime | None) -> None:
    # {"exp": 1767225660}
    token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3NjcyMjU2NjB9."
    printed = {"token": token, "expires_in": 90, "end": NOW.timestamp() + 30}
    result = printing(printed, extract={"token": "/token"}, expires=expires).run(work())
    assert result.end.at == end


def test_outputs_are_also_found_in_text() -> None:
    extract = {"token": ExtractTable(regex="token: (.*)")}
    assert step("echo", "token: helper-token-1", extract=extract).run(work()).outputs == {"token": "helper-token-1"}


def test_it_sees_the_variables_that_are_named_and_no_others() -> None:
    shown = step("sh", "-c", 'echo "$CLUSTER-$OTHER"', env=("CLUSTER",)).run(work()).outputs
    assert shown == {"token": "cluster-1-"}


def test_a_path_starts_where_the_profile_file_is(tmp_path: Path) -> None:
    (tmp_path / "helper").write_text("#!/bin/sh\necho helper-token-1\n")
    (tmp_path / "helper").chmod(0o700)
    assert step("./helper").run(work(tmp_path)).outputs == {"token": "helper-token-1"}
    with pytest.raises(ProfileError, match="step 'helper': cannot run 'helper': no such file") as caught:
        step("helper").run(work(tmp_path))
    assert caught.value.hint == "check `command` in this step"


@pytest.mark.parametrize(
    ("made", "message", "hint"),
    [
        (step("sh", "-c", "echo no vault >&2; exit 3"), "'sh' failed with 3: no vault", "by hand"),
        (step("true"), "'true' printed nothing", "by hand"),
        (step("printf", "hidden-1\\nhidden-2\\n"), "holds a line break", "with `extract`"),
        (step("echo", "hidden-1", extract={"token": "/token"}), "not JSON", "check `extract`"),
        (printing({"a": "hidden-1"}, extract={"token": "/token"}), "'/token'", "check `extract`"),
        (printing({"a": "hidden-1"}, extract={"token": ExtractTable(header="X")}), "'X'", "check `extract`"),
        (printing({"a": "hidden-1"}, extract={"token": ExtractTable(cookie="X")}), "'X'", "check `extract`"),
    ],
    ids=["failure", "nothing", "two lines", "no JSON", "no token", "a header", "a cookie"],
)
def test_what_is_no_token_is_refused_and_not_shown(made: CommandStep, message: str, hint: str) -> None:
    with pytest.raises(StepFailed, match="login step 'helper': ") as caught:
        made.run(work())
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert "hidden-" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_token_that_is_to_be_verified_is_not_taken_unverified() -> None:
    verify = VerifyTable(jwks="https://a.test/keys", issuer="a", audience="b")
    extract = {"token": ExtractTable(header="X", alternatives=(ExtractTable(pointer="/token", verify=verify),))}
    with pytest.raises(ProfileError, match="what a command prints cannot be verified"):
        printing({"token": "helper-token-1"}, extract=extract).run(work())


def test_it_is_run_again_instead_of_renewed() -> None:
    assert step("true").renew(work()) is None  # type: ignore[func-returns-value]
    assert CommandStep.usual_cache == "store"


@given(st.text())
def test_what_is_printed_is_json_or_a_value_error(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(json.JSONDecodeError):
            Printed(text).json()
    else:
        assert json.dumps(Printed(text).json()) == json.dumps(expected)


def test_json_that_is_nested_too_deeply_is_none() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        Printed("[" * (sys.getrecursionlimit() * 100)).json()
