"""Where a request's connection leads: to its host, or to a proxy."""

from __future__ import annotations

import base64
from urllib.parse import unquote

from ..compiled import compiled
from .connection import Place, Proxy
from .redirects import Address, address
from .tls import ClientCert

_AUTHORITY_END = compiled(r"[/?#\\]")


def place_of(there: Address, proxy: str | None, cert: ClientCert | None = None) -> Place:
    """The place of an address behind this proxy. RequestBuildException when the proxy's URL is none."""
    if proxy is None:
        return Place(there.scheme, there.host, there.port, None, cert if there.scheme == "https" else None)
    through = proxy_of(proxy)
    if there.scheme == "http":
        return Place("http", "", 0, through)
    return Place(there.scheme, there.host, there.port, through, cert)


def proxy_of(url: str) -> Proxy:
    """A proxy's URL taken apart. RequestBuildException when it is none."""
    scheme, _, rest = url.partition("://")
    # A password may hold an "@" of its own, or more.
    userinfo, _, place = _AUTHORITY_END.split(rest, 1)[0].rpartition("@")
    there = address(f"{scheme}://{place}")
    user, _, password = userinfo.partition(":")
    if not user:
        return Proxy(there.scheme, there.host, there.port)
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return Proxy(there.scheme, there.host, there.port, f"Basic {base64.b64encode(pair).decode('ascii')}")
