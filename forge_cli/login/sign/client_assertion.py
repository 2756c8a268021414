"""How a client proves to a token endpoint who it is without showing its secret: by a signed JWT (RFC 7523)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import uuid4

from ...encode import FORM
from ...errors import ProfileError, RequestBuildException
from ...models import PreparedRequest
from ...redact import REDACTOR
from ...registry import Registry
from ..blame import about_key
from ..definition import Algorithm, Duration, TemplateText, Tree, key, table
from ..expiry import duration
from ..scope import Scope
from . import Signer, encoded

_TYPE, _ASSERTION = "client_assertion_type", "client_assertion"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SIGNING = Registry("signer", {"client-assertion": "forge_cli.login.jose:signed"}, extras={"client-assertion": "jwt"})
"""What signs: loaded when there is something to sign, for it costs more than all the rest of a start."""


@table
class ClientAssertionSign(Signer):
    """Put a signed JWT about the client into the form, a new one for each attempt: a server takes each once."""

    type: Literal["client-assertion"] = key("sign by an assertion of the client (RFC 7523)")
    client_id: TemplateText = key("the client, which is issuer and subject")
    audience: TemplateText = key("whom it is for: the token endpoint or the issuer, as the server documents")
    alg: Algorithm = key("the algorithm (RFC 7518, RFC 8037)", default="RS256")
    headers: Mapping[str, Tree] = key("header parameters beside `alg` and `typ`, such as `kid`", default_factory=dict)
    lifetime: Duration = key("how long it is good", default="5m")
    # Last, because from here on `key` is this field.
    key: TemplateText = key("the private key as PEM or JWK, or for HS256 and its like the client's secret")

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """As `Signer.sign` says. ProfileError: the key cannot sign."""
        if not encoded.is_form(request):
            raise RequestBuildException(
                "the client's assertion goes into a form, and this request has none", hint="give the request a `form`"
            )
        assertion = self._assertion(scope)
        REDACTOR.add(assertion)
        for name in (_TYPE, _ASSERTION):
            request = encoded.without_field(request, name)
        fields = urlencode({_TYPE: _JWT_BEARER, _ASSERTION: assertion}).encode()
        return encoded.with_body(request, b"&".join(filter(None, (request.body, fields))), FORM)

    def _assertion(self, scope: Scope) -> str:
        """RFC 7523, section 3. The `jti` is none of the scope's values, which are those of several requests."""
        client, now, signing = scope.text(self.client_id), int(scope.now), scope.fill(self.key)
        REDACTOR.add(signing if isinstance(signing, str | bytes) else None)
        claims: dict[str, Any] = {
            "iss": client,
            "sub": client,
            "aud": scope.text(self.audience),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + int(duration(self.lifetime)),
        }
        headers = scope.fill(dict(self.headers))
        try:
            made: str = _SIGNING.load("client-assertion")(claims, headers, self.alg, signing)
        except ProfileError as exc:
            raise ProfileError(about_key(exc.message, self.key), hint=exc.hint) from exc.__cause__
        return made
