"""From words to a request."""

from __future__ import annotations

import io
import os
import re
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
        ([], {"data": ("x",)}, b"x", "application/x-www-form-urlencoded"),
        ([], {"data": ("",)}, b"", "application/x-www-form-urlencoded"),
        ([], {"data": ("{}",), "json": True}, b"{}", "application/json"),
        ([], {"data": ("@-",)}, b"from stdin\n", "application/x-www-form-urlencoded"),
        ([], {"data": ("a=1", "b", "c=2")}, b"a=1&b&c=2", "application/x-www-form-urlencoded"),
        ([], {"data": ("a=1", "@v.txt", "@-")}, b"a=1&\xff\n&from stdin\n", "application/x-www-form-urlencoded"),
        (["@v.txt;type=text/csv"], {}, b"\xff\n", "text/csv"),
        (["@~/v.txt;type=text/csv"], {}, b"home", "text/csv"),
        ([], {"data": ("@~/v.txt",)}, b"home", "application/x-www-form-urlencoded"),
        (["@-;type=text/csv"], {"json": True}, b"from stdin\n", "text/csv"),
        (["a=@-"], {}, b'{"a": "from stdin\\n"}', "application/json"),
        (["a=@~/v.txt"], {}, b'{"a": "home"}', "application/json"),
        (["Content-Type:text/csv", "a=1"], {}, b'{"a": "1"}', "text/csv"),
        (["Content-Type:", "a=1"], {}, b'{"a": "1"}', None),
    ],
    ids=repr,
)
def test_bodies(
    run: Run, words: list[str], options: dict[str, Any], body: bytes | None, content_type: str | None
) -> None:
    Path("v.txt").write_bytes(b"\xff\n")
    Path("~/v.txt").expanduser().write_bytes(b"home")
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


def test_parts_keep_the_order_of_the_items(run: Run) -> None:
    Path("f").write_bytes(b"file")
    body = prepared(run, "a=1", "f@f", "b;type=text/x=2", "a:=3", "g@-", "f@f;filename=h").body
    assert isinstance(body, bytes)
    heads = re.findall(rb'name="(\w+)"(?:; filename="(\w+)")?(?:\r\nContent-Type: (\S+))?\r\n\r\n(\S*)', body)
    assert heads == [
        (b"a", b"", b"", b"1"),
        (b"f", b"f", b"application/octet-stream", b"file"),
        (b"b", b"", b"text/x", b"2"),
        (b"a", b"", b"", b"3"),
        (b"g", b"g", b"application/octet-stream", b"from"),
        (b"f", b"h", b"application/octet-stream", b"file"),
    ]


@pytest.mark.parametrize("words", [("a=@-", "@-"), ("a=@-", "X:@-"), ("a=@-", "f@-")], ids=" ".join)
def test_standard_input_is_read_once(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"standard input|two bodies"):
        prepared(run, *words)


@pytest.mark.parametrize("word", ["Host:", "content-length:"])
def test_a_header_that_a_request_needs_cannot_be_left_out(run: Run, word: str) -> None:
    with pytest.raises(UsageError, match="cannot be left out") as caught:
        prepared(run, word)
    assert caught.value.hint
    with pytest.raises(UsageError, match="cannot be left out"):
        prepared(run, headers=(word,))


def test_several_pieces_of_data_are_no_json(run: Run) -> None:
    with pytest.raises(UsageError, match="several --data make a form"):
        prepared(run, data=("{}", "{}"), json=True)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (":8766/x", "http://localhost:8766/x"),
        ("127.0.0.1:8766/echo", "http://127.0.0.1:8766/echo"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("api.example.com:80", "http://api.example.com:80"),
        ("localhost/x", "http://localhost/x"),
        ("/x", None),
        ("users/1", None),
        ("v1.2/x", None),
        ("http://127.0.0.1:1/x", None),
        ("a:b", None),
    ],
)
def test_what_looks_like_a_server_is_said_to_be_a_path(run: Run, url: str, server: str | None) -> None:
    build_request(run, "GET", url, (), RequestOptions())
    said = run.stderr.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert said == (
        ""
        if server is None
        else f"forge: {url!r} is taken as a path of the profile's API; the server would be {server}\n"
    )


class TestStandardInput:
    def body(self, run: Run, *words: str) -> Any:
        return encode(build_request(run, "PUT", URL, words, RequestOptions())).body

    def pipe(self, run: Run, content: bytes) -> None:
        run.stdin = io.TextIOWrapper(io.BytesIO(content))

    def test_what_is_short_can_be_sent_again(self, run: Run) -> None:
        self.pipe(run, b"x" * 1000)
        assert self.body(run, "@-") == b"x" * 1000

    @pytest.mark.parametrize("word", ["@-", "f@-"])
    def test_what_is_long_is_read_when_it_is_sent_and_once(self, run: Run, word: str) -> None:
        content = os.urandom(3 << 20)
        self.pipe(run, content)
        body = self.body(run, word)
        assert (body.replayable, body.length) == (False, None)
        assert run.stdin is not None
        assert run.stdin.buffer.tell() == 1 << 20
        assert content in b"".join(body.open())

    def test_it_is_sent_at_once_when_that_is_asked_for(self, run: Run) -> None:
        self.pipe(run, b"x")
        body = self.body(run, "@-", "Transfer-Encoding:chunked")
        assert run.stdin is not None
        assert run.stdin.buffer.tell() == 0
        assert b"".join(body.open()) == b"x"

    def test_a_redirected_file_has_a_length_and_can_be_sent_again(self, run: Run) -> None:
        Path("f").write_bytes(b"content")
        with open("f", encoding="utf-8") as file, run.resources:
            run.stdin = file
            body = self.body(run, "@-")
            assert (body.replayable, body.length, body.path) == (True, 7, None)
            assert [b"".join(body.open()) for _ in range(2)] == [b"content"] * 2


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
