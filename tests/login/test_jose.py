"""Signing and checking of tokens: against RFC vectors, and against two libraries that know nothing of ours."""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from forge_cli.errors import AuthenticationException, ProfileError
from forge_cli.login.jose import signature, signed, valid, verified

NOW = 1_767_225_600.0
ISSUER, AUDIENCE = "https://login.test", "client-1"
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": int(NOW), "exp": int(NOW) + 300, "nonce": "nonce-1"}
ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")

# RFC 7515, appendix A.1 to A.3, and RFC 8037, appendix A.4.
_PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
A1 = (
    f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{_PAYLOAD}",
    {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
)
A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{_PAYLOAD}",
    {
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
        "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBE"
        "Ma2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PA"
        "cDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
        "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395"
        "IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHH"
        "zQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnc"
        "zT0QU91p1DhOVRuOopznQ",
    },
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw",
)
A3 = (
    f"eyJhbGciOiJFUzI1NiJ9.{_PAYLOAD}",
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    },
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
)
ED = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
)
Vector = tuple[str, dict[str, str], str]
CURVES: Mapping[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def b64d(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def head(**parameters: Any) -> str:
    return b64(json.dumps(parameters).encode())


@cache
def private(alg: str) -> Any:
    """One key for each algorithm."""
    if alg.startswith(("RS", "PS")):
        return _rsa()
    return ed25519.Ed25519PrivateKey.generate() if alg == "EdDSA" else ec.generate_private_key(CURVES[alg])


@cache
def _rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> str:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return str(key.private_bytes(Encoding.PEM, form, encryption).decode())


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def jwk(alg: str, /, **more: Any) -> dict[str, Any]:
    """The public key for an algorithm, as an issuer publishes it."""
    kind = RSAKey if alg[:2] in ("RS", "PS") else OKPKey if alg == "EdDSA" else ECKey
    return {**kind.import_key(private(alg)).as_dict(private=False), **more}


def token(alg: str = "RS256", headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
    merged = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return signed(merged, headers or {}, alg, pem(private(alg)))


def check(text: str, *keys: Mapping[str, Any], **options: Any) -> Mapping[str, Any]:
    wanted = {"issuer": ISSUER, "audience": AUDIENCE, "nonce": "nonce-1", "algorithms": ALGORITHMS, "now": NOW}
    return verified(text, {"keys": list(keys or (jwk("RS256"),))}, **{**wanted, **options})


@pytest.mark.parametrize(
    ("alg", "vector"), [("HS256", A1), ("RS256", A2), ("EdDSA", ED)], ids=["RFC 7515 A.1", "A.2", "RFC 8037 A.4"]
)
def test_a_signature_is_that_of_the_rfc(alg: str, vector: Vector) -> None:
    data, key, expected = vector
    assert b64(signature(data.encode(), alg, json.dumps(key))) == expected


@pytest.mark.parametrize(
    ("alg", "vector"), [("RS256", A2), ("ES256", A3), ("EdDSA", ED)], ids=["RFC 7515 A.2", "A.3", "RFC 8037 A.4"]
)
def test_the_signature_of_the_rfc_is_valid_and_no_other(alg: str, vector: Vector) -> None:
    data, key, expected = vector
    public = {name: value for name, value in key.items() if name != "d"}
    assert valid(data.encode(), b64d(expected), alg, public)
    assert not valid(data.encode() + b"x", b64d(expected), alg, public)
    assert not valid(data.encode(), b64d(expected)[::-1], alg, public)
    assert not valid(data.encode(), b"", alg, public)


def holds(alg: str, key: Any, data: bytes, made: bytes) -> None:
    """Check a signature with cryptography alone. InvalidSignature: it is none."""
    if alg == "EdDSA":
        key.public_key().verify(made, data)
        return
    digest = HASHES[alg[2:]]
    if alg.startswith("ES"):
        half = len(made) // 2
        r, s = (int.from_bytes(part, "big") for part in (made[:half], made[half:]))
        key.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
    else:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.public_key().verify(made, data, pss if alg.startswith("PS") else padding.PKCS1v15(), digest)


@pytest.mark.parametrize(
    "alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_two_libraries_accept_what_is_signed(alg: str) -> None:
    key = private(alg)
    made = signed({"sub": "ada"}, {"kid": "key-1", "x5c": ["x" * 2000]}, alg, pem(key))
    data, _, tail = made.rpartition(".")
    holds(alg, key, data.encode(), b64d(tail))
    kind = RSAKey if alg[:2] in ("RS", "PS") else OKPKey if alg == "EdDSA" else ECKey
    short = signed({"sub": "ada"}, {"kid": "key-1"}, alg, pem(key))
    found = jwt.decode(short, kind.import_key(public_pem(key)), algorithms=[alg])
    assert found.claims == {"sub": "ada"}
    assert found.header == {"alg": alg, "typ": "JWT", "kid": "key-1"}


@pytest.mark.parametrize(("alg", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
@pytest.mark.parametrize("key", ["short", "x" * 100, b"\xff\x00bytes", "{", "é"])
def test_a_shared_secret_may_be_short_and_nobody_is_warned(alg: str, digest: str, key: str | bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = signed({"sub": "ada"}, {}, alg, key)
    data, _, tail = made.rpartition(".")
    raw = key.encode() if isinstance(key, str) else key
    assert b64d(tail) == hmac.digest(raw, data.encode(), getattr(hashlib, digest)().name)


def test_a_secret_given_as_a_jwk_is_its_bytes() -> None:
    made = signed({"sub": "ada"}, {}, "HS256", json.dumps(A1[1]))
    assert jwt.decode(made, OctKey.import_key(b64d(A1[1]["k"])), algorithms=["HS256"]).claims == {"sub": "ada"}


def test_ed448_signs_too() -> None:
    key = ed448.Ed448PrivateKey.generate()
    data, _, tail = signed({}, {}, "EdDSA", pem(key)).rpartition(".")
    key.public_key().verify(b64d(tail), data.encode())


def test_a_small_rsa_key_that_a_vendor_issued_signs_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        key = _rsa(1024)
        made = signed({}, {}, "RS256", pem(key))
    data, _, tail = made.rpartition(".")
    holds("RS256", key, data.encode(), b64d(tail))


@pytest.mark.parametrize(
    ("alg", "form"),
    [
        pytest.param("RS256", PrivateFormat.TraditionalOpenSSL, id="PKCS#1"),
        pytest.param("RS256", PrivateFormat.PKCS8, id="PKCS#8"),
        pytest.param("ES256", PrivateFormat.TraditionalOpenSSL, id="SEC1"),
        pytest.param("ES256", PrivateFormat.PKCS8, id="PKCS#8 of a curve"),
    ],
)
@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(lambda text: text, id="as it is"),
        pytest.param(lambda text: text.replace("\n", "\\n"), id="in one line"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="from Windows"),
        pytest.param(lambda text: f"\n {text.strip()}\n\n", id="space around"),
        pytest.param(lambda text: text.encode(), id="bytes"),
    ],
)
def test_a_private_key_is_read_in_every_spelling(alg: str, form: PrivateFormat, spelled: Callable[[str], Any]) -> None:
    key = private(alg)
    data, _, tail = signed({}, {}, alg, spelled(pem(key, form))).rpartition(".")
    holds(alg, key, data.encode(), b64d(tail))


def test_an_encrypted_key_is_opened_with_its_password() -> None:
    key = private("RS256")
    data, _, tail = signed({}, {}, "RS256", pem(key, password=b"pass-word-1"), "pass-word-1").rpartition(".")
    holds("RS256", key, data.encode(), b64d(tail))


def _keys() -> dict[str, Any]:
    """Each a key, a password and an algorithm that do not go together, and what is said about it."""
    rsa_pem, ec_pem = pem(private("RS256")), pem(private("ES256"))
    encrypted = pem(private("RS256"), password=b"pass-word-1")
    wrong = "is not one for"
    return {
        "a curve's key for RSA": (ec_pem, None, "RS256", wrong, "RS256 needs an RSA key"),
        "an RSA key for a curve": (rsa_pem, None, "ES256", wrong, "needs a P-256 key"),
        "another curve": (ec_pem, None, "ES384", wrong, "needs a P-384 key"),
        "a key for a secret": (rsa_pem, None, "HS256", wrong, "needs a shared secret"),
        "a public key for a secret": (public_pem(private("RS256")), None, "HS256", wrong, "needs a shared secret"),
        "a JWK for a secret": (json.dumps(A2[1]), None, "HS256", wrong, "needs a shared secret"),
        "a secret for a key": ("shared-secret-1", None, "RS256", "neither PEM", "check `key`"),
        "another use": (json.dumps({**A2[1], "use": "enc"}), None, "RS256", wrong, "needs an RSA key"),
        "another algorithm": (json.dumps({**A2[1], "alg": "PS256"}), None, "RS256", wrong, "needs an RSA key"),
        "a JWK without its parts": (json.dumps({"kty": "RSA", "n": "AQAB"}), None, "RS256", wrong, "needs an RSA key"),
        "a JWK of numbers": (json.dumps({"kty": "oct", "k": 5}), None, "HS256", wrong, "needs a shared secret"),
        "a public key": (public_pem(private("RS256")), None, "RS256", "is not a private key", "the private key"),
        "a public JWK": (json.dumps(jwk("RS256")), None, "RS256", "is a public key", "the private key"),
        "encrypted": (encrypted, None, "RS256", "is encrypted", "`key_password`"),
        "another password": (encrypted, "pass-word-2", "RS256", "cannot be decrypted", "check `key_password`"),
        "not encrypted": (rsa_pem, "pass-word-1", "RS256", "is not encrypted", "remove `key_password`"),
        "cut": (rsa_pem[:200] + rsa_pem[300:], None, "RS256", "damaged", "is whole"),
        "a key to exchange keys": (pem(X25519PrivateKey.generate()), None, "EdDSA", "cannot sign", "needs an Ed25519"),
        "too small for the hash": (pem(_rsa(1024)), None, "PS512", "cannot sign with PS512", "an RSA key"),
        "empty": (" \n", None, "HS256", "is empty", "a shared secret"),
        "no text": (5, None, "HS256", "no text", "a shared secret"),
    }


@pytest.mark.parametrize("name", list(_keys()))
def test_a_key_that_does_not_fit_is_explained_and_not_shown(name: str) -> None:
    key, password, alg, message, hint = _keys()[name]
    with pytest.raises(ProfileError) as caught:
        signed({}, {}, alg, key, password)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    # The original may quote the key.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for secret in filter(None, (password, str(key).strip())):
        assert secret not in f"{caught.value.message} {caught.value.hint}" or secret == "5"


@pytest.mark.parametrize(
    ("claims", "headers", "message"),
    [
        ({"a": b"bytes"}, {}, "has no JSON form"),
        ({"a": float("nan")}, {}, "has no JSON form"),
        ({}, {"x5t": b"bytes"}, "has no JSON form"),
        ({}, {"crit": ["b64"]}, "header parameter 'crit' cannot be used"),
        ({}, {"b64": False}, "header parameter 'b64' cannot be used"),
    ],
)
def test_what_no_token_can_say_is_an_error(claims: dict[str, Any], headers: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        signed(claims, headers, "HS256", "shared-secret-1")


def test_a_header_adds_to_the_algorithm_and_never_replaces_it() -> None:
    made = signed({}, {"alg": "none", "typ": "at+jwt", "kid": "1"}, "HS256", "shared-secret-1")
    assert json.loads(b64d(made.split(".")[0])) == {"alg": "HS256", "typ": "at+jwt", "kid": "1"}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_id_token_that_is_what_it_must_be_gives_its_claims(alg: str) -> None:
    assert check(token(alg), jwk(alg)) == CLAIMS


def test_the_key_is_found_among_others_by_its_name() -> None:
    named = jwk("RS256", kid="key-1", use="sig", alg="RS256")
    others = [jwk("ES256", kid="key-1"), jwk("ES256", kid="key-2"), {"kty": "new", "kid": "key-1"}, {}, 5, {"kty": []}]
    keys: Any = [*others, named]
    assert check(token(headers={"kid": "key-1"}), *keys) == CLAIMS
    with pytest.raises(AuthenticationException, match="a key that the issuer does not publish"):
        check(token(headers={"kid": "key-3"}), *keys)


def test_without_a_name_every_key_that_fits_is_tried() -> None:
    other = RSAKey.import_key(_rsa(3072)).as_dict(private=False)
    assert check(token(), other, jwk("RS256")) == CLAIMS


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"alg": "PS256"}],
    ids=["for encryption", "not to verify", "no list", "another algorithm"],
)
def test_a_key_that_is_for_something_else_has_signed_nothing(more: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationException, match="a key that the issuer does not publish"):
        check(token(), jwk("RS256", **more))


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": {}}, {"keys": []}], ids=str)
def test_a_set_without_keys_verifies_nothing(keys: dict[str, Any]) -> None:
    options: Any = {"issuer": ISSUER, "audience": AUDIENCE, "nonce": None, "algorithms": ALGORITHMS, "now": NOW}
    with pytest.raises(AuthenticationException, match="does not publish"):
        verified(token(), keys, **options)


def _confused() -> dict[str, str]:
    """Tokens that a careless reader would accept: by algorithm, none is what the issuer signed."""
    good = token()
    payload = good.split(".")[1]
    text = public_pem(private("RS256"))
    forged = f"{head(alg='HS256')}.{payload}"
    by_pem = b64(hmac.digest(text.encode(), forged.encode(), "sha256"))
    return {
        "none": f"{head(alg='none')}.{payload}.",
        "None": f"{head(alg='nOnE')}.{payload}.",
        "HS256 with the public key": f"{forged}.{by_pem}",
        "no algorithm": f"{head()}.{payload}.{good.split('.')[2]}",
        "a list of algorithms": f"{head(alg=['RS256'])}.{payload}.{good.split('.')[2]}",
    }


@pytest.mark.parametrize("name", list(_confused()))
def test_an_algorithm_that_is_not_allowed_is_refused(name: str) -> None:
    with pytest.raises(AuthenticationException, match="an algorithm that is not allowed") as caught:
        check(_confused()[name])
    assert "`algorithms`" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["none", "HS256 with the public key"])
def test_no_list_of_algorithms_allows_what_proves_nothing(name: str) -> None:
    with pytest.raises(AuthenticationException, match="an algorithm that is not allowed"):
        check(_confused()[name], algorithms=["none", "HS256"])


def test_an_allowed_algorithm_is_refused_where_the_profile_does_not_list_it() -> None:
    with pytest.raises(AuthenticationException, match="not allowed"):
        check(token("ES256"), jwk("ES256"), algorithms=["RS256"])


def test_a_small_rsa_key_of_an_issuer_is_not_trusted() -> None:
    made = signed(CLAIMS, {}, "RS256", pem(_rsa(1024)))
    public = RSAKey(_rsa(1024).public_key(), _rsa(1024).public_key()).as_dict(private=False)
    with pytest.raises(AuthenticationException, match="wrong signature"):
        check(made, public)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"iss": "https://login.test/"}, "another issuer"),
        ({"iss": ...}, "another issuer"),
        ({"aud": "client-2"}, "another audience"),
        ({"aud": ["client-2", 5]}, "another audience"),
        ({"aud": ...}, "another audience"),
        ({"aud": {"client-1": 1}}, "another audience"),
        ({"aud": [AUDIENCE, "client-2"]}, "issued to another"),
        ({"aud": [AUDIENCE, "client-2"], "azp": "client-2"}, "issued to another"),
        ({"azp": "client-2"}, "issued to another"),
        ({"sub": ...}, "names no subject"),
        ({"exp": ...}, "no `exp`"),
        ({"exp": str(int(NOW) + 300)}, "no `exp`"),
        ({"exp": True}, "no `exp`"),
        ({"exp": NOW - 60}, "has expired"),
        ({"iat": ...}, "no `iat`"),
        ({"iat": NOW + 61}, "from the future"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": "x"}, "no `nbf`"),
        ({"nonce": ...}, "its nonce differs"),
        ({"nonce": "nonce-2"}, "its nonce differs"),
        ({"nonce": 1}, "its nonce differs"),
    ],
    ids=str,
)
def test_a_claim_that_is_not_what_it_must_be_is_refused(claims: dict[str, Any], message: str) -> None:
    with pytest.raises(AuthenticationException, match=message):
        check(token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "client-2"], "azp": AUDIENCE},
        {"azp": AUDIENCE},
        {"exp": NOW - 59},
        {"iat": NOW + 60, "nbf": NOW + 60},
        {"exp": NOW + 0.5},
    ],
    ids=str,
)
def test_clocks_may_differ_by_a_minute_and_audiences_may_be_several(claims: dict[str, Any]) -> None:
    assert check(token(**claims)) == {**CLAIMS, **claims}


