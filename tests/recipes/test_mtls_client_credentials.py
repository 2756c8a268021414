"""Mutual TLS (RFC 8705): the certificate is the client's credential, and its token is good with it alone."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from tests.conftest import Forge
from tests.recipes.stand_in import Tokens, bearer, form, lines, refused, shows_none, written
from tests.server import Reply, Seen, Server


class Noticing(ssl.SSLContext):
    """A server's context that remembers each client's certificate, by address."""

    certificates: dict[Any, bytes | None]


def context(ca: trustme.CA) -> Noticing:
    made = Noticing(ssl.PROTOCOL_TLS_SERVER)
    made.certificates = {}
    ca.issue_cert("127.0.0.1").configure_cert(made)
    ca.configure_trust(made)
    made.verify_mode = ssl.CERT_OPTIONAL

    class Socket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            made.certificates[self.getpeername()] = self.getpeercert(binary_form=True)

    made.sslsocket_class = Socket
    return made


class Authority(Tokens):
    """An authorization server and an API at one address; the client is registered by the subject `client-1`."""

    def __init__(self, server: Server, tls: Noticing) -> None:
        super().__init__("bound")
        self.server = server
        self.tls = tls
        self.lifetime = 300
        self.thumbprints: dict[str, str] = {}
        server.reply("/token", self.token, method="POST", optional=True)
        server.reply("/items", self.items, optional=True)

    def certificate(self, seen: Seen) -> bytes:
        return self.tls.certificates[seen.client] or b""

    def token(self, seen: Seen) -> Reply:
        wanted = {"grant_type": "client_credentials", "client_id": "client-1", "scope": "read"}
        if form(seen) != wanted or seen.headers["Authorization"]:
            return refused("invalid_request", said=seen.form)
        certificate = self.certificate(seen)
        named = x509.load_der_x509_certificate(certificate).subject.rfc4514_string() if certificate else ""
        if "CN=client-1" not in named.split(","):
            return refused("invalid_client", 401, named)
        token = self.new()
        self.thumbprints[token] = hashlib.sha256(certificate).hexdigest()
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})

    def items(self, seen: Seen) -> Reply:
        known = self.thumbprints.get(bearer(seen) or "")
        if known != hashlib.sha256(self.certificate(seen)).hexdigest():
            return Reply(401, {"error": "invalid_token"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return self.api(seen)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def client_files(ca: trustme.CA, name: str) -> None:
    """Put a certificate and its key where the recipe looks for them."""
    folder = Path.home() / ".keys"
    folder.mkdir(exist_ok=True)
    made = ca.issue_cert(f"{name}.example", common_name=name)
    made.cert_chain_pems[0].write_to_path(folder / "client.crt")
    made.private_key_pem.write_to_path(folder / "client.key")


@pytest.fixture
def authority(ca: trustme.CA) -> Iterator[Authority]:
    client_files(ca, "client-1")
    tls = context(ca)
    with Server(tls=tls) as server:
        url = f"{server.url}/token"
        path = written("mtls-client-credentials", api=server.url, token_url=url, client_id="client-1", scope="read")
        ca.cert_pem.write_to_path(path.parent / "ca.pem")
        text = path.read_text()
        path.write_text(text.replace('base_url = "${vars.api}"', 'base_url = "${vars.api}"\nverify = "ca.pem"'))
        yield Authority(server, tls)
        server.check()


def test_one_login_serves_two_commands(forge: Forge, authority: Authority) -> None:
    for _ in range(2):
        result = forge("get", "/items")
        assert result.exit_code == 0, result.stderr
    assert lines(authority.server.seen) == ["POST /token", "GET /items", "GET /items"]


def test_a_token_that_has_ended_is_replaced(forge: Forge, authority: Authority) -> None:
    authority.lifetime = 0
    for _ in range(2):
        assert forge("get", "/items").exit_code == 0
    assert authority.issued == 2


def test_a_token_that_is_revoked_is_replaced_after_the_refusal(forge: Forge, authority: Authority) -> None:
    forge("get", "/items")
    authority.revoke()
    assert forge("get", "/items").exit_code == 0
    assert authority.issued == 2


def test_a_token_is_good_with_its_own_certificate_alone(
    forge: Forge, authority: Authority, ca: trustme.CA, own_home: Path
) -> None:
    forge("get", "/items")
    # The client has a new certificate: what was bound to the old one is refused, and replaced.
    client_files(ca, "client-1")
    assert forge("get", "/items").exit_code == 0
    assert authority.issued == 2


def test_another_certificate_is_exit_7_and_its_key_is_not_shown(
    forge: Forge, authority: Authority, ca: trustme.CA
) -> None:
    client_files(ca, "client-2")
    result = forge("get", "/items", "-v")
    assert (result.exit_code, "invalid_client" in result.stderr) == (7, True)
    assert shows_none(result, *(Path.home() / ".keys" / "client.key").read_text().splitlines()[1:-1])


def test_a_certificate_of_another_authority_gets_no_token(forge: Forge, authority: Authority) -> None:
    client_files(trustme.CA(), "client-1")
    result = forge("get", "/items", "--retry", "0")
    assert result.exit_code in (7, 8)
    assert authority.issued == 0
