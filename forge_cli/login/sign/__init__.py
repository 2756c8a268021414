"""The ways to sign a request: the last look at it, once it is encoded, on every attempt."""

from __future__ import annotations

from typing import Protocol

from ...models import HttpResponse, PreparedRequest
from ...registry import Registry
from ..scope import Scope

SIGNERS = Registry(
    "signer",
    {
        "template": "forge_cli.login.sign.template:TemplateSign",
        "aws-sigv4": "forge_cli.login.sign.aws_sigv4:AwsSigV4Sign",
        "oauth1": "forge_cli.login.sign.oauth1:OAuth1Sign",
        "client-assertion": "forge_cli.login.sign.client_assertion:ClientAssertionSign",
        "digest": "forge_cli.login.sign.digest:DigestSign",
    },
)


class Signer(Protocol):
    """What a signer's table does: a frozen dataclass whose fields are its keys, `type` among them.

    `scope` is that of one attempt: its `now` and `nonce` are new for each, its `uuid` is that of the request.
    """

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """The request with its signature. RequestBuildException when its body cannot be signed.

        The body is bytes, None, or an object with `open`, `length` and `replayable`.
        """
        ...

    def challenged(self, response: HttpResponse, scope: Scope) -> bool:
        """Whether the request is to be signed anew after this answer, and sent once more.

        Asked about every answer to a signed request, with the scope that it was signed with or one of
        the same `uuid`.
        """
        return False
