"""The cookies of a transport: taken from answers, and sent where they belong (RFC 6265)."""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar
from typing import Any
from urllib.parse import urlsplit

from .outgoing import Outgoing
from .redirects import address
from .wire import Received


class SetBy:
    """Has each cookie of a jar know the origin that set it, `set_by`, and looks only at answers that have some."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        if "Set-Cookie" in response.info():
            super().extract_cookies(response, request)  # type: ignore[misc]  # of the jar that it is mixed into

    def make_cookies(self, response: Any, request: Any) -> Any:
        # Not the `get_full_url` of the request, which a Host field of the caller's would change.
        setter = str(address(getattr(request, "_r", request).url))
        made = super().make_cookies(response, request)  # type: ignore[misc]  # as above
        for cookie in made:
            cookie.__dict__["set_by"] = setter
        return made


class Jar(SetBy, CookieJar):
    """Cookies in memory."""


class _Asking:
    """A request, as the standard library's jar asks about it."""

    unverifiable = True  # a third party's cookies would be refused, where a policy says so

    def __init__(self, request: Outgoing) -> None:
        self.url = request.url
        parts = urlsplit(request.url)
        self.type = parts.scheme
        self.host = self.origin_req_host = parts.netloc
        host = request.field("Host")
        self._full = parts._replace(netloc=host).geturl() if host else request.url
        self.cookie: str | None = None

    def get_full_url(self) -> str:
        return self._full

    def has_header(self, name: str) -> bool:
        return False

    def get_header(self, name: str, default: str | None = None) -> str | None:
        return default

    def add_unredirected_header(self, name: str, value: str) -> None:
        if name == "Cookie":
            self.cookie = value


class _Answered:
    """An answer, as the standard library's jar asks about it."""

    def __init__(self, received: Received) -> None:
        self._fields = received.response.headers

    def info(self) -> Any:
        return self._fields


def take_cookies(jar: CookieJar, request: Outgoing, received: Received) -> None:
    """Put the cookies of an answer into the jar."""
    answered: Any = _Answered(received)
    asking: Any = _Asking(request)
    jar.extract_cookies(answered, asking)


def add_cookies(request: Outgoing, jar: Any, stranger: str | None = None) -> None:
    """Add the jar's cookies for this URL behind those that the request names itself.

    A `stranger` is the URL's origin when it must see nothing but the cookies that it set.
    """
    # A caller's session may be a stand-in without a real jar.
    if not isinstance(jar, CookieJar) or next(iter(jar), None) is None:
        return
    fitting = jar if stranger is None else _set_by(jar, stranger)
    asking: Any = _Asking(request)
    fitting.add_cookie_header(asking)
    found: str | None = asking.cookie
    if found is None:
        return
    explicit = [value for name, value in request.fields if name.lower() == "cookie"]
    taken = {pair.partition("=")[0].strip() for value in explicit for pair in value.split(";")}
    kept = [pair for pair in found.split("; ") if pair.partition("=")[0] not in taken]
    request.fields = [field for field in request.fields if field[0].lower() != "cookie"]
    request.fields.append(("Cookie", "; ".join([*explicit, *kept])))


def _set_by(jar: CookieJar, origin: str) -> CookieJar:
    """The cookies that this origin set. By the rules of cookies (RFC 6265) they would go to other ports too."""
    own = CookieJar()
    with jar._cookies_lock:  # type: ignore[attr-defined]  # other threads add cookies meanwhile
        for cookie in jar:
            if getattr(cookie, "set_by", None) == origin:
                own.set_cookie(cookie)
    return own


def copied(jar: CookieJar, to: CookieJar) -> None:
    """Put all cookies of a jar into another one."""
    cookies: list[Cookie] = list(jar)
    for cookie in cookies:
        to.set_cookie(cookie)
