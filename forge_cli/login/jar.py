"""Cookie jars of a login: what answers set, kept across steps and runs (RFC 6265)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from ..compiled import compiled
from ..models import HttpResponse
from ..redact import REDACTOR
from ..transport.redirects import Address, address

# A server cannot make a jar grow without end: the oldest cookies go.
_MOST = 200
_LARGEST = 4096
# Such words as "true" and "en-GB" are values of cookies too; masking them everywhere would hide no secret.
_SHORTEST_MASKED = 8

# What no header field can carry (RFC 9110, section 5.5).
_CONTROL = compiled(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = compiled(r"(-?)(?=[0-9])0*+([0-9]*+)")
_LONGEST_AGE = 10**10

# RFC 6265, section 5.1.1: dates as servers really send them.
_DATE_TOKEN = compiled(r"[^\t -/;-@\[-`{-~]+")
_TIME = compiled(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_DAY = compiled(r"([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_YEAR = compiled(r"([0-9]{2,4})(?:[^0-9].*)?", re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `expires` is in seconds since 1970, None where no end is said; `exact` binds it to its host."""

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

    def lives(self, now: float) -> bool:
        """Whether it has not ended."""
        return self.expires is None or self.expires > now

    def goes_to(self, there: Address, path: str) -> bool:
        """Whether it is sent there (RFC 6265, section 5.4)."""
        if self.secure and not _trustworthy(there):
            return False
        if there.host != self.domain and (self.exact or not _within(there.host, self.domain)):
            return False
        return path == self.path or path.startswith(self.path if self.path.endswith("/") else self.path + "/")


@dataclass(frozen=True)
class Jar:
    """Cookies that belong together, the one set last at the end. Each change makes a new jar."""

    cookies: tuple[Cookie, ...] = ()

    def sent(self, url: str, now: float) -> list[Cookie]:
        """The cookies that go to an absolute URL; longest paths first."""
        there = address(url)
        path = _path(there)
        found = [cookie for cookie in self.cookies if cookie.lives(now) and cookie.goes_to(there, path)]
        return sorted(found, key=lambda cookie: -len(cookie.path))

    def header(self, url: str, now: float) -> str | None:
        """The value of the Cookie header for a URL, None when no cookie goes there."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.sent(url, now)) or None

    def updated(self, response: HttpResponse, now: float) -> Jar:
        """The jar after an answer: what it sets replaces what was there, what has ended is gone."""
        kept = {cookie.place: cookie for cookie in self.cookies}
        for cookie in set_cookies(response, now):
            kept.pop(cookie.place, None)
            kept[cookie.place] = cookie
        return Jar(tuple(cookie for cookie in kept.values() if cookie.lives(now))[-_MOST:])

    @property
    def values(self) -> Mapping[str, str]:
        """The values by name; of several with one name the one that was set last."""
        return {cookie.name: cookie.value for cookie in self.cookies}

    def plain(self) -> list[dict[str, Any]]:
        """The jar as plain values, as it is stored."""
        return [{key: value for key, value in asdict(cookie).items() if value is not None} for cookie in self.cookies]

    @classmethod
    def of(cls, plain: Iterable[Mapping[str, Any]]) -> Jar:
        """A stored jar; from here on its values are masked where anything is shown. What is no cookie is left out."""
        jar = cls(tuple(cookie for entry in plain if (cookie := _stored(entry)) is not None))
        _mask(jar.cookies)
        return jar


def set_cookies(response: HttpResponse, now: float) -> list[Cookie]:
    """The cookies that an answer sets, also those that it removes: these have ended."""
    fields = response.headers.get_all("set-cookie")
    if not fields:
        return []
    there = address(response.url)
    found = [cookie for text in fields if (cookie := _parsed(text, there, now)) is not None]
    _mask(found)
    return found


def _stored(entry: Mapping[str, Any]) -> Cookie | None:
    try:
        cookie = Cookie(**entry)
    except TypeError:
        return None
    texts = (cookie.name, cookie.value, cookie.domain, cookie.path)
    fit = all(isinstance(text, str) for text in texts) and isinstance(cookie.expires, int | float | None)
    return cookie if fit else None


def _mask(cookies: Iterable[Cookie]) -> None:
    for cookie in cookies:
        if len(cookie.value) >= _SHORTEST_MASKED:
            REDACTOR.add(cookie.value)


def _parsed(text: str, there: Address, now: float) -> Cookie | None:
    """A Set-Cookie field's value as a cookie, None when it is to be ignored (RFC 6265, sections 5.2 and 5.3)."""
    pair, _, rest = text.partition(";")
    name, separator, value = pair.partition("=")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not separator or not name or len(name) + len(value) > _LARGEST or _CONTROL.search(text) is not None:
        return None
    attributes = _attributes(rest)
    domain = attributes.get("domain", "").removeprefix(".").lower()
    place = attributes.get("path", "")
    cookie = Cookie(
        name,
        value,
        domain or there.host,
        place if place.startswith("/") else _directory(_path(there)),
        _end(attributes, now),
        "secure" in attributes,
        not domain or (domain == there.host and "." not in domain),
    )
    return cookie if _allowed(cookie, domain, there) else None


