from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import requests

from forge_cli.transport.adapter import Adapter
from forge_cli.transport.environment import Environment
from forge_cli.transport.session import Transport
from tests.transport.conftest import Serve, get, options, reply

pytestmark = pytest.mark.usefixtures("way")


def test_pools_that_the_library_gave_up_are_found_anew(serve: Serve) -> None:
    transport = Transport(options(pool_connections=1))
    first, second = serve(reply(b"first")), serve(reply(b"second"))
    for _ in range(2):
        assert transport.send(get(first.url())).read() == b"first"
        assert transport.send(get(second.url())).read() == b"second"
    assert (first.connections, second.connections) == (2, 2)
    transport.close()


def test_the_adapter_works_in_any_session(serve: Serve) -> None:
    server = serve(reply(b"body"))
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", Adapter((1, 1), True, Environment()))
        assert session.get(server.url("/x?y=1"), timeout=5).content == b"body"
    assert server.heads[0].startswith(b"GET /x?y=1 ")


def test_the_librarys_log_shows_no_query(serve: Serve, transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    transport.send(get(serve(reply()).url("/?token=user-token-1"))).read()
    assert "user-token-1" not in caplog.text


def test_the_pure_modules_do_not_load_the_library() -> None:
    modules = ("", ".redirects", ".environment", ".decode")
    imports = "; ".join(f"import forge_cli.transport{name}" for name in modules)
    program = f"import sys; {imports}; print(*{{'requests', 'urllib3', 'brotli'}}.intersection(sys.modules))"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=sys.path[0], timeout=60)
    assert found.stdout.split() == []


def test_a_field_that_is_no_line_is_not_sent(serve: Serve) -> None:
    server = serve(reply())
    request = requests.Request("GET", server.url()).prepare()
    request.headers.update({"X-A": "1"})
    request.headers["X-B"] = "2\r\nX-Evil: 1"
    with requests.Session() as session:
        session.mount("http://", Adapter((1, 1), True, Environment()))
        with pytest.raises(ValueError, match="Invalid header value"):
            session.send(request, timeout=5)
    assert server.heads == []
