"""What the environment says about proxies and certificate authorities, read once."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import field

from ..compiled import compiled
from ..errors import RequestBuildException
from ..frozen import immutable_by_name
from .redirects import Address, address

_SCHEME = compiled(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@immutable_by_name
class Environment:
    """Proxies by scheme (``http``, ``https``, ``all``), hosts without a proxy, and named CA files.

    `sources` names the variable that each proxy is from.
    """

    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_files: tuple[tuple[str, str], ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a URL, with its scheme. RequestBuildException for a proxy of an unknown kind."""
        return self.proxy_to(address(url)) if self.proxies else None

    def proxy_to(self, there: Address) -> str | None:
        """The proxy for an address, as `proxy_for`."""
        kind = there.scheme if self.proxies.get(there.scheme) else "all"
        proxy = self.proxies.get(kind)
        if not proxy or any(_covers(entry, there) for entry in self.no_proxy):
            return None
        return checked_proxy(proxy, self.sources.get(kind, "proxy"))

    @property
    def ca_bundle(self) -> str | None:
        """The first CA file or directory that is named. RequestBuildException when it does not exist."""
        for variable, path in self.ca_files:
            # OpenSSL takes a list of directories; the first one that is there has to do.
            for part in path.split(os.pathsep) if variable == "SSL_CERT_DIR" else (path,):
                if os.path.exists(part):
                    return part
            raise RequestBuildException(
                f"{variable} names {path!r}, which does not exist", hint=f"correct or unset {variable}"
            )
        return None


def read(environ: Mapping[str, str]) -> Environment:
    """What these variables say. Lower case wins; an empty value means none."""
    sources = {scheme: _either_case(environ, f"{scheme}_proxy") for scheme in ("http", "https", "all")}
    if "REQUEST_METHOD" in environ:
        # In a CGI program HTTP_PROXY is the client's "Proxy" header.
        sources["http"] = "http_proxy"
    proxies = {scheme: environ.get(name, "").strip() for scheme, name in sources.items()}
    return Environment(
        proxies={scheme: proxy for scheme, proxy in proxies.items() if proxy},
        sources=sources,
        no_proxy=entries(environ.get(_either_case(environ, "no_proxy"), "")),
        ca_files=tuple((name, environ[name]) for name in _CA_VARIABLES if environ.get(name)),
    )


def checked_proxy(proxy: str, source: str) -> str:
    """The proxy with its scheme. RequestBuildException, which names the source, when it is no HTTP proxy."""
    scheme = _SCHEME.match(proxy)
    if scheme is None:
        return f"http://{proxy}"
    if scheme[1].lower() not in ("http", "https"):
        # The rest may hold a password.
        raise RequestBuildException(
            f"{source}: {scheme[1]} proxies are not supported", hint="use an http:// or https:// proxy"
        )
    return proxy


def entries(no_proxy: str) -> tuple[str, ...]:
    """The entries of a NO_PROXY text."""
    return tuple(entry for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _either_case(environ: Mapping[str, str], name: str) -> str:
    """The name of the variable that counts."""
    return name if name in environ else name.upper()


def _covers(entry: str, there: Address) -> bool:
    """Whether a NO_PROXY entry (host, .suffix, host:port, IP address, network, or *) covers an address."""
    if entry == "*":
        return True
    ip = _ip(there.host)
    if ip is not None and "/" in entry:
        try:
            return ip in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    host, port = _host_and_port(entry)
    if port and port != str(there.port):
        return False
    if ip is not None:
        return _ip(host) == ip
    name = host.strip(".")
    return bool(name) and f".{there.host.rstrip('.')}".endswith(f".{name}")


def _host_and_port(entry: str) -> tuple[str, str]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", entry)
    if bracketed is not None:
        return bracketed[1], bracketed[2] or ""
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
