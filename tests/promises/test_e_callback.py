"""E: the callback of a browser login: one answer, by its state, from this machine, in its time, and nothing shown."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from forge_cli.errors import ProfileError, StepFailed, TimeoutException
from forge_cli.login import callback as listening
from forge_cli.login.callback import Callback, Place
from forge_cli.login.steps import browser as browser_step
from tests.browser_login import logged_in, profile, token
from tests.login_server import LoginServer
from tests.people import Somebody, parameters, shown_url, visit
from tests.server import Server


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


def sent(uri: str, query: str, method: str = "GET", path: str | None = None, body: str = "", **fields: str) -> Got:
    """One request to where a redirect URI leads."""
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request(method, f"{path or parts.path}?{query}", body=body or None, headers=fields)
    response = connection.getresponse()
    got = Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode())
    connection.close()
    return got


def attacked(server: Server, *queries: str, **request: str) -> list[Got]:
    """What an attacker gets at the callback, who sends these before the right answer comes; `STATE` is the right one.

    The login must take the right answer all the same.
    """
    got: list[Got] = []

    def browse(url: str) -> None:
        asked = parameters(url)
        got.extend(sent(asked["redirect_uri"], q.replace("STATE", asked["state"]), **request) for q in queries)
        visit(url)

    logged_in(server, browse=browse)
    codes = [dict(seen.form)["code"] for seen in server.seen_at("/token")]
    assert len(codes) == 1
    assert "evil" not in codes[0]
    assert all(each.status >= 400 and "evil" not in each.body for each in got)
    return got


def test_a_state_has_128_bits_and_is_another_each_time(server: Server) -> None:
    LoginServer(server)
    states = {parameters(shown_url(logged_in(server)))["state"] for _ in range(3)}
    assert len(states) == 3
    assert all(len(base64.urlsafe_b64decode(state + "==")) * 8 >= 128 for state in states)


def test_an_answer_is_taken_once_and_then_nobody_listens(server: Server) -> None:
    LoginServer(server)
    second: list[str] = []

    def twice(url: str) -> None:
        visit(url)
        asked = parameters(url)
        # `visit` comes back when the port is about to close, or is closed.
        with suppress(OSError):
            second.append(visit(f"{asked['redirect_uri']}?{urlencode({'code': 'evil', 'state': asked['state']})}"))

    person = logged_in(server, browse=twice)
    assert [dict(seen.form)["code"] == "evil" for seen in server.seen_at("/token")] == [False]
    assert "You can close" not in "".join(second)
    asked = parameters(shown_url(person))
    with pytest.raises(OSError, match="refused"):
        visit(f"{asked['redirect_uri']}?{urlencode({'code': 'x', 'state': asked['state']})}")


def test_of_two_answers_that_arrive_at_once_one_is_taken() -> None:
    place = Place("127.0.0.1", 0, "/callback")
    with (
        Callback("login", place, browser_step.Expected("s").read) as callback,
        socket.socket() as first,
        socket.socket() as second,
    ):
        for each in (first, second):
            each.connect(("127.0.0.1", urlsplit(callback.redirect_uri).port))
        callback.wait(0.05)
        host = urlsplit(callback.redirect_uri).netloc
        for each, code in ((first, "a"), (second, "b")):
            each.sendall(f"GET /callback?code={code}&state=s HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        found = callback.wait(5)
        pages = [_all(each) for each in (first, second)]
        # Closed with the answer, and not only with the step.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(callback.redirect_uri).port or 0), 5)
    assert found is not None
    assert sum(b"200 OK" in page for page in pages) == 1
    assert b"200 OK" in pages[("a", "b").index(found.code)]


def _all(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    data = b""
    with suppress(OSError):
        while piece := connection.recv(4096):
            data += piece
    return data


@pytest.mark.parametrize(
    "query",
    [
        "code=evil&state=" + "A" * 43,
        "code=evil",
        "code=evil&state=",
        "error=access_denied&state=" + "A" * 43,
        "code=evil&state=STATE&state=STATE",
        "code=evil&code=evil&state=STATE",
        "state=STATE&code=evil&iss=https://a.example&iss=https://b.example",
        "state=STATE%00&code=evil",
        "code=evil&STATE=state",
    ],
    ids=["another state", "none", "empty", "a refusal", "two states", "two codes", "two issuers", "longer", "no name"],
)
def test_an_answer_that_is_not_to_this_login_is_refused_and_the_right_one_still_taken(
    server: Server, query: str
) -> None:
    LoginServer(server)
    assert [got.status for got in attacked(server, query)] == [400]


def test_an_error_beside_a_code_is_an_error(server: Server) -> None:
    LoginServer(server, answer={"code": "code-1", "error": "access_denied"})
    with pytest.raises(StepFailed, match="refused: access_denied"):
        logged_in(server)
    assert server.seen_at("/token") == []


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT"])
def test_only_a_get_is_an_answer(server: Server, method: str) -> None:
    LoginServer(server)
    [got] = attacked(server, "code=evil&state=STATE", method=method)
    assert (got.status, got.headers["allow"]) == (405, "GET")


def test_the_body_of_a_form_is_no_answer(server: Server) -> None:
    LoginServer(server)
    [got] = attacked(server, "", method="POST", body="code=evil&state=STATE")
    assert got.status == 405


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "evil.example:PORT", "127.0.0.1:PORT.evil"])
def test_a_name_that_leads_to_this_machine_is_not_its_host(server: Server, host: str) -> None:
    """A web page that has its own name rebound to loopback is such a one."""
    LoginServer(server)
    status: list[int] = []

    def browse(url: str) -> None:
        asked = parameters(url)
        port = str(urlsplit(asked["redirect_uri"]).port)
        got = sent(asked["redirect_uri"], f"code=evil&state={asked['state']}", Host=host.replace("PORT", port))
        status.append(got.status)
        visit(url)

    logged_in(server, browse=browse)
    assert status == [421]
    assert dict(server.seen_at("/token")[0].form)["code"] != "evil"


def test_a_web_page_cannot_read_what_the_callback_says(server: Server) -> None:
    """Not by a simple request, nor by one that asks first (also for the private network)."""
    LoginServer(server)
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"}
    got = attacked(server, "code=evil&state=guess", Origin="https://evil.example")
    got += attacked_again(server, Origin="https://evil.example", **ask)
    assert [each.status for each in got] == [400, 405]
    for each in got:
        assert not [name for name in each.headers if name.startswith("access-control-")]
        assert "frame-ancestors 'none'" in each.headers["content-security-policy"]


def attacked_again(server: Server, **fields: str) -> list[Got]:
    server.seen.clear()
    return attacked(server, "code=evil&state=STATE", method="OPTIONS", **fields)


@pytest.mark.parametrize(
    "path", ["/", "/callback/", "/callback/../callback", "//callback", "/Callback", "/favicon.ico"]
)
def test_no_other_path_is_the_callback(server: Server, path: str) -> None:
    LoginServer(server)
    [got] = attacked(server, "code=evil&state=STATE", path=path)
    assert got.status == 404


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
def test_the_callback_is_at_a_random_port_of_loopback_alone(server: Server) -> None:
    LoginServer(server)
    listeners: list[list[str]] = []

    def look(url: str) -> None:
        port = urlsplit(parameters(url)["redirect_uri"]).port
        rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
        listeners.append([row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"])
        visit(url)

    uris = {parameters(shown_url(logged_in(server, browse=look)))["redirect_uri"] for _ in range(3)}
    assert len(uris) > 1
    assert all(re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/callback", uri) for uri in uris)
    # 127.0.0.1 as the kernel writes it, on machines that put the last byte first.
    expected = "0100007F" if sys.byteorder == "little" else "7F000001"
    assert [[address.partition(":")[0] for address in found] for found in listeners] == [[expected]] * 3


def test_the_profiles_own_redirect_uri_is_used(server: Server) -> None:
    LoginServer(server)
    own = ('kind = "browser"', 'kind = "browser"\nredirect_uri = "http://127.0.0.1/back/here"')
    url = shown_url(logged_in(server, own))
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/back/here", parameters(url)["redirect_uri"])
    assert dict(server.seen_at("/token")[0].form)["redirect_uri"] == parameters(url)["redirect_uri"]


@pytest.mark.parametrize("uri", ["http://192.0.2.1/callback", "http://app.example/callback", "http://0.0.0.0/callback"])
def test_no_code_goes_over_the_network_in_the_clear(server: Server, uri: str) -> None:
    person = Somebody(visit)
    with pytest.raises(ProfileError, match="in the clear"):
        token(profile(server, person, ('kind = "browser"', f'kind = "browser"\nredirect_uri = "{uri}"')))
    assert (person.opened, server.seen) == ([], [])


@pytest.mark.parametrize("answer", [{}, {"error": "code-1-secret", "error_description": "<b>words-1</b>"}], ids=str)
def test_the_page_holds_nothing_of_the_answer(server: Server, answer: dict[str, str]) -> None:
    LoginServer(server, answer=answer)
    pages: list[str] = []
    with suppress(StepFailed):
        logged_in(server, browse=lambda url: pages.append(visit(url)))
    assert ("did not work" if answer else "You can close this page") in pages[0]
    told = [dict(seen.form)["code"] for seen in server.seen_at("/token")] + list(answer.values())
    assert told
    for text in (*told, "access-token", "words-1", parameters(server.seen[0].target)["state"]):
        assert text not in pages[0]


def test_a_socket_has_five_seconds_however_it_spends_them() -> None:
    """One that says a byte now and then has no more time than one that says nothing."""
    assert listening._SOCKET_SECONDS == 5
    now = [100.0]

    def clock() -> float:
        # A little goes by each time that it is looked at.
        now[0] += 0.001
        return now[0]

    place = Place("127.0.0.1", 0, "/callback")
    with (
        Callback("login", place, browser_step.Expected("s").read, monotonic=clock) as callback,
        socket.create_connection(("127.0.0.1", urlsplit(callback.redirect_uri).port or 0), 10) as slow,
    ):
        callback.wait(0.05)
        began, lived = now[0], 0.0
        for letter in b"GET /callback":
            slow.sendall(bytes([letter]))
            now[0] += 0.9
            callback.wait(0.05)
            if not callback._connections:
                break
            lived = now[0] - began
    assert 3.5 < lived < 5


def test_slow_sockets_hold_up_nobody(server: Server) -> None:
    LoginServer(server)
    held: list[socket.socket] = []

    def browse(url: str) -> None:
        port = urlsplit(parameters(url)["redirect_uri"]).port or 0
        for number in range(50):
            held.append(socket.create_connection(("127.0.0.1", port), 10))
            held[-1].sendall(b"GET /callback?code=evil HTTP/1.1\r\nHost:"[: number % 45])
        visit(url)

    logged_in(server, browse=browse)
    assert len(held) == 50
    for each in held:
        each.close()


def test_the_wait_has_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser_step._LONGEST == 300
    monkeypatch.setattr(browser_step, "_LONGEST", 0.2)
    began = time.monotonic()
    with pytest.raises(TimeoutException, match="nothing came back"):
        token(profile(server, Somebody(lambda url: None)))
    assert time.monotonic() - began < 15


def test_requests_that_are_no_answer_do_not_lengthen_the_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_step, "_LONGEST", 0.5)
    count = [0]

    def knock(url: str) -> None:
        with suppress(OSError, http.client.HTTPException):
            while True:
                sent(parameters(url)["redirect_uri"], "code=evil")
                count[0] += 1

    person = Somebody(knock)
    began = time.monotonic()
    with pytest.raises(TimeoutException, match="nothing came back"):
        token(profile(server, person))
    assert time.monotonic() - began < 15
    person.done()
    assert count[0] > 0