def test_a_nonce_that_nobody_asked_for_is_not_looked_at() -> None:
    assert check(token(nonce="other"), nonce=None)["nonce"] == "other"


@pytest.mark.parametrize(
    ("alg", "digest"),
    [
        ("RS256", hashlib.sha256(b"access-1").digest()),
        ("ES256", hashlib.sha256(b"access-1").digest()),
        ("ES384", hashlib.sha384(b"access-1").digest()),
        ("PS512", hashlib.sha512(b"access-1").digest()),
        ("EdDSA", hashlib.sha512(b"access-1").digest()),
    ],
)
def test_an_at_hash_is_half_of_the_digest_of_the_access_token(alg: str, digest: bytes) -> None:
    made = token(alg, at_hash=b64(digest[: len(digest) // 2]))
    options: dict[str, Any] = {"algorithms": [alg], "access_token": "access-1"}
    assert check(made, jwk(alg), **options)["at_hash"]
    with pytest.raises(AuthenticationException, match="another access token"):
        check(made, jwk(alg), **{**options, "access_token": "access-2"})
    assert check(made, jwk(alg), algorithms=[alg])["at_hash"]
    with pytest.raises(AuthenticationException, match="another access token"):
        check(token(alg, at_hash=b64(digest)), jwk(alg), **options)


def test_critical_parameters_are_refused() -> None:
    data = f"{head(alg='RS256', crit=['exp'], exp=1)}.{token().split('.')[1]}"
    made = f"{data}.{b64(signature(data.encode(), 'RS256', pem(private('RS256'))))}"
    with pytest.raises(AuthenticationException, match="critical header parameters"):
        check(made)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(part: int) -> None:
    parts = token().split(".")
    first = parts[part][:10] + ("A" if parts[part][10] != "A" else "B") + parts[part][11:]
    parts[part] = first
    with pytest.raises(AuthenticationException, match="the ID token "):
        check(".".join(parts))


def test_the_signature_has_one_spelling() -> None:
    made = token()
    for other in (made + "=", made[:-1] + chr(ord(made[-1]) + 1), made + "\n"):
        with pytest.raises(AuthenticationException, match="the ID token "):
            check(other)


@given(st.one_of(st.text(), st.lists(st.binary().map(b64), min_size=3, max_size=3).map(".".join)))
def test_what_is_no_token_is_refused_whatever_it_is(text: str) -> None:
    with pytest.raises(AuthenticationException, match="the ID token "):
        check(text, {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"})


@given(
    st.dictionaries(
        st.sampled_from(["kty", "n", "e", "crv", "x", "y", "use", "alg", "kid", "key_ops"]),
        st.one_of(st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "sig"]), st.integers(), st.text()),
    )
)
def test_a_key_that_makes_no_sense_never_breaks_the_check(key: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationException, match=r"is signed with a key that|has a wrong signature"):
        check(_good(), key)


@cache
def _good() -> str:
    return token()
