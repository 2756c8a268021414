"""An OpenID issuer for the tests, each of whose words can be another, and logins at it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey

from forge_cli.login.jose import signature
from forge_cli.models import Deadline
from forge_cli.profiles.build import Profile
from tests.logins import made
from tests.people import Somebody, visit
from tests.server import Reply, Seen, Server

ACCESS = "access-token-1-abcdef"
ANNOUNCED = "authorization_response_iss_parameter_supported"


@cache
def rsa_key(number: int = 1) -> rsa.RSAPrivateKey:
    """A key of an issuer; each number is another."""
    return rsa.generate_private_key(65537, 2048)


def pem(number: int = 1) -> str:
    """The same key as text."""
    return rsa_key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def published(number: int = 1, **more: Any) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    return {**RSAKey.import_key(pem(number)).as_dict(private=False), "kid": "key-1", "use": "sig", **more}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def half_hash(text: str) -> str:
    """The `at_hash` of an access token, for RS256."""
    return b64(hashlib.sha256(text.encode()).digest()[:16])


def signed(claims: Mapping[str, Any] | str, header: Mapping[str, Any], key: str | None = None) -> str:
    """A token that is signed with RS256, whatever its header says; claims that are text are taken as they are."""
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    data = f"{b64(json.dumps(header).encode())}.{b64(payload.encode())}"
    return f"{data}.{b64(signature(data.encode(), 'RS256', key or pem()))}"


class Issuer:
    """Routes of `server`: the metadata, the keys, `/authorize`, `/device` and `/token`.

    `metadata`, `claims`, `header` and `tokens` are fields beside the usual ones or instead of them; one that is `...`
    is left out. `answer` is what the browser is sent back with beside the state. `id_token` is one instead of its own.
    """

    def __init__(self, server: Server, **metadata: Any) -> None:
        self.server = server
        self.metadata = metadata
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.keys: object = {"keys": [published()]}
        self.id_token: str | None = None
        self.asked: list[dict[str, str]] = []
        routes = {"/authorize": self._authorize, "/token": self._token, "/device": self._device, "/jwks": self._jwks}
        server.reply("/.well-known/openid-configuration", self._metadata, optional=True)
        for path, answer in routes.items():
            server.reply(path, answer, optional=True)

    def usual_claims(self) -> dict[str, Any]:
        """What its ID token says of the last login."""
        now = int(time.time())
        nonce = self.asked[-1].get("nonce") if self.asked else None
        claims = {"iss": self.server.url, "aud": "client-1", "sub": "ada", "iat": now, "exp": now + 300, "nonce": nonce}
        return _changed({**claims, "at_hash": half_hash(ACCESS)}, self.claims)

    def usual_header(self) -> dict[str, Any]:
        return _changed({"alg": "RS256", "kid": "key-1"}, self.header)

    def _metadata(self, seen: Seen) -> Reply:
        url = self.server.url
        places = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "device_authorization_endpoint": "/device",
            "revocation_endpoint": "/revoke",
            "jwks_uri": "/jwks",
        }
        usual = {"issuer": url, **{name: url + path for name, path in places.items()}}
        return Reply(200, _changed(usual, self.metadata))

    def _authorize(self, seen: Seen) -> Reply:
        asked = dict(seen.query)
        self.asked.append(asked)
        answer = _changed({"state": asked["state"], "code": f"code-{len(self.asked)}-abcdef"}, self.answer)
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer, doseq=True)}"})

    def _device(self, seen: Seen) -> Reply:
        codes = {"device_code": "device-code-1", "user_code": "WDJB", "verification_uri": f"{self.server.url}/enter"}
        return Reply(200, {**codes, "expires_in": 60, "interval": 1})

    def _token(self, seen: Seen) -> Reply:
        made = self.id_token or signed(self.usual_claims(), self.usual_header())
        usual = {"access_token": ACCESS, "token_type": "Bearer", "expires_in": 3600, "id_token": made}
        return Reply(200, _changed(usual, self.tokens))

    def _jwks(self, seen: Seen) -> Reply:
        return Reply(200, self.keys)


def _changed(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not ...}


def client(
    server: Server, person: Somebody | None = None, keys: str = "", grant: str = "authorization-code"
) -> Profile:
    """The profile `demo` of a client of this issuer, which logs in `person`."""
    text = (
        f'[profiles.demo.auth]\ntype = "oauth2"\ngrant = "{grant}"\nissuer = "{server.url}"\nclient_id = "client-1"\n'
    )
    scope = "" if "scope" in keys else 'scope = "openid"\n'
    return made(text + scope + keys, server.url, person=person)


def outputs(found: Profile) -> dict[str, Any]:
    """What the login has: `token`, and what else was extracted, such as the verified `id_token`."""
    token = found.login.pipeline.obtain(["token"], Deadline(20))["token"]
    return {**token.extra, "token": token.access_token}


def logged_in(server: Server, keys: str = "") -> dict[str, Any]:
    """The outputs of a login by a browser that goes where it is sent."""
    person = Somebody(visit)
    try:
        return outputs(client(server, person, keys))
    finally:
        person.done()
