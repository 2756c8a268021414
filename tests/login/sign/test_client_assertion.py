"""The client's own assertion: what it says, that no two are the same, and where it goes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from forge_cli.errors import ProfileError, RequestBuildException
from forge_cli.models import PreparedRequest
from forge_cli.redact import REDACTOR
from tests.login.sign.made import request, scope, signer

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TOML = """
type = "client-assertion"
client_id = "client-${vars.n}"
audience = "https://login.example/token"
alg = "ES256"
headers = { kid = "key-1" }
lifetime = "2m"
key = "${secrets.key}"
"""
FORM = {"grant_type": "client_credentials", "client_id": "client-1"}


def signed(made: PreparedRequest) -> dict[str, str]:
    assert isinstance(made.body, bytes)
    assert made.headers["Content-Length"] == str(len(made.body))
    pairs = parse_qsl(made.body.decode(), strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def part(token: str, number: int) -> Any:
    text = token.split(".")[number]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_it_says_who_the_client_is_and_is_signed_with_its_key() -> None:
    made = signed(
        signer(TOML).sign(request("POST", "https://a.example/token", data=FORM), scope({"key": PEM}, vars={"n": 1}))
    )
    assert {name: made[name] for name in FORM} == FORM
    assert made["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    token = jwt.decode(made["client_assertion"], ECKey.import_key(PEM), ["ES256"])
    jti = token.claims.pop("jti")
    assert len(jti) == 36
    assert token.claims == {
        "iss": "client-1", "sub": "client-1", "aud": "https://login.example/token", "iat": 1700000000, "exp": 1700000120
    }  # fmt: skip
    assert token.header == {"alg": "ES256", "typ": "JWT", "kid": "key-1"}
    assert REDACTOR.text(made["client_assertion"]) == "***"


def test_a_client_can_sign_with_its_secret() -> None:
    secret = "a-client-secret-of-32-bytes-or-more"
    toml = TOML.replace("ES256", "HS256").replace('headers = { kid = "key-1" }', "")
    made = signed(
        signer(toml).sign(request("POST", "https://a.example/", data=FORM), scope({"key": secret}, vars={"n": 1}))
    )
    assert jwt.decode(made["client_assertion"], OctKey.import_key(secret), ["HS256"]).claims["sub"] == "client-1"


def test_another_attempt_has_another_one_alone() -> None:
    here, sign = scope({"key": PEM}, vars={"n": 1}), signer(TOML).sign
    first = sign(request("POST", "https://a.example/token", data=FORM), here)
    second = sign(first, here)
    tokens = [signed(made)["client_assertion"] for made in (first, second)]
    assert part(tokens[0], 1)["jti"] != part(tokens[1], 1)["jti"]


@pytest.mark.parametrize("fields", [{}, {"json_data": {"a": 1}}], ids=["no body", "JSON"])
def test_only_a_form_can_have_it(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildException, match="goes into a form"):
        signer(TOML).sign(request("POST", "https://a.example/", **fields), scope({"key": PEM}, vars={"n": 1}))


def test_a_key_of_another_kind_is_said_and_not_shown() -> None:
    with pytest.raises(ProfileError, match="the key is not one for RS256") as caught:
        signer(TOML.replace("ES256", "RS256")).sign(
            request("POST", "https://a.example/", data=FORM), scope({"key": PEM}, vars={"n": 1})
        )
    assert PEM.splitlines()[1] not in f"{caught.value} {caught.value.hint}"
