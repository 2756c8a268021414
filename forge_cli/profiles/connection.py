"""Where a profile's requests go, and by what way: URLs, proxies and certificate files that cannot be meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..compiled import compiled
from .document import Place
from .kinds import Problem, written

_HTTP = compiled(r"https?://[^\s/\\?#]", re.IGNORECASE)
_FILLED = compiled(r"\$\{[^}]*(?:\}|\Z)")  # one that has no end is a fault of its own
_HOST = compiled(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_SCHEME = compiled(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WHERE_CERTIFICATE = "set `client_cert` in the profile (a shared login has none)"


def problems(profile: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a merged profile that is taken as written, so that one wrong type hides nothing else."""
    yield from _addresses(profile)
    for path, url in _proxies(profile):
        if isinstance(url, str) and (found := _SCHEME.match(url)) and found[1].lower() not in ("http", "https"):
            yield Problem(path, f"a proxy of the kind {found[1]!r} is not supported (one of: http, https)")
    auth = profile.get("auth")
    if not isinstance(auth, dict):
        return
    if auth.get("type") == "oauth2" and auth.get("client_auth") == "tls" and "client_cert" not in profile:
        yield Problem(("auth", "client_auth"), f"the client is known by its certificate: {_WHERE_CERTIFICATE}")
    if profile.get("base_url") is None:
        yield from (Problem(path, "relative, and the profile has no base_url") for path in _relative(auth))


def base_url_trouble(url: str) -> str | None:
    """Why nothing can be appended to a base URL, if so."""
    # A path behind a query or a fragment would become part of it, and not be asked for.
    marks = [word for mark, word in (("?", "query"), ("#", "fragment")) if mark in url]
    return f"has a {marks[0]}: write parameters of every request under `query`" if marks else None


def missing_files(profile: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """Certificate files that a merged profile names, relative to the folder, and that are not there."""
    certificate = profile.get("client_cert")
    named: list[tuple[Place, Any]] = [(("verify",), profile.get("verify"))]
    if isinstance(certificate, dict):
        named += [(("client_cert", key), certificate.get(key)) for key in ("cert", "key")]
    for path, name in named:
        # A folder of certificate authorities is as good as a file.
        if isinstance(name, str) and not os.path.exists(folder / os.path.expanduser(name)):
            yield Problem(path, "no such file (a path is relative to the profile file)")


def _addresses(profile: Mapping[str, Any]) -> Iterator[Problem]:
    base_url, origins = profile.get("base_url"), profile.get("origins")
    urls: list[tuple[Place, Any]] = [(("base_url",), base_url)]
    urls += [(("origins", index), origin) for index, origin in enumerate(origins if isinstance(origins, list) else ())]
    for path, url in urls:
        if isinstance(url, str) and not url.startswith("${") and _HTTP.match(url) is None:
            yield Problem(path, "must begin with https:// or http:// and a host")
        elif isinstance(url, str) and (trouble := _host_trouble(url)):
            yield Problem(path, trouble)
    if trouble := base_url_trouble(written(base_url)):
        yield Problem(("base_url",), trouble)


def _host_trouble(url: str) -> str | None:
    """What is wrong with the host and port of an http URL; what is filled in there is not looked at."""
    if url.startswith("${"):
        return None
    # What is filled in may be a number too.
    place = re.split(r"[/\\?#]", _FILLED.sub("0", url.partition("://")[2]), maxsplit=1)[0]
    found = _HOST.fullmatch(place.rpartition("@")[2])
    if found is None or int(found["port"] or 0) > 65535:
        return "has a host or a port that is none, as in https://api.example.com:8443"
    return None


def _proxies(profile: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    proxy = profile.get("proxy")
    yield ("proxy",), proxy
    if isinstance(proxy, dict):
        yield from ((("proxy", scheme), proxy.get(scheme)) for scheme in ("http", "https"))


def _relative(auth: Mapping[str, Any]) -> Iterator[Place]:
    """The URLs of a login that are relative."""
    places: list[tuple[Place, Any]] = [(("auth", "token_url"), auth.get("token_url"))]
    steps = auth.get("steps")
    for name, step in steps.items() if isinstance(steps, dict) else ():
        for part in ((), ("refresh",)):
            url: Any = step
            for key in (*part, "request", "url"):
                url = url.get(key) if isinstance(url, dict) else None
            places.append((("auth", "steps", name, *part, "request", "url"), url))
    return (path for path, url in places if isinstance(url, str) and "://" not in url and not url.startswith("${"))
