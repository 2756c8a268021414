from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from forge_cli.errors import IncompleteResponseException, TimeoutException
from forge_cli.models import Deadline, Headers, PreparedRequest
from forge_cli.transport.deadline import allowance, limited, resolve
from forge_cli.transport.session import Transport
from tests.transport.conftest import Authority, Peer, Serve, get, options, reply

pytestmark = pytest.mark.usefixtures("way")

LIMIT = 0.25
# Long enough for a busy machine, far shorter than what the test would take without a deadline.
PATIENCE = 3.0


def timed(transport: Transport, request: PreparedRequest, deadline: Deadline | None = None) -> TimeoutException:
    started = time.monotonic()
    with pytest.raises(TimeoutException) as caught:
        transport.send(request, deadline).read()
    assert time.monotonic() - started < PATIENCE
    return caught.value


def test_the_deadline_holds_for_an_answer_that_never_comes(serve: Serve, transport: Transport) -> None:
    server = serve(lambda peer: peer.head() and peer.stop.wait())
    failure = timed(transport, get(server.url("/?token=user-token-1")), Deadline(LIMIT))
    assert failure.message == f"Request timed out: the whole request took longer than {LIMIT:g} s"
    assert failure.context["sent"] is True
    assert "user-token-1" not in str(failure)


def test_the_requests_own_timeout_is_a_deadline_too(serve: Serve, transport: Transport) -> None:
    def dripping_head(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.drip(b"X-A: b\r\n")

    assert timed(transport, get(serve(dripping_head).url(), timeout=LIMIT))


@pytest.mark.parametrize("length", ["Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n", ""])
def test_the_deadline_holds_for_a_dripping_body(serve: Serve, transport: Transport, length: str) -> None:
    def dripping_body(peer: Peer) -> None:
        peer.head()
        peer.send(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        peer.drip(b"1\r\nx\r\n" if "chunked" in length else b"x")

    assert timed(transport, get(serve(dripping_body).url()), Deadline(LIMIT))


def test_the_deadline_holds_for_the_tls_handshake(serve: Serve, transport: Transport) -> None:
    def silent(peer: Peer) -> None:
        peer.stop.wait()

    url = serve(silent).url().replace("http:", "https:")
    failure = timed(transport, get(url), Deadline(LIMIT))
    assert failure.context["sent"] is False


def test_the_deadline_holds_for_a_body_over_tls(serve: Serve, authority: Authority) -> None:
    def dripping_body(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.drip(b"x")

    transport = Transport(options(verify=authority.bundle))
    assert timed(transport, get(serve(dripping_body, authority.server()).url()), Deadline(LIMIT))
    transport.close()


def test_the_deadline_holds_for_an_upload_that_nobody_takes(serve: Serve, transport: Transport) -> None:
    server = serve(lambda peer: peer.stop.wait())
    request = PreparedRequest("POST", server.url(), Headers(), bytes(30_000_000))
    assert timed(transport, request, Deadline(LIMIT))


def test_the_connect_timeout_covers_the_tls_handshake(serve: Serve) -> None:
    transport = Transport(options(connect_timeout=LIMIT))
    url = serve(lambda peer: peer.stop.wait()).url().replace("http:", "https:")
    failure = timed(transport, get(url))
    assert failure.message.endswith(f"within {LIMIT:g} s")
    assert failure.context["sent"] is False
    transport.close()


def test_the_connect_timeout_covers_a_slow_proxy(serve: Serve) -> None:
    def dripping_proxy(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.drip(b"X-A: b\r\n")

    proxy = serve(dripping_proxy).url()
    transport = Transport(options(connect_timeout=LIMIT, proxies={"https": proxy}))
    assert timed(transport, get("https://api.example/")).context["sent"] is False
    transport.close()


def test_a_silent_server_is_left_after_the_idle_timeout(serve: Serve) -> None:
    def half(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.stop.wait()

    server = serve(half)
    transport = Transport(options(idle_timeout=LIMIT))
    assert timed(transport, get(server.url())).message.endswith(f"127.0.0.1:{server.port} sent nothing for {LIMIT:g} s")
    transport.close()


def test_a_deadline_that_has_passed_sends_nothing(serve: Serve, transport: Transport) -> None:
    server = serve(reply())
    failure = timed(transport, get(server.url()), Deadline(-1))
    assert failure.context["sent"] is False
    assert server.connections == 0


def test_a_reused_connection_has_the_limits_of_the_new_request(serve: Serve, transport: Transport) -> None:
    def second_drips(peer: Peer) -> None:
        peer.head()
        peer.send(reply(b"first"))
        peer.head()
        peer.drip(b"HTTP")

    server = serve(second_drips)
    assert transport.send(get(server.url())).read() == b"first"
    assert timed(transport, get(server.url()), Deadline(LIMIT))
    assert server.connections == 1


def test_a_name_that_is_not_resolved_in_time_is_a_timeout() -> None:
    never = threading.Event()

    def lookup(*args: Any) -> list[Any]:
        never.wait(PATIENCE)
        return []

    with pytest.raises(TimeoutError):
        resolve("api.example", 80, 0.05, lookup)
    never.set()


def test_a_name_that_does_not_exist_is_told_as_it_is() -> None:
    def lookup(*args: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(socket.gaierror):
        resolve("api.example", 80, 5, lookup)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up_in_a_thread(host: str) -> None:
    threads: list[str] = []

    def lookup(*args: Any) -> list[Any]:
        threads.append(threading.current_thread().name)
        return []

    resolve(host, 80, 5, lookup)
    assert threads == [threading.current_thread().name]


def test_what_one_call_may_take_is_the_shorter_limit() -> None:
    now = 0.0
    deadline = Deadline(5, lambda: now)
    assert allowance() is None
    with limited(deadline, 2):
        assert allowance() == 2
        now = 4.0
        assert allowance() == 1
        now = 5.0
        with pytest.raises(TimeoutError):
            allowance()
    assert allowance() is None


@pytest.mark.parametrize("count", [1, 15])
def test_informational_answers_are_skipped(serve: Serve, transport: Transport, count: int) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = transport.send(get(serve(early * count + reply(b"done")).url())) if count == 1 else None
    if answer is None:
        with pytest.raises(IncompleteResponseException, match="too many informational"):
            transport.send(get(serve(early * count + reply(b"done")).url()))
    else:
        assert (answer.status, answer.read()) == (200, b"done")
