"""The step that signs a JSON Web Token itself (RFC 7519)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from ...errors import ProfileError
from ...redact import REDACTOR
from ...registry import Registry
from ..blame import about_key
from ..definition import Algorithm, Duration, ExpiresTable, StepTable, TemplateText, Tree, key, table
from ..expiry import duration, ends
from ..work import Result, Work
from .command import Printed

_SIGNING = Registry("step kind", {"jwt": "forge_cli.login.jose:signed"}, extras={"jwt": "jwt"})
"""What signs: loaded when there is something to sign, for it costs more than all the rest of a start."""


@table
class JwtStep(StepTable):
    """Sign claims; the token ends with its own `exp`."""

    usual_cache: ClassVar[str] = "store"

    alg: Algorithm = key("the algorithm (RFC 7518, RFC 8037)")
    key_password: TemplateText | None = key("the password of an encrypted key", default=None)
    headers: Mapping[str, Tree] = key("header parameters beside `alg` and `typ`, such as `kid`", default_factory=dict)
    claims: Mapping[str, Tree] = key("the claims of the token, by name", default_factory=dict)
    lifetime: Duration | None = key("adds `iat`, now, and `exp`, so long after", default=None)
    # Last, because from here on `key` is this field.
    key: TemplateText = key("the private key as PEM or JWK, or for HS256 and its like the shared secret")

    def run(self, work: Work) -> Result:
        """Sign. ProfileError when that cannot be done with this key."""
        scope = work.scope
        try:
            token = _SIGNING.load("jwt")(
                self._claims(scope.fill(dict(self.claims)), int(scope.now)),
                scope.fill(dict(self.headers)),
                self.alg,
                _hidden(scope.fill(self.key)),
                None if self.key_password is None else _hidden(scope.text(self.key_password)),
            )
        except ProfileError as exc:
            if exc.template is not None:
                raise
            text = about_key(exc.message, self.key)
            raise ProfileError(f"step '{work.step}': {text}", hint=exc.hint) from exc.__cause__
        REDACTOR.add(token)
        found = {"token": token}
        end = ends(self.expires or ExpiresTable(jwt="token"), Printed(token), found, work.now)
        if self.expires is None and end.at is not None:
            # The claims are made by the server's clock, the end is told by ours.
            end = replace(end, at=end.at - timedelta(seconds=scope.now - work.now.timestamp()))
        return Result(found, end)

    def renew(self, work: Work) -> None:
        """Another token is signed instead."""

    def _claims(self, given: Mapping[str, Any], now: int) -> dict[str, Any]:
        """The claims, with those that `lifetime` adds; what the profile says itself stands."""
        if self.lifetime is None:
            return dict(given)
        return {"iat": now, "exp": now + int(duration(self.lifetime)), **given}


def _hidden(secret: Any) -> Any:
    REDACTOR.add(secret if isinstance(secret, str | bytes) else None)
    return secret
