"""JSON Web Tokens: signing ones of our own, and checking the ID tokens of others (RFC 7515, RFC 7519)."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..errors import AuthenticationException, ProfileError

_Key = OctKey | RSAKey | ECKey | OKPKey

_KINDS: Mapping[str, type[_Key]] = {"oct": OctKey, "RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_NEEDS = {
    **dict.fromkeys(("HS256", "HS384", "HS512"), "a shared secret"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "an RSA key"),
    "ES256": "a P-256 key",
    "ES384": "a P-384 key",
    "ES512": "a P-521 key",
    "EdDSA": "an Ed25519 or Ed448 key",
}
"""Algorithm -> the key that it works with. The warnings and limits of joserfc's own registry are not ours:
a vendor may well have issued a short secret, and a header may hold a chain of certificates."""
# Keys that anybody may read cannot be shared secrets.
_VERIFIABLE = frozenset(name for name in _NEEDS if not name.startswith("HS"))
_LEAST_RSA_BITS = 2048
# An issuer publishes a handful; each one that is tried costs time, which a deadline does not cut short.
_MOST_KEYS = 16
# Whole numbers up to here are exact in every JSON library (RFC 8259, section 6), and no clock gets there.
_LAST_MOMENT = 2**53
_LEEWAY = 60.0
"""Seconds that the clocks of two machines may differ by."""
# What a library may raise over a key or a signature that makes no sense.
_TROUBLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm)


def signed(
    claims: Mapping[str, Any], headers: Mapping[str, Any], alg: str, key: str | bytes, password: str | None = None
) -> str:
    """The claims as a signed JWT. ProfileError, which never quotes the key: it cannot be made with this key."""
    for name in ("crit", "b64"):
        if name in headers:
            raise ProfileError(f"the header parameter {name!r} cannot be used", hint="remove it from `headers`")
    header = {"alg": alg, "typ": "JWT"} | dict(headers) | {"alg": alg}
    data = f"{_segment(header)}.{_segment(claims)}"
    return f"{data}.{_unpadded(signature(data.encode(), alg, key, password))}"


def signature(data: bytes, alg: str, key: str | bytes, password: str | None = None) -> bytes:
    """The signature of these bytes, as a JWS has it. ProfileError as `signed` says."""
    signing = _private(alg, key, password)
    try:
        made: bytes = _model(alg).sign(data, signing)
    except _TROUBLE:
        raise ProfileError(f"the key cannot sign with {alg}", hint=f"{alg} needs {_NEEDS[alg]}") from None
    return made


def verified(
    token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    audience: str,
    nonce: str | None,
    algorithms: Sequence[str],
    now: float,
    access_token: str | None = None,
) -> Mapping[str, Any]:
    """The claims of an ID token that is what it must be (OpenID Connect Core 1.0, section 3.1.3.7).

    `keys` is the issuer's JWK set (RFC 7517, section 5), of which up to 16 that fit are tried. The clocks may differ
    by 60 seconds. Shared secrets and `none` are never accepted, whatever `algorithms` says. `access_token` is the one
    that came along: where there is an `at_hash`, it must be of it. AuthenticationException: it is not.
    """
    parts = token.split(".")
    if len(parts) != 3:
        _refuse("is no signed JWT")
    header = _object(parts[0], "header")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms or alg not in _VERIFIABLE:
        _refuse("is signed with an algorithm that is not allowed", hint="see `algorithms` in its `verify` table")
    if "crit" in header:
        # RFC 7515, section 4.1.11: what it lists must be understood, and nothing is.
        _refuse("has critical header parameters")
    kind = header.get("typ")
    if isinstance(kind, str) and kind.lower().endswith("+jwt"):
        # RFC 8725, section 3.11: a token of another kind says so, as at+jwt and logout+jwt do.
        _refuse("is a token of another kind")
    try:
        signed_by = _decoded(parts[2])
    except ValueError:
        _refuse("has a damaged signature")
    data = f"{parts[0]}.{parts[1]}".encode()
    fitting = list(islice(_fitting(keys, alg, header.get("kid")), _MOST_KEYS))
    if not fitting:
        _refuse("is signed with a key that the issuer does not publish", hint="see `jwks` in its `verify` table")
    if not any(valid(data, signed_by, alg, jwk) for jwk in fitting):
        _refuse("has a wrong signature")
    claims = _object(parts[1], "payload")
    _check(claims, issuer, audience, nonce, now)
    if access_token is not None and "at_hash" in claims and claims["at_hash"] not in _hashes(access_token, alg):
        _refuse("came with another access token: its `at_hash` differs")
    return claims


def _hashes(access_token: str, alg: str) -> list[str]:
    """What `at_hash` may be: half of the digest that the algorithm is made with (OpenID Connect Core, 3.1.3.6)."""
    text = access_token.encode()
    if alg == "EdDSA":
        # Of its two curves, in this order: Ed25519 and Ed448 (RFC 8032, sections 5.1 and 5.2).
        digests = [hashlib.sha512(text).digest(), hashlib.shake_256(text).digest(114)]
    else:
        digests = [hashlib.new(f"sha{alg[-3:]}", text).digest()]
    return [_unpadded(digest[: len(digest) // 2]) for digest in digests]


def valid(data: bytes, signed_by: bytes, alg: str, jwk: Mapping[str, Any]) -> bool:
    """Whether this is the signature of these bytes; a key that makes no sense has signed nothing."""
    try:
        key = _from_jwk(_public(jwk))
        model = _model(alg)
        model.check_key(key)
        if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
            return False  # RFC 7518, section 3.3
        return bool(model.verify(data, signed_by, key))
    except _TROUBLE:
        return False


def _check(claims: Mapping[str, Any], issuer: str, audience: str, nonce: str | None, now: float) -> None:
    if claims.get("iss") != issuer:
        _refuse("is from another issuer", hint="see `issuer` in its `verify` table")
    named = claims.get("aud")
    audiences = named if isinstance(named, list) else [named]
    if audience not in audiences:
        _refuse("is for another audience", hint="see `audience` in its `verify` table")
    party = claims.get("azp")
    if party != audience and (party is not None or len(audiences) > 1):
        _refuse("is for several audiences, and was issued to another one")
    if not isinstance(claims.get("sub"), str):
        _refuse("names no subject")
    if not now < _number(claims, "exp") + _LEEWAY:
        _refuse("has expired", hint="check this machine's clock")
    if not _number(claims, "iat") <= now + _LEEWAY:
        _refuse("is from the future", hint="check this machine's clock")
    if "nbf" in claims and not _number(claims, "nbf") <= now + _LEEWAY:
        _refuse("is not valid yet", hint="check this machine's clock")
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        _refuse("answers another login: its nonce differs")


def _same(value: Any, wanted: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(
        value.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LAST_MOMENT:
        _refuse(f"has no `{name}` that is a moment")
    return value


def _fitting(keys: Mapping[str, Any], alg: str, kid: Any) -> Iterator[Mapping[str, Any]]:
    """The keys of a set that may have signed. What is not understood in a set is passed over."""
    found = keys.get("keys")
    for jwk in found if isinstance(found, list) else ():
        if not isinstance(jwk, Mapping) or jwk.get("kty") != _model(alg).key_type:
            continue
        if kid is not None and jwk.get("kid") != kid:
            continue
        operations = jwk.get("key_ops")
        verifies = operations is None or (isinstance(operations, list) and "verify" in operations)
        if verifies and jwk.get("use", "sig") == "sig" and jwk.get("alg", alg) == alg:
            yield jwk


def _public(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """What a public key consists of, and nothing that could make another one of it."""
    kind = _KINDS[jwk["kty"]]
    return {"kty": jwk["kty"]} | {
        name: jwk[name] for name, known in kind.value_registry.items() if not known.private and name in jwk
    }


def _from_jwk(jwk: dict[str, Any]) -> _Key:
    kind: Any = _KINDS[jwk["kty"]]
    kind.validate_dict_key(jwk)
    made: _Key = kind(kind.binding.import_from_dict(jwk), jwk)
    return made


def _private(alg: str, key: str | bytes, password: str | None) -> _Key:
    """The key to sign with."""
    if not isinstance(key, str | bytes) or not key.strip():
        raise ProfileError("the key is empty or no text", hint=f"{alg} needs {_NEEDS[alg]}")
    try:
        raw = key.encode() if isinstance(key, str) else key
        made = _of_text(raw, alg, password)
        _model(alg).check_key(made)
    except _TROUBLE:
        # Whatever the original says may quote the key.
        raise ProfileError(f"the key is not one for {alg}", hint=f"{alg} needs {_NEEDS[alg]}") from None
    if not made.is_private:
        raise ProfileError("the key is a public key", hint="signing needs the private key")
    return made


def _of_text(raw: bytes, alg: str, password: str | None) -> _Key:
    if (jwk := _jwk(raw)) is not None:
        return _from_jwk(jwk)
    pem = b"-----BEGIN " in raw
    if alg.startswith("HS"):
        if pem:
            raise ValueError("not a shared secret")
        return OctKey(raw, raw)
    if not pem:
        raise ProfileError("the key is neither PEM, which begins with -----BEGIN, nor a JWK", hint="check `key`")
    return _from_pem(raw.replace(b"\\r", b"").replace(b"\\n", b"\n").strip() + b"\n", password)


def _jwk(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw) if raw.lstrip().startswith(b"{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("kty") in tuple(_KINDS) else None


def _from_pem(pem: bytes, password: str | None) -> _Key:
    if b"PRIVATE KEY-----" not in pem:
        raise ProfileError("the key is not a private key", hint="signing needs the private key")
    try:
        native: Any = load_pem_private_key(pem, None if password is None else password.encode())
    except TypeError:
        if password is None:
            raise ProfileError("the key is encrypted", hint="give its password as `key_password`") from None
        raise ProfileError("the key is not encrypted", hint="remove `key_password`") from None
    except (ValueError, UnsupportedAlgorithm):
        if password is not None:
            raise ProfileError("the key cannot be decrypted", hint="check `key_password`") from None
        hint = "check that the text is whole, with its line breaks"
        raise ProfileError("the key is a damaged or unknown kind of PEM", hint=hint) from None
    for kind in (RSAKey, ECKey, OKPKey):
        if kind.binding.check_cryptography_key(native):
            made: _Key = kind(native, native)
            return made
    raise ValueError("another kind of key")


def _model(alg: str) -> Any:
    """What joserfc knows of an algorithm: `key_type`, `check_key`, `sign`, `verify`."""
    return JWSRegistry.algorithms[alg]


def _segment(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ProfileError("a claim or header has no JSON form", hint="add a filter, such as `| b64url`") from None
    return _unpadded(text.encode())


def _unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(segment: str) -> bytes:
    """Base64url without padding (RFC 7515, section 2). ValueError: it is something else."""
    raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if _unpadded(raw) != segment:
        raise ValueError("another spelling")
    return raw


def _object(segment: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(segment), parse_constant=_no_number)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _refuse(f"has a {what} that is no JSON object")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(why: str, hint: str | None = None) -> NoReturn:
    raise AuthenticationException(f"the ID token {why}", hint=hint)
