"""A rendered command asks curl for exactly the request it was made from."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent_encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_cli.curl import Slots, render
from forge_cli.errors import RequestBuildException
from tests.server import Reply, Seen, Server

if TYPE_CHECKING:
    from tests.conftest import Require

SHELLS = ["sh", "bash", "dash", "zsh"]
HARD = "'\"$`!\\ @#~*?[]{}()<>|&;=%^-+é𝄞ab01"
VISIBLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.text(HARD, max_size=20)
BODIES = st.none() | st.binary(max_size=40) | (VISIBLE | st.text(HARD + "\n\r\t\x1b")).map(str.encode)
ALL = [("Accept", "*/*"), ("User-Agent", "forge/1")]


@dataclass(frozen=True)
class Part:
    name: str
    value: bytes = b""
    filename: str | None = None
    content_type: str | None = None
    path: str | None = None


def run(require: Require, shell: str, command: str, **kw: Any) -> None:
    require("curl", "apt-get install curl")
    program = require(shell, f"apt-get install {shell}")
    script = command.replace("curl ", "curl -sS --max-time 10 ", 1)
    done = subprocess.run([program, "-s"], input=script, capture_output=True, text=True, **kw)
    assert (done.returncode, done.stderr) == (0, ""), command


def fields(seen: Seen) -> list[tuple[str, str]]:
    """The header fields as UTF-8, without those that curl must write itself."""
    own = {"host", "content-length"}
    return [(k, str(v).encode("latin-1").decode()) for k, v in seen.headers.items() if k.lower() not in own]


def parts_of(seen: Seen) -> list[tuple[str | None, str | None, str | None, bytes]]:
    head = f"Content-Type: {seen.headers['Content-Type']}\r\n\r\n".encode()
    found = []
    for part in list(message_from_bytes(head + seen.body).walk())[1:]:
        name, filename = (part.get_param(key, header="Content-Disposition") for key in ("name", "filename"))
        assert not isinstance(name, tuple) and not isinstance(filename, tuple)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((name, filename, part.get("Content-Type"), content))
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_curl_sends_the_request_as_it_was(server: Server, require: Require, shell: str) -> None:
    server.reply("/a/b;c,d@e'f", Reply(204))
    names = st.sampled_from(["X-One", "x-two", "Cookie", "Content-Type", "If-None-Match"])

    @settings(max_examples=15)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "M-SEARCH"]),
        st.lists(st.tuples(VISIBLE, VISIBLE), max_size=3),
        st.dictionaries(names, VISIBLE.map(str.strip), max_size=3),
        BODIES,
        st.booleans(),
        st.booleans(),
    )
    def check(
        method: str,
        query: list[tuple[str, str]],
        headers: dict[str, str],
        body: bytes | None,
        bare: bool,
        multiline: bool,
    ) -> None:
        target = "/a/b;c,d@e'f?" + "&".join(f"{percent_encode(k, safe='[]')}={percent_encode(v)}" for k, v in query)
        pairs = [*headers.items(), *([] if bare else ALL)]
        if method == "HEAD":
            body = None
        command = render(method=method, url=server.url + target, headers=pairs, body=body, multiline=multiline)
        run(require, shell, command)
        seen = server.seen[-1]
        assert (seen.method, seen.target, seen.body) == (method, target, body or b"")
        assert sorted(fields(seen)) == sorted(pairs)
        assert (seen.headers["Content-Length"] is None) == (body is None)

    check()


@pytest.mark.parametrize("shell", SHELLS)
def test_curl_sends_the_parts_as_they_were(server: Server, require: Require, shell: str, tmp_path: Path) -> None:
    url = server.reply("/upload", Reply(204))
    path = tmp_path / 'a "b";c,d.txt'
    path.write_bytes(b"\0file")
    parts = [
        Part("plain", b"@it's; $(x)"),
        Part("typed", b'<a "quoted"\\; one', content_type="text/html; charset=utf-8"),
        Part("named", "é\n".encode(), filename='x";y.txt', content_type="text/plain"),
        Part("untyped", b"", filename="x.txt"),
        Part("binary", b"\0\xff", filename="b.bin", content_type="image/png"),
        Part("file", filename=path.name, content_type="text/x", path=str(path)),
        Part("renamed", filename="other.bin", path=str(path)),
    ]
    headers = [*ALL, ("Content-Type", "multipart/form-data; boundary=ours")]
    run(require, shell, render(method="POST", url=url, headers=headers, parts=parts))
    assert parts_of(server.seen[-1]) == [
        ("plain", None, None, b"@it's; $(x)"),
        ("typed", None, "text/html; charset=utf-8", b'<a "quoted"\\; one'),
        ("named", "x%22;y.txt", "text/plain", "é\n".encode()),
        ("untyped", "x.txt", "application/octet-stream", b""),
        ("binary", "b.bin", "image/png", b"\0\xff"),
        ("file", "a %22b%22;c,d.txt", "text/x", b"\0file"),
        ("renamed", "other.bin", "application/octet-stream", b"\0file"),
    ]


@pytest.mark.parametrize(
    "parts",
    [
        [Part("a", b"\0", "a.bin"), Part("b", b"\xff--forge-part", "b.bin")],
        [Part("a=b", b"1"), Part("", b"2", content_type="text/plain"), Part('q"', b"3")],
    ],
    ids=["two binary values", "an equals sign or nothing as name"],
)
def test_parts_that_curl_cannot_express_are_sent_as_a_body(server: Server, require: Require, parts: list[Part]) -> None:
    url = server.reply("/upload", Reply(204))
    run(require, "sh", render(method="POST", url=url, headers=ALL, parts=parts))
    assert [(name, filename, value) for name, filename, _, value in parts_of(server.seen[-1])] == [
        (part.name.replace('"', "%22"), part.filename, part.value) for part in parts
    ]


def test_a_part_that_curl_cannot_express_beside_a_file_is_refused() -> None:
    with pytest.raises(RequestBuildException, match="together with a file"):
        render(method="POST", url="http://h/", parts=[Part("a=b", b"1"), Part("c", path="c.txt")])


@pytest.mark.parametrize("shell", SHELLS)
def test_slots_are_filled_when_the_command_runs(server: Server, require: Require, shell: str) -> None:
    server.reply("/x", Reply(204))
    slots = Slots()
    command, variable = slots.mark("$(printf %s 'a b[1]')"), slots.mark("$NAME")
    url = f"{server.url}/x?one=1&key={command}&mixed=%2B{variable}+z&two=2#top"
    headers = [*ALL, ("Authorization", f"Bearer {variable}"), ("X-Mixed", f'"{command}" it\'s!{variable}')]
    text = render(method="PUT", url=url, headers=headers, body=f'{{"a": "{variable}"}}'.encode(), slots=slots)
    run(require, shell, text, env={"NAME": "v/1&é", "PATH": "/usr/bin:/bin"})
    seen = server.seen[-1]
    assert seen.query == [("one", "1"), ("two", "2"), ("key", "a b[1]"), ("mixed", "+v/1&é z")]
    assert fields(seen) == [*ALL, ("Authorization", "Bearer v/1&é"), ("X-Mixed", '"a b[1]" it\'s!v/1&é')]
    assert seen.body == '{"a": "v/1&é"}'.encode()


def test_an_injected_token_is_one_readable_word() -> None:
    slots = Slots()
    token = slots.mark("$(forge token show --profile p --step user --raw)")
    text = render(method="GET", url="https://h/x", headers=[("Authorization", f"Bearer {token}"), *ALL], slots=slots)
    assert text == (
        'curl -X GET -H "Authorization: Bearer $(forge token show --profile p --step user --raw)"'
        " -H 'Accept: */*' -H 'User-Agent: forge/1' https://h/x"
    )


def test_a_large_or_binary_body_goes_through_standard_input(server: Server, require: Require) -> None:
    url = server.reply("/x", Reply(204))
    for body in (b"a'%\\\n" * 300_000, b"\0" + bytes(range(256))):
        run(require, "sh", render(method="POST", url=url, headers=ALL, body=body))
        assert server.seen[-1].body == body
        assert fields(server.seen[-1]) == ALL


def test_a_body_is_read_from_its_file(server: Server, require: Require, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(204))
    path = tmp_path / "it's.bin"
    path.write_bytes(b"a\r\n\0b\n")
    run(require, "sh", render(method="POST", url=url, headers=ALL, body_path=str(path)))
    assert server.seen[-1].body == b"a\r\n\0b\n"


def test_an_empty_post_keeps_its_length(server: Server, require: Require) -> None:
    url = server.reply("/x", Reply(204))
    for follow in (False, True):
        run(require, "sh", render(method="POST", url=url, headers=[*ALL, ("Content-Length", "0")], follow=follow))
        assert (server.seen[-1].method, server.seen[-1].headers["Content-Length"]) == ("POST", "0")
        assert fields(server.seen[-1]) == ALL


def test_a_followed_post_becomes_a_get_where_it_must(server: Server, require: Require) -> None:
    url = server.reply("/x", Reply(303, headers={"Location": "/y"}), method="POST")
    server.reply("/y", Reply(204), method="GET")
    run(require, "sh", render(method="POST", url=url, headers=ALL, body=b"a", follow=True))
    assert [(seen.method, seen.path) for seen in server.seen] == [("POST", "/x"), ("GET", "/y")]


def test_dot_segments_and_brackets_reach_the_server(server: Server, require: Require) -> None:
    server.reply("/a/../b/./{c}", Reply(204))
    run(require, "sh", render(method="GET", url=f"{server.url}/a/../b/./{{c}}?x[]={{1,2}}&y=[1-3]"))
    assert [seen.target for seen in server.seen] == ["/a/../b/./{c}?x[]={1,2}&y=[1-3]"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_time": 30.0}, "--max-time 30"),
        ({"max_time": 0.25}, "--max-time 0.25"),
        ({"follow": True, "max_redirects": 3}, "-L --max-redirs 3"),
        ({"insecure": True}, "-k"),
        ({"ca_bundle": "my ca.pem"}, "--cacert 'my ca.pem'"),
        ({"cert": "c.pem", "key": "k.pem"}, "--cert c.pem --key k.pem"),
        ({"proxy": "http://p:1"}, "--proxy http://p:1"),
        ({"proxy": ""}, "--noproxy '*'"),
        ({"compressed": True}, "--compressed"),
        ({"user": "user:it's"}, "-u 'user:it'\"'\"'s'"),
    ],
    ids=[
        "seconds",
        "fraction",
        "redirects",
        "insecure",
        "ca",
        "client certificate",
        "proxy",
        "no proxy",
        "gzip",
        "user",
    ],
)
def test_each_setting_has_its_option(options: dict[str, Any], expected: str) -> None:
    assert render(method="GET", url="https://h/", headers=ALL, **options).endswith(f" {expected} https://h/")


def test_what_curl_adds_by_itself_is_switched_off_and_what_it_must_write_is_left_out() -> None:
    own = [("Accept-Encoding", "gzip"), ("connection", "close"), ("Content-Length", "1"), ("X-Empty", "")]
    assert render(method="PUT", url="https://h/", headers=own, body=b"a") == (
        "curl -X PUT -H 'X-Empty;' -H Content-Type: -H Accept: -H User-Agent: --data-raw a https://h/"
    )


def test_another_multipart_type_is_kept_without_its_boundary() -> None:
    headers = [*ALL, ("Content-Type", 'multipart/related; boundary="a;b"; type=x/y')]
    text = render(method="PUT", url="https://h/", headers=headers, parts=[Part("a", b"1")])
    assert "-H 'Content-Type: multipart/related; type=x/y' --form-string a=1" in text


def test_a_command_can_take_several_lines() -> None:
    text = render(method="GET", url="https://h/", headers=ALL, multiline=True)
    assert text == "curl \\\n  -X GET \\\n  -H 'Accept: */*' \\\n  -H 'User-Agent: forge/1' \\\n  https://h/"


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET\nX", "url": "http://h/"},
        {"method": "GET X", "url": "http://h/"},
        {"method": "", "url": "http://h/"},
        {"method": "GET", "url": "http://h/\r\nX"},
        {"method": "GET", "url": "http://h\0/"},
        {"method": "GET", "url": "http://h/", "headers": [("X", "a\rb")]},
        {"method": "GET", "url": "http://h/", "headers": [("X", "a\nb")]},
        {"method": "GET", "url": "http://h/", "headers": [("X", "a\0b")]},
        {"method": "GET", "url": "http://h/", "headers": [("X\n", "a")]},
        {"method": "GET", "url": "http://h/", "headers": [("@file", "a")]},
        {"method": "GET", "url": "http://h/", "user": "a\0b"},
    ],
    ids=lambda value: repr(value)[-40:],
)
def test_what_no_request_can_hold_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildException):
        render(**request_)
