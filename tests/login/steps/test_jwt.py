from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from forge_cli.errors import ProfileError
from forge_cli.login.definition import ExpiresTable, RequestTable
from forge_cli.login.scope import Scope
from forge_cli.login.steps.jwt import JwtStep
from forge_cli.login.work import Work
from forge_cli.models import HttpRequest, HttpResponse
from forge_cli.profiles.schema import EnvSecret, FileSecret
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
KEY = "shared-secret-of-32-bytes-length"


def no_request(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
    raise AssertionError("a token that is signed here needs no request")


def no_command(argv: Sequence[str], env: Sequence[str]) -> str:
    raise AssertionError("a token that is signed here needs no program")


def work(environ: Mapping[str, str] | None = None, *, ahead: float = 0.0, **variables: Any) -> Work:
    secrets = Secrets(
        {"key": EnvSecret(env="KEY"), "password": EnvSecret(env="PASSWORD")},
        environ={"KEY": KEY, **(environ or {})},
        prompt=None,
        base_dir=Path("/nowhere"),
    )
    scope = Scope(secrets=secrets, vars=variables, now=NOW.timestamp() + ahead, uuid="uuid-1")
    return Work("assertion", scope, NOW, no_request, no_command, lambda seconds: None)


def step(**options: Any) -> JwtStep:
    return JwtStep(**{"kind": "jwt", "alg": "HS256", "key": "${secrets.key}", **options})


def parts(token: str) -> list[Any]:
    return [json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]]


def test_claims_and_headers_are_filled_in_and_keep_their_types() -> None:
    claims = {
        "iss": "${vars.client}",
        "aud": ["https://${vars.host}/", "${vars.host}"],
        "n": "${vars.limit}",
        "iat": "${now - 60}",
        "jti": "${uuid}",
        "ok": True,
        "nested": {"a": ["${vars.client}"]},
    }
    made = step(claims=claims, headers={"kid": "${vars.client}"}).run(work(client="client-1", host="h.test", limit=5))
    assert parts(made.outputs["token"]) == [
        {"alg": "HS256", "typ": "JWT", "kid": "client-1"},
        {
            "iss": "client-1",
            "aud": ["https://h.test/", "h.test"],
            "n": 5,
            "iat": EPOCH - 60,
            "jti": "uuid-1",
            "ok": True,
            "nested": {"a": ["client-1"]},
        },
    ]


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"lifetime": 600}, NOW + timedelta(seconds=600)),
        ({"lifetime": "10m"}, NOW + timedelta(seconds=600)),
        ({"claims": {"exp": "${now + 540}"}}, NOW + timedelta(seconds=540)),
        ({"claims": {"exp": "${now + 540}"}, "lifetime": 600}, NOW + timedelta(seconds=540)),
        ({"claims": {"exp": EPOCH + 30}}, NOW + timedelta(seconds=30)),
        ({"lifetime": 600, "expires": ExpiresTable(ttl=60)}, NOW + timedelta(seconds=60)),
    ],
    ids=str,
)
def test_the_end_is_the_tokens_own(options: Any, end: datetime) -> None:
    made = step(**options).run(work())
    assert (made.end.at, made.end.known) == (end, True)


@pytest.mark.parametrize("claims", [{}, {"exp": True}, {"exp": None}], ids=str)
def test_without_an_end_the_end_is_unknown(claims: dict[str, Any]) -> None:
    made = step(claims=claims).run(work())
    assert (made.end.at, made.end.known) == (None, False)


def test_a_lifetime_adds_two_claims_that_the_profile_may_set_itself() -> None:
    [_, claims] = parts(step(lifetime=600).run(work()).outputs["token"])
    assert claims == {"iat": EPOCH, "exp": EPOCH + 600}
    [_, claims] = parts(step(lifetime=600, claims={"iat": "${now - 60}"}).run(work()).outputs["token"])
    assert claims == {"iat": EPOCH - 60, "exp": EPOCH + 600}


def test_claims_go_by_the_servers_clock_and_the_end_by_ours() -> None:
    made = step(lifetime=600).run(work(ahead=7200.0))
    assert parts(made.outputs["token"])[1] == {"iat": EPOCH + 7200, "exp": EPOCH + 7800}
    assert made.end.at == NOW + timedelta(seconds=600)


def test_the_key_and_the_token_are_hidden() -> None:
    token = step(claims={"sub": "ada"}).run(work()).outputs["token"]
    assert REDACTOR.text(f"{KEY} {token}") == "*** ***"
    step(key="${vars.plain}").run(work(plain="plain-secret-1"))
    assert REDACTOR.text("plain-secret-1") == "***"


def test_a_secret_in_base64_is_used_as_its_bytes() -> None:
    as_text = step().run(work()).outputs["token"]
    as_bytes = step(key="${secrets.key | b64d}").run(work({"KEY": b64encode(KEY.encode()).decode()})).outputs["token"]
    assert as_text == as_bytes


