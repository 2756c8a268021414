"""The scripted server keeps its own promises, or no other test means anything."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
import trustme

from forge_cli.testing import Reply, Seen
from forge_cli.testing import ScriptedServer as Server


@pytest.fixture
def loose() -> Iterator[Server]:
    """A server whose check is left to the test."""
    with Server() as server:
        yield server


@dataclass
class Got:
    status: int
    headers: list[tuple[str, str]]
    content: bytes


def fetch(server: Server, target: str, method: str = "GET", body: bytes | None = None) -> Got:
    with closing(http.client.HTTPConnection(server.host, timeout=5)) as connection:
        connection.request(method, target, body)
        with connection.getresponse() as response:
            return Got(response.status, response.getheaders(), response.read())


def test_answers_come_in_order_and_the_last_stays(server: Server) -> None:
    server.reply("/x", Reply(503), Reply(200, "ready"))
    assert [fetch(server, "/x").status for _ in range(3)] == [503, 200, 200]


def test_a_request_is_remembered_as_it_arrived(server: Server) -> None:
    url = server.reply("/x", Reply())
    connection = http.client.HTTPConnection(server.host)
    connection.putrequest("POST", "/x?a=1&a=2&empty=")
    connection.putheader("X-Twice", "one")
    connection.putheader("X-Twice", "two")
    connection.putheader("Content-Length", "8")
    connection.endheaders(b'{"b": 3}')
    connection.getresponse().read()
    connection.close()
    [seen] = server.seen_at("/x")
    assert url == server.url + "/x"
    assert (seen.method, seen.path, seen.query) == ("POST", "/x", [("a", "1"), ("a", "2"), ("empty", "")])
    assert seen.headers["x-twice"] == "one"
    assert seen.headers.get_all("X-TWICE") == ["one", "two"]
    assert seen.json() == {"b": 3}


def test_a_chunked_request_body_is_put_together(server: Server) -> None:
    server.reply("/x", Reply())
    connection = http.client.HTTPConnection(server.host)
    connection.request("POST", "/x", iter([b"one ", b"two"]), encode_chunked=True)
    connection.getresponse().read()
    connection.close()
    assert server.seen[0].body == b"one two"


@pytest.mark.parametrize(
    ("body", "content_type", "content"),
    [
        (b"raw", None, b"raw"),
        ("grün", "text/plain; charset=utf-8", "grün".encode()),
        ({"a": 1}, "application/json", b'{"a": 1}'),
        ([], "application/json", b"[]"),
        (iter([b"one", b"two"]), None, b"onetwo"),
    ],
    ids=["bytes", "text", "object", "array", "chunks"],
)
def test_a_body_of_any_kind_is_sent(server: Server, body: object, content_type: str | None, content: bytes) -> None:
    server.reply("/x", Reply(body=body))
    response = fetch(server, "/x")
    assert dict(response.headers).get("Content-Type") == content_type
    assert response.content == content


def test_headers_are_sent_as_given_and_nothing_else(server: Server) -> None:
    server.reply("/x", Reply(200, b"", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    assert fetch(server, "/x").headers == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "0")]


def test_one_connection_carries_many_requests(server: Server) -> None:
    server.reply("/x", Reply(body="x"))
    connection = http.client.HTTPConnection(server.host)
    for method in ("GET", "HEAD", "PURGE"):
        connection.request(method, "/x")
        connection.getresponse().read()
    connection.close()
    assert [seen.method for seen in server.seen] == ["GET", "HEAD", "PURGE"]
    assert server.connections == 1


def test_a_route_for_the_method_wins(server: Server) -> None:
    server.reply("/x", Reply(200))
    server.reply("/x", Reply(201), method="POST")
    assert fetch(server, "/x", "POST").status == 201
    assert fetch(server, "/x").status == 200


def test_a_callable_answers_by_what_it_sees(server: Server) -> None:
    server.reply("/x", lambda seen: Reply(body=seen.body.upper()))
    assert fetch(server, "/x", "POST", b"echo").content == b"ECHO"


def test_a_held_answer_waits_for_its_event(server: Server) -> None:
    gate = threading.Event()
    server.reply("/x", Reply(hold=gate))
    connection = http.client.HTTPConnection(server.host)
    connection.request("GET", "/x")
    connection.sock.settimeout(0.02)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    gate.set()
    connection.sock.settimeout(5)
    assert connection.getresponse().read() == b""
    connection.close()


def test_a_raw_answer_is_written_as_it_is_and_closed(server: Server) -> None:
    server.reply("/x", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"))
    with pytest.raises(http.client.IncompleteRead):
        fetch(server, "/x")


def test_a_false_content_length_is_sent_and_the_connection_closed(server: Server) -> None:
    server.reply("/x", Reply(200, "short", {"Content-Length": "9"}))
    with pytest.raises(http.client.IncompleteRead):
        fetch(server, "/x")


def test_a_route_that_nobody_called_fails_the_check(loose: Server) -> None:
    loose.reply("/idle", Reply(), method="PUT")
    with pytest.raises(AssertionError, match="nobody called PUT /idle"):
        loose.check()


def test_a_request_without_a_route_is_a_404_and_fails_the_check(loose: Server) -> None:
    assert fetch(loose, "/nowhere?x").status == 404
    with pytest.raises(AssertionError, match=r"unexpected GET /nowhere\?x"):
        loose.check()


def test_an_assertion_in_an_answer_fails_the_check(loose: Server) -> None:
    def refuse(seen: Seen) -> Reply:
        raise AssertionError(f"no {seen.method} here")

    loose.reply("/x", refuse)
    assert fetch(loose, "/x").status == 500
    with pytest.raises(AssertionError, match="no GET here"):
        loose.check()


@pytest.mark.parametrize(
    ("path", "answers"), [("x", [Reply()]), ("/x?y", [Reply()]), ("/x", [])], ids=["no slash", "a query", "no answer"]
)
def test_a_route_that_cannot_be_is_refused(loose: Server, path: str, answers: list[Reply]) -> None:
    with pytest.raises(ValueError, match="a route is a path"):
        loose.reply(path, *answers)


def test_a_status_that_nobody_knows_is_sent(server: Server) -> None:
    server.reply("/x", Reply(299))
    assert fetch(server, "/x").status == 299


def test_an_answer_may_close_the_connection(server: Server) -> None:
    server.reply("/x", Reply(200, "x", {"Connection": "close"}))
    connection = http.client.HTTPConnection(server.host)
    for _ in range(2):
        connection.request("GET", "/x")
        assert connection.getresponse().read() == b"x"
    connection.close()
    assert server.connections == 2


def test_an_optional_route_may_stay_uncalled(loose: Server) -> None:
    loose.reply("/x", Reply(), optional=True)
    loose.check()


def test_it_speaks_tls_and_stops_while_a_connection_is_open() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Server(tls=context) as server:
        server.reply("/x", Reply(body="private"))
        connection = http.client.HTTPSConnection(server.host, context=trusting)
        connection.request("GET", "/x")
        assert connection.getresponse().read() == b"private"
        started = time.monotonic()
    assert time.monotonic() - started < 2
    connection.close()


def test_it_stops_at_once_whatever_is_open() -> None:
    arrived = threading.Event()

    def hold(seen: Seen) -> Reply:
        arrived.set()
        return Reply(hold=threading.Event())

    server = Server()
    server.reply("/x", hold)
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address), socket.create_connection(address) as waiting:
        waiting.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert arrived.wait(5)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 2
        assert waiting.recv(1) == b""
