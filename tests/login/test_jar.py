"""Cookie jars: what is kept of Set-Cookie, and where it is sent."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forge_cli.login.jar import Cookie, Jar, cookie_date, set_cookies
from forge_cli.models import Headers, HttpRequest, HttpResponse
from forge_cli.redact import REDACTOR

NOW = datetime(2030, 6, 1, 16, tzinfo=UTC).timestamp()
LATER = "Sat, 01 Jun 2030 16:00:09 GMT"
URL = "https://app.example.com/accounts/login/"


def answered(*fields: str, url: str = URL) -> HttpResponse:
    headers = Headers(("Set-Cookie", value) for value in fields)
    return HttpResponse(200, headers, b"", 1.0, url, HttpRequest("GET", url))


def jar(*fields: str, url: str = URL) -> Jar:
    return Jar().updated(answered(*fields, url=url), NOW)


@pytest.mark.parametrize(
    ("field", "cookie"),
    [
        ("a=b", Cookie("a", "b", "app.example.com", "/accounts/login")),
        (" a = b ; ", Cookie("a", "b", "app.example.com", "/accounts/login")),
        ("a=b=c==", Cookie("a", "b=c==", "app.example.com", "/accounts/login")),
        ('a="q w"; Path=/', Cookie("a", '"q w"', "app.example.com", "/")),
        ("a=; path=/x", Cookie("a", "", "app.example.com", "/x")),
        ("a=b; PATH=/x; SECURE; HttpOnly; SameSite=Lax", Cookie("a", "b", "app.example.com", "/x", secure=True)),
        ("a=b; Path=x", Cookie("a", "b", "app.example.com", "/accounts/login")),
        ("a=b; Path=/x; Path=/y", Cookie("a", "b", "app.example.com", "/y")),
        ("a=b; Path=/; Domain=example.com", Cookie("a", "b", "example.com", "/", exact=False)),
        ("a=b; Path=/; Domain=.Example.COM", Cookie("a", "b", "example.com", "/", exact=False)),
        ("a=b; Path=/; Domain=app.example.com", Cookie("a", "b", "app.example.com", "/", exact=False)),
        ("a=b; Path=/; Domain=", Cookie("a", "b", "app.example.com", "/")),
        ("a=b; Path=/; Max-Age=60", Cookie("a", "b", "app.example.com", "/", NOW + 60)),
        ("a=b; Path=/; Max-Age=0060", Cookie("a", "b", "app.example.com", "/", NOW + 60)),
        (f"a=b; Path=/; Max-Age={'9' * 5000}", Cookie("a", "b", "app.example.com", "/", NOW + 10**10)),
        ("a=b; Path=/; Max-Age=12345678901", Cookie("a", "b", "app.example.com", "/", NOW + 10**10)),
        ("a=" + "x" * 4095 + "; Path=/", Cookie("a", "x" * 4095, "app.example.com", "/")),
        ("a=b; Path=/; Max-Age=soon", Cookie("a", "b", "app.example.com", "/")),
        (f"a=b; Path=/; Max-Age=60; Expires={LATER}", Cookie("a", "b", "app.example.com", "/", NOW + 60)),
        (f"a=b; Path=/; Max-Age=x; Expires={LATER}", Cookie("a", "b", "app.example.com", "/", NOW + 9)),
        ("a=b; Path=/; Expires=Sat, 01-Jun-2030 16:00:09 GMT", Cookie("a", "b", "app.example.com", "/", NOW + 9)),
        ("a=b; Path=/; Expires=never", Cookie("a", "b", "app.example.com", "/")),
        ("__Host-a=b; Path=/; Secure", Cookie("__Host-a", "b", "app.example.com", "/", secure=True)),
        ("__Secure-a=b; Path=/; Secure", Cookie("__Secure-a", "b", "app.example.com", "/", secure=True)),
        ("a=é; Path=/", Cookie("a", "é", "app.example.com", "/")),
    ],
    ids=lambda value: value[:48] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_cookie_is_kept_with_its_attributes(field: str, cookie: Cookie) -> None:
    assert jar(field).cookies == (cookie,)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "a",
        "=b",
        "; Path=/",
        "a=" + "x" * 4096,
        "a=b\x00",
        "a=b\r\nX-Evil: 1",
        "a=b; Domain=com",
        "a=b; Domain=.com",
        "a=b; Domain=..example.com",
        "a=b; Domain=other.example.com",
        "a=b; Domain=example.com.evil",
        "a=b; Domain=ple.com",
        "a=b; Domain=login.app.example.com",
        "__Host-a=b; Path=/",
        "__Host-a=b; Path=/x; Secure",
        "__host-a=b; Path=/; Secure; Domain=app.example.com",
        "__Secure-a=b; Path=/",
        "__SECURE-a=b",
        "a=b; Max-Age=0",
        "a=b; Max-Age=-1",
        "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ],
    ids=lambda value: value[:40],
)
def test_what_is_no_cookie_or_not_this_servers_to_set_is_ignored(field: str) -> None:
    assert jar(field).cookies == ()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21-Oct-2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed Oct 21 07:28:00 2015", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("21 october 2015 7:28:0", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21-Oct-70 07:28:00 GMT", datetime(1970, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21-Oct-69 07:28:00 GMT", datetime(2069, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 2015 07:28:00 GMT+0200", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 2015", None),
        ("Wed, 21 Oct 07:28:00", None),
        ("Wed, 32 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 24:28:00 GMT", None),
        ("Sun, 21 Oct 1601 07:28:00 GMT", datetime(1601, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 1600 07:28:00 GMT", None),
        ("2015-10-21T07:28:00Z", None),
        ("", None),
    ],
)
def test_dates_of_cookies_are_read_as_servers_write_them(text: str, moment: datetime | None) -> None:
    assert cookie_date(text) == (None if moment is None else moment.timestamp())


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_any_date_in_the_usual_forms_is_read(moment: datetime) -> None:
    aware = moment.replace(microsecond=0, tzinfo=UTC)
    assert cookie_date(format_datetime(aware, usegmt=True)) == aware.timestamp()
    assert cookie_date(aware.strftime("%a, %d-%b-%Y %H:%M:%S GMT")) == aware.timestamp()
    assert cookie_date(aware.ctime()) == aware.timestamp()


@pytest.mark.parametrize(
    ("field", "url", "sent"),
    [
        ("a=b; Path=/", "https://app.example.com/", True),
        ("a=b; Path=/", "https://APP.example.com:8443/x", True),
        ("a=b; Path=/", "https://app.example.com", True),
        ("a=b; Path=/", "https://app.example.com?q", True),
        ("a=b; Path=/", "http://app.example.com/", True),
        ("a=b; Path=/; Secure", "http://app.example.com/", False),
        ("a=b; Path=/; Secure", "https://app.example.com/", True),
        ("a=b; Path=/", "https://example.com/", False),
        ("a=b; Path=/", "https://x.app.example.com/", False),
        ("a=b; Path=/; Domain=example.com", "https://example.com/", True),
        ("a=b; Path=/; Domain=example.com", "https://x.example.com/", True),
        ("a=b; Path=/; Domain=example.com", "https://notexample.com/", False),
        ("a=b; Path=/; Domain=example.com", "https://example.com.evil/", False),
        ("a=b; Path=/x", "https://app.example.com/x", True),
        ("a=b; Path=/x", "https://app.example.com/x/y", True),
        ("a=b; Path=/x", "https://app.example.com/xy", False),
        ("a=b; Path=/x/", "https://app.example.com/x/y", True),
        ("a=b; Path=/x/", "https://app.example.com/x", False),
        ("a=b", "https://app.example.com/accounts/login", True),
        ("a=b", "https://app.example.com/accounts/", False),
        ("a=b; Max-Age=60", "https://app.example.com/accounts/login", True),
    ],
)
def test_a_cookie_goes_where_it_belongs(field: str, url: str, sent: bool) -> None:
    assert jar(field).header(url, NOW) == ("a=b" if sent else None)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost/", "http://dev.localhost/", "http://[::1]/"]
)
def test_this_machine_counts_as_secure(url: str) -> None:
    made = jar("a=b; Path=/; Secure", url=url)
    assert made.header(url, NOW) == "a=b"
    assert made.header("http://192.0.2.1/", NOW) is None


def test_a_secure_cookie_over_plain_http_is_ignored() -> None:
    assert jar("a=b; Secure", url="http://app.example.com/").cookies == ()


def test_an_address_and_a_single_name_may_name_only_themselves() -> None:
    local = jar("a=b; Domain=localhost; Path=/", url="http://localhost/")
    assert local.header("http://localhost/", NOW) == "a=b"
    assert local.header("http://x.localhost/", NOW) is None
    address = jar("a=b; Domain=127.0.0.1; Path=/", url="http://127.0.0.1/")
    assert address.header("http://127.0.0.1/", NOW) == "a=b"
    assert jar("a=b; Domain=0.0.1", url="http://127.0.0.1/").cookies == ()


def test_a_newer_cookie_replaces_an_older_one_and_an_ended_one_is_gone() -> None:
    first = jar("csrftoken=one; Path=/", "sid=s; Path=/")
    second = first.updated(answered("csrftoken=two; Path=/", "sid=; Path=/; Max-Age=0"), NOW)
    assert second.values == {"csrftoken": "two"}
    assert first.values == {"csrftoken": "one", "sid": "s"}
    other = second.updated(answered("csrftoken=three; Path=/accounts"), NOW)
    assert other.values == {"csrftoken": "three"}
    assert other.header(URL, NOW) == "csrftoken=three; csrftoken=two"
    assert other.updated(answered("csrftoken=four; Path=/"), NOW).values == {"csrftoken": "four"}


def test_a_cookie_ends_with_its_time() -> None:
    made = jar("a=b; Path=/; Max-Age=60")
    assert made.header(URL, NOW + 59) == "a=b"
    assert made.header(URL, NOW + 60) is None
    assert made.updated(answered(), NOW + 61).cookies == ()


def test_an_answer_also_tells_what_it_removes() -> None:
    [cookie] = set_cookies(answered("sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), NOW)
    assert not cookie.lives(NOW)


def test_a_jar_holds_only_so_many_cookies() -> None:
    made = jar(*(f"c{number}=x; Path=/" for number in range(5000)))
    assert len(made.cookies) == 200
    assert "c4999" in made.values and "c0" not in made.values


def test_values_are_masked_from_then_on_but_not_words() -> None:
    made = jar("sid=fresh-session-1", "dark=true")
    assert REDACTOR.text("fresh-session-1 true") == "*** true"
    REDACTOR.clear()
    Jar.of(made.plain())
    assert REDACTOR.text("fresh-session-1 true") == "*** true"


def test_a_stored_jar_is_the_same_and_what_is_no_cookie_is_left_out() -> None:
    made = jar("a=b; Path=/; Max-Age=60; Secure", "c=d; Domain=example.com")
    stored = json.loads(json.dumps(made.plain()))
    assert Jar.of(stored) == made
    junk: list[Any] = [
        {"name": "a"},
        {**stored[0], "color": 1},
        {**stored[0], "value": 5},
        {**stored[0], "expires": "x"},
    ]
    assert Jar.of([*junk, *stored]) == made


@given(st.lists(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))), max_size=3))
def test_no_field_whatever_its_characters_is_an_error(fields: list[str]) -> None:
    made = jar(*fields)
    assert Jar.of(made.plain()) == made
    assert made.header(URL, NOW) is None or made.header(URL, NOW)


pieces = st.sampled_from(
    "a=b;sid=1; Path=/; Path=/x; path=; Domain=example.com; domain=.com; Secure; HttpOnly; Max-Age=60; Max-Age=0;"
    " Max-Age=-1; Expires=Wed, 21-Oct-2015 07:28:00 GMT; Expires=; ;=;==;\t;\x00; SameSite=None".split(";")
)


@given(st.lists(pieces, max_size=6).map(";".join))
def test_no_mixture_of_attributes_is_an_error_and_none_lets_a_cookie_out_of_its_site(field: str) -> None:
    for cookie in jar(field).cookies:
        assert cookie.domain in ("example.com", "app.example.com")
        assert cookie.lives(NOW)
        assert Jar((cookie,)).header("https://evil.example/", NOW) is None


hosts = st.sampled_from(["example.com", "app.example.com", "x.app.example.com", "example.org", "notexample.com"])
paths = st.sampled_from(["/", "/x", "/x/", "/x/y", "/xy"])
fields = st.builds(
    lambda name, path, domain, secure, age: f"{name}=v{path}{domain}{secure}{age}",
    st.sampled_from(["a", "b"]),
    paths.map(lambda path: f"; Path={path}"),
    st.sampled_from(["", "; Domain=example.com", "; Domain=app.example.com", "; Domain=example.org"]),
    st.sampled_from(["", "; Secure"]),
    st.sampled_from(["", "; Max-Age=60", "; Max-Age=0", "; Expires=Wed, 21-Oct-2099 07:28:00 GMT"]),
)


@given(hosts, paths, st.lists(fields, max_size=4), hosts, paths)
def test_the_standard_library_sends_the_same_cookies(
    host: str, path: str, given_fields: list[str], other: str, place: str
) -> None:
    """Over https, and where the library has no rules older than RFC 6265: it keeps a host's own domain apart."""
    assume(not any(f"Domain={host};" in f"{field};" for field in given_fields))
    url, there = f"https://{host}{path}", f"https://{other}{place}"
    theirs = CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
    now = datetime.now(UTC).timestamp()
    ours = Jar()
    # One to an answer: in a single one the library removes cookies before it sets any.
    for field in given_fields:
        message = Message()
        message["Set-Cookie"] = field
        theirs.extract_cookies(cast(Any, SimpleNamespace(info=lambda told=message: told)), urllib.request.Request(url))
        ours = ours.updated(answered(field, url=url), now)
    asked = urllib.request.Request(there)
    theirs.add_cookie_header(asked)
    expected = sorted(filter(None, (asked.get_header("Cookie") or "").split("; ")))
    assert sorted(filter(None, (ours.header(there, now) or "").split("; "))) == expected


def test_cookies_cannot_be_changed() -> None:
    [cookie] = jar("a=b").cookies
    assert replace(cookie, value="c").value == "c"
    with pytest.raises(AttributeError):
        cookie.value = "c"  # type: ignore[misc]  # that is the point
