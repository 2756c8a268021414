"""A template that cannot be filled in: which step, which key, and what validate knows before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

STEP = """
[profiles.demo]
base_url = "@URL@"
[profiles.demo.vars]
raw = "zz"
[profiles.demo.auth]
type = "pipeline"
@MORE@
[profiles.demo.auth.steps.login]
request = { method = "POST", url = "/login", @REQUEST@ }
extract = { token = "/token" }
@STEP@
"""
BAD = "${vars.raw | hexd}"
NOT_HEX = "'vars.raw' cannot go through 'hexd': it is not hexadecimal"


def profile(url: str, *, request: str = "form = { a = 'b' }", step: str = "", more: str = "") -> str:
    text = STEP.replace("@URL@", url).replace("@REQUEST@", request)
    return text.replace("@STEP@", step).replace("@MORE@", more)


@pytest.mark.parametrize(
    ("request_", "step", "where"),
    [
        (f"form = {{ sig = '{BAD}' }}", "", "step 'login', `request.form.sig`"),
        (f"headers = {{ X-Sig = '{BAD}' }}", "", "step 'login', `request.headers.X-Sig`"),
        (f"json = {{ a = [1, '{BAD}'] }}", "", "step 'login', `request.json.a[1]`"),
        ("form = { sig = '${values.sig}' }", f"values = {{ sig = '{BAD}' }}", "step 'login', `values.sig`"),
    ],
)
def test_what_cannot_be_filled_in_in_a_step_names_its_key(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], request_: str, step: str, where: str
) -> None:
    profile_file(profile(server.url, request=request_, step=step))
    result = forge("get", "/users")
    assert (result.exit_code, server.seen) == (2, [])
    assert f"{where}: {NOT_HEX}" in result.stderr


def test_what_cannot_be_filled_in_in_a_place_names_it(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    inject = f"inject = [{{ in = 'header', name = 'X-Key', value = '${{steps.login.token}} {BAD}' }}]"
    profile_file(profile(server.url, more=inject))
    server.reply("/login", Reply(200, {"token": "login-token-1"}))
    result = forge("get", "/users")
    assert (result.exit_code, len(server.seen)) == (2, 1)
    assert f"`inject` (header X-Key), `value`: {NOT_HEX}" in result.stderr


def test_what_cannot_be_filled_in_in_a_signature_names_it(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    sign = f"sign = {{ type = 'template', values = {{ a = '{BAD}' }}, inject = ["
    sign += "{ in = 'header', name = 'X-Sig', value = '${values.a | hex}' }] }"
    profile_file(profile(server.url, more=sign).partition("[profiles.demo.auth.steps")[0])
    result = forge("get", "/users")
    assert (result.exit_code, server.seen) == (2, [])
    assert f"`sign`, `values.a`: {NOT_HEX}" in result.stderr


def test_a_key_of_the_wrong_kind_names_the_step_and_the_secret(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNING_KEY", '{"kty": "oct", "k": "c2VjcmV0LWtleS0xMjM0NTY3ODkw"}')
    profile_file(
        f'[profiles.demo]\nbase_url = "{server.url}"\nsecrets.signing_key = {{ env = "SIGNING_KEY" }}\n'
        '[profiles.demo.auth]\ntype = "oauth2"\ngrant = "client-credentials"\ntoken_url = "/token"\nclient_id = "app"\n'
        'client_auth = "private-key-jwt"\nprivate_key = "${secrets.signing_key}"\n'
    )
    result = forge("get", "/users")
    assert (result.exit_code, server.seen) == (2, [])
    assert "step 'token': the key is not one for RS256 (it is secrets.signing_key)" in result.stderr
    assert "c2VjcmV0" not in result.stderr


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("form = { a = \"${'zz' | hexd}\" }", "a quoted text cannot go through 'hexd': it is not hexadecimal"),
        ("form = { a = \"${'{' | pointer('/a')}\" }", "a quoted text cannot go through 'pointer': it is not JSON"),
        ("headers = { X-A = '${vars.raw | sha256}' }", "what 'sha256' makes is bytes and no text"),
        ("headers = { X-A = 'v1=${vars.raw | hmac_sha256(vars.raw)}' }", "what 'hmac_sha256' makes is bytes"),
        ("form = { a = '${vars.raw | sha256 | upper}' }", "what 'sha256' makes is bytes and no text"),
    ],
)
def test_what_can_never_be_filled_in_is_found_by_validate(
    forge: Forge, profile_file: Callable[[str], Path], request_: str, message: str
) -> None:
    profile_file(profile("http://127.0.0.1:1", request=request_))
    result = forge("profile", "validate")
    assert result.exit_code == 2
    assert message in result.stdout + result.stderr


@pytest.mark.parametrize(
    "request_",
    [
        "text = '${vars.raw | sha256}'",
        "headers = { X-A = '${vars.raw | sha256 | hex | upper}' }",
        "headers = { X-A = '${vars.raw | b64d}' }",
        "form = { a = \"${'zz' | upper}\" }",
    ],
)
def test_what_can_be_filled_in_is_no_problem(forge: Forge, profile_file: Callable[[str], Path], request_: str) -> None:
    profile_file(profile("http://127.0.0.1:1", request=request_))
    assert forge("profile", "validate").exit_code == 0
