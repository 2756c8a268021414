"""B1, cell by cell: each redirect, to each kind of other place, with each credential; what arrives there."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import trustme

from forge_cli import ApiKeyAuthHook, BasicAuthHook, HttpClient, HttpClientConfig, HttpRequest, RequestContext
from forge_cli.errors import MaxRetryException, RedirectException
from tests.conftest import Forge, Require

STATUSES = (301, 302, 303, 307, 308)
PLACES = (
    "same origin",
    "other host",
    "other port",
    "https to http",
    "http to https",
    "subdomain",
    "IPv6",
    "userinfo",
)
CREDENTIALS = ("bearer", "basic", "header", "query", "cookie", "set cookie", "certificate")
SECRET = "user-secret-1"
BODY = "user-body-secret-1"
REFUSED = "refused"


class Got(NamedTuple):
    method: str
    text: str
    certificate: bool


class Place(socketserver.ThreadingTCPServer):
    """A server at one address that remembers what arrives, over TLS with a client certificate where there is one."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Recorder)
        self.tls = tls
        self.got: list[Got] = []
        self.location, self.status = "", 302
        self.port: int = self.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            stream = request if self.tls is None else self.tls.wrap_socket(request, server_side=True)
            with stream:
                super().finish_request(stream, client_address)


class _Recorder(BaseHTTPRequestHandler):
    server: Place

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = f"{self.path}\n{self.headers}\n{body.decode()}"
        shown = isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert(True) is not None
        self.server.got.append(Got(self.command, text, shown))
        if self.path.startswith("/from"):
            # A server that sends along whatever it was asked with.
            query = self.path.partition("?")[2]
            self.send_response(self.server.status)
            self.send_header("Location", self.server.location + ("?" + query if query else ""))
            if "Wants-Cookie" in self.headers:
                self.send_header("Set-Cookie", f"session={SECRET}")
                self.send_header("Set-Cookie", f"wide={SECRET}; Domain=example.test")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET


