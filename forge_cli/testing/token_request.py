"""A request to a token endpoint, checked as RFC 6749 asks."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from .exchange import Reply, Seen

_FORM = "application/x-www-form-urlencoded"
_NOT_IN_A_URL = {"client_secret", "password", "refresh_token", "username"}
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def oauth_error(
    error: str, description: str = "", *, status: int = 400, headers: Mapping[str, str] | None = None
) -> Reply:
    """The answer of a token endpoint that refuses (RFC 6749, section 5.2)."""
    document = {"error": error} | ({"error_description": description} if description else {})
    return Reply(status, document, {**_NO_STORE, **(headers or {})})


class Refused(Exception):
    """A request that is not granted."""

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.error = error
        self._reply = oauth_error(error, description, status=status, headers=headers)

    def reply(self) -> Reply:
        """The answer that says so."""
        return self._reply


@dataclass(frozen=True)
class TokenRequest:
    """The fields of a well-formed request, empty ones left out, and its Authorization header."""

    fields: Mapping[str, str]
    authorization: str

    @classmethod
    def read(cls, seen: Seen) -> TokenRequest:
        """Refused: not POST, no form, a repeated field, or a secret in the URL (sections 2.3.1 and 3.2)."""
        if seen.method != "POST":
            raise Refused("invalid_request", "use POST", status=405, headers={"Allow": "POST"})
        if (seen.headers.get("Content-Type") or "").partition(";")[0].strip().lower() != _FORM:
            raise Refused("invalid_request", f"the body is not {_FORM}")
        if _NOT_IN_A_URL & {name for name, _ in seen.query}:
            raise Refused("invalid_request", "a secret in the URL")
        try:
            pairs = seen.form
        except UnicodeDecodeError:
            raise Refused("invalid_request", "the form is not UTF-8") from None
        repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
        if repeated:
            raise Refused("invalid_request", f"repeated: {', '.join(repeated)}")
        # A parameter without a value counts as left out.
        fields = {name: value for name, value in pairs if value}
        return cls(fields, seen.headers.get("Authorization") or "")

    @property
    def grant_type(self) -> str:
        """Refused when it is not there."""
        return self.need("grant_type")

    def need(self, name: str) -> str:
        """The value of a field. Refused when it is not there."""
        if name not in self.fields:
            raise Refused("invalid_request", f"no {name}")
        return self.fields[name]

    def scope(self) -> frozenset[str]:
        """The scopes that are asked for (section 3.3)."""
        return frozenset(self.fields.get("scope", "").split(" ")) - {""}

    def client(self, clients: Mapping[str, str], way: str) -> str:
        """The client that authenticated itself, by this way. Refused when none did, or by two ways at once."""
        challenge = {"WWW-Authenticate": 'Basic realm="token"'} if self.authorization else {}
        if self.authorization and "client_secret" in self.fields:
            raise Refused("invalid_request", "client authentication in two ways")
        used = "header" if self.authorization else "body"
        client, secret = (
            _basic(self.authorization)
            if self.authorization
            else (self.fields.get("client_id"), self.fields.get("client_secret"))
        )
        known = client is not None and secret is not None and clients.get(client) == secret
        if client is None or not known or way not in ("any", used):
            raise Refused("invalid_client", "client authentication failed", status=401, headers=challenge)
        if self.fields.get("client_id", client) != client:
            raise Refused("invalid_request", "two clients in one request")
        return client


def _basic(value: str) -> tuple[str | None, str | None]:
    """The id and secret of a Basic header, each of them form-encoded inside (section 2.3.1)."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None, None
    return (unquote_plus(user), unquote_plus(password)) if colon else (None, None)
