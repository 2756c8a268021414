from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from forge_cli.errors import (
    AuthenticationException,
    ConnectionException,
    HttpClientException,
    IncompleteResponseException,
    RequestBuildException,
    SSLException,
    TimeoutException,
)
from forge_cli.models import Deadline, Headers, PreparedRequest
from forge_cli.transport.session import Transport, TransportOptions
from tests.transport.conftest import Authority, Peer, Serve, get, once, options, reply

pytestmark = pytest.mark.usefixtures("way")


def make(**given: Any) -> Transport:
    return Transport(options(**given))


def test_connections_are_kept_and_used_again(serve: Serve, transport: Transport) -> None:
    server = serve(reply(b"body"))
    for _ in range(3):
        assert transport.send(get(server.url())).read() == b"body"
    assert server.connections == 1


def test_the_adapter_is_one_for_all_threads_and_sessions_are_one_a_thread(transport: Transport) -> None:
    found: list[requests.Session] = []
    adapters: list[object] = []

    def look() -> None:
        found.append(transport.session)
        adapters.append(transport.session.get_adapter("https://h/"))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    look()
    assert found[1] is transport.session
    assert found[0] is not found[1]
    assert adapters == [transport.adapter] * 2
    assert transport.adapter.max_retries.total == 0
    assert transport.session.trust_env is False


def test_sessions_of_finished_threads_are_closed(transport: Transport) -> None:
    found: list[weakref.ref[requests.Session]] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: found.append(weakref.ref(transport.session)))
        thread.start()
        thread.join()
    assert transport.session.adapters
    gc.collect()
    assert [ref() for ref in found] == [None, None, None]


def test_many_threads_share_connections_and_cookies(serve: Serve, transport: Transport) -> None:
    server = serve(reply(b"body", "Set-Cookie: seen=1"))
    bodies: list[bytes] = []

    def work() -> None:
        bodies.extend(transport.send(get(server.url())).read() for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"body"] * 80
    assert server.connections <= 8
    assert transport.cookies.get("seen") == "1"