class Names(socketserver.ThreadingTCPServer):
    """A proxy whose only use is to know where the names of this test are."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.ports: dict[str, int] = {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Tunnel(socketserver.StreamRequestHandler):
    server: Names

    def handle(self) -> None:
        name = self.rfile.readline().decode().split()[1]
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(("127.0.0.1", self.server.ports[name])) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(there, self.connection))
            back.start()
            _pass_on(self.connection, there)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class World(NamedTuple):
    """Where requests begin and where redirects lead, for each kind of place."""

    pairs: dict[str, tuple[Place, Place, str, str]]
    bundle: str
    certificate: str
    proxy: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = ("127.0.0.1", "127.0.0.2", "::1", "example.test", "api.example.test")
    authority.issue_cert(*names).configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_OPTIONAL
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("ada@example.test").private_key_and_cert_chain_pem.write_to_path(str(folder / "ada.pem"))
    with contextlib.ExitStack() as stack:

        def place(host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = tls) -> Place:
            made = Place(host, port, context)
            stack.callback(made.server_close)
            stack.callback(made.shutdown)
            return made

        home, other_port, plain_home, plain = place(), place(), place(context=None), place(context=None)
        # The port is the same, so that the host alone differs.
        other_host = place("127.0.0.2", home.port)
        pairs = {
            "same origin": (home, home, home.origin, home.origin),
            "other host": (home, other_host, home.origin, other_host.origin),
            "other port": (home, other_port, home.origin, other_port.origin),
            "https to http": (home, plain, home.origin, plain.origin),
            "http to https": (plain_home, other_port, plain_home.origin, other_port.origin),
            "subdomain": (home, other_port, "https://example.test", "https://api.example.test"),
            # What stands before the "@" is home, for whoever reads carelessly.
            "userinfo": (
                home,
                other_host,
                home.origin,
                other_host.origin.replace("//", f"//{home.origin.partition('//')[2]}@"),
            ),
        }
        with contextlib.suppress(OSError):
            six = place("::1")
            pairs["IPv6"] = (home, six, home.origin, six.origin)
        proxy = Names()
        stack.callback(proxy.server_close)
        stack.callback(proxy.shutdown)
        proxy.ports = {"example.test:443": home.port, "api.example.test:443": other_port.port}
        yield World(pairs, str(folder / "ca.pem"), str(folder / "ada.pem"), proxy.url)


def _carried(got: Got) -> bool:
    """Whether a request carries the credential, in whatever form."""
    return SECRET in got.text or "authorization:" in got.text.lower() or got.certificate


@dataclasses.dataclass
class Case:
    """Where one row of cells begins and leads to."""

    home: Place
    there: Place
    start: str

    def cell(self, send: Callable[[str], str]) -> tuple[str, bool, bool]:
        """How it ended; whether the credential was at home; whether anything of it, or of the body, was elsewhere."""
        self.home.got.clear()
        self.there.got.clear()
        ended = send(self.start + "/from")
        first = self.home.got[0]
        arrived = [got for got in self.there.got if "/to" in got.text.partition("\n")[0]]
        if ended == REFUSED:
            assert arrived == []
        else:
            [second] = arrived
            ended = second.method + (" with the body" if BODY in second.text else "")
        return ended, "Wants-Cookie" in first.text or _carried(first), any(map(_carried, arrived))


def _expected(place: str, status: int, method: str) -> str:
    if place == "https to http":
        return REFUSED
    if method == "GET" or status in (301, 302, 303):
        return "GET"
    return "POST with the body" if place == "same origin" else REFUSED


class QueryKey(ApiKeyAuthHook):
    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return dataclasses.replace(request, params={"k": self._key})


class Cookie(ApiKeyAuthHook):
    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return dataclasses.replace(request, cookies={"sid": self._key})


def _config(credential: str, certificate: str) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {
        "bearer": {"default_headers": {"Authorization": f"Bearer {SECRET}"}},
        "basic": {"auth_hook": BasicAuthHook("user", SECRET)},
        "header": {"auth_hook": ApiKeyAuthHook(SECRET, "X-Tenant")},
        "query": {"auth_hook": QueryKey(SECRET)},
        "cookie": {"auth_hook": Cookie(SECRET)},
        "set cookie": {"default_headers": {"Wants-Cookie": "1"}},
        "certificate": {"client_cert": (certificate, None, None)},
    }
    return made[credential]


AUTH = {
    "header": f'type = "api-key"\nkey = "{SECRET}"\nin = "header"\nname = "X-Tenant"',
    "query": f'type = "api-key"\nkey = "{SECRET}"\nin = "query"\nname = "k"',
    "cookie": f'type = "api-key"\nkey = "{SECRET}"\nin = "cookie"\nname = "sid"',
}
OPTIONS = {
    "bearer": ("--bearer", "env:SECRET"),
    "basic": ("-u", "env:USER_SECRET"),
    "set cookie": ("-H", "Wants-Cookie: 1"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", STATUSES)
class TestMatrix:
    @pytest.fixture
    def case(self, world: World, place: str, status: int, require: Require) -> Case:
        if place not in world.pairs:
            require.missing("this machine has no IPv6")
        home, there, start, target = world.pairs[place]
        home.status, home.location = status, target + "/to"
        return Case(home, there, start)

    def test_a_client(self, world: World, case: Case, place: str, status: int) -> None:
        cells, expected = {}, {}
        for credential in _possible(place):
            for method in ("GET", "POST"):
                client = HttpClient(
                    HttpClientConfig(
                        case.start,
                        verify_ssl=world.bundle,
                        post_to_get=True,
                        proxies={"https": world.proxy} if place == "subdomain" else {},
                        **_config(credential, world.certificate),
                    )
                )

                def send(url: str, client: HttpClient = client, method: str = method) -> str:
                    body = {"password": BODY} if method == "POST" else None
                    with client:
                        try:
                            return str(client.request(HttpRequest(method, url, json_data=body)).status_code)
                        except MaxRetryException as exc:
                            assert isinstance(exc.original_exception, RedirectException)
                            return REFUSED

                cells[credential, method] = case.cell(send)
                ended = _expected(place, status, method)
                expected[credential, method] = (ended, True, place == "same origin")
        assert cells == expected

    def test_the_command(
        self,
        forge: Forge,
        profile_file: Callable[[str], Path],
        world: World,
        case: Case,
        place: str,
        status: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SECRET", SECRET)
        monkeypatch.setenv("USER_SECRET", f"user:{SECRET}")
        cells, expected = {}, {}
        for credential in _possible(place):
            auth = f"[profiles.default.auth]\n{AUTH[credential]}\n" if credential in AUTH else ""
            profile_file(f'[profiles.default]\nbase_url = "{case.start}"\n{auth}')
            common = ["--verify", world.bundle, *OPTIONS.get(credential, ()), "-L", "--retry", "0"]
            common += ["--cert", world.certificate] if credential == "certificate" else []
            common += ["--proxy", world.proxy] if place == "subdomain" else []
            # Of what only the server knows, and of a certificate, nothing is left out of a request.
            told = place != "same origin" and credential not in ("set cookie", "certificate")
            for method in ("GET", "POST"):
                words = [f"password={BODY}"] if method == "POST" else []

                def send(
                    url: str,
                    method: str = method,
                    words: list[str] = words,
                    common: list[str] = common,
                    told: bool = told,
                ) -> str:
                    result = forge(method.lower(), "/from", *words, *common)
                    assert result.exit_code in (0, 6), result.stderr
                    assert SECRET not in result.stderr and BODY not in result.stderr
                    assert result.exit_code == 6 or ("add the origin to `origins`" in result.stderr) is told
                    return REFUSED if result.exit_code == 6 else "200"

                cells[credential, method] = case.cell(send)
                ended = _expected(place, status, method)
                expected[credential, method] = (ended, True, place == "same origin")
        assert cells == expected


def _possible(place: str) -> tuple[str, ...]:
    """The credentials that a request can carry to where it begins."""
    return tuple(name for name in CREDENTIALS if not (name == "certificate" and place == "http to https"))


class TestSession:
    """A session of the caller's own."""

    def test_its_certificate_and_its_cookies_stay_at_home(self, world: World) -> None:
        home, there, start, target = world.pairs["other port"]
        home.status, home.location = 302, target + "/to"
        session = requests.Session()
        session.cert, session.verify = world.certificate, world.bundle
        with session, HttpClient(HttpClientConfig(start, default_headers={"Wants-Cookie": "1"}), session) as client:
            home.got.clear()
            there.got.clear()
            for _ in range(2):
                client.get("/from")
            assert home.got[0].certificate
            assert SECRET in home.got[1].text
            assert not any(map(_carried, there.got))
