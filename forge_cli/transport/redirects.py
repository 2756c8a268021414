"""Which server a URL means, where a redirect leads, and what may travel there."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from ..compiled import compiled
from ..errors import RedirectException, RequestBuildException
from ..frozen import immutable
from ..models import Headers, PreparedRequest
from ..redact import sensitive

# Stricter than RFC 3986: where parsers are known to disagree (a backslash, a blank, a missing "//", two
# "@"), the host that is compared and the host that is connected to could differ, so nothing matches.
_URL = compiled(
    r"(?P<scheme>https?)://(?:[^/?#@\\\x00-\x20\x7f]*@)?(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\\\[\]\x00-\x20\x7f]+)"
    r"(?::(?P<port>[0-9]{0,5}))?(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_ASCII_HOST = compiled(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_IPV4_END = compiled(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")
_DOTS = compiled("[.\u3002\uff0e\uff61]")
_ESCAPE = compiled("%[0-9A-Fa-f]{2}")
_UNRESERVED = compiled("[A-Za-z0-9_.~-]")
_SCHEME = compiled(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = compiled(r"[\x00-\x1f\x7f]")
_NEVER_IN_URL = compiled(r"[^\x21-\x7e]")
_UNSAFE_IN_URL = compiled(r"[^\x21-\x7e]|[\"<>\\^`{|}]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_FOLLOWED = frozenset({301, 302, 303, 307, 308})
# Fields that describe a body, beside all that start with "content-".
_BODY_FIELDS = frozenset({"transfer-encoding", "trailer", "expect", "digest"})


@immutable
class Address:
    """A URL taken apart; `host` is lower-case ASCII without brackets, `rest` starts at the path and is as given."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def authority(self) -> str:
        """``host[:port]`` as it stands in a URL; the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """The path and query as they are sent (RFC 9112, section 3.2.1)."""
        path = self.rest.partition("#")[0]
        return _encoded(path if path.startswith("/") else "/" + path, _NEVER_IN_URL)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def address(url: str) -> Address:
    """Take an absolute http or https URL apart; user information is ignored.

    RequestBuildException for any other text: among them ``http:host``, ``//host``, a backslash before
    the path, blanks and control characters, and hosts that are no names or IP addresses.
    """
    match = _URL.fullmatch(url)
    if match is None or _CONTROL.search(url) is not None:
        raise RequestBuildException(
            "the URL is not an absolute http or https URL", hint="write it as https://host/path"
        )
    scheme = match["scheme"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port <= 65535:
        raise RequestBuildException(f"the URL's port {port} does not exist", hint="a port is 1 to 65535")
    return Address(scheme, _host(match["host"]), port, match["rest"])


def origin(url: str) -> tuple[str, str, int]:
    """The URL's scheme, host and port (RFC 6454, section 4). RequestBuildException as for `address`."""
    found = address(url)
    return found.scheme, found.host, found.port


def next_request(
    prepared: PreparedRequest,
    status: int,
    headers: Headers,
    *,
    allowed: Callable[[str], bool],
    post_to_get: bool,
) -> PreparedRequest | None:
    """The request that a redirect asks for (RFC 9110, section 15.4); None when this answer is not followed.

    `allowed` says whether a URL's origin may receive this request's credentials; elsewhere they are
    taken out. With `post_to_get` false, a 301 or 302 to a POST is not followed, because it would
    become a GET. RedirectException for what must not be followed: a step down from https to http, a
    scheme that is not http or https, a body for another origin or one that cannot be sent again, and
    a Location that is not a URL.
    """
    location = _location(headers) if status in _FOLLOWED else None
    if location is None:
        return None
    rewritten = status == 303 or (status in (301, 302) and prepared.method == "POST")
    if rewritten and status != 303 and not post_to_get:
        return None
    target = resolved(prepared.url, location)
    here, there = address(prepared.url), address(target)
    if (here.scheme, there.scheme) == ("https", "http"):
        raise RedirectException(f"the redirect from {here} to {there} is refused: it would leave TLS")
    stays = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
    trusted = stays or (allowed(prepared.url) and allowed(target))
    if not rewritten:
        _check_body(prepared.body, there, trusted)
    following = replace(prepared, url=target, headers=_fields(prepared, rewritten, stays, trusted))
    if rewritten:
        method = "HEAD" if prepared.method == "HEAD" else "GET"
        following = replace(following, method=method, body=None, parts=())
    return following if trusted else _stripped(following)


def _location(headers: Headers) -> str | None:
    values = {value.strip(" ") for value in headers.get_all("location")}
    if len(values) > 1:
        raise RedirectException("the redirect names more than one place to go")
    return values.pop() or None if values else None


