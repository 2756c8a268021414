"""Signatures and fingerprints, by the vectors of their RFCs and against openssl."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from forge_cli.errors import ProfileError
from forge_cli.login.scope import Scope
from forge_cli.login.template import UndefinedReference, parse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR
from tests.conftest import Require

# RFC 7515, appendix A.2: its payload is that of A.3 too.
PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
RSA_INPUT, EC_INPUT = f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}", f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"
RSA_KEY = {
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
    "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca"
    "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h"
    "4FRWyuXpoQ",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_G"
    "O-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjud"
    "U2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1Dh"
    "OVRuOopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2"
    "KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_"
    "HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
}
RSA_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
# RFC 7515, appendix A.3.
EC_D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
EC_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
# RFC 8410, sections 10.1 and 10.3: one key, private and public.
ED25519_PRIVATE = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
"""
ED25519_PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
FORMATS = {"pkcs1 or sec1": PrivateFormat.TraditionalOpenSSL, "pkcs8": PrivateFormat.PKCS8}


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    return int.from_bytes(octets(text), "big")


def filled(text: str, **values: Any) -> Any:
    def resolve(reference: tuple[str, ...]) -> Any:
        if reference[0] not in values:
            raise UndefinedReference(reference)
        return values[reference[0]]

    return parse(text).value(resolve)


def pem(key: Any, kind: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> str:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return str(key.private_bytes(Encoding.PEM, kind, encryption).decode())


def spki(key: Any, encoding: Encoding = Encoding.DER) -> bytes:
    return bytes(key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    n, d, p, q = (number(RSA_KEY[name]) for name in "ndpq")
    public = rsa.RSAPublicNumbers(65537, n)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key()


@pytest.fixture(scope="module")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number(EC_D), ec.SECP256R1())


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_rs256_is_that_of_rfc_7515(rsa_key: rsa.RSAPrivateKey, kind: PrivateFormat) -> None:
    assert filled("${x | sign_rs256(key) | b64url}", x=RSA_INPUT, key=pem(rsa_key, kind)) == RSA_SIGNATURE


def test_es256_is_the_form_of_rfc_7515(ec_key: ec.EllipticCurvePrivateKey) -> None:
    """It differs each time, so that its own and the one of the RFC are put to the same test."""
    own = filled("${x | sign_es256(key)}", x=EC_INPUT, key=pem(ec_key))
    assert len(own) == 64
    for signature in (own, octets(EC_SIGNATURE)):
        der = filled("${x | der}", x=signature)
        ec_key.public_key().verify(der, EC_INPUT.encode(), ec.ECDSA(SHA256()))
        with pytest.raises(InvalidSignature):
            ec_key.public_key().verify(der, b"something else", ec.ECDSA(SHA256()))


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_es256_keeps_leading_zeros(ec_key: ec.EllipticCurvePrivateKey, kind: PrivateFormat) -> None:
    key = pem(ec_key, kind)
    short: dict[str, bytes] = {}
    for i in range(20_000):
        signature = filled("${x | sign_es256(key)}", x=str(i), key=key)
        assert len(signature) == 64
        if not signature[0] or not signature[32]:
            short["s" if signature[0] else "r"] = signature
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            ec_key.public_key().verify(encode_dss_signature(r, s), str(i).encode(), ec.ECDSA(SHA256()))
        if len(short) == 2:
            return
    pytest.fail("no number was ever short")


@pytest.mark.parametrize(
    ("seed", "message", "signature"),
    [
        # RFC 8032, section 7.1.
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
            "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
            "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_ed25519_is_that_of_rfc_8032(seed: str, message: str, signature: str) -> None:
    key = pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))
    assert filled("${x | hexd | sign_ed25519(key) | hex}", x=message, key=key) == signature


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text,
        lambda text: text.encode(),
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.replace("\n", "\\r\\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: json.dumps(text)[1:-1],
        lambda text: f"\n\n  {text.strip()}  ",
        lambda text: f"a comment\n{text}",
    ],
    ids=["as it is", "bytes", "one line", "one line, crlf", "crlf", "in json", "indented", "after a comment"],
)
def test_a_key_may_be_spelled_as_files_and_variables_hold_it(rsa_key: rsa.RSAPrivateKey, spelling: Any) -> None:
    key = spelling(pem(rsa_key))
    assert filled("${x | sign_rs256(key) | b64url}", x=RSA_INPUT, key=key) == RSA_SIGNATURE
    assert filled("${key | pem_fingerprint('sha256')}", key=key) == hashlib.sha256(spki(rsa_key)).digest()


