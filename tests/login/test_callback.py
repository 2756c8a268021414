"""The listener for the browser: one answer, from this machine, to the right address."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import StepFailed
from forge_cli.login.callback import DONE, Callback, Place, place_of

LOOPBACK = Place("127.0.0.1", 0, "/callback")


class Said(NamedTuple):
    query: str
    trouble: str | None = None


def known(query: str) -> Said | None:
    """The answer of a test: whatever has a state, which is good or bad."""
    if "state=" not in query:
        return None
    return Said(query, "no" if "error=" in query else None)


class Fetched(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def fetched(uri: str, target: str, method: str = "GET", **headers: str) -> Fetched:
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request(method, target, headers=headers)
    response = connection.getresponse()
    found = Fetched(response.status, dict(response.getheaders()), response.read())
    connection.close()
    return found


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do this in another thread meanwhile; a failure there is a failure of the test."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()
    assert not failures, failures


def answered(callback: Callback[Said], *requests: Callable[[str], Fetched]) -> tuple[Said | None, list[Fetched]]:
    """What the listener hands over while these requests are made, one after the other, and what they got."""
    got: list[Fetched] = []

    def browser() -> None:
        got.extend(request(callback.redirect_uri) for request in requests)

    with beside(browser):
        said = callback.wait(20)
    return said, got


def right(uri: str) -> Fetched:
    return fetched(uri, urlsplit(uri).path + "?code=code-1&state=s")


def test_one_answer_is_handed_over_and_then_the_port_is_closed() -> None:
    callback = Callback("login", LOOPBACK, known)
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/callback", callback.redirect_uri)
    said, [page] = answered(callback, right)
    assert said == Said("code=code-1&state=s")
    assert page.status == 200
    with pytest.raises(ConnectionRefusedError):
        right(callback.redirect_uri)


def test_the_page_holds_nothing_loads_nothing_and_is_not_kept() -> None:
    with Callback("login", LOOPBACK, known) as callback:
        _, [page] = answered(callback, right)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    [style] = re.findall(rb"<style>(.*?)</style>", page.body, re.DOTALL)
    assert f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style).digest()).decode()}'" in policy
    assert b"code-1" not in page.body
    assert re.search(rb"(?:src|href|url)\s*[=(]", page.body) is None
    assert b"You can close this page" in page.body
    assert page.body == DONE


def test_the_page_says_when_it_did_not_work() -> None:
    with Callback("login", LOOPBACK, known) as callback:
        said, [page] = answered(callback, lambda uri: fetched(uri, "/callback?state=s&error=<b>"))
    assert said is not None
    assert said.trouble == "no"
    assert b"did not work" in page.body
    assert b"<b>" not in page.body


@pytest.mark.parametrize(
    ("target", "method", "host", "status"),
    [
        ("/callback?code=x&state=s", "GET", "evil.example", 421),
        ("/callback?code=x&state=s", "GET", "localhost", 421),
        ("/callback?code=x&state=s", "GET", "127.0.0.1", 421),
        ("/callback?code=x&state=s", "POST", None, 405),
        ("/callback?code=x&state=s", "HEAD", None, 405),
        ("/callback/?code=x&state=s", "GET", None, 404),
        ("/Callback?code=x&state=s", "GET", None, 404),
        ("/favicon.ico", "GET", None, 404),
        ("/callback?code=x", "GET", None, 400),
    ],
    ids=["host", "name", "no port", "POST", "HEAD", "slash", "case", "favicon", "no state"],
)
def test_another_request_is_refused_and_the_right_one_still_waited_for(
    target: str, method: str, host: str | None, status: int
) -> None:
    def wrong(uri: str) -> Fetched:
        return fetched(uri, target, method, **({} if host is None else {"Host": host}))

    with Callback("login", LOOPBACK, known) as callback:
        said, [refused, page] = answered(callback, wrong, right)
    assert (refused.status, page.status) == (status, 200)
    assert said == Said("code=code-1&state=s")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /callback?code=x&state=s HTTP/1.1\r\n\r\n",
        b"GET /callback?code=x&state=s HTTP/1.1\r\nHost: @\r\nHost: @\r\n\r\n",
        b"GET /callback?code=x&state=s\r\nHost: @\r\n\r\n",
        b"GET http://@/callback?code=x&state=s HTTP/1.1\r\nHost: @\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"",
    ],
    ids=["no Host", "two Hosts", "no version", "as to a proxy", "TLS", "nothing"],
)
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    def junk(uri: str) -> Fetched:
        netloc = urlsplit(uri).netloc
        with socket.create_connection(("127.0.0.1", int(netloc.rpartition(":")[2])), timeout=10) as sock:
            sock.sendall(raw.replace(b"@", netloc.encode()))
            sock.shutdown(socket.SHUT_WR)
            return Fetched(400 if not raw or b" 40" in sock.recv(100) else 0, {}, b"")

    with Callback("login", LOOPBACK, known) as callback:
        said, [refused, _] = answered(callback, junk, right)
    assert refused.status == 400
    assert said == Said("code=code-1&state=s")


def test_sockets_that_say_nothing_or_never_end_hold_up_nobody() -> None:
    with Callback("login", LOOPBACK, known) as callback, ExitStack() as open_ones:
        address = ("127.0.0.1", int(urlsplit(callback.redirect_uri).netloc.rpartition(":")[2]))
        # More than are kept: the oldest makes room.
        for number in range(60):
            sock = open_ones.enter_context(socket.create_connection(address, timeout=10))
            sock.sendall(b"GET /callback" if number % 2 else b"")
            callback.wait(0.01)
        began = time.monotonic()
        said, _ = answered(callback, right)
        assert said == Said("code=code-1&state=s")
        assert time.monotonic() - began < 4


def test_a_head_that_never_ends_is_cut_off() -> None:
    def endless(uri: str) -> Fetched:
        address = ("127.0.0.1", int(urlsplit(uri).netloc.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as sock:
            try:
                for _ in range(1000):
                    sock.sendall(b"x" * 1024)
                return Fetched(431 if b" 431 " in sock.recv(100) else 0, {}, b"")
            except OSError:  # closed before all of it was sent
                return Fetched(431, {}, b"")

    with Callback("login", LOOPBACK, known) as callback:
        said, [refused, _] = answered(callback, endless, right)
    assert refused.status == 431
    assert said is not None


def test_a_socket_has_five_seconds() -> None:
    now = [100.0]
    with Callback("login", LOOPBACK, known, monotonic=lambda: now[0]) as callback:
        address = ("127.0.0.1", int(urlsplit(callback.redirect_uri).netloc.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(b"GET ")

            def clock() -> None:
                time.sleep(0.3)  # until it has been accepted
                now[0] += 5.1
                assert sock.recv(10) == b""
                right(callback.redirect_uri)

            with beside(clock):
                # By a clock that stands still until the socket is there, these do not end by themselves.
                assert callback.wait(1) is None
                assert callback.wait(1000) is not None


def test_nothing_comes_in_time() -> None:
    with Callback("login", LOOPBACK, known) as callback:
        began = time.monotonic()
        assert callback.wait(0.2) is None
        assert 0.1 < time.monotonic() - began < 5


def test_only_loopback_is_listened_at() -> None:
    with Callback("login", LOOPBACK, known) as callback:
        assert callback._listeners[0].getsockname()[0] == "127.0.0.1"


def test_ipv6() -> None:
    try:
        callback = Callback("login", Place("::1", 0, "/cb"), known)
    except StepFailed:
        pytest.skip("this machine has no IPv6")
    with callback:
        assert re.fullmatch(r"http://\[::1\]:[0-9]+/cb", callback.redirect_uri)
        said, [page] = answered(callback, right)
    assert (said, page.status) == (Said("code=code-1&state=s"), 200)


def test_a_port_that_is_taken_is_named() -> None:
    with Callback("login", LOOPBACK, known) as callback:
        port = int(urlsplit(callback.redirect_uri).netloc.rpartition(":")[2])
        with pytest.raises(StepFailed, match=f"cannot listen for the browser at 127.0.0.1, port {port}: address"):
            Callback("login", Place("127.0.0.1", port, "/callback"), known)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://127.0.0.1/callback", Place("127.0.0.1", 0, "/callback")),
        ("http://127.0.0.1:8765/a/b", Place("127.0.0.1", 8765, "/a/b")),
        ("http://127.0.0.1:8765", Place("127.0.0.1", 8765, "/")),
        ("http://[::1]:9/x", Place("::1", 9, "/x")),
        ("http://localhost:8765/callback", Place("localhost", 8765, "/callback")),
        ("http://localhost.evil.example/callback", None),
        ("http://0.0.0.0:8765/callback", None),
        ("http://192.0.2.1/callback", None),
        ("https://127.0.0.1/callback", None),
        ("http://127.0.0.1.evil.example/callback", None),
        ("http://me@127.0.0.1/callback", None),
        ("http://127.0.0.1/callback?x=1", None),
        ("http://127.0.0.1:x/callback", None),
        ("urn:ietf:wg:oauth:2.0:oob", None),
        ("com.example.app:/callback", None),
    ],
)
def test_where_to_listen(uri: str, place: Place | None) -> None:
    assert place_of(uri) == place


@given(st.text(max_size=200))
def test_no_redirect_uri_is_too_strange(text: str) -> None:
    for uri in (text, f"http://{text}", f"http://127.0.0.1:{text}", f"http://[{text}]/"):
        place = place_of(uri)
        assert place is None or place.host in ("127.0.0.1", "::1") or place.host.startswith(("127.", "::", "0"))


def test_strange_requests_are_answered_and_do_no_harm() -> None:
    with Callback("login", LOOPBACK, known) as callback:

        @given(st.text(st.characters(codec="latin-1"), max_size=200))
        def ask(text: str) -> None:
            for head in (text, f"GET {text} HTTP/1.1\r\nHost: {text}", f"{text}\r\nHost: x"):
                status, page = callback._reply(head)
                assert status.startswith("4")
                assert text not in page.decode() or len(text) < 20

        ask()
        said, _ = answered(callback, right)
    assert said == Said("code=code-1&state=s")


def test_a_fixed_port_can_be_had_again_at_once() -> None:
    """The first login's connection is closed by the listener, and winds down for a while after."""
    with Callback("code", LOOPBACK, known) as callback:
        port = urlsplit(callback.redirect_uri).port or 0
        assert answered(callback, lambda uri: fetched(uri, "/callback?state=1"))[0] is not None
    with Callback("code", Place("127.0.0.1", port, "/callback"), known) as again:
        assert urlsplit(again.redirect_uri).port == port


def test_a_port_at_which_another_listens_is_not_shared() -> None:
    with Callback("code", LOOPBACK, known) as callback:
        port = urlsplit(callback.redirect_uri).port or 0
        with pytest.raises(StepFailed, match="cannot listen"):
            Callback("code", Place("127.0.0.1", port, "/callback"), known)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_is_listened_for_at_both_of_its_addresses(address: str) -> None:
    with Callback("login", Place("localhost", 0, "/callback"), known) as callback:
        port = int(callback.redirect_uri.split(":")[2].split("/")[0])
        with socket.create_connection((address, port), 5) as browser:
            browser.sendall(f"GET /callback?code=c-1&state=s HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
            assert callback.wait(5) is not None
    assert callback.redirect_uri == f"http://localhost:{port}/callback"