def test_an_encrypted_key_from_the_environment_signs() -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass-word-1")).decode()
    environ = {"KEY": text.replace("\n", "\\n"), "PASSWORD": "pass-word-1"}
    token = step(alg="RS256", key_password="${secrets.password}").run(work(environ)).outputs["token"]
    data, _, made = token.rpartition(".")
    signature = urlsafe_b64decode(made + "=" * (-len(made) % 4))
    key.public_key().verify(signature, data.encode(), padding.PKCS1v15(), SHA256())
    assert REDACTOR.text("with pass-word-1") == "with ***"


def test_an_account_that_is_known_by_its_keys_fingerprint_can_be_written() -> None:
    """As Snowflake has it: issuer ACCOUNT.USER.SHA256:fingerprint, all in capitals but the fingerprint."""
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    claims = {
        "iss": "${vars.account | upper}.${vars.user | upper}.SHA256:${secrets.key | pem_fingerprint('sha256') | b64}",
        "sub": "${vars.account | upper}.${vars.user | upper}",
    }
    made = step(alg="RS256", claims=claims, lifetime="59m").run(work({"KEY": text}, account="xy1", user="ada"))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = b64encode(hashlib.sha256(public).digest()).decode()
    assert parts(made.outputs["token"])[1] == {
        "iat": EPOCH,
        "exp": EPOCH + 59 * 60,
        "iss": f"XY1.ADA.SHA256:{fingerprint}",
        "sub": "XY1.ADA",
    }


def test_a_service_accounts_file_signs_for_the_bearer_grant(tmp_path: Path) -> None:
    """As Google has it: the key and the names are in one JSON file."""
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "a@p.test", "private_key_id": "key-id-1", "private_key": text}
    (tmp_path / "account.json").write_text(json.dumps(account))
    table = {name: FileSecret(file="account.json", pointer=f"/{name}") for name in account}
    secrets = Secrets(table, environ={}, prompt=None, base_dir=tmp_path)
    made = step(
        alg="RS256",
        key="${secrets.private_key}",
        headers={"kid": "${secrets.private_key_id}"},
        claims={"iss": "${secrets.client_email}", "scope": "a b", "iat": "${now}", "exp": "${now + 3600}"},
    ).run(replace(work(), scope=Scope(secrets=secrets, now=NOW.timestamp())))
    header, claims = parts(made.outputs["token"])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "key-id-1"}
    assert claims == {"iss": "a@p.test", "scope": "a b", "iat": EPOCH, "exp": EPOCH + 3600}
    assert made.end.at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alg": "RS256"}, "step 'assertion': the key is neither PEM"),
        ({"key": "${vars.limit}"}, "step 'assertion': the key is empty or no text"),
        ({"headers": {"crit": []}}, "step 'assertion': the header parameter 'crit'"),
        ({"claims": {"a": "${'x' | bytes}"}}, "step 'assertion': a claim or header has no JSON form"),
    ],
    ids=str,
)
def test_what_cannot_be_signed_names_the_step_and_not_the_key(options: Any, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        step(**options).run(work(limit=5))
    assert KEY not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__!r}"
    assert caught.value.hint


def test_a_wrong_key_is_exit_2(forge: Any, profile_file: Any) -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    profile_file(PROFILE.format(alg="ES256"))
    result = forge("token", "show", "--raw", "-p", "dev", env={"KEY": text})
    assert result.exit_code == 2
    assert "step 'app': the key is not one for ES256" in result.stderr
    assert "ES256 needs a P-256 key" in result.stderr
    assert text[60:90] not in result.stderr


PROFILE = """
[profiles.dev]
base_url = "http://127.0.0.1:9"
secrets.key = {{ env = "KEY" }}
[profiles.dev.auth]
type = "pipeline"
[profiles.dev.auth.steps.app]
kind = "jwt"
alg = "{alg}"
key = "${{secrets.key}}"
lifetime = "1h"
"""


def loaded_after(arguments: list[str], home: Path, key: str) -> tuple[set[str], str]:
    """The modules that a run of the program has loaded, and what it printed."""
    code = (
        f"import sys; sys.argv = ['forge', *{arguments!r}]\n"
        "from forge_cli.__main__ import main\n"
        "code = main()\n"
        "import json; print(json.dumps([code, *sorted(sys.modules)]))"
    )
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PATH": "/usr/bin:/bin", "KEY": key}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    *printed, last = ran.stdout.splitlines()
    code, *modules = json.loads(last)
    assert not code, ran.stderr
    return set(modules), "\n".join(printed)


def test_what_signs_is_loaded_only_to_sign(own_home: Path, profile_file: Any) -> None:
    profile_file(PROFILE.format(alg="HS256"))
    show = ["token", "show", "--raw", "-p", "dev"]
    modules, _ = loaded_after(["profile", "validate"], own_home, KEY)
    assert not {"joserfc", "cryptography"} & modules
    modules, first = loaded_after(show, own_home, KEY)
    assert {"joserfc", "cryptography"} <= modules
    modules, second = loaded_after(show, own_home, KEY)
    assert not {"joserfc", "cryptography"} & modules
    assert first == second != ""
