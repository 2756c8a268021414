from __future__ import annotations

import contextlib
import re
from socket import inet_aton, inet_ntoa
from typing import Any

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from forge_cli.errors import RedirectException, RequestBuildException
from forge_cli.models import Headers, PreparedRequest
from forge_cli.transport.redirects import address, next_request, origin

HOME = "https://api.example/v1/items?page=1"
BODY_FIELDS = (("Content-Type", "application/json"), ("Content-Length", "2"), ("Content-Encoding", "gzip"))


class Replayable:
    replayable = True


class OneShot:
    replayable = False


def follow(
    status: int,
    location: str,
    *,
    url: str = HOME,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    body: Any = None,
    homes: tuple[str, ...] = (HOME,),
    post_to_get: bool = True,
    **prepared: Any,
) -> PreparedRequest | None:
    return next_request(
        PreparedRequest(method, url, Headers(headers), body, **prepared),
        status,
        Headers([("Location", location)]),
        allowed=lambda target: any(origin(target) == origin(home) for home in homes),
        post_to_get=post_to_get,
    )


def followed(status: int, location: str, **kw: Any) -> PreparedRequest:
    following = follow(status, location, **kw)
    assert following is not None
    return following


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://api.example/x", ("http", "api.example", 80)),
        ("HTTPS://API.Example", ("https", "api.example", 443)),
        ("https://api.example:8443?x", ("https", "api.example", 8443)),
        ("https://api.example:/", ("https", "api.example", 443)),
        ("https://user:pass@api.example/", ("https", "api.example", 443)),
        ("http://[::1]:8080/", ("http", "::1", 8080)),
        ("http://[0:0:0:0:0:0:0:1]/", ("http", "::1", 80)),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80)),
        ("http://BÜCHER。example/", ("http", "xn--bcher-kva.example", 80)),
        ("http://straße.example/", ("http", "xn--strae-oqa.example", 80)),
        ("http://my_host/", ("http", "my_host", 80)),
        ("http://127.1:8080/", ("http", "127.0.0.1", 8080)),
        ("http://0x7F.1/", ("http", "127.0.0.1", 80)),
        ("http://2130706433/", ("http", "127.0.0.1", 80)),
        ("http://1.2.3.4.example/", ("http", "1.2.3.4.example", 80)),
        ("http://a.example/\\evil", ("http", "a.example", 80)),
    ],
)
def test_the_origin_is_scheme_host_and_port(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "/path",
        "//evil/x",
        "http:evil",
        "http:/evil",
        "http:///evil",
        " http://evil",
        "http://evil ",
        "http://e vil/",
        "http://good\\@evil/",
        "http://good@bad@evil/",
        "http:\\\\evil",
        "http://evil\t/",
        "http://evil/\r\nx",
        "ftp://host/",
        "httpſ://host/",
        "http://host:99999/",
        "http://host:0/",
        "http://host:8a/",
        "http://a..b/",
        "http://-%2e-/",
        "http://[::1",
        "http://[1.2.3.4]/",
        "http://[::1]x/",
        "http://a\u2100b/",
        "http://a\u200bb.example/",
        "http://" + "a" * 64 + ".example/",
        "http://1.2.3.4.5/",
        "http://example.256/",
        "http://1.2.3.999/",
    ],
)
def test_what_parsers_could_read_in_two_ways_is_no_url(url: str) -> None:
    with pytest.raises(RequestBuildException):
        origin(url)


@given(
    st.text(alphabet="aZ0.-_~:/\\@?#[]% \t\r\n。ßé%2e", max_size=20),
    st.sampled_from(["http://", "https://", "http:/", "http:"]),
)
def test_a_url_means_the_host_that_is_connected_to(text: str, start: str) -> None:
    with contextlib.suppress(RequestBuildException, LocationParseError):
        mine = address(start + text)
        theirs = parse_url(f"{mine}{mine.target}")
        assert (
            theirs.scheme,
            (theirs.host or "").strip("[]"),
            theirs.port or {"http": 80, "https": 443}[mine.scheme],
        ) == origin(start + text)
        if text.isascii():
            direct = parse_url(start + text)
            host = (direct.host or "").strip("[]")
            # A host that ends in a number is an address, however it is written.
            assert host == mine.host or inet_aton(host) == inet_aton(mine.host)


