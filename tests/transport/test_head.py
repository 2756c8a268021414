from __future__ import annotations

import http.client
import io
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forge_cli.transport.head import HeadCut, Response, fields

# What is plain, what almost is, and what only the standard library's parser makes something of.
NAMES = st.sampled_from(["Content-Type", "set-cookie", "X", "", " X", "From ", "a b", "X\t", "é"])
VALUES = st.sampled_from(["", " ", " a", "\ta\t ", "a:b", " é", " a\rb", " a\x0bb", " a\x85b", "\r\n folded", "\0"])
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])
LINES = st.one_of(
    st.builds(lambda name, value, end: f"{name}:{value}{end}", NAMES, VALUES, ENDS), st.sampled_from(["no colon\r\n"])
)


def read(parse: Any, head: bytes) -> tuple[Any, ...]:
    """What a parser makes of a head, and what it leaves unread."""
    with io.BufferedReader(io.BytesIO(head + b"body")) as fp:
        try:
            message = parse(fp)
        except http.client.HTTPException as exc:
            return type(exc), str(exc)
        return message.items(), [type(defect) for defect in message.defects], message.get_payload() or "", fp.read()


@given(st.lists(LINES, max_size=5))
@example(["A: 1\r\n", "a: 2\r\n"])
@example(["X: 1\r\n"] * 99)
@example(["X: 1\r\n"] * 100)
@example(["X: " + "a" * 70000 + "\r\n"])
def test_a_head_is_read_as_the_standard_library_reads_it(lines: list[str]) -> None:
    # Two ends: a line may swallow the first, and a head without an end is no head here.
    head = ("".join(lines) + "\r\n\r\n").encode("latin-1")
    assert read(fields, head) == read(http.client.parse_headers, head)


@pytest.mark.parametrize("head", [b"A: 1\r\nB: 2\r\n\r\n", b" odd\r\n\r\n"], ids=["plain", "odd"])
def test_a_head_that_breaks_off_anywhere_is_an_error(head: bytes) -> None:
    for end in range(len(head)):
        with io.BufferedReader(io.BytesIO(head[:end])) as fp, pytest.raises(HeadCut):
            fields(fp)


def test_a_head_that_comes_in_pieces_is_read_whole() -> None:
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as fp:
        there.sendall(b"A: 1\r\nB")
        assert fp.peek() == b"A: 1\r\nB"
        there.sendall(b": 2\r\n\r\n")
        assert fields(fp).items() == [("A", "1"), ("B", "2")]


class Sock:
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._answer))


VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "HTTP/0.99", "nonsense"]
FRAMING = [
    "",
    "Content-Length: 3\r\n",
    "Content-Length: -3\r\n",
    "Content-Length: three\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n",
    "Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n",
    "Transfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n",
    "Content-Length: 3\r\nConnection: Close\r\n",
    "Content-Length: 3\r\nConnection: Keep-Alive\r\n",
    "Content-Length: 3\r\nKeep-Alive: timeout=5\r\n",
    "Connection: upgrade\r\n",
]


def begun(kind: type[http.client.HTTPResponse], answer: bytes, method: str) -> Any:
    sock: Any = Sock(answer)
    response = kind(sock, method=method)
    try:
        response.begin()
    except http.client.HTTPException as exc:
        return type(exc), str(exc)
    names = ("version", "status", "reason", "chunked", "chunk_left", "length", "will_close")
    return {name: getattr(response, name) for name in names}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("framing", FRAMING)
def test_where_a_body_ends_is_as_the_standard_library_says(version: str, framing: str) -> None:
    for status in ("200 OK", "204 ", "304", "101 Switching  Protocols "):
        answer = f"{version} {status}\r\nX: 1\r\n{framing}\r\nabc".encode()
        for method in ("GET", "HEAD"):
            assert begun(Response, answer, method) == begun(http.client.HTTPResponse, answer, method)


def test_debugging_prints_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    sock: Any = Sock(b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n")
    Response(sock, debuglevel=1).begin()
    assert "header: X: 1" in capsys.readouterr().out
