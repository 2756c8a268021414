"""Signature Version 4, as Amazon Web Services and what imitates them ask for."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from ...models import PreparedRequest
from ...redact import REDACTOR
from ..definition import TemplateText, key, table
from ..scope import Scope
from . import Signer, encoded

ALGORITHM = "AWS4-HMAC-SHA256"
# Services whose path is encoded once, and taken as it is: an object's name may hold "//" and "..".
_OBJECT_STORES = frozenset({"s3", "s3-outposts", "s3-object-lambda"})
# Those that proxies, and the transport, change or take away.
_UNSIGNED = frozenset(
    "authorization baggage connection expect keep-alive proxy-authenticate proxy-authorization te traceparent"
    " tracestate trailer transfer-encoding upgrade user-agent x-amzn-trace-id".split()
)
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
# Words in upper case are a way of sending that the caller chose; a digest is reckoned anew.
_DIGEST = "X-Amz-Content-SHA256"


@table
class AwsSigV4Sign(Signer):
    """AWS Signature Version 4, in the Authorization header."""

    type: Literal["aws-sigv4"] = key("sign by AWS Signature Version 4")
    access_key: TemplateText = key("the access key's id")
    secret_key: TemplateText = key("the secret access key")
    session_token: TemplateText | None = key("the session token of temporary keys", default=None)
    region: TemplateText = key("the region, `us-east-1`")
    service: TemplateText = key("the service's signing name: `execute-api`, `s3`, `es`, `sts`")

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """As `Signer.sign` says. The query, and the path of an object store, are encoded anew: only so will
        the server read them as they were signed.
        """
        service = scope.text(self.service)
        stores_objects = service in _OBJECT_STORES
        moment = datetime.fromtimestamp(scope.now, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = request.headers.without("X-Amz-Security-Token")
        request = replace(request, url=_strict(request.url, stores_objects), headers=headers)
        request = encoded.with_header(request, "X-Amz-Date", moment, secret=False)
        if self.session_token is not None and (token := scope.text(self.session_token)):
            REDACTOR.add(token)
            request = encoded.with_header(request, "X-Amz-Security-Token", token)
        if stores_objects and not request.headers.get(_DIGEST, "").isupper():
            request = encoded.with_header(request, _DIGEST, _payload(request, stores_objects), secret=False)
        extent = f"{moment[:8]}/{scope.text(self.region)}/{service}/aws4_request"
        signed = _signed_headers(request)
        canonical = canonical_request(request, signed, stores_objects)
        text = "\n".join((ALGORITHM, moment, extent, sha256(canonical.encode()).hexdigest()))
        signature = _signature(scope.text(self.secret_key), extent, text)
        credential = f"{scope.text(self.access_key)}/{extent}"
        value = f"{ALGORITHM} Credential={credential}, SignedHeaders={';'.join(signed)}, Signature={signature}"
        return encoded.with_header(request, "Authorization", value)


def canonical_request(request: PreparedRequest, headers: Mapping[str, str], stores_objects: bool) -> str:
    """The text that stands for a request; `headers` are those that are signed, with their values."""
    path, query = encoded.path_and_query(request)
    pairs = sorted(encoded.encoded_pairs(query))
    return "\n".join(
        (
            request.method.upper(),
            path if stores_objects else quote(_normal(path), safe="/~"),
            encoded.joined(pairs),
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            ";".join(headers),
            request.headers.get(_DIGEST) or _payload(request, stores_objects),
        )
    )


def _strict(url: str, stores_objects: bool) -> str:
    """The URL with all but unreserved characters of its query percent-encoded, and of an object's name."""
    place, mark, query = url.partition("?")
    pieces = (piece.partition("=") for piece in query.split("&") if piece)
    query = "&".join(f"{encoded.strictly(name)}{equals}{encoded.strictly(value)}" for name, equals, value in pieces)
    if stores_objects:
        scheme, _, rest = place.partition("://")
        authority, slash, path = rest.partition("/")
        place = f"{scheme}://{authority}{slash}{quote(unquote_to_bytes(path), safe='/')}"
    return f"{place}{mark}{query}" if query else place


def _normal(path: str) -> str:
    """The path without empty, "." and ".." segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + slash


def _signed_headers(request: PreparedRequest) -> dict[str, str]:
    """The headers that are signed, by lower-case name and in order, with their values as they are compared."""
    found = {"host": [encoded.host(request)]} | {
        name.lower(): request.headers.get_all(name) for name in request.headers if name.lower() not in _UNSIGNED
    }
    return {name: ",".join(" ".join(value.split()) for value in found[name]) for name in sorted(found)}


def _payload(request: PreparedRequest, stores_objects: bool) -> str:
    """The body's digest. An object store takes one that can be read only once without, where TLS protects it."""
    replayable = request.body is None or isinstance(request.body, bytes) or request.body.replayable
    if not replayable and stores_objects and request.url.startswith("https:"):
        return _UNSIGNED_PAYLOAD
    digest = sha256()
    for piece in encoded.octets(request):
        digest.update(piece)
    return digest.hexdigest()


def _signature(secret_key: str, extent: str, text: str) -> str:
    """The text's signature, with the key that is derived for a day, a region and a service."""
    REDACTOR.add(secret_key)
    derived = f"AWS4{secret_key}".encode()
    for part in extent.split("/"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    return hmac.new(derived, text.encode(), "sha256").hexdigest()
