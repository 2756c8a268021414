"""A recipe as a person installs it, time that passes for its tokens, and what stand-ins of vendors check."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import tomli_w
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from forge_cli.files import config_dir
from forge_cli.profiles.recipe import find
from tests.conftest import Forge, Result
from tests.server import Seen

NAME = "demo"


def installed(
    write: Callable[[str], Path],
    recipe: str,
    variables: Mapping[str, Any],
    places: Mapping[str, Mapping[str, Any]],
    change: Callable[[str], str] = lambda text: text,
) -> Path:
    """The profile file with this recipe as profile `demo`; `change` is what a person edits afterwards."""
    found = find(recipe, None, Path.cwd())
    asks = found.head.asks.items()
    usual = {name: ask.default for name, ask in asks if ask.into == "secrets" and ask.default is not None}
    return write(change(found.made(NAME, variables, {**usual, **places})))


def replaced(old: str, new: str) -> Callable[[str], str]:
    """An edit of a profile file. AssertionError when there is nothing to edit."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def later(**passed: float) -> None:
    """Let time pass for stored tokens and their cookies: ``later(minutes=11)``."""
    step = timedelta(**passed)
    path = config_dir() / "tokens" / f"{NAME}.toml"
    whole = tomllib.loads(path.read_text(encoding="utf-8"))
    for record in whole["tokens"].values():
        meta = record.get("meta", {})
        for table, key in ((record, "expires_at"), (record, "issued_at"), (meta, "until")):
            if key in table:
                table[key] = (datetime.fromisoformat(table[key]) - step).isoformat()
        for jar in meta.get("jars", {}).values():
            for cookie in jar:
                if "expires" in cookie:
                    cookie["expires"] -= step.total_seconds()
    path.write_text(tomli_w.dumps(whole), encoding="utf-8")


def ends_of(step: str) -> datetime | None:
    """When the stored token of a step ends."""
    whole = tomllib.loads((config_dir() / "tokens" / f"{NAME}.toml").read_text(encoding="utf-8"))
    for record in whole["tokens"].values():
        if record["meta"]["step"] == step:
            return datetime.fromisoformat(record["expires_at"]) if "expires_at" in record else None
    raise AssertionError(f"no token of {step} is stored")


def calls(seen: list[Seen]) -> list[str]:
    """The requests of a server as ``METHOD /path``."""
    return [f"{request.method} {request.path}" for request in seen]


def refused(result: Result, *secrets: str) -> None:
    """The login was refused, with exit 7, and nothing of these is in what the command wrote."""
    assert result.exit_code == 7, result.stderr
    assert result.stdout == ""
    for secret in secrets:
        assert secret not in result.stderr


def valid(forge: Forge) -> None:
    """The profile file has no problems."""
    result = forge("profile", "validate")
    assert result.exit_code == 0, result.stderr + result.stdout


def rsa_key() -> tuple[rsa.RSAPrivateKey, str]:
    """A private key, and its PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def rs256(token: str, key: rsa.RSAPrivateKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT. InvalidSignature, AssertionError or ValueError: it is not signed with this key."""
    head, body, signature = token.split(".")
    header = json.loads(_unpadded(head))
    assert header["alg"] == "RS256"
    key.public_key().verify(_unpadded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return header, json.loads(_unpadded(body))


def unsigned_jwt(claims: Mapping[str, Any]) -> str:
    """A JWT whose signature nobody looks at."""
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


def _unpadded(text: str) -> bytes:
    assert "=" not in text
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def bearer(seen: Seen) -> str:
    """The token of the request, empty when it has none."""
    scheme, _, token = (seen.headers["Authorization"] or "").partition(" ")
    return token if scheme == "Bearer" else ""


def basic(seen: Seen) -> tuple[str, str]:
    """User and password of the request, both empty when it has none."""
    scheme, _, packed = (seen.headers["Authorization"] or "").partition(" ")
    user, _, password = (base64.b64decode(packed, validate=True).decode() if scheme == "Basic" else "").partition(":")
    return user, password


def cookies(seen: Seen) -> dict[str, str]:
    """The cookies of the request."""
    return {name: morsel.value for name, morsel in SimpleCookie(seen.headers["Cookie"] or "").items()}


def media_type(seen: Seen) -> str:
    """The media type of the request's body."""
    return (seen.headers["Content-Type"] or "").partition(";")[0].strip().lower()


def iso(moment: datetime) -> str:
    """As most APIs write a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    return datetime.now(UTC)
