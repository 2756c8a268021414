"""What signers read from an encoded request, and how they write into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes

from ...compiled import compiled
from ...encode import FORM
from ...errors import RequestBuildException
from ...models import TOKEN, PreparedRequest
from ...transport.redirects import address

_CONTROL = compiled(r"[\x00-\x08\x0a-\x1f\x7f]")
_ASCII = bytes(range(128)).decode()
_JSON = compiled(r"application/(?:[\w.+-]*\+)?json", re.IGNORECASE)

Pair = tuple[str, str]


def host(request: PreparedRequest) -> str:
    """The value of the Host header, which the transport adds where the request has none."""
    given: str | None = request.headers.get("Host")
    return address(request.url).authority if given is None else given


def path_and_query(request: PreparedRequest) -> Pair:
    """The two halves of the request target, as they are sent."""
    path, _, query = address(request.url).target.partition("?")
    return path, query


def encoded_pairs(form: str) -> list[Pair]:
    """The fields of a query or form (WHATWG URL, section 5.1), encoded anew as RFC 3986 says, in their order."""
    pairs = (piece.partition("=") for piece in form.split("&") if piece)
    return [(strictly(name), strictly(value)) for name, _, value in pairs]


def strictly(text: str) -> str:
    """Form-encoded text with all but unreserved characters percent-encoded."""
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="")


def joined(pairs: Iterable[Pair]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def is_form(request: PreparedRequest) -> bool:
    """Whether the body is a form that is in memory."""
    return isinstance(request.body, bytes) and _media_type(request) == FORM


def is_json(request: PreparedRequest) -> bool:
    """Whether the body is JSON that is in memory."""
    return isinstance(request.body, bytes) and _JSON.fullmatch(_media_type(request)) is not None


def form_text(request: PreparedRequest) -> str:
    """The encoded form of the body; empty when that is none."""
    return quote(request.body, safe=_ASCII) if is_form(request) else ""


def octets(request: PreparedRequest) -> Iterator[bytes]:
    """The body in pieces. RequestBuildException when it can be read only once: it is still to be sent."""
    body = request.body
    if body is None:
        return iter(())
    if isinstance(body, bytes):
        return iter((body,))
    if not body.replayable:
        raise RequestBuildException(
            "the body is part of the signature, and it can be read only once",
            hint="send it from a file or from memory instead of a pipe",
        )
    opened = body.open()
    return iter((opened,)) if isinstance(opened, bytes) else iter(opened)


def with_header(request: PreparedRequest, name: str, value: str, *, secret: bool = True) -> PreparedRequest:
    """The request with this one value in a header; a `secret` one never leaves the origin."""
    if TOKEN.fullmatch(name) is None:
        raise RequestBuildException(f"{name!r} is not a header name", hint="letters, digits and - only")
    if _CONTROL.search(value) is not None:
        raise RequestBuildException(f"the value of header {name!r} holds a control character")
    credentials = request.credentials | {name.lower()} if secret else request.credentials
    return replace(request, headers=request.headers.with_field(name, value), credentials=credentials)


def with_cookie(request: PreparedRequest, name: str, value: str) -> PreparedRequest:
    """The request with this cookie, in place of one of the same name."""
    given = "; ".join(request.headers.get_all("Cookie"))
    others = [pair.strip() for pair in given.split(";") if pair.strip() and pair.partition("=")[0].strip() != name]
    return with_header(request, "Cookie", "; ".join([*others, f"{name}={value}"]))


def with_parameter(request: PreparedRequest, name: str, value: str) -> PreparedRequest:
    """The request with this parameter at the end of its query."""
    separator = "&" if "?" in request.url else "?"
    url = f"{request.url}{separator}{quote(name, safe='')}={quote(value, safe='')}"
    return replace(request, url=url, query_credentials=request.query_credentials | {name})


def without_parameter(request: PreparedRequest, name: str) -> PreparedRequest:
    """The request without the parameters of this name in its query."""
    place, _, query = request.url.partition("?")
    rest = _without(query, name)
    return request if rest == query else replace(request, url=f"{place}?{rest}" if rest else place)


def without_field(request: PreparedRequest, name: str) -> PreparedRequest:
    """The request without the fields of this name in its form."""
    form = form_text(request)
    rest = _without(form, name)
    return request if rest == form else with_body(request, rest.encode(), FORM)


def _without(form: str, name: str) -> str:
    pieces = form.split("&")
    return "&".join(piece for piece in pieces if strictly(piece.partition("=")[0]) != quote(name, safe=""))


def with_body(request: PreparedRequest, body: bytes, media_type: str) -> PreparedRequest:
    """The request with this body, and what its headers say of it."""
    headers = request.headers
    if request.body is None:
        headers = headers.with_field("Content-Type", media_type)
    if "Transfer-Encoding" not in headers:
        headers = headers.with_field("Content-Length", str(len(body)))
    return replace(request, body=body, headers=headers)


def _media_type(request: PreparedRequest) -> str:
    text: str = request.headers.get("Content-Type", "")
    return text.partition(";")[0].strip().lower()