def test_cookies_come_back_to_their_host_behind_those_of_the_request(serve: Serve, transport: Transport) -> None:
    server = serve(reply(b"", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/only", "Set-Cookie: c=3"))
    other = serve(reply())
    transport.send(get(server.url(host="localhost"))).read()
    transport.send(get(server.url("/only", host="localhost"), ("Cookie", "mine=0; c=9"))).read()
    assert b"\r\nCookie: mine=0; c=9; b=2; a=1\r\n" in server.heads[1]
    transport.send(get(other.url())).read()
    assert b"Cookie" not in other.heads[0]


def test_a_redirect_is_handed_back_and_its_body_not_read(serve: Serve, transport: Transport) -> None:
    def endless(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\n\r\n")
        while not peer.stop.is_set():
            peer.send(bytes(10_000))

    server = serve(endless)
    answer = transport.send(get(server.url()), Deadline(5))
    assert (answer.status, answer.headers["location"]) == (302, "http://[bad")
    answer.close()
    assert len(server.heads) == 1


def test_a_closed_transport_sends_nothing(serve: Serve, transport: Transport) -> None:
    transport.close()
    transport.close()
    with pytest.raises(HttpClientException, match="Client is closed"):
        transport.send(get("http://127.0.0.1/"))


def test_a_url_that_is_none_is_not_sent(transport: Transport) -> None:
    with pytest.raises(RequestBuildException):
        transport.send(get("http:evil"))


def test_the_environment_names_proxies(serve: Serve) -> None:
    proxy = serve(reply(b"through the proxy"))
    transport = make(environ={"http_proxy": proxy.url(), "no_proxy": "127.0.0.1"})
    answer = transport.send(get("http://api.example/x?y=[1]#part"))
    assert answer.read() == b"through the proxy"
    assert proxy.heads[0].startswith(b"GET http://api.example/x?y=[1] HTTP/1.1\r\n")
    with pytest.raises(ConnectionException, match=r"refused by 127\.0\.0\.1:1$"):
        transport.send(get("http://127.0.0.1:1/"))
    transport.close()


def test_given_proxies_replace_those_of_the_environment(serve: Serve) -> None:
    proxy, server = serve(reply(b"proxy")), serve(reply(b"direct"))
    direct = make(environ={"http_proxy": proxy.url()}, proxies={})
    assert direct.send(get(server.url())).read() == b"direct"
    through = make(proxies={"http": proxy.url(), "no_proxy": "127.0.0.1"})
    assert through.send(get(server.url())).read() == b"direct"
    assert through.send(get("http://api.example/")).read() == b"proxy"
    direct.close()
    through.close()


def test_proxy_credentials_go_to_the_proxy_only(serve: Serve, authority: Authority) -> None:
    inside = authority.server("api.example")

    def tunnel(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.sock = inside.wrap_socket(peer.sock, server_side=True)
        peer.head()
        peer.send(reply(b"inside"))
        peer.sock.close()

    server = serve(tunnel)
    transport = make(proxies={"https": server.url().replace("//", "//user:user-pass-1@")}, verify=authority.bundle)
    answer = transport.send(get("https://api.example/x", ("Proxy-Authorization", "Basic user-pass-2")))
    assert answer.read() == b"inside"
    connect, request = server.heads
    assert connect.startswith(b"CONNECT api.example:443 HTTP/1.")
    assert b"\r\nProxy-Authorization: Basic dXNlcjp1c2VyLXBhc3MtMQ==\r\n" in connect
    assert request.startswith(b"GET /x HTTP/1.1\r\nHost: api.example\r\n")
    assert b"Proxy-Authorization" not in request
    transport.close()


def test_a_proxy_may_itself_speak_tls(serve: Serve, authority: Authority) -> None:
    server = serve(reply(b"proxied"), authority.server())
    transport = make(proxies={"http": server.url()}, verify=authority.bundle)
    assert transport.send(get("http://api.example/x"), Deadline(5)).read() == b"proxied"
    transport.close()


def test_an_explicit_ca_bundle_beats_the_environment(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    server = serve(reply(b"trusted"), authority.server())
    environ = {"REQUESTS_CA_BUNDLE": "/nowhere"}
    explicit = make(verify=authority.bundle, environ=environ)
    assert explicit.send(get(server.url())).read() == b"trusted"
    explicit.close()
    ambient = make(environ={"REQUESTS_CA_BUNDLE": authority.bundle})
    assert ambient.send(get(server.url())).read() == b"trusted"
    ambient.close()
    missing = make(environ=environ)
    with pytest.raises(RequestBuildException, match="REQUESTS_CA_BUNDLE names '/nowhere'"):
        missing.send(get(server.url()))
    missing.close()


def test_an_unverified_transport_does_not_infect_the_next(serve: Serve, authority: Authority) -> None:
    server = serve(reply(b"unverified"), authority.server())
    insecure = make(verify=False, environ={"REQUESTS_CA_BUNDLE": "/nowhere"})
    assert insecure.send(get(server.url())).read() == b"unverified"
    careful = make()
    with pytest.raises(SSLException):
        careful.send(get(server.url()))
    insecure.close()
    careful.close()


def test_an_injected_session_is_used_and_not_closed(serve: Serve) -> None:
    sent: list[requests.PreparedRequest] = []

    class Recording(requests.Session):
        closed = False

        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            sent.append(request)
            return super().send(request, **kwargs)

        def close(self) -> None:
            self.closed = True
            super().close()

    session = Recording()
    session.headers["X-Session"] = "not merged"
    session.cookies.set("own", "1", domain="localhost.local", path="/")
    server = serve(reply(b"body", "Set-Cookie: later=2"))
    transport = Transport(options(), session)
    assert transport.session is session
    assert transport.send(get(server.url(host="localhost")), Deadline(5)).read() == b"body"
    assert sent[0].headers["Cookie"] == "own=1"
    assert b"X-Session" not in server.heads[0]
    assert session.cookies.get("later") == "2"
    transport.close()
    assert session.closed is False
    session.close()


class Raising(requests.Session):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (requests.Timeout("user-token-1"), TimeoutException, "Request timed out"),
        (requests.ConnectTimeout("user-token-1"), TimeoutException, "Request timed out"),
        (requests.ConnectionError("user-token-1"), ConnectionException, "Connection failed"),
        (requests.exceptions.SSLError("user-token-1"), SSLException, "SSL/TLS error occurred"),
        (requests.TooManyRedirects("user-token-1"), HttpClientException, "HTTP request failed: TooManyRedirects"),
        (requests.exceptions.InvalidURL("user-token-1"), RequestBuildException, "the given session cannot be used"),
        (requests.exceptions.InvalidSchema("user-token-1"), RequestBuildException, "the given session cannot be used"),
        (RuntimeError("user-token-1"), HttpClientException, "HTTP request failed: RuntimeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_an_injected_session_raises_is_translated(
    error: Exception, kind: type[HttpClientException], message: str
) -> None:
    with pytest.raises(HttpClientException) as caught:
        Transport(options(), Raising(error)).send(get("https://api.example/"))
    assert type(caught.value) is kind
    assert caught.value.message.startswith(message)
    assert "user-token-1" not in str(caught.value)


def test_an_exception_of_forge_passes_an_injected_session_unchanged() -> None:
    error = AuthenticationException("no")
    with pytest.raises(AuthenticationException) as caught:
        Transport(options(), Raising(error)).send(get("https://api.example/"))
    assert caught.value is error


def test_an_injected_session_may_make_its_responses_itself() -> None:
    class Canned(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response.reason, response.request = 200, "OK", request
            response.headers["Content-Type"] = "text/plain; charset=ascii"
            response._content, response._content_consumed = b"canned", True  # type: ignore[attr-defined]
            return response

    answer = Transport(options(), Canned()).send(get("https://api.example/"))
    assert (answer.status, answer.encoding, list(answer.iter_bytes(4))) == (200, "ascii", [b"cann", b"ed"])


def test_an_injected_session_keeps_to_the_deadline_between_reads(serve: Serve) -> None:
    def dripping(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.drip(b"x")

    with requests.Session() as session:
        transport = Transport(options(), session)
        with pytest.raises(TimeoutException, match="the whole request"):
            transport.send(get(serve(dripping).url()), Deadline(0.2)).read()


def test_a_refused_connection_of_an_injected_session_sent_nothing() -> None:
    with requests.Session() as session, pytest.raises(ConnectionException) as caught:
        Transport(options(), session).send(get("http://127.0.0.1:1/"))
    assert caught.value.context["sent"] is False


@responses.activate
def test_programs_can_test_themselves_with_responses() -> None:
    transport = Transport(TransportOptions(environ={}))
    responses.get("https://api.example/x", json={"a": 1}, headers={"X-A": "b"})
    answer = transport.send(get("https://api.example/x", ("Authorization", "Bearer user-token-1")), Deadline(5))
    assert (answer.status, answer.read(), answer.headers["x-a"]) == (200, b'{"a": 1}', "b")
    assert answer.http_version == "HTTP/1.1"
    assert responses.calls[0].request.headers["authorization"] == "Bearer user-token-1"


@responses.activate
def test_responses_can_raise_what_the_library_raises() -> None:
    transport = Transport(TransportOptions(environ={}))
    responses.get("https://api.example/t", body=requests.ReadTimeout("slow"))
    responses.get("https://api.example/c", body=requests.ConnectionError("gone"))
    with pytest.raises(TimeoutException, match="Request timed out"):
        transport.send(get("https://api.example/t"))
    with pytest.raises(ConnectionException, match="Connection failed") as caught:
        transport.send(get("https://api.example/c"))
    assert caught.value.context["sent"] is True


@responses.activate
def test_responses_matches_bodies_and_queries() -> None:
    transport = Transport(TransportOptions(environ={}))
    matchers = [
        responses.matchers.json_params_matcher({"a": 1}),
        responses.matchers.query_param_matcher({"q": "1"}),
        responses.matchers.header_matcher({"X-A": "b"}),
    ]
    responses.post("https://api.example/x", status=201, match=matchers)
    headers = Headers({"X-A": "b", "Content-Type": "application/json"})
    assert transport.send(PreparedRequest("POST", "https://api.example/x?q=1", headers, b'{"a": 1}')).status == 201


def test_nothing_secret_is_in_the_options_repr() -> None:
    made = TransportOptions(client_cert=("c.pem", None, "user-pass-1"), proxies={"http": "http://u:user-pass-1@p"})
    assert "user-pass-1" not in repr(made)


def test_a_broken_answer_does_not_spoil_the_next_request(serve: Serve, transport: Transport) -> None:
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", reply(b"whole")])
    server = serve(lambda peer: once(next(answers))(peer))
    with pytest.raises(IncompleteResponseException):
        transport.send(get(server.url())).read()
    assert transport.send(get(server.url())).read() == b"whole"


def test_a_connection_that_the_server_closed_is_replaced(serve: Serve, transport: Transport) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        once(reply(b"body"))(peer)
        peer.sock.close()
        closed.set()

    server = serve(script)
    for _ in range(3):
        closed.clear()
        assert transport.send(get(server.url())).read() == b"body"
        assert closed.wait(5)
    assert server.connections == 3
