"""What the tests of recipes share: a recipe filled in as a profile, and what strict stand-ins have in common."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from forge_cli.files import config_dir
from forge_cli.profiles.recipe import find
from tests.conftest import Result
from tests.server import Reply, Seen

FORM = "application/x-www-form-urlencoded"


def written(recipe: str, *, places: Mapping[str, Mapping[str, Any]] | None = None, **variables: Any) -> Path:
    """Write the profile `api` of this recipe, with these vars and these places of secrets; return the file."""
    found = find(recipe, None, Path())
    known = {name: ask.default for name, ask in found.head.asks.items() if ask.into == "vars" and ask.default}
    path = config_dir() / "profiles.toml"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(found.made("api", {**known, **variables}, places or {}), encoding="utf-8")
    path.chmod(0o600)
    return path


class Tokens:
    """Tokens that a stand-in hands out: ``NAME-token-1``, ``NAME-token-2`` and so on, each good until it is revoked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.issued = 0
        self.good: set[str] = set()

    def new(self) -> str:
        self.issued += 1
        token = f"{self.name}-token-{self.issued}"
        self.good.add(token)
        return token

    def revoke(self) -> None:
        """None of those that are out is good any more."""
        self.good.clear()

    def api(self, seen: Seen) -> Reply:
        """Welcomes a request with a good token, and nobody else (RFC 6750)."""
        if bearer(seen) not in self.good:
            return Reply(401, {"error": "invalid_token"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return Reply(200, {"welcome": True})


def bearer(seen: Seen) -> str | None:
    scheme, _, token = (seen.headers["Authorization"] or "").partition(" ")
    return token if scheme == "Bearer" else None


def basic(seen: Seen) -> tuple[str, str] | None:
    """User and password as they are inside Basic; None without."""
    scheme, _, packed = (seen.headers["Authorization"] or "").partition(" ")
    if scheme != "Basic":
        return None
    user, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
    return user, password


def form(seen: Seen) -> dict[str, str] | None:
    """The fields of a form in which none is twice; None when the body is no form, or the query has fields too."""
    kind = (seen.headers["Content-Type"] or "").partition(";")[0]
    fields = dict(seen.form) if kind == FORM else {}
    return fields if kind == FORM and len(fields) == len(seen.form) and not seen.query else None


def refused(error: str, status: int = 400, said: object = "") -> Reply:
    """What RFC 6749 calls an error response. It repeats what was sent: whoever shows it has to mask that."""
    return Reply(status, {"error": error, "error_description": f"not accepted: {said}"})


def shows_none(result: Result, *secrets: str) -> bool:
    """Whether none of these is in what a command wrote."""
    return not any(secret in text for secret in secrets for text in (result.stdout, result.stderr))


def lines(seen: Iterable[Seen]) -> list[str]:
    """The request lines, without queries."""
    return [f"{each.method} {each.path}" for each in seen]


def unpacked(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str, key: rsa.RSAPublicKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT that this key has signed by RS256. ValueError when it has not."""
    parts = token.split(".")
    if len(parts) != 3 or json.loads(unpacked(parts[0])).get("alg") != "RS256":
        raise ValueError("no JWT by RS256")
    try:
        key.verify(unpacked(parts[2]), f"{parts[0]}.{parts[1]}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise ValueError("another signature") from None
    return json.loads(unpacked(parts[0])), json.loads(unpacked(parts[1]))


def pem(key: rsa.RSAPrivateKey) -> str:
    """A private key as PKCS#8 in PEM."""
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*how).decode()