def _check_body(body: Any, there: Address, trusted: bool) -> None:
    if body is None:
        return
    if not trusted:
        raise RedirectException(
            f"the redirect would send this request's body to {there}, and is refused",
            hint="send it there yourself, or name that origin in `origins`",
        )
    if not isinstance(body, bytes) and not getattr(body, "replayable", False):
        raise RedirectException(
            f"the redirect to {there} needs the body again, and it can be read only once",
            hint="send the body from a file, or to the new URL",
        )


def _fields(prepared: PreparedRequest, rewritten: bool, stays: bool, trusted: bool) -> Headers:
    return Headers(
        (name, value)
        for name, value in prepared.headers.pairs
        if not (rewritten and (name.lower() in _BODY_FIELDS or name.lower().startswith("content-")))
        and not (not stays and name.lower() == "host")
        and not (not trusted and (name.lower() in prepared.credentials or sensitive(name)))
    )


def _stripped(request: PreparedRequest) -> PreparedRequest:
    url, mark, fragment = request.url.partition("#")
    path, question, query = url.partition("?")
    kept = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in request.query_credentials]
    url = path + (question + "&".join(kept) if kept else "") + mark + fragment
    return replace(request, url=url, credentials=frozenset(), query_credentials=frozenset())


def resolved(base: str, location: str) -> str:
    """The absolute URL of a Location (RFC 3986, section 5.2; RFC 9110, section 10.2.2)."""
    if _CONTROL.search(location) is not None:
        raise RedirectException("the redirect's Location holds control characters, and is refused")
    here = address(base)
    scheme = _SCHEME.match(location)
    if scheme is not None and scheme[1].lower() not in _DEFAULT_PORTS:
        raise RedirectException(f"the redirect leads to a {scheme[1][:20]!r} URL: only http and https are followed")
    if scheme is None and not location.startswith("//"):
        there, rest = here, _merged(here.rest, location)
    else:
        try:
            there = address(location if scheme is not None else f"{here.scheme}:{location}")
        except RequestBuildException:
            raise RedirectException("the redirect's Location is not an http or https URL") from None
        rest = there.rest
    path, mark, fragment = rest.partition("#")
    path, question, query = path.partition("?")
    if not mark:
        _, mark, fragment = here.rest.partition("#")
    return str(there) + _encoded(_without_dots(path) + question + query + mark + fragment, _UNSAFE_IN_URL)


def _merged(rest: str, reference: str) -> str:
    """A reference without scheme and host, resolved against a path and query."""
    whole = rest.partition("#")[0]
    path = whole.partition("?")[0] or "/"
    if reference.startswith("/"):
        return reference
    if reference.startswith("?"):
        return path + reference
    if reference.startswith("#"):
        return whole + reference
    return path.rpartition("/")[0] + "/" + reference


def matched_path(url: str) -> str:
    """The path of a URL, or of a path and query, as patterns see it: what a server takes it for.

    Characters that need no percent-encoding have none, and "." and ".." are resolved (RFC 3986, sections 5.2.4
    and 6.2.2).
    """
    path = urlsplit(url).path if "://" in url else url.partition("#")[0].partition("?")[0]
    plain = _ESCAPE.sub(lambda found: _unescaped(found[0]), path)
    return _without_dots(plain) if plain.startswith("/") else plain


def _unescaped(escape: str) -> str:
    letter = chr(int(escape[1:], 16))
    return letter if _UNRESERVED.fullmatch(letter) else escape.upper()


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _encoded(text: str, unsafe: re.Pattern[str]) -> str:
    # A "%" stays as it is, also a stray one: what is already encoded must not be encoded again.
    return unsafe.sub(lambda match: quote(match[0].encode("utf-8", "replace"), safe=""), text)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return ipaddress.IPv6Address(text[1:-1]).compressed
        except ValueError:
            raise RequestBuildException("the URL's host is not an IPv6 address") from None
    host = text.lower() if text.isascii() else ".".join(_label(label) for label in _DOTS.split(text))
    if _ASCII_HOST.fullmatch(host) is None:
        raise RequestBuildException("the URL's host is not a host name or an IP address")
    return host if _IPV4_END.search(host) is None else _ipv4(host)


def _ipv4(host: str) -> str:
    """A host that ends in a number, as four decimal ones (WHATWG URL, section 3.5): that is what is connected to."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise RequestBuildException("the URL's host ends in a number and is not an IP address") from None


def _label(text: str) -> str:
    """One label in ASCII (RFC 5890): lower case, normalised, then Punycode.

    Unlike Python's "idna" codec, which follows the older RFC 3490, this keeps "ß" and the final sigma:
    domains with and without them can have different owners.
    """
    label = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    if label.isascii():
        return label
    # Normalising may produce ASCII that ends a host name, such as the slash in "℀"; and characters
    # that are not letters, digits or marks are no part of a name.
    if not all(char == "-" or char.isalnum() or unicodedata.category(char).startswith("M") for char in label):
        raise RequestBuildException("the URL's host holds characters that a host name cannot have")
    return "xn--" + label.encode("punycode").decode("ascii")
