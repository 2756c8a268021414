"""Heads of messages: HTTP/1.1 lines without secrets and without control characters."""

from __future__ import annotations

from forge_cli.cli.output.heads import request_head, response_head
from forge_cli.models import Headers, PreparedRequest
from forge_cli.redact import Redactor
from forge_cli.transport.decode import accept_encoding


def known(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


def test_a_request_head_is_what_goes_over_the_wire_without_its_secrets() -> None:
    headers = Headers([("Accept", "*/*"), ("Authorization", "Bearer user-token-1"), ("X-Id", "a user-token-1")])
    prepared = PreparedRequest("POST", "https://h:8443/a/user-token-1?q=1&api_key=key-1234", headers)
    assert request_head(prepared, False, known("user-token-1")) == (
        "POST /a/***?q=1&api_key=*** HTTP/1.1\nHost: h:8443\nAccept: */*\nAuthorization: Bearer ***\nX-Id: a ***\n"
        f"Accept-Encoding: {accept_encoding()}\n"
    )


def test_what_stands_for_an_absent_secret_is_shown_as_it_is() -> None:
    url = "http://h/a?k=%3Ctoken%3Afinish%3E&api_key=%3Credacted%3E&v=Token+%3Ctoken%3Aapp%3E&x=%3Cb%3E&secret=abcd"
    assert request_head(PreparedRequest("GET", url, Headers()), False, known()).splitlines()[0] == (
        "GET /a?k=<token:finish>&api_key=<redacted>&v=Token+<token:app>&x=%3Cb%3E&secret=*** HTTP/1.1"
    )


def test_a_request_keeps_its_own_host_field() -> None:
    prepared = PreparedRequest("GET", "http://user:pass-1234@h", Headers({"host": "other"}))
    assert request_head(prepared, False, known()) == (
        f"GET / HTTP/1.1\nhost: other\nAccept-Encoding: {accept_encoding()}\n"
    )


def test_a_request_that_says_what_may_be_encoded_is_shown_as_it_is() -> None:
    prepared = PreparedRequest("GET", "http://h/", Headers({"accept-encoding": "identity"}))
    assert request_head(prepared, False, known()) == "GET / HTTP/1.1\nHost: h\naccept-encoding: identity\n"


def test_a_response_head_cannot_drive_the_terminal() -> None:
    headers = Headers(
        [("X-A", "\x1b]0;x\x07\u202e"), ("X-B\x1b", "a\r\nb"), ("Set-Cookie", "sid=session-1"), ("X-A", "2")]
    )
    assert response_head("HTTP/1.1", 200, "\x1b[2JOK", headers, False, known()) == (
        "HTTP/1.1 200 \\x1b[2JOK\nX-A: \\x1b]0;x\\x07\\u202e\nX-B\\x1b: a\\r\\nb\nSet-Cookie: ***\nX-A: 2\n"
    )


def test_heads_are_coloured_by_status() -> None:
    codes = {status: response_head("HTTP/1.1", status, "", Headers(), True, known()) for status in (200, 302, 404, 500)}
    assert codes == {
        200: "HTTP/1.1 \x1b[32m200\x1b[0m\n",
        302: "HTTP/1.1 \x1b[33m302\x1b[0m\n",
        404: "HTTP/1.1 \x1b[31m404\x1b[0m\n",
        500: "HTTP/1.1 \x1b[31m500\x1b[0m\n",
    }


def test_a_coloured_request_has_the_same_text() -> None:
    prepared = PreparedRequest("GET", "http://h/", Headers({"Accept-Encoding": "b"}))
    assert request_head(prepared, True, known()) == (
        "\x1b[1;32mGET\x1b[0m \x1b[1m/\x1b[0m HTTP/1.1\n\x1b[36mHost\x1b[0m: h\n\x1b[36mAccept-Encoding\x1b[0m: b\n"
    )
