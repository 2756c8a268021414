"""The HTTP library's request, made from a prepared one without the library's own preparation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http.cookiejar import CookieJar
from typing import Any, Self

import requests
from requests.cookies import get_cookie_header
from urllib3._collections import HTTPHeaderDict
from urllib3.util import SKIP_HEADER

from ..errors import RequestBuildException
from ..models import PreparedRequest
from .decode import accept_encoding


class _Fields(HTTPHeaderDict):
    """The fields of one request. The library copies them before it adds a proxy's, for callers who use them again."""

    def copy(self) -> Self:
        return self


def outgoing(prepared: PreparedRequest, url: str, *, forwarded: bool) -> requests.PreparedRequest:
    """The request for the wire, to `url`. RequestBuildException when the body does not fit its Content-Length.

    `forwarded` says that a proxy reads the request itself, not only its bytes.
    """
    fields = _Fields()
    for name, value in prepared.headers.pairs:
        # The library writes Latin-1; this way the bytes are UTF-8.
        fields.add(name, value if value.isascii() else value.encode("utf-8").decode("latin-1"))
    if not forwarded and "Proxy-Authorization" in fields:
        del fields["Proxy-Authorization"]  # it is for proxies, and none would see it
    if "Accept-Encoding" not in fields:
        fields["Accept-Encoding"] = accept_encoding()
    if "User-Agent" not in fields:
        fields["User-Agent"] = SKIP_HEADER  # otherwise the library names itself
    request = requests.PreparedRequest()
    request.method = prepared.method
    request.url = url
    request.headers = fields  # type: ignore[assignment]  # as good a mapping, and it keeps repeated fields
    request.body = _body(prepared.body, fields)  # type: ignore[assignment]  # an iterator will do
    return request


def _body(body: Any, fields: HTTPHeaderDict) -> bytes | Iterator[bytes] | None:
    if body is None:
        return None
    content = body if isinstance(body, bytes) else body.open()
    length = len(content) if isinstance(content, bytes) else body.length
    if length is None or "Transfer-Encoding" in fields:
        return content if isinstance(content, bytes) else _measured(content, None)
    announced = fields.setdefault("Content-Length", str(length))
    if announced != str(length):
        # The rest would be taken for the next request on the connection, or be waited for.
        raise RequestBuildException(f"Content-Length says {announced}, and the body has {length} bytes")
    return content if isinstance(content, bytes) else _measured(content, length)


def _measured(chunks: Iterable[bytes], length: int | None) -> Iterator[bytes]:
    """The chunks; RequestBuildException when they cannot be read or are not as long as announced."""
    sent = 0
    try:
        for chunk in chunks:
            sent += len(chunk)
            if length is not None and sent > length:
                break
            yield chunk
    except OSError as exc:
        raise RequestBuildException(f"the body cannot be read: {(exc.strerror or type(exc).__name__).lower()}") from exc
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    if length is not None and sent != length:
        raise RequestBuildException(
            f"the body is not the {length} bytes that were announced", hint="was the file changed?"
        )


def close_body(request: requests.PreparedRequest) -> None:
    """Close the body: after an early answer it may be sent only in part, and its file still be open."""
    close = getattr(request.body, "close", None)
    if close is not None:
        close()


def add_cookies(request: requests.PreparedRequest, jar: Any, stranger: str | None = None) -> None:
    """Add the jar's cookies for this URL behind those that the request names itself.

    A `stranger` is the URL's origin when it must see nothing but the cookies that it set.
    """
    # A caller's session may be a stand-in without a real jar.
    if not isinstance(jar, CookieJar) or next(iter(jar), None) is None:
        return
    explicit = request.headers.pop("Cookie", None)
    fitting = jar if stranger is None else _set_by(jar, stranger)
    found: str | None = get_cookie_header(fitting, request)  # type: ignore[no-untyped-call]  # untyped
    if explicit is not None and found is not None:
        taken = {pair.partition("=")[0].strip() for pair in explicit.split(";")}
        found = "; ".join(pair for pair in found.split("; ") if pair.partition("=")[0] not in taken)
    cookies = "; ".join(filter(None, (explicit, found)))
    if cookies:
        request.headers["Cookie"] = cookies


def _set_by(jar: CookieJar, origin: str) -> CookieJar:
    """The cookies that this origin set. By the rules of cookies (RFC 6265) they would go to other ports too."""
    own = CookieJar()
    with jar._cookies_lock:  # type: ignore[attr-defined]  # other threads add cookies meanwhile
        for cookie in jar:
            if getattr(cookie, "set_by", None) == origin:
                own.set_cookie(cookie)
    return own