@given(
    st.text(alphabet=st.characters(categories=["Ll", "Lu", "Nd", "Lo"], max_codepoint=0x2FFF), min_size=1, max_size=12)
)
def test_a_host_that_the_idna_library_accepts_is_encoded_as_it_does(label: str) -> None:
    try:
        expected = idna.encode(label, uts46=True, std3_rules=True).decode()
        expected = inet_ntoa(inet_aton(expected)) if re.fullmatch("[0-9]+|0x[0-9a-f]*", expected) else expected
        mine = origin(f"http://{label}/")[1]
    except (idna.IDNAError, RequestBuildException, OSError):
        return
    # Names that only the library's tables map otherwise must at least not become another plain ASCII name.
    assert mine == expected or mine.startswith("xn--")


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 400])
def test_other_statuses_are_not_followed(status: int) -> None:
    assert follow(status, "/x") is None


def test_a_redirect_without_a_location_is_not_followed() -> None:
    for fields in ([], [("Location", "")]):
        prepared = PreparedRequest("GET", HOME)
        assert next_request(prepared, 302, Headers(fields), allowed=lambda _: True, post_to_get=True) is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://api.example/new", "https://api.example/new"),
        ("//api.example/new", "https://api.example/new"),
        ("/new", "https://api.example/new"),
        ("other", "https://api.example/v1/other"),
        ("../other", "https://api.example/other"),
        ("../../../x/./y/..", "https://api.example/x/"),
        ("?page=2", "https://api.example/v1/items?page=2"),
        ("#part", "https://api.example/v1/items?page=1#part"),
        ("https://api.example", "https://api.example/"),
        ("https://api.example?x", "https://api.example/?x"),
        (" /padded ", "https://api.example/padded"),
        ("/a b/ü?q=<é>", "https://api.example/a%20b/%C3%BC?q=%3C%C3%A9%3E"),
        ("/done%20%2f?x=%e4&y=100%", "https://api.example/done%20%2f?x=%e4&y=100%"),
        ("/\\evil", "https://api.example/%5Cevil"),
        ("\\\\evil", "https://api.example/v1/%5C%5Cevil"),
        ("1:2", "https://api.example/v1/1:2"),
        ("https://user:pass@api.example/x", "https://api.example/x"),
        ("HTTPS://API.example:443/x", "https://api.example/x"),
    ],
)
def test_a_location_is_resolved_against_the_url(location: str, url: str) -> None:
    assert followed(302, location).url == url


def test_a_fragment_is_carried_over_unless_the_location_has_one() -> None:
    assert followed(302, "/x", url="http://h/a#here", homes=()).url == "http://h/x#here"
    assert followed(302, "/x#there", url="http://h/a#here", homes=()).url == "http://h/x#there"


@pytest.mark.parametrize(
    "location",
    [
        "http:evil",
        "http:/evil",
        "https:///evil",
        "///evil",
        "//",
        "https://good\\@evil/",
        "//good\\@evil/",
        "https://a b/",
    ],
)
def test_a_location_that_is_no_url_is_refused(location: str) -> None:
    with pytest.raises(RedirectException, match="not an http or https URL"):
        follow(302, location)


@pytest.mark.parametrize("location", ["/x\r\nSet-Cookie: a=b", "/x\0", "java\tscript:x", "\x7f"])
def test_control_characters_in_a_location_are_refused(location: str) -> None:
    with pytest.raises(RedirectException, match="control characters"):
        follow(302, location)


@pytest.mark.parametrize("location", ["ftp://h/x", "file:///etc/passwd", "javascript:alert(1)", "mailto:a@b"])
def test_only_http_and_https_are_followed(location: str) -> None:
    with pytest.raises(RedirectException, match="only http and https"):
        follow(302, location)


def test_two_different_locations_are_refused() -> None:
    fields = Headers([("Location", "/a"), ("location", "/b")])
    with pytest.raises(RedirectException, match="more than one"):
        next_request(PreparedRequest("GET", HOME), 302, fields, allowed=lambda _: True, post_to_get=True)


