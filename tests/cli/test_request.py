"""From words to a request."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from forge_cli.cli.request import RequestOptions, build_request, credential, secret
from forge_cli.cli.run import Run
from forge_cli.encode import encode
from forge_cli.errors import NeedsPerson, UsageError
from forge_cli.models import HttpRequest, PreparedRequest
from forge_cli.redact import REDACTOR

URL = "https://api.example.com/x"


@pytest.fixture
def run() -> Run:
    made = Run("forge", {"LOGIN": "ada:pass-word-1", "EMPTY": ""})
    made.stdin, made.stderr = io.TextIOWrapper(io.BytesIO(b"from stdin\n")), io.StringIO()
    return made


def prepared(
    run: Run, *words: str, method: str = "POST", defaults: tuple[str, ...] = (), **options: Any
) -> PreparedRequest:
    with run.resources:
        made = encode(build_request(run, method, URL, words, RequestOptions(**options), defaults))
        body = made.body if made.body is None or isinstance(made.body, bytes) else b"".join(made.body.open())
    return PreparedRequest(made.method, made.url, made.headers, body)


@pytest.mark.parametrize(
    ("words", "options", "body", "content_type"),
    [
        ([], {}, None, None),
        (["a=1"], {}, b'{"a": "1"}', "application/json"),
        (["n:=12345678901234567890.10"], {}, b'{"n": 12345678901234567890.10}', "application/json"),
        (["a=1"], {"form": True}, b"a=1", "application/x-www-form-urlencoded"),
        ([], {"form": True}, None, None),
        (["@-"], {}, b"from stdin\n", "application/json"),
        (["@-"], {"form": True}, b"from stdin\n", "application/x-www-form-urlencoded"),
        ([], {"data": "x"}, b"x", "application/x-www-form-urlencoded"),
        ([], {"data": ""}, b"", "application/x-www-form-urlencoded"),
        ([], {"data": "{}", "json": True}, b"{}", "application/json"),
        ([], {"data": "@-"}, b"from stdin\n", "application/x-www-form-urlencoded"),
        (["Content-Type:text/csv", "a=1"], {}, b'{"a": "1"}', "text/csv"),
        (["Content-Type:", "a=1"], {}, b'{"a": "1"}', None),
    ],
    ids=repr,
)
def test_bodies(
    run: Run, words: list[str], options: dict[str, Any], body: bytes | None, content_type: str | None
) -> None:
    made = prepared(run, *words, **options)
    assert made.body == body
    assert made.headers.get("Content-Type") == content_type


def test_headers_of_the_profile_are_not_overruled_by_what_fits_the_body(run: Run) -> None:
    made = prepared(run, "a=1", defaults=("content-type", "Accept"))
    assert "Content-Type" not in made.headers
    assert made.headers["Accept"] == "*/*"
    assert prepared(run, "a=1").headers["Accept"] == "application/json, */*;q=0.5"


def test_query_of_options_comes_before_that_of_items(run: Run) -> None:
    assert prepared(run, "b==2", query=("a=1", "c=x=y")).url == f"{URL}?a=1&c=x%3Dy&b=2"


def test_a_header_left_out_and_given_again_is_there(run: Run) -> None:
    assert prepared(run, "A:", "A:1", "a:2").headers.get_all("A") == ["1", "2"]
    assert "Accept" not in prepared(run, "accept:").headers


def test_files_are_open_until_the_command_ends(run: Run) -> None:
    Path("f").write_bytes(b"content")
    with run.resources:
        request = build_request(run, "PUT", URL, ("@f",), RequestOptions())
        assert request.content.read() == b"content"
    assert request.content.closed


@pytest.mark.parametrize(
    ("text", "value"), [("env:LOGIN", "ada:pass-word-1"), ("@f", "from a file"), ("-", "from stdin"), ("abcd", "abcd")]
)
def test_a_secret_is_found_and_redacted_from_then_on(run: Run, text: str, value: str) -> None:
    Path("f").write_bytes(b"from a file\r\n")
    with run.resources:
        assert secret(run, "--bearer", text) == value
    assert REDACTOR.text(value) == "***"


@pytest.mark.parametrize("text", ["env:NOT_THERE", "env:EMPTY", "env:", "@not-there"])
def test_a_secret_that_is_not_there_is_a_usage_error(run: Run, text: str) -> None:
    with pytest.raises(UsageError, match=r"--bearer|cannot read"):
        secret(run, "--bearer", text)


@pytest.mark.parametrize(
    ("user", "auth"),
    [
        ("ada:pass-word-1", ("ada", "pass-word-1")),
        ("ada:", ("ada", "")),
        ("ada:a:b", ("ada", "a:b")),
        (":pass-word-1", ("", "pass-word-1")),
        ("env:LOGIN", ("ada", "pass-word-1")),
        ("ada:env:LOGIN", ("ada", "ada:pass-word-1")),
    ],
    ids=repr,
)
def test_a_user_and_a_password(run: Run, user: str, auth: tuple[str, str]) -> None:
    assert credential(run, HttpRequest("GET", URL), RequestOptions(user=user)).auth == auth


def test_a_password_that_nobody_can_type_needs_a_person(run: Run) -> None:
    with pytest.raises(NeedsPerson, match="no password"):
        credential(run, HttpRequest("GET", URL), RequestOptions(user="ada"))


def test_without_a_credential_the_request_is_the_same(run: Run) -> None:
    request = HttpRequest("GET", URL)
    assert credential(run, request, RequestOptions()) is request
