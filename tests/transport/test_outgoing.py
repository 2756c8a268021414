from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from forge_cli.errors import IncompleteResponseException, RequestBuildException
from forge_cli.models import Headers, PreparedRequest
from forge_cli.transport.decode import accept_encoding
from forge_cli.transport.session import Transport
from tests.transport.conftest import Peer, RawServer, Serve, get, reply

pytestmark = pytest.mark.usefixtures("way")


@dataclass
class Chunks:
    chunks: list[bytes]
    length: int | None
    error: OSError | None = None
    closed: list[bool] = field(default_factory=list)
    replayable = True

    def open(self) -> Iterator[bytes]:
        try:
            yield from self.chunks
            if self.error is not None:
                raise self.error
        finally:
            self.closed.append(True)


@pytest.fixture
def echo(serve: Serve) -> RawServer:
    """Answers with the body it got, chunked ones still in their chunks."""

    def script(peer: Peer) -> None:
        while head := peer.head().lower():
            body = b""
            if b"content-length: " in head:
                body = peer.take(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            elif b"transfer-encoding: chunked" in head:
                while not body.endswith(b"0\r\n\r\n"):
                    body += peer.take(1)
            peer.send(reply(body))

    return serve(script)


def test_the_head_is_what_was_prepared(echo: RawServer, transport: Transport) -> None:
    fields = (("User-Agent", "forge/1"), ("X-A", "1"), ("X-A", "2"), ("x-empty", ""), ("Accept-Encoding", "identity"))
    transport.send(get(echo.url("/x"), *fields)).read()
    expected = (
        f"GET /x HTTP/1.1\r\nHost: 127.0.0.1:{echo.port}\r\nUser-Agent: forge/1\r\nX-A: 1\r\nX-A: 2\r\nx-empty: \r\n"
    )
    assert echo.heads[0].decode() == expected + "Accept-Encoding: identity\r\n\r\n"


def test_only_the_encodings_are_added(echo: RawServer, transport: Transport) -> None:
    transport.send(get(echo.url())).read()
    expected = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{echo.port}\r\nAccept-Encoding: {accept_encoding()}\r\n\r\n"
    assert echo.heads[0].decode() == expected


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a%2fb/%7e?x=[1]&y={z}|", "/a%2fb/%7e?x=[1]&y={z}|"),
        ("//evil.example/x", "//evil.example/x"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("/x?", "/x?"),
        ("?q=1", "/?q=1"),
        ("/x#part", "/x"),
        ("/ü x", "/%C3%BC%20x"),
        ("/\\evil", "/\\evil"),
    ],
)
def test_the_target_is_sent_as_it_was_prepared(echo: RawServer, transport: Transport, path: str, target: str) -> None:
    transport.send(get(echo.url(path))).read()
    assert echo.heads[0].startswith(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{echo.port}\r\n".encode())


def test_user_information_in_the_url_is_not_sent(echo: RawServer, transport: Transport) -> None:
    transport.send(get(echo.url().replace("//", "//user:user-pass-1@"))).read()
    assert b"user" not in echo.heads[0].lower()


def test_header_values_are_sent_as_utf_8(echo: RawServer, transport: Transport) -> None:
    transport.send(get(echo.url(), ("X-A", "é€"))).read()
    assert "X-A: é€\r\n".encode() in echo.heads[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_missing_body_has_the_length_nought(echo: RawServer, transport: Transport, method: str) -> None:
    transport.send(get(echo.url(), method=method)).read()
    assert b"\r\nContent-Length: 0\r\n" in echo.heads[0]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PURGE", "PROPFIND"])
def test_other_methods_have_a_length_only_when_it_is_given(echo: RawServer, transport: Transport, method: str) -> None:
    transport.send(get(echo.url(), method=method)).read()
    transport.send(get(echo.url(), ("Content-Length", "0"), method=method)).read()
    assert [b"content-length" in head.lower() for head in echo.heads] == [False, True]


@pytest.mark.parametrize("fields", [(), (("Content-Length", "5"),)], ids=["", "with a length"])
def test_bytes_are_sent_with_their_length(
    echo: RawServer, transport: Transport, fields: tuple[tuple[str, str], ...]
) -> None:
    assert transport.send(PreparedRequest("POST", echo.url(), Headers(fields), b"12345")).read() == b"12345"
    assert echo.heads[0].count(b"Content-Length: 5\r\n") == 1


def test_chunks_of_a_known_length_are_sent_with_it(echo: RawServer, transport: Transport) -> None:
    body = Chunks([b"one", b"", b"two"], 6)
    assert transport.send(PreparedRequest("POST", echo.url(), Headers(), body)).read() == b"onetwo"
    assert b"chunked" not in echo.heads[0]
    assert body.closed == [True]


@pytest.mark.parametrize("fields", [(), (("Transfer-Encoding", "chunked"),)], ids=["", "with the field"])
def test_chunks_of_an_unknown_length_are_sent_chunked(
    echo: RawServer, transport: Transport, fields: tuple[tuple[str, str], ...]
) -> None:
    body = Chunks([b"one", b"", b"two"], None)
    received = transport.send(PreparedRequest("POST", echo.url(), Headers(fields), body)).read()
    assert received == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert echo.heads[0].count(b"Transfer-Encoding: chunked\r\n") == 1
    assert b"Content-Length" not in echo.heads[0]


@pytest.mark.parametrize("chunks", [[b"one"], [b"one", b"two", b"three"]], ids=["short", "long"])
def test_a_body_that_is_not_as_long_as_announced_is_an_error(
    echo: RawServer, transport: Transport, chunks: list[bytes]
) -> None:
    body = Chunks(chunks, 6)
    with pytest.raises(RequestBuildException, match="not the 6 bytes"):
        transport.send(PreparedRequest("POST", echo.url(), Headers(), body))
    assert body.closed == [True]


def test_a_wrong_content_length_is_not_sent(echo: RawServer, transport: Transport) -> None:
    with pytest.raises(RequestBuildException, match="says 3, and the body has 5 bytes"):
        transport.send(PreparedRequest("POST", echo.url(), Headers({"content-length": "3"}), b"12345"))
    assert echo.connections == 0


def test_a_body_that_cannot_be_read_is_not_a_network_failure(echo: RawServer, transport: Transport) -> None:
    body = Chunks([b"one"], 6, OSError(5, "Input/output error"))
    with pytest.raises(RequestBuildException, match="cannot be read: input/output error"):
        transport.send(PreparedRequest("POST", echo.url(), Headers(), body))


def test_a_body_is_closed_when_the_server_answers_early(serve: Serve, transport: Transport) -> None:
    def early(peer: Peer) -> None:
        peer.head()
        peer.send(reply(b"enough", "Connection: close", status="413 Too Large"))
        peer.sock.shutdown(0)
        peer.reset()

    body = Chunks([bytes(100_000)] * 100, 10_000_000)
    try:
        answer = transport.send(PreparedRequest("PUT", serve(early).url(), Headers(), body))
        assert answer.status == 413
        answer.close()
    except Exception as exc:  # the reset may overtake the answer
        assert type(exc).__name__ in ("ConnectionException", IncompleteResponseException.__name__)
    assert body.closed == [True]
