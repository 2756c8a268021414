"""Where a client certificate is shown by a login, and where it stays behind."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.logins import made
from tests.server import Reply, Server


class Noticing(ssl.SSLContext):
    """A server's context that remembers whether clients showed a certificate."""

    shown: list[bool]


def noticing(ca: trustme.CA) -> Noticing:
    context = Noticing(ssl.PROTOCOL_TLS_SERVER)
    context.shown = []
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL

    class Socket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            context.shown.append(self.getpeercert(binary_form=True) is not None)

    context.sslsocket_class = Socket
    return context


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(ca: trustme.CA, own_home: Path) -> str:
    """The key of a profile or a request that names a certificate."""
    issued = ca.issue_cert("client.example", common_name="client")
    issued.cert_chain_pems[0].write_to_path(own_home / "client.crt")
    issued.private_key_pem.write_to_path(own_home / "client.key")
    ca.cert_pem.write_to_path(own_home / "ca.pem")
    return f'client_cert = {{ cert = "{own_home}/client.crt", key = "{own_home}/client.key" }}'


@pytest.fixture
def servers(ca: trustme.CA) -> Iterator[list[tuple[Server, Noticing]]]:
    """Where the login is, and another one."""
    contexts = [noticing(ca), noticing(ca)]
    with Server(tls=contexts[0]) as first, Server(tls=contexts[1]) as second:
        yield [(first, contexts[0]), (second, contexts[1])]
        first.check()
        second.check()


@pytest.mark.parametrize("whose", ["the profile's", "the step's"])
@pytest.mark.parametrize("redirected", [False, True], ids=["there", "redirected"])
@pytest.mark.parametrize("api", ["https://api.example", None], ids=["elsewhere", "the same"])
def test_it_is_shown_where_the_step_logs_in_and_not_where_a_redirect_leads(
    servers: list[Any], certificate: str, own_home: Path, whose: str, redirected: bool, api: str | None
) -> None:
    (login, shown), (other, shown_there) = servers
    answer = Reply(body={"token": "user-token-1"})
    if redirected:
        login.reply("/login", Reply(302, headers={"Location": other.reply("/there", answer)}))
    else:
        login.reply("/login", answer)
    step = f'request = {{ url = "{login.url}/login", redirects = 2'
    step += f", {certificate} }}\n" if whose == "the step's" else " }\n"
    profile = f'verify = "{own_home}/ca.pem"\n' + (f"{certificate}\n" if whose == "the profile's" else "")
    text = profile + '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n' + step
    made(f'{text}extract = {{ token = "/token" }}\n', api or login.url).login.pipeline.obtain(["user"])
    assert (shown.shown, shown_there.shown) == ([True], [False] if redirected else [])
