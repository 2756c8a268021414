from __future__ import annotations

import socket

import pytest

from forge_cli.errors import (
    ConnectionException,
    HttpClientException,
    IncompleteResponseException,
    RequestBuildException,
    SSLException,
)
from forge_cli.transport.session import Transport
from tests.transport.conftest import Authority, Peer, Serve, get, once, options, reply

pytestmark = pytest.mark.usefixtures("way")

SECRET = "/?token=user-token-1"


def failing(transport: Transport, url: str, kind: type[HttpClientException]) -> HttpClientException:
    with pytest.raises(kind) as caught:
        transport.send(get(url + SECRET.removeprefix("/") if url.endswith("/") else url))
    text = f"{caught.value} {caught.value.hint}"
    assert "user-token-1" not in text
    assert "\n" not in text
    assert caught.value.__cause__ is None
    return caught.value


def test_a_refused_connection_names_the_place(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    failure = failing(transport, f"http://127.0.0.1:{port}/", ConnectionException)
    assert failure.message == f"Connection failed: connection refused by 127.0.0.1:{port}"
    assert failure.context == {"sent": False}


def test_a_name_that_does_not_exist_names_the_host(transport: Transport) -> None:
    failure = failing(transport, "http://nowhere.invalid/", ConnectionException)
    assert failure.message == "Connection failed: no address was found for nowhere.invalid:80"
    assert failure.context == {"sent": False}


def test_a_server_that_closes_without_an_answer_may_have_got_the_request(serve: Serve, transport: Transport) -> None:
    server = serve(lambda peer: peer.head())
    failure = failing(transport, server.url(), ConnectionException)
    assert failure.message.endswith(f"127.0.0.1:{server.port} closed the connection without an answer")
    assert failure.context == {"sent": True}


def test_a_reset_instead_of_an_answer_may_have_got_the_request(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.reset()

    server = serve(script)
    failure = failing(transport, server.url(), ConnectionException)
    assert failure.message.endswith(f"connection reset by 127.0.0.1:{server.port}")
    assert failure.context == {"sent": True}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x00\x01garbage\r\n\r\n", "no status line"),
        (b"SSH-2.0-OpenSSH\r\n", "no status line"),
        (b"HTTP/1.1 abc\r\n\r\n", "no status line"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n", "longer than 64 KiB"),
        (b"HTTP/1.1 " + b"2" * 200_000, "longer than 64 KiB"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n", "too many header fields"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, "too many informational"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length fields differ"),
    ],
    ids=["bytes", "ssh", "no code", "long line", "long status", "many fields", "flood", "two lengths"],
)
def test_what_is_not_http_is_an_incomplete_response(
    serve: Serve, transport: Transport, answer: bytes, reason: str
) -> None:
    failure = failing(transport, serve(once(answer)).url(), IncompleteResponseException)
    assert reason in failure.message


def test_an_unknown_authority_is_a_tls_error_with_a_hint(serve: Serve, authority: Authority) -> None:
    server = serve(reply(b"never"), authority.server())
    with_defaults = Transport(options())
    failure = failing(with_defaults, server.url(), SSLException)
    assert failure.message.startswith("SSL/TLS error occurred: unable to get local issuer")
    assert failure.context == {"sent": False}
    assert failure.hint is not None
    assert "--verify" in failure.hint
    with_defaults.close()


def test_a_wrong_host_name_is_a_tls_error(serve: Serve, authority: Authority) -> None:
    server = serve(reply(b"never"), authority.server("other.example"))
    transport = Transport(options(verify=authority.bundle))
    assert "not valid for '127.0.0.1'" in failing(transport, server.url(), SSLException).message
    transport.close()


def test_plain_http_on_the_https_port_is_a_tls_error(serve: Serve, transport: Transport) -> None:
    url = serve(once(b"HTTP/1.1 400 Bad Request\r\n\r\n")).url().replace("http:", "https:")

    def script(peer: Peer) -> None:
        peer.take(5)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    url = serve(script).url().replace("http:", "https:")
    failure = failing(transport, url, SSLException)
    assert failure.hint == "check that the port speaks https"
    assert failure.context == {"sent": False}


def test_a_proxy_that_refuses_is_named_without_its_credentials(serve: Serve) -> None:
    server = serve(once(b"HTTP/1.1 407 Proxy \x1b[31m Required\r\n\r\n"))
    proxy = server.url().replace("//", "//user:user-pass-1@").rstrip("/")
    transport = Transport(options(proxies={"https": proxy}))
    failure = failing(transport, "https://api.example/", ConnectionException)
    assert failure.message == f"Connection failed: the proxy 127.0.0.1:{server.port} refused the tunnel with status 407"
    assert failure.context == {"sent": False}
    transport.close()


def test_a_proxy_that_is_not_there_is_named(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for scheme in ("http", "https"):
        through = Transport(options(proxies={scheme: f"http://127.0.0.1:{port}"}))
        failure = failing(through, f"{scheme}://api.example/", ConnectionException)
        assert failure.message == f"Connection failed: connection refused by the proxy 127.0.0.1:{port}"
        through.close()


def test_what_http_does_not_allow_in_a_header_is_not_sent(serve: Serve, transport: Transport) -> None:
    server = serve(reply())
    with pytest.raises(RequestBuildException) as caught:
        transport.send(get(server.url(), ("X-A", "user-token-1\r\nX-B: c")))
    assert "user-token-1" not in str(caught.value)
    assert server.heads == []