def _attributes(text: str) -> dict[str, str]:
    """The attributes by lower-case name; of several the last counts."""
    found: dict[str, str] = {}
    for attribute in text.split(";"):
        name, _, value = attribute.partition("=")
        found[name.strip(" \t").lower()] = value.strip(" \t")
    return found


def _allowed(cookie: Cookie, domain: str, there: Address) -> bool:
    """Whether this server may set this cookie."""
    # Without the list of public suffixes: "com" is refused, and "co.uk" is taken for a name like others.
    if domain and domain != there.host and ("." not in domain or not _within(there.host, domain)):
        return False
    if cookie.secure and not _trustworthy(there):
        return False
    # What the prefixes promise (RFC 6265bis, section 4.1.3).
    prefix = cookie.name.lower()
    if prefix.startswith("__host-"):
        return cookie.secure and not domain and cookie.path == "/"
    return cookie.secure or not prefix.startswith("__secure-")


def _end(attributes: Mapping[str, str], now: float) -> float | None:
    """Max-Age beats Expires (RFC 6265, section 5.3, step 3)."""
    age = _MAX_AGE.fullmatch(attributes.get("max-age", ""))
    if age is not None:
        seconds = _LONGEST_AGE if len(age[2]) > 10 else int(age[2] or 0)
        return now + seconds if seconds > 0 and not age[1] else 0.0
    return cookie_date(attributes.get("expires", ""))


def cookie_date(text: str) -> float | None:
    """The moment that a cookie's date means, in seconds since 1970 (RFC 6265, section 5.1.1); None when it is none."""
    time = day = year = month = None
    for token in _DATE_TOKEN.findall(text):
        if time is None and (found := _TIME.fullmatch(token)):
            time = int(found[1]), int(found[2]), int(found[3])
        elif day is None and (found := _DAY.fullmatch(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.fullmatch(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    try:
        return datetime(year, month, day, *time, tzinfo=UTC).timestamp() if year >= 1601 else None
    except ValueError:
        return None


def _path(there: Address) -> str:
    return there.target.partition("?")[0]


def _directory(path: str) -> str:
    """The default path of a cookie (RFC 6265, section 5.1.4)."""
    return path[: path.rfind("/")] or "/"


def _within(host: str, domain: str) -> bool:
    """Whether a host is below a domain (RFC 6265, section 5.1.3); an address is below nothing."""
    return host.endswith(f".{domain}") and _ip(host) is None


def _trustworthy(there: Address) -> bool:
    """Whether Secure cookies go there: over https, and to this machine as browsers do it."""
    if there.scheme == "https" or there.host == "localhost" or there.host.endswith(".localhost"):
        return True
    found = _ip(there.host)
    return found is not None and found.is_loopback


def _ip(host: str) -> Any:
    try:
        return ip_address(host)
    except ValueError:
        return None
