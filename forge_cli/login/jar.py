"""Cookie jars of a login: what answers set, kept across steps and runs (RFC 6265)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ..models import HttpResponse
from ..redact import REDACTOR
from .expiry import http_date

_LARGEST = 4096
_MAX_AGE = re.compile(r"-?[0-9]{1,15}")
_SECURE = ("https", "wss")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `expires` is in seconds since 1970, None for a cookie that says no end; `exact` binds it to its host."""

    name: str
    value: str
    domain: str
    path: str
    expires: float | None = None
    secure: bool = False
    exact: bool = True

    @property
    def place(self) -> tuple[str, str, str]:
        """What a newer cookie replaces it by (RFC 6265, section 5.3, step 11)."""
        return self.domain, self.path, self.name

    def goes_to(self, scheme: str, host: str, path: str) -> bool:
        """Whether it is sent there (RFC 6265, section 5.4)."""
        if self.secure and scheme not in _SECURE:
            return False
        if host != self.domain and (self.exact or not _within(host, self.domain)):
            return False
        return path == self.path or path.startswith(self.path if self.path.endswith("/") else self.path + "/")


@dataclass(frozen=True)
class Jar:
    """Cookies that belong together. Each change makes a new jar."""

    cookies: tuple[Cookie, ...] = ()

    def header(self, url: str, now: float) -> str | None:
        """The value of the Cookie header for a URL, None when no cookie goes there; longest paths first."""
        parts = urlsplit(url)
        place = parts.scheme.lower(), (parts.hostname or "").lower(), parts.path or "/"
        found = [cookie for cookie in self.cookies if _lives(cookie, now) and cookie.goes_to(*place)]
        found.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found) or None

    def updated(self, response: HttpResponse, now: float) -> Jar:
        """The jar after an answer: what it sets replaces what was there, what has ended is gone."""
        kept = {cookie.place: cookie for cookie in self.cookies}
        for cookie in set_cookies(response, now):
            kept[cookie.place] = cookie
        return Jar(tuple(cookie for cookie in kept.values() if _lives(cookie, now)))

    @property
    def values(self) -> Mapping[str, str]:
        """The values by name; of several with one name the one that was set last."""
        return {cookie.name: cookie.value for cookie in self.cookies}

    def plain(self) -> list[dict[str, Any]]:
        """The jar as plain values, as it is stored."""
        return [{key: value for key, value in asdict(cookie).items() if value is not None} for cookie in self.cookies]

    @classmethod
    def of(cls, plain: Iterable[Mapping[str, Any]]) -> Jar:
        """A stored jar; from here on its values are masked where anything is shown."""
        jar = cls(tuple(Cookie(**entry) for entry in plain))
        for cookie in jar.cookies:
            REDACTOR.add(cookie.value)
        return jar


def set_cookies(response: HttpResponse, now: float) -> list[Cookie]:
    """The cookies that an answer sets, also those that it removes: these have ended."""
    url = urlsplit(response.url)
    host, path = (url.hostname or "").lower(), url.path
    found = [
        cookie
        for name, text in response.headers.pairs
        if name.lower() == "set-cookie" and (cookie := _parsed(text, host, path, now)) is not None
    ]
    for cookie in found:
        REDACTOR.add(cookie.value)
    return found


def _parsed(text: str, host: str, path: str, now: float) -> Cookie | None:
    """A Set-Cookie field's value as a cookie, None when it is to be ignored (RFC 6265, sections 5.2 and 5.3)."""
    pair, _, rest = text.partition(";")
    name, separator, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not separator or not name or len(name) + len(value) > _LARGEST:
        return None
    attributes: dict[str, str] = {}
    for attribute in rest.split(";"):
        key, _, content = attribute.partition("=")
        attributes[key.strip().lower()] = content.strip()
    domain = attributes.get("domain", "").lstrip(".").lower()
    if domain and domain != host and not _within(host, domain):
        return None
    place = attributes.get("path", "")
    return Cookie(
        name,
        value,
        domain or host,
        place if place.startswith("/") else _directory(path),
        _end(attributes, now),
        "secure" in attributes,
        not domain or "." not in domain,
    )


def _end(attributes: Mapping[str, str], now: float) -> float | None:
    """Max-Age beats Expires (RFC 6265, section 5.3, step 3)."""
    age = attributes.get("max-age", "")
    if _MAX_AGE.fullmatch(age):
        return now + int(age) if int(age) > 0 else 0.0
    moment = http_date(attributes.get("expires", ""))
    return None if moment is None else moment.timestamp()


def _directory(path: str) -> str:
    """The default path of a cookie (RFC 6265, section 5.1.4)."""
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"


def _within(host: str, domain: str) -> bool:
    """Whether a host is below a domain (RFC 6265, section 5.1.3); an address is below nothing."""
    if not host.endswith(f".{domain}"):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def _lives(cookie: Cookie, now: float) -> bool:
    return cookie.expires is None or cookie.expires > now
