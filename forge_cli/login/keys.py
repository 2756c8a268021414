"""The filters that know keys: signatures with private keys, fingerprints of keys and certificates."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from .filters import digest_problem, octets_of


def sign_rs256(value: Any, key: Any) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2). ValueError: the key cannot do it."""
    return _rsa(value, key, SHA256())


def sign_rs1(value: Any, key: Any) -> bytes:
    """The same with SHA-1, which OAuth 1.0 knows only (RFC 5849, section 3.4.3); no filter."""
    return _rsa(value, key, SHA1())  # noqa: S303  # what that protocol asks for


def _rsa(value: Any, key: Any, digest: SHA1 | SHA256) -> bytes:
    private = _private(key)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("the key is not an RSA key")
    return private.sign(octets_of(value), PKCS1v15(), digest)


def sign_es256(value: Any, key: Any) -> bytes:
    """ECDSA with P-256 and SHA-256, r and s beside each other (RFC 7518, section 3.4). ValueError as above."""
    private = _private(key)
    if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
        raise ValueError("the key is not a P-256 key")
    r, s = decode_dss_signature(private.sign(octets_of(value), ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_ed25519(value: Any, key: Any) -> bytes:
    """Ed25519 (RFC 8032, section 5.1.6). ValueError as above."""
    private = _private(key)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("the key is not an Ed25519 key")
    return private.sign(octets_of(value))


def cert_thumbprint(value: Any, digest: Any) -> bytes:
    """The digest over the DER of a PEM certificate, the first if there are several. ValueError: it is none."""
    pem = _pem(value, "it")
    try:
        der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise ValueError("it is no PEM certificate") from None
    return _digest(der, digest)


def pem_fingerprint(value: Any, digest: Any) -> bytes:
    """The digest over the SubjectPublicKeyInfo of a PEM key, private or public. ValueError: it is none."""
    pem = _pem(value, "it")
    public = _loaded(pem).public_key() if b"PRIVATE KEY-----" in pem else _public(pem)
    return _digest(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), digest)


def _public(pem: bytes) -> Any:
    try:
        return load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is no key in PEM") from None


def _private(key: Any) -> Any:
    return _loaded(_pem(key, "the key"))


# A key is checked as it is loaded, which takes longer than a signature, and requests are signed one by one.
@lru_cache(maxsize=16)
def _loaded(pem: bytes) -> Any:
    try:
        return load_pem_private_key(pem, None)
    except TypeError:
        raise ValueError("the key is encrypted: only a `jwt` step takes a password for its key") from None
    except (ValueError, UnsupportedAlgorithm):
        # No cause: it may quote the key.
        raise ValueError("the key is no private key in PEM") from None


def _pem(value: Any, words: str) -> bytes:
    """A PEM text, also as it stands in JSON or in an environment variable: in one line, with ``\\n`` in it."""
    try:
        pem = octets_of(value)
    except ValueError:
        pem = b""
    if b"-----BEGIN " not in pem:
        raise ValueError(f"{words} is not PEM, which begins with -----BEGIN")
    return pem.replace(b"\\r", b"").replace(b"\\n", b"\n").strip() + b"\n"


def _digest(der: bytes, name: Any) -> bytes:
    if problem := digest_problem(name):
        raise ValueError(problem)
    return hashlib.new(name, der, usedforsecurity=False).digest()
