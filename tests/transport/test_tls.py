from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from forge_cli.errors import RequestBuildException, SSLException
from forge_cli.models import Deadline
from forge_cli.transport.session import Transport
from forge_cli.transport.tls import context
from tests.transport.conftest import Authority, Serve, get, options, reply

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def client_files(authority: Authority, tmp_path: Path) -> tuple[str, str, str]:
    """A client certificate, its key, and its key under the password "user-pass-1"."""
    issued: trustme.LeafCert = authority.ca.issue_cert("user@client.example")
    cert, key, locked = (tmp_path / name for name in ("cert.pem", "key.pem", "locked.pem"))
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    loaded = load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"user-pass-1")))
    return str(cert), str(key), str(locked)


def demanding(authority: Authority) -> ssl.SSLContext:
    settings = authority.server()
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_verify_locations(authority.bundle)
    return settings


def test_a_client_certificate_is_presented(
    serve: Serve, authority: Authority, client_files: tuple[str, str, str]
) -> None:
    cert, key, locked = client_files
    server = serve(reply(b"known"), demanding(authority))
    for files in ((cert, key, None), (cert, locked, "user-pass-1")):
        transport = Transport(options(verify=authority.bundle, client_cert=files))
        assert transport.send(get(server.url()), Deadline(5)).read() == b"known"
        transport.close()


def test_a_client_certificate_can_be_kept_back(
    serve: Serve, authority: Authority, client_files: tuple[str, str, str]
) -> None:
    server = serve(reply(b"known"), demanding(authority))
    files = (client_files[0], client_files[1], None)
    transport = Transport(options(verify=authority.bundle, client_cert=files))
    assert transport.send(get(server.url())).read() == b"known"
    with pytest.raises(SSLException, match="certificate required"):
        transport.send(get(server.url()), stranger=True)
    transport.close()


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_a_locked_key_is_an_error_and_never_asks_on_the_terminal(
    client_files: tuple[str, str, str], password: str | None
) -> None:
    with pytest.raises(RequestBuildException, match=r"client certificate .* cannot be used") as caught:
        context(True, (client_files[0], client_files[2], password))
    assert caught.value.hint is not None


def test_a_client_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(RequestBuildException, match="'/nowhere' cannot be used: no such file"):
        context(True, ("/nowhere", None, None))


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_a_ca_bundle_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(RequestBuildException, match=r"ca\.pem' cannot be used"):
        context(str(file), None)


def test_a_directory_of_authorities_will_do(tmp_path: Path) -> None:
    assert context(str(tmp_path), None).verify_mode is ssl.CERT_REQUIRED


def test_old_protocols_are_not_spoken() -> None:
    for verify in (True, False):
        assert context(verify, None).minimum_version >= ssl.TLSVersion.TLSv1_2
