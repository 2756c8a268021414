"""`HttpRequest.to_curl()`: one line, in a fixed order, that sends what the client would send."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_cli.curl import to_curl
from forge_cli.encode import encode
from forge_cli.errors import RequestBuildException
from forge_cli.models import HttpMethod, HttpRequest
from forge_cli.redact import REDACTOR
from tests.lookalikes import LOOKALIKES
from tests.server import Reply, Server

if TYPE_CHECKING:
    from tests.conftest import Require

URL = "https://api.example.com/users"
JSON = "-H 'Content-Type: application/json'"
FORM = "-H 'Content-Type: application/x-www-form-urlencoded'"

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "header": ({"headers": {"X-A": "it's"}}, "curl -X GET -H 'X-A: it'\"'\"'s' " + URL),
    "empty header": ({"headers": {"X-A": ""}}, f"curl -X GET -H 'X-A;' {URL}"),
    "repeated header": ({"headers": {"X": ["1", "2"], "Y": None}}, f"curl -X GET -H 'X: 1' -H 'X: 2' {URL}"),
    "basic": ({"auth": ("user", "password")}, f"curl -X GET -u user:password {URL}"),
    "json": ({"json_data": {"a": [1, None]}}, f"curl -X GET {JSON} --data-raw '{{\"a\": [1, null]}}' {URL}"),
    "own json type": (
        {"json_data": 1, "headers": {"content-type": "text/x"}},
        f"curl -X GET -H 'content-type: text/x' --data-raw 1 {URL}",
    ),
    "form": (
        {"data": {"a": ["1", "b c"], "n": None, "t": True}},
        f"curl -X GET {FORM} --data-raw 'a=1&a=b+c&t=true' {URL}",
    ),
    "pairs": ({"data": [("a", "1"), ("a", 2)]}, f"curl -X GET {FORM} --data-raw 'a=1&a=2' {URL}"),
    "text": ({"data": "@x"}, f"curl -X GET -H Content-Type: --data-raw @x {URL}"),
    "bytes": ({"content": b"\0"}, f"printf '\\000' | curl -X GET -H Content-Type: --data-binary @- {URL}"),
    "memory file": ({"data": io.BytesIO(b"x")}, f"curl -X GET -H Content-Type: --data-raw x {URL}"),
    "stream": ({"content": iter([b"x"])}, f"curl -X GET -H Content-Type: --data-binary @- {URL}"),
    "chunks": ({"content": [b"x", "y"]}, f"curl -X GET -H Content-Type: --data-raw xy {URL}"),
    "timeout": ({"timeout": 30}, f"curl -X GET --max-time 30 {URL}"),
    "params": ({"params": {"a": [1, 2], "n": None, "t": False}}, f"curl -X GET '{URL}?a=1&a=2&t=false'"),
    "cookies": ({"cookies": {"a": "1", "b": "2"}}, f"curl -X GET -H 'Cookie: a=1; b=2' {URL}"),
    "more cookies": (
        {"cookies": {"b": "2"}, "headers": {"cookie": "a=1"}},
        f"curl -X GET -H 'Cookie: a=1; b=2' {URL}",
    ),
    "file and field": (
        {"data": {"a": "1"}, "files": {"f": ("x.txt", b"hi", "text/plain")}},
        f'curl -X GET --form-string a=1 -F \'f="hi";type=text/plain;filename="x.txt"\' {URL}',
    ),
    "bare file": (
        {"files": {"f": b"hi"}},
        f'curl -X GET -F \'f="hi";type=application/octet-stream;filename="f"\' {URL}',
    ),
}


@pytest.mark.parametrize(("fields", "expected"), CASES.values(), ids=CASES.keys())
def test_a_request_is_one_line_in_a_fixed_order(fields: dict[str, Any], expected: str) -> None:
    assert to_curl(HttpRequest(HttpMethod.GET, URL, **fields)) == expected


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("/users?a=1#top", {"b": "2"}, "'/users?a=1&b=2#top'"),
        ("https://h/x?", {"b": "2"}, "'https://h/x?b=2'"),
        ("https://h?q", None, "'https://h?q'"),
        ("https://h/a b/é{c}", None, "https://h/a%20b/%C3%A9%7Bc%7D"),
        ("https://h/100%", None, "https://h/100%25"),
        ("https://h/?a[]=1", None, "--globoff 'https://h/?a[]=1'"),
        ("https://[::1]/", None, "--globoff 'https://[::1]/'"),
    ],
    ids=["fragment", "bare question mark", "no path", "unsafe", "stray percent", "brackets", "address"],
)
def test_the_url_comes_last_with_its_query(url: str, params: Any, expected: str) -> None:
    assert to_curl(HttpRequest("GET", url, params=params)) == f"curl -X GET {expected}"


def test_head_is_asked_for_with_its_own_option() -> None:
    assert to_curl(HttpRequest(HttpMethod.HEAD, URL)) == f"curl -I {URL}"


def test_a_named_file_is_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"\0")
    with path.open("rb") as file:
        assert f"--data-binary @{path}" in to_curl(HttpRequest("POST", URL, data=file))
        assert f"-F 'f=@{path};type=application/octet-stream'" in to_curl(HttpRequest("POST", URL, files={"f": file}))


@pytest.mark.parametrize(
    "fields",
    [
        {"json_data": {}, "data": {"a": 1}},
        {"json_data": {}, "content": b""},
        {"files": {"f": b""}, "json_data": {}},
        {"files": {"f": b""}, "data": "raw"},
        {"json_data": float("nan")},
        {"headers": {"X": "a\r\nb"}},
        {"url": "/a\nb"},
    ],
    ids=["json and form", "json and content", "files and json", "files and text", "nan", "header", "url"],
)
def test_what_cannot_be_sent_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildException):
        to_curl(HttpRequest("POST", **{"url": URL, **fields}))


HARD = st.text("'\"$`!\\ \n\r\x1b@#~*?[]{}()<>|&;=%^-+é𝄞ab01", max_size=15)
LINES = HARD.map(lambda text: text.replace("\r", "").replace("\n", ""))


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_each_shell_hands_curl_the_arguments_that_were_meant(require: Require, shell: str) -> None:
    program = require(shell, f"apt-get install {shell}")

    @settings(max_examples=30)
    @given(HARD, LINES.filter(str.strip), LINES, LINES)
    def check(body: str, value: str, user: str, field: str) -> None:
        headers = {"X": value, "Content-Type": "a"}
        raw = to_curl(HttpRequest("PUT", URL, headers=headers, content=body, auth=(user, field)))
        parts = to_curl(HttpRequest("PUT", URL, data={"f": field}, files={"g": (user, body)}))
        script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{raw}\n{parts}"
        done = subprocess.run([program, "-c", script], capture_output=True, check=True)
        quoted, name = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (body, user))
        assert done.stdout.decode().split("\0")[:-1] == [
            *(
                "-X",
                "PUT",
                "-H",
                f"X: {value}",
                "-H",
                "Content-Type: a",
                "-u",
                f"{user}:{field}",
                "--data-raw",
                body,
                URL,
            ),
            *("-X", "PUT", "--form-string", f"f={field}"),
            *("-F", f'g="{quoted}";type=application/octet-stream;filename="{name}"', URL),
        ]

    check()


def test_masking_hides_what_is_named_like_a_secret() -> None:
    request = HttpRequest(
        "POST",
        URL + "?api_key=key-1234",
        headers={"Authorization": "Bearer user-token-1", "X-Api-Key": "key-1234", "X-Plain": "plain"},
        params={"access_token": "user-token-1", "page": "2"},
        json_data={"user": "ann", "password": "pass-1234", "deep": [{"token": "user-token-1"}]},
        auth=("ann", "pass-1234"),
        cookies={"sid": "session-1"},
    )
    text = to_curl(request, mask=True)
    assert not any(secret in text for secret in ("user-token-1", "key-1234", "pass-1234", "session-1"))
    assert all(plain in text for plain in ("Bearer ***", "ann:***", "page=2", "plain", '"user": "ann"'))


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"password": "pass-1234"}},
        {"data": '{"password": "pass-1234"}'},
        {"files": {"f": b"x"}, "data": {"password": "pass-1234"}},
    ],
    ids=["form", "text", "parts"],
)
def test_masking_covers_each_kind_of_body(fields: dict[str, Any]) -> None:
    request = HttpRequest("POST", URL, **fields)
    assert "pass-1234" in to_curl(request)
    assert "pass-1234" not in to_curl(request, mask=True)


@pytest.mark.parametrize("value", LOOKALIKES.values(), ids=LOOKALIKES.keys())
@pytest.mark.parametrize("kind", ["json", "json text", "form", "form text", "xml", "parts"])
def test_what_only_looks_like_a_token_is_not_masked(kind: str, value: str) -> None:
    REDACTOR.add("known-secret-5511")
    fields = {"id": value, "text": "known-secret-5511", "api_key": "named-secret-5511"}
    bodies: dict[str, dict[str, Any]] = {
        "json": {"json_data": fields},
        "json text": {"content": json.dumps(fields)},
        "form": {"data": fields},
        "form text": {"data": "&".join(f"{name}={text}" for name, text in fields.items())},
        "xml": {"content": "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())},
        "parts": {"data": fields, "files": {"image": ("x.txt", value)}},
    }
    headers = {"X-Id": value, "X-Api-Key": "named-secret-5511", "X-Note": "known-secret-5511"}
    text = HttpRequest("POST", URL, headers=headers, params={"of": value}, **bodies[kind]).to_curl(redact=True)
    assert unquote(text).count(value) == (4 if kind == "parts" else 3)
    assert "secret-5511" not in text


@pytest.mark.parametrize(
    "fields",
    [
        {"json_data": {"a": "it's é $(x)"}},
        {"data": {"a": ["1", "b c&"], "t": True}},
        {"data": "a\r\nb"},
        {"data": {}},
        {"content": bytes(range(256))},
        {"params": {"a": ["é/", "b c"], "t": True}, "url": "/x/ü y?z={1}&w=100%"},
        {"headers": {"X-Empty": "", "X-Quote": "\"'`$"}, "auth": ("user", "pa:ss")},
        {"cookies": {"a": "1"}, "headers": {"Cookie": "b=2"}},
    ],
    ids=["json", "form", "text", "empty form", "binary", "url", "headers", "cookies"],
)
def test_the_command_sends_what_the_client_sends(server: Server, require: Require, fields: dict[str, Any]) -> None:
    require("curl", "apt-get install curl")
    url = server.url + fields.pop("url", "/x")
    has_body = not {"data", "json_data", "content"}.isdisjoint(fields)
    request = HttpRequest("POST" if has_body else "GET", url, **fields)
    prepared = encode(request)
    server.reply(prepared.url.removeprefix(server.url).partition("?")[0], Reply(204))
    subprocess.run(["sh", "-c", to_curl(request)], check=True, capture_output=True)
    seen = server.seen[-1]
    assert (seen.method, server.url + seen.target, seen.body) == (prepared.method, prepared.url, prepared.body or b"")
    chosen = {name.lower(): value for name, value in prepared.headers.pairs if name not in ("Accept", "User-Agent")}
    got = {name.lower(): str(value) for name, value in seen.headers.items()}
    assert {name: got.get(name) for name in chosen} == chosen
    assert ("content-type" in got) == ("content-type" in chosen)
