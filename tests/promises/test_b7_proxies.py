"""B7: a proxy's password goes to the proxy and nowhere else; NO_PROXY is honoured."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.conftest import Forge
from tests.server import Reply, Server

PASSWORD = "proxy-password-5514"
SENT = "Basic YWRhOnByb3h5LXBhc3N3b3JkLTU1MTQ="


class Tunnel(socketserver.ThreadingTCPServer):
    """A proxy for HTTPS: it remembers the head of each CONNECT, and passes on bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class _Handler(socketserver.StreamRequestHandler):
    server: Tunnel

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        self.server.heads.append(head.decode())
        host, _, port = head.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as other:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._pass, args=(other, self.connection), daemon=True)
            back.start()
            self._pass(self.connection, other)

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with Tunnel() as proxy:
        yield proxy
        proxy.shutdown()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(tls=context) as server:
        yield server


def test_through_a_tunnel_the_server_does_not_see_it(
    forge: Forge, secure: Server, tunnel: Tunnel, tmp_path: Path
) -> None:
    url = secure.reply("/x", Reply(200, "ok"))
    proxy = f"http://ada:{PASSWORD}@127.0.0.1:{tunnel.server_address[1]}"
    result = forge("get", url, "--verify", str(tmp_path / "ca.pem"), "-vv", env={"HTTPS_PROXY": proxy})
    assert result.exit_code == 0, result.stderr
    [head] = tunnel.heads
    assert f"Proxy-Authorization: {SENT}\r\n" in head
    assert secure.seen[0].headers["Proxy-Authorization"] is None
    assert SENT not in str(secure.seen[0].headers)
    assert PASSWORD not in result.stderr
    assert SENT.split()[1] not in result.stderr


def test_the_proxy_does_not_see_what_is_for_the_server(
    forge: Forge, secure: Server, tunnel: Tunnel, tmp_path: Path
) -> None:
    url = secure.reply("/x", Reply(200, "ok"))
    proxy = f"http://127.0.0.1:{tunnel.server_address[1]}"
    bearer = ("--bearer", "env:T")
    verify = ("--verify", str(tmp_path / "ca.pem"))
    assert forge("get", url, *verify, "-x", proxy, *bearer, env={"T": "t-55141"}).exit_code == 0
    assert secure.seen[0].headers["Authorization"] == "Bearer t-55141"
    assert "authorization" not in tunnel.heads[0].lower()


def test_without_tls_it_is_in_what_the_proxy_gets(forge: Forge, server: Server) -> None:
    proxy = f"http://ada:{PASSWORD}@{server.host}"
    forge("get", "http://origin.invalid/x", "-x", proxy, "--retry", "0")
    [seen] = server.seen
    assert seen.target == "http://origin.invalid/x"
    assert seen.headers["Proxy-Authorization"] == SENT
    server._problems.clear()


@pytest.mark.parametrize("listed", ["127.0.0.1", "*", "example.com, 127.0.0.1"])
def test_a_host_of_no_proxy_is_asked_directly_and_gets_no_password(forge: Forge, server: Server, listed: str) -> None:
    url = server.reply("/x", Reply())
    env = {"HTTP_PROXY": f"http://ada:{PASSWORD}@127.0.0.1:1", "NO_PROXY": listed}
    assert forge("get", url, env=env).exit_code == 0
    assert server.seen[0].headers["Proxy-Authorization"] is None


def test_one_that_is_stated_goes_to_no_server_either(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", Reply()), "-H", f"Proxy-Authorization: {SENT}").exit_code == 0
    assert server.seen[0].headers["Proxy-Authorization"] is None
