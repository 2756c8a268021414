"""B2: the environment and `.netrc` replace nothing that was said explicitly."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from forge_cli import ApiKeyAuthHook, BasicAuthHook, HttpClient, HttpClientConfig, MaxRetryException
from tests.server import Reply, Server


@pytest.fixture
def netrc(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = own_home / ".netrc"
    path.write_text("machine 127.0.0.1 login intruder password netrc-password-1\ndefault login x password netrc-2\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
class TestNetrc:
    @pytest.mark.parametrize(
        ("settings", "sent"),
        [
            pytest.param({}, None, id="nothing"),
            pytest.param(
                {"default_headers": {"Authorization": "Bearer user-token-1"}}, "Bearer user-token-1", id="header"
            ),
            pytest.param({"auth_hook": BasicAuthHook("ada", "pw")}, "Basic YWRhOnB3", id="basic"),
            pytest.param({"auth_hook": ApiKeyAuthHook("key-1")}, None, id="key"),
        ],
    )
    def test_it_is_never_read(self, server: Server, settings: dict[str, Any], sent: str | None) -> None:
        server.reply("/x", Reply())
        with HttpClient(HttpClientConfig(server.url, **settings)) as client:
            client.get("/x")
        assert server.seen[0].headers["Authorization"] == sent

    def test_not_after_a_redirect_either(self, server: Server, other_server: Server) -> None:
        server.reply("/x", Reply(302, headers={"Location": other_server.reply("/y", Reply())}))
        with HttpClient(HttpClientConfig(server.url, auth_hook=BasicAuthHook("ada", "pw"))) as client:
            client.get("/x")
        assert other_server.seen[0].headers["Authorization"] is None

    def test_the_requests_own_credential_is_sent(self, server: Server) -> None:
        server.reply("/x", Reply())
        with HttpClient(HttpClientConfig(server.url)) as client:
            client.get("/x", auth=("ada", "pw"))
        assert server.seen[0].headers["Authorization"] == "Basic YWRhOnB3"


class TestAuthorities:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> str:
        return str(tmp_path / "ca.pem")

    @pytest.fixture
    def secure(self, authority: str) -> Any:
        made = trustme.CA()
        made.cert_pem.write_to_path(authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert("127.0.0.1").configure_cert(context)
        with Server(tls=context) as server:
            yield server

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_the_environment_may_name_a_file(
        self, secure: Server, authority: str, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        secure.reply("/x", Reply(200, "ok"))
        monkeypatch.setenv(variable, authority)
        with HttpClient(HttpClientConfig(secure.url)) as client:
            assert client.get("/x").text == "ok"

    def test_an_explicit_file_beats_it(
        self, secure: Server, authority: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        secure.reply("/x", Reply(200, "ok"))
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        with HttpClient(HttpClientConfig(secure.url, verify_ssl=authority)) as client:
            assert client.get("/x").text == "ok"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
        client = HttpClient(HttpClientConfig(secure.url, verify_ssl=str(other)))
        with client, pytest.raises(MaxRetryException, match="SSL/TLS error occurred"):
            client.get("/x")

    def test_verification_that_is_off_stays_off(
        self, secure: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        secure.reply("/x", Reply(200, "ok"))
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        with HttpClient(HttpClientConfig(secure.url, verify_ssl=False)) as client:
            assert client.get("/x").text == "ok"
        # One insecure client does not infect the next.
        client = HttpClient(HttpClientConfig(secure.url))
        with client, pytest.raises(MaxRetryException, match="SSL/TLS error occurred"):
            client.get("/x")


class TestProxies:
    def test_the_environments_are_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Server() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            with HttpClient(HttpClientConfig("http://api.example.invalid")) as client:
                client.get("/x")
        assert [seen.target for seen in proxy.seen] == ["http://api.example.invalid/x"]

    def test_explicit_ones_replace_it(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        server.reply("/x", Reply())
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        with HttpClient(HttpClientConfig(server.url, proxies={})) as client:
            assert client.get("/x").is_success
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with HttpClient(HttpClientConfig(server.url)) as client:
            assert client.get("/x").is_success
