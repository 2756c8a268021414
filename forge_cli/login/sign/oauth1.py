"""OAuth 1.0 signatures (RFC 5849), in the Authorization header."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import quote

from ...errors import ProfileError
from ...models import PreparedRequest
from ...redact import REDACTOR
from ...registry import Registry
from ...transport.redirects import address
from ..definition import TemplateText, key, table
from ..scope import Scope
from . import Signer, encoded

_HMAC = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
_RSA = Registry(
    "signature method",
    {"RSA-SHA1": "forge_cli.login.keys:sign_rs1", "RSA-SHA256": "forge_cli.login.keys:sign_rs256"},
    extras={"RSA-SHA1": "jwt", "RSA-SHA256": "jwt"},
)


@table
class OAuth1Sign(Signer):
    """OAuth 1.0: the client's credentials, and those of a token when there is one."""

    type: Literal["oauth1"] = key("sign by OAuth 1.0a (RFC 5849)")
    client_key: TemplateText = key("the client's identifier, or consumer key")
    client_secret: TemplateText = key("the client's secret, or consumer secret", default="")
    token: TemplateText | None = key("the token's identifier", default=None)
    token_secret: TemplateText | None = key("the token's secret", default=None)
    signature_method: Literal["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256", "PLAINTEXT"] = key(
        "how it is signed", default="HMAC-SHA1"
    )
    private_key: TemplateText | None = key("the client's RSA key (PEM), for the RSA methods", default=None)
    realm: TemplateText | None = key("the realm, which is not signed", default=None)
    callback: TemplateText | None = key("where the person is sent back to, for the first token request", default=None)
    verifier: TemplateText | None = key("the code that came back, for the second token request", default=None)

    @staticmethod
    def problem(table: Mapping[str, Any]) -> str | None:
        """What its keys, as written, must be to each other and are not."""
        rsa = str(table.get("signature_method", "")).startswith("RSA-")
        if rsa is not ("private_key" in table):
            return "`private_key` goes with an RSA method" if not rsa else "missing key: private_key"
        return None if rsa or "client_secret" in table else "missing key: client_secret"

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """As `Signer.sign` says. The fields of a form are part of the signature, other bodies are not."""
        parameters = self._parameters(request, scope)
        parameters["oauth_signature"] = self._signature(base_string(request, parameters), scope)
        realm = [] if self.realm is None else [f'realm="{_quoted(scope.text(self.realm))}"']
        fields = [f'{name}="{_escaped(value)}"' for name, value in parameters.items()]
        return encoded.with_header(request, "Authorization", "OAuth " + ", ".join(realm + fields))

    def _parameters(self, request: PreparedRequest, scope: Scope) -> dict[str, str]:
        given = {
            "oauth_consumer_key": self.client_key,
            "oauth_token": self.token,
            "oauth_callback": self.callback,
            "oauth_verifier": self.verifier,
        }
        known = {name: scope.text(text) for name, text in given.items() if text is not None}
        return {
            **{name: value for name, value in known.items() if value or name == "oauth_consumer_key"},
            "oauth_signature_method": self.signature_method,
            "oauth_timestamp": str(int(scope.now)),
            # The number is new for each attempt, the URL for each hop of a redirect, and the rest among machines.
            "oauth_nonce": sha256(f"{scope.uuid} {scope.nonce()} {request.url}".encode()).hexdigest()[:32],
            "oauth_version": "1.0",
        }

    def _signature(self, text: str, scope: Scope) -> str:
        """RFC 5849, section 3.4.2 to 3.4.4."""
        method = self.signature_method
        if method in _RSA:
            try:
                return b64encode(_RSA.load(method)(text, scope.text(self.private_key or ""))).decode()
            except ValueError as exc:
                raise ProfileError(f"`private_key` cannot sign: {exc}", hint="give an RSA key in PEM") from None
        secrets = [scope.text(secret or "") for secret in (self.client_secret, self.token_secret)]
        for secret in secrets:
            REDACTOR.add(secret)
        joined = "&".join(map(_escaped, secrets))
        if method == "PLAINTEXT":
            return joined
        return b64encode(hmac.digest(joined.encode(), text.encode(), _HMAC[method])).decode()


def base_string(request: PreparedRequest, parameters: Mapping[str, str]) -> str:
    """The text that is signed (RFC 5849, section 3.4.1); `parameters` are those of the Authorization header."""
    path, query = encoded.path_and_query(request)
    # A stated Host may name the default port, which is left out here.
    place = f"{address(f'{address(request.url).scheme}://{encoded.host(request)}')}{path}"
    pairs: Iterable[encoded.Pair] = (
        *encoded.encoded_pairs(query),
        *encoded.encoded_pairs(encoded.form_text(request)),
        *((_escaped(name), _escaped(value)) for name, value in parameters.items()),
    )
    return "&".join(map(_escaped, (request.method.upper(), place, encoded.joined(sorted(pairs)))))


def _escaped(text: str) -> str:
    """RFC 5849, section 3.6."""
    return quote(text, safe="")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