def test_a_quoted_key_may_be_used_too() -> None:
    line = ED25519_PRIVATE.replace("\n", "\\n")
    signature = filled(f"${{'x' | sign_ed25519('{line}')}}")
    assert signature == filled("${'x' | sign_ed25519(key)}", key=ED25519_PRIVATE)


@pytest.mark.parametrize(
    ("name", "make", "problem"),
    [
        ("sign_rs256", lambda: pem(ec.generate_private_key(ec.SECP256R1())), "the key is not an RSA key"),
        ("sign_es256", lambda: ED25519_PRIVATE, "the key is not a P-256 key"),
        ("sign_es256", lambda: pem(ec.generate_private_key(ec.SECP384R1())), "the key is not a P-256 key"),
        ("sign_ed25519", lambda: pem(ec.generate_private_key(ec.SECP256R1())), "the key is not an Ed25519 key"),
        ("sign_ed25519", lambda: ED25519_PUBLIC, "the key is no private key in PEM"),
        ("sign_rs256", lambda: "", "the key is not PEM, which begins with -----BEGIN"),
        ("sign_rs256", lambda: "secret-7788", "the key is not PEM, which begins with -----BEGIN"),
        ("sign_rs256", lambda: ["secret-7788"], "the key is not PEM, which begins with -----BEGIN"),
        (
            "sign_rs256",
            lambda: "-----BEGIN PRIVATE KEY-----\nsecret-7788\n-----END PRIVATE KEY-----",
            "the key is no private key in PEM",
        ),
        ("sign_rs256", lambda: "-----BEGIN PRIVATE KEY-----\nsecret-7788", "the key is no private key in PEM"),
        *(
            (
                "sign_es256",
                lambda kind=kind: pem(ec.generate_private_key(ec.SECP256R1()), kind, b"secret-7788"),
                "the key is encrypted: only a `jwt` step takes a password for its key",
            )
            for kind in FORMATS.values()
        ),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_repeated(name: str, make: Any, problem: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled(f"${{x | {name}(key)}}", x="text", key=make())
    assert caught.value.message == f"'x' cannot go through '{name}': {problem}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_a_thumbprint_is_over_the_der_of_the_certificate(digest: str) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("api.example")
    chain = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems) + authority.cert_pem.bytes().decode()
    first = leaf.cert_chain_pems[0].bytes().decode()
    expected = hashlib.new(digest, ssl.PEM_cert_to_DER_cert(first)).digest()
    assert filled(f"${{x | cert_thumbprint('{digest}')}}", x=first) == expected
    assert filled(f"${{x | cert_thumbprint('{digest}')}}", x=chain) == expected


def test_a_fingerprint_is_the_same_for_both_halves_of_a_key() -> None:
    der = base64.b64decode("".join(ED25519_PUBLIC.splitlines()[1:-1]))
    for half in (ED25519_PRIVATE, ED25519_PUBLIC):
        assert filled("${x | pem_fingerprint('sha256')}", x=half) == hashlib.sha256(der).digest()


@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1], ids=["spki", "pkcs1"])
def test_snowflake_gets_the_fingerprint_that_its_documentation_computes(
    rsa_key: rsa.RSAPrivateKey, form: PublicFormat, tmp_path: Path, require: Require
) -> None:
    # "openssl rsa -pubin -in rsa_key.pub -outform DER | openssl dgst -sha256 -binary | openssl enc -base64"
    openssl = require("openssl", "apt-get install openssl")
    (tmp_path / "rsa_key.pub").write_bytes(spki(rsa_key, Encoding.PEM))
    der = subprocess.run(
        [openssl, "rsa", "-pubin", "-in", str(tmp_path / "rsa_key.pub"), "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    expected = base64.b64encode(hashlib.sha256(der).digest()).decode()
    public = rsa_key.public_key().public_bytes(Encoding.PEM, form).decode()
    template = "${account | upper}.${user | upper}.SHA256:${key | pem_fingerprint('sha256') | b64}"
    for key in (public, pem(rsa_key)):
        issuer = filled(template, account="myorg-account", user="jsmith", key=key)
        assert issuer == f"MYORG-ACCOUNT.JSMITH.SHA256:{expected}"


def test_openssl_accepts_the_signatures(
    rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey, tmp_path: Path, require: Require
) -> None:
    openssl = require("openssl", "apt-get install openssl")
    (tmp_path / "text").write_text("text")
    for key, template in ((rsa_key, "${x | sign_rs256(key)}"), (ec_key, "${x | sign_es256(key) | der}")):
        (tmp_path / "pub").write_bytes(spki(key, Encoding.PEM))
        (tmp_path / "signature").write_bytes(filled(template, x="text", key=pem(key)))
        command = [openssl, "dgst", "-sha256", "-verify", "pub", "-signature", "signature", "text"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.stdout == "Verified OK\n", result.stderr


@pytest.mark.parametrize(
    ("template", "value", "problem"),
    [
        ("${x | cert_thumbprint('sha256')}", ED25519_PUBLIC, "it is no PEM certificate"),
        ("${x | cert_thumbprint('sha256')}", "secret-7788", "it is not PEM, which begins with -----BEGIN"),
        ("${x | pem_fingerprint('sha256')}", "secret-7788", "it is not PEM, which begins with -----BEGIN"),
        ("${x | pem_fingerprint('sha256')}", "-----BEGIN PUBLIC KEY-----\nsecret", "it is no key in PEM"),
        ("${x | pem_fingerprint('sha256')}", "-----BEGIN PRIVATE KEY-----", "the key is no private key in PEM"),
        ("${x | pem_fingerprint(x)}", ED25519_PUBLIC, "the digest is one of sha1, sha256, sha384, sha512"),
    ],
)
def test_what_has_no_fingerprint_is_refused_and_not_repeated(template: str, value: str, problem: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled(template, x=value)
    assert caught.value.message.endswith(f": {problem}")
    assert caught.value.__cause__ is None


def test_the_signature_that_is_hidden_is_the_one_that_was_made(ec_key: ec.EllipticCurvePrivateKey) -> None:
    secrets = Secrets({}, environ={}, prompt=None, base_dir=Path())
    made = Scope(secrets=secrets, own={"key": pem(ec_key)})
    signature = made.text("${'x' | sign_es256(self.key) | b64}")
    assert REDACTOR.text(f"signature: {signature}") == "signature: ***"
    [again] = made.fill(["${'x' | sign_es256(self.key) | b64}"])
    assert again != signature
    assert REDACTOR.text(again) == "***"


def test_a_query_is_signed_as_binance_documents_it_for_rsa_keys(rsa_key: rsa.RSAPrivateKey) -> None:
    """In Base64, percent-encoded."""
    query = "symbol=BTCUSDT&side=SELL&timestamp=1668481559918&recvWindow=5000"
    sent = filled("signature=${q | sign_rs256(key) | b64 | urlencode}", q=query, key=pem(rsa_key))
    [signature] = parse_qs(sent, strict_parsing=True)["signature"]
    rsa_key.public_key().verify(base64.b64decode(signature, validate=True), query.encode(), PKCS1v15(), SHA256())