def test_a_step_down_from_https_is_refused_even_at_home() -> None:
    with pytest.raises(RedirectException, match="leave TLS"):
        follow(302, "http://api.example/x", homes=(HOME, "http://api.example"))


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_the_method_changes_as_the_standard_says(status: int, method: str, then: str) -> None:
    following = followed(status, "/x", method=method, headers=(*BODY_FIELDS, ("X-Kept", "1")), body=b"{}", parts=())
    assert following.method == then
    rewritten = status == 303 or then != method
    assert following.body == (None if rewritten else b"{}")
    assert ("content-type" in following.headers) is not rewritten
    assert ("Content-Length" in following.headers) is not rewritten
    assert following.headers["X-Kept"] == "1"


@pytest.mark.parametrize("status", [301, 302])
def test_a_post_is_not_turned_into_a_get_unasked(status: int) -> None:
    assert follow(status, "/x", method="POST", body=b"{}", post_to_get=False) is None
    assert followed(303, "/x", method="POST", body=b"{}", post_to_get=False).method == "GET"


SECRETS = (
    ("Authorization", "Bearer user-token-1"),
    ("X-Api-Key", "user-key-1"),
    ("Cookie", "session=user-session-1"),
    ("X-Tenant", "acme"),
    ("Host", "virtual.example"),
    ("Accept", "*/*"),
)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/",
        "//evil.example/",
        "https://api.example:8443/",
        "https://api.example.evil.example/",
        "https://sub.api.example/",
        "https://api.example@evil.example/",
    ],
)
def test_another_origin_gets_no_credentials(location: str) -> None:
    following = followed(302, location, headers=SECRETS, credentials=frozenset({"x-tenant"}))
    assert following.headers.pairs == (("Accept", "*/*"),)
    assert following.credentials == frozenset()


def test_http_to_https_is_another_origin_too() -> None:
    following = followed(
        301, "https://api.example/", url="http://api.example/", headers=SECRETS, homes=("http://api.example",)
    )
    assert "Authorization" not in following.headers


def test_the_same_origin_keeps_everything() -> None:
    following = followed(302, "/x", headers=SECRETS, credentials=frozenset({"x-tenant"}))
    assert following.headers.pairs == SECRETS
    assert following.credentials == {"x-tenant"}


def test_an_allowed_origin_keeps_credentials_but_not_the_host_field() -> None:
    following = followed(302, "https://other.example/", headers=SECRETS, homes=(HOME, "https://other.example"))
    assert following.headers.pairs == tuple(pair for pair in SECRETS if pair[0] != "Host")


def test_what_was_meant_for_a_foreign_origin_stays_there() -> None:
    there = "https://foreign.example/"
    assert "Authorization" in followed(302, "/x", url=there, headers=SECRETS).headers
    assert "Authorization" not in followed(302, HOME, url=there, headers=SECRETS).headers


def test_query_credentials_are_taken_out_elsewhere() -> None:
    location = "https://evil.example/x?a=1&api%5Fkey=user-key-1&b=2#f"
    assert followed(302, location, query_credentials=frozenset({"api_key"})).url == "https://evil.example/x?a=1&b=2#f"
    assert followed(302, "https://e.example/?k=1", query_credentials=frozenset({"k"})).url == "https://e.example/"


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_is_not_carried_to_another_origin(status: int) -> None:
    with pytest.raises(RedirectException, match=r"body to https://evil\.example, and is refused"):
        follow(status, "https://evil.example/?token=user-token-1", method="POST", body=b"{}")
    assert followed(status, "https://evil.example/").method == "GET"


def test_a_body_that_can_be_read_only_once_is_not_sent_again() -> None:
    with pytest.raises(RedirectException, match="only once"):
        follow(307, "/x", method="POST", body=OneShot())
    assert followed(307, "/x", method="POST", body=Replayable()).method == "POST"


@given(st.text(max_size=30))
def test_any_location_is_followed_or_refused(location: str) -> None:
    with contextlib.suppress(RedirectException):
        following = follow(302, location, headers=SECRETS)
        if following is not None and "Authorization" in following.headers:
            assert origin(following.url) == origin(HOME)
            assert parse_url(following.url).host == "api.example"
