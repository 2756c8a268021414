from __future__ import annotations

import gzip
import tracemalloc

import pytest

from forge_cli.errors import IncompleteResponseException
from forge_cli.transport.session import Answer, Transport
from tests.transport.conftest import Peer, Serve, get, once, reply

pytestmark = pytest.mark.usefixtures("way")


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


def go_on(answer: Answer) -> None:
    """Tell the server's script that the first piece was seen."""
    answer._source._connection._sock.send(b"x")  # type: ignore[attr-defined]  # of either source


def test_an_answer_has_status_reason_headers_and_version(serve: Serve, transport: Transport) -> None:
    fields = ("Set-Cookie: a=1", "Set-Cookie: b=2", 'Content-Type: text/html; Charset="iso-8859-1"; x=y')
    server = serve(reply(b"hi", *fields, status="418 I'm a t\u00e9apot"))
    answer = transport.send(get(server.url("/x")))
    assert (answer.status, answer.reason, answer.http_version) == (418, "I'm a téapot", "HTTP/1.1")
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert answer.encoding == "iso-8859-1"
    assert answer.url == server.url("/x")
    assert answer.read() == b"hi"


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        ("text/plain; charset=utf-8", "utf-8"),
        ("text/plain;charset='x'", "x"),
        ("text/plain", None),
        ("a; charset=", None),
    ],
)
def test_the_encoding_is_the_charset_of_the_content_type(
    serve: Serve, transport: Transport, value: str, charset: str | None
) -> None:
    answer = transport.send(get(serve(reply(b"", f"Content-Type: {value}")).url()))
    assert answer.encoding == charset
    answer.close()


@pytest.mark.parametrize(("raw", "text"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café")], ids=["utf-8", "latin-1"])
def test_a_header_is_utf_8_where_it_can_be(serve: Serve, transport: Transport, raw: bytes, text: str) -> None:
    answer = transport.send(get(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: " + raw + b"\r\n\r\n").url()))
    assert answer.headers["x-a"] == text
    answer.close()


def test_http_1_0_until_the_connection_closes(serve: Serve, transport: Transport) -> None:
    answer = transport.send(get(serve(once(b"HTTP/1.0 200 OK\r\n\r\nall of it")).url()))
    assert (answer.http_version, answer.read()) == ("HTTP/1.0", b"all of it")


def test_a_body_comes_in_pieces_as_they_arrive(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        peer.take(1)  # the test has seen the first piece when it sends this
        peer.send(b"3\r\ntwo\r\n0\r\n\r\n")

    answer = transport.send(get(serve(script).url()))
    pieces = answer.iter_bytes()
    assert next(pieces) == b"one"
    go_on(answer)
    assert list(pieces) == [b"two"]


def test_pieces_are_not_larger_than_asked_for(serve: Serve, transport: Transport) -> None:
    body = bytes(range(256)) * 10
    for answer in (reply(body), chunked(body), reply(gzip.compress(body), "Content-Encoding: gzip")):
        pieces = list(transport.send(get(serve(answer).url())).iter_bytes(100))
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) <= 100


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_statuses_have_no_body(serve: Serve, transport: Transport, status: str) -> None:
    server = serve(f"HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\n\r\n".encode())
    for _ in range(2):
        assert transport.send(get(server.url())).read() == b""
    assert server.connections == 1


def test_head_has_no_body_whatever_the_length_says(serve: Serve, transport: Transport) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(2):
        assert transport.send(get(server.url(), method="HEAD")).read() == b""
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "got 4 of 10 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "got 0 of 10 bytes"),
        (chunked(b"one", b"two", end=b""), "got 6 of an unknown number"),
        (chunked(b"one", end=b"5\r\ntw"), "got 5 of an unknown number"),
        (chunked(b"one", end=b"xyz\r\n"), "got 3 of an unknown number"),
        (chunked(b"one", end=b"f" * 70000), "got 3 of an unknown number"),
        (reply(gzip.compress(b"data" * 100)[:-9], "Content-Encoding: gzip"), "gzip data of the body is cut short"),
        (reply(b"no gzip", "Content-Encoding: gzip"), "gzip data of the body is damaged"),
    ],
    ids=[
        "short",
        "nothing",
        "cut between chunks",
        "cut in a chunk",
        "no chunk size",
        "long size",
        "cut gzip",
        "no gzip",
    ],
)
def test_a_broken_body_is_incomplete(serve: Serve, transport: Transport, answer: bytes, message: str) -> None:
    with pytest.raises(IncompleteResponseException, match=message) as caught:
        transport.send(get(serve(once(answer)).url("/?token=user-token-1"))).read()
    assert "user-token-1" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reset_in_the_body_is_incomplete(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.take(1)
        peer.reset()

    answer = transport.send(get(serve(script).url()))
    pieces = answer.iter_bytes()
    assert next(pieces) == b"half"
    go_on(answer)
    with pytest.raises(IncompleteResponseException, match="got 4 of 10 bytes"):
        next(pieces)


def test_reading_stops_at_the_limit(serve: Serve, transport: Transport) -> None:
    bomb = reply(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip")
    with pytest.raises(IncompleteResponseException, match="larger than 100000 bytes"):
        transport.send(get(serve(bomb).url())).read(100_000)
    assert transport.send(get(serve(reply(b"1234")).url())).read(4) == b"1234"


def test_an_answer_that_is_closed_early_gives_its_connection_up(serve: Serve, transport: Transport) -> None:
    server = serve(reply(bytes(1_000_000)))
    pieces = transport.send(get(server.url())).iter_bytes()
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert len(transport.send(get(server.url())).read()) == 1_000_000
    assert server.connections == 2


def test_a_large_body_passes_through_little_memory(serve: Serve, transport: Transport) -> None:
    size = 50_000_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = bytes(100_000)
        for _ in range(size // len(block)):
            peer.send(block)

    answer = transport.send(get(serve(script).url()))
    tracemalloc.start()
    try:
        assert sum(map(len, answer.iter_bytes())) == size
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
