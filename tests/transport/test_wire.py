from __future__ import annotations

import gc
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable

import pytest
import requests

from forge_cli.errors import RequestBuildException
from forge_cli.transport.connection import Place, Proxy, framing, head
from forge_cli.transport.places import place_of, proxy_of
from forge_cli.transport.redirects import address
from forge_cli.transport.session import Transport, TransportOptions
from tests.transport.conftest import Authority, Peer, Serve, get, options, reply

_ALONE = """
import sys
from forge_cli.models import Headers, PreparedRequest
from forge_cli.transport.session import Transport, TransportOptions
transport = Transport(TransportOptions(environ={}))
for _ in range(2):
    print(transport.send(PreparedRequest("GET", sys.argv[1], Headers())).read().decode())
print(*sorted({"requests", "urllib3", "charset_normalizer", "idna"}.intersection(sys.modules)))
"""


def test_a_request_needs_no_http_library(serve: Serve) -> None:
    server = serve(reply(b"body", "Set-Cookie: a=1"))
    command = [sys.executable, "-c", _ALONE, server.url(host="localhost")]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=sys.path[0], timeout=60)
    assert found.stdout.split() == ["body", "body"]
    assert b"Cookie: a=1\r\n" in server.heads[1]


def test_a_program_that_loads_the_library_later_keeps_its_connections_and_cookies(serve: Serve) -> None:
    server = serve(reply(b"body", "Set-Cookie: a=1"))
    loaded: set[str] = set()
    transport = Transport(TransportOptions(environ={}, modules=loaded))
    assert transport.send(get(server.url(host="localhost"))).read() == b"body"
    loaded.add("requests")
    assert transport.send(get(server.url(host="localhost"))).read() == b"body"
    assert b"Cookie: a=1\r\n" in server.heads[1]
    assert server.connections == 1
    assert transport.session.cookies.get("a") == "1"
    transport.close()


def test_the_session_answers_as_any_other(serve: Serve, transport: Transport) -> None:
    server = serve(reply(b'{"a": 1}', "Content-Type: application/json"))
    for _ in range(2):
        answer = transport.session.get(server.url("/x"), params={"q": "1"}, timeout=5)
        assert (answer.json(), answer.headers["content-type"]) == ({"a": 1}, "application/json")
    assert server.heads[0].startswith(b"GET /x?q=1 HTTP/1.1\r\n")
    assert server.connections == 1


def test_the_session_fails_as_any_other(serve: Serve, transport: Transport) -> None:
    def no_tls(peer: Peer) -> None:
        peer.take(5)
        peer.send(reply())

    silent = serve(lambda peer: peer.head() and peer.stop.wait())
    with pytest.raises(requests.ReadTimeout):
        transport.session.get(silent.url(), timeout=0.2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(requests.ConnectionError):
        transport.session.get(f"http://127.0.0.1:{port}/", timeout=5)
    with pytest.raises(requests.exceptions.SSLError):
        transport.session.get(serve(no_tls).url().replace("http:", "https:"), timeout=5)


def test_an_answer_that_nobody_holds_any_more_closes_its_connection(serve: Serve) -> None:
    ended: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        ended.append(peer.take(1))

    server = serve(script)
    transport = Transport(options(modules=()))
    transport.send(get(server.url()))
    gc.collect()
    server.__exit__()
    assert ended == [b""]
    transport.close()


def test_the_same_length_twice_is_one(serve: Serve) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab")
    transport = Transport(options(modules=()))
    assert transport.send(get(server.url())).read() == b"ab"
    transport.close()


def test_tls_goes_through_a_proxy_that_speaks_tls_itself(serve: Serve, authority: Authority) -> None:
    outside, inside = authority.server(), authority.server("api.example")

    def tunnel(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = inside.wrap_bio(incoming, outgoing, server_side=True)

        def until_done(step: Callable[[], object]) -> object:
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                if data := outgoing.read():
                    peer.send(data)
                if result is not None:
                    return result
                incoming.write(peer.sock.recv(65536))

        def greeted() -> bool:
            tls.do_handshake()
            return True

        until_done(greeted)
        until_done(lambda: tls.read(65536))
        until_done(lambda: tls.write(reply(b"inside")))

    server = serve(tunnel, outside)
    transport = Transport(options(modules=(), proxies={"https": server.url()}, verify=authority.bundle))
    assert transport.send(get("https://api.example/x")).read() == b"inside"
    transport.close()


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("GE T", "/", ()),
        ("GET", "/a b", ()),
        ("GET", "/\r\nX: 1", ()),
        ("GET", "/", (("X", "1\r\nY: 2"),)),
        ("GET", "/", (("X: 1\r\nY", "2"),)),
        ("GET", "/", (("X Y", "2"),)),
        ("GET", "/", (("X", "a\0b"),)),
        ("GET", "/", (("X", "a\rb"),)),
        ("GET", "/", (("", "a"),)),
        ("GET", "/", (("X", "\u20ac"),)),
    ],
)
def test_what_http_does_not_allow_in_a_head_is_an_error(
    method: str, target: str, fields: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(ValueError, match=r"Invalid|codec"):
        head(method, target, "h", fields)


def test_a_head_names_the_host_once() -> None:
    assert head("GET", "/", "h:1", [("X", "1")]) == b"GET / HTTP/1.1\r\nHost: h:1\r\nX: 1\r\n\r\n"
    assert head("GET", "/", "h:1", [("X", "1"), ("host", "o")]) == b"GET / HTTP/1.1\r\nX: 1\r\nhost: o\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "body", "names", "expected"),
    [
        ("GET", None, (), ((), False)),
        ("PUT", None, (), ((("Content-Length", "0"),), False)),
        ("GET", b"ab", (), ((("Content-Length", "2"),), False)),
        ("PUT", b"ab", ("content-length",), ((), False)),
        ("PUT", iter(()), (), ((("Transfer-Encoding", "chunked"),), True)),
        ("PUT", b"ab", ("transfer-encoding",), ((), True)),
    ],
)
def test_the_fields_say_how_long_the_body_is(
    method: str, body: object, names: tuple[str, ...], expected: tuple[tuple[tuple[str, str], ...], bool]
) -> None:
    assert framing(method, body, frozenset(names)) == expected


def test_a_proxy_is_taken_apart() -> None:
    assert proxy_of("http://proxy:3128") == Proxy("http", "proxy", 3128)
    assert proxy_of("https://user:a%40b@c@proxy/") == Proxy("https", "proxy", 443, "Basic dXNlcjphQGJAYw==")
    with pytest.raises(RequestBuildException):
        proxy_of("http://user:user-pass-1@")


def test_http_hosts_behind_one_proxy_are_one_place_and_https_hosts_are_not() -> None:
    here, there = address("http://a.example/"), address("http://b.example/")
    assert place_of(here, "http://p:1") == place_of(there, "http://p:1")
    secure = place_of(address("https://a.example/"), "http://p:1", ("cert", None, None))
    assert secure == Place("https", "a.example", 443, Proxy("http", "p", 1), ("cert", None, None))
    assert secure != place_of(address("https://b.example/"), "http://p:1", ("cert", None, None))
