from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.errors import RequestBuildException
from forge_cli.transport.environment import Environment, entries, read

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({"http_proxy": PROXY}, "http://a/", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://a/", PROXY),
        ({"http_proxy": PROXY}, "https://a/", None),
        ({"HTTPS_PROXY": PROXY}, "https://a/", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, "https://a/", PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, "https://a/", None),
        ({"ALL_PROXY": PROXY}, "https://a/", PROXY),
        ({"all_proxy": "http://all", "https_proxy": PROXY}, "https://a/", PROXY),
        ({"https_proxy": "proxy.example:3128"}, "https://a/", PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://a/", None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, "http://a/", PROXY),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "https://a/", PROXY),
        ({}, "https://a/", None),
    ],
)
def test_proxies_come_from_the_variables_of_both_cases(environ: dict[str, str], url: str, proxy: str | None) -> None:
    assert read(environ).proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://anything/", True),
        ("example.com", "http://example.com/", True),
        ("example.com", "http://www.example.com/", True),
        ("example.com", "http://notexample.com/", False),
        (".example.com", "http://www.example.com/", True),
        (".EXAMPLE.com", "http://www.Example.com./", True),
        ("example.com:8080", "http://example.com:8080/", True),
        ("example.com:8080", "http://example.com/", False),
        ("a, b  c", "http://b/", True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/99", "http://10.1.2.3/", False),
        ("10.0.0.0/8", "http://ten.example/", False),
        ("127.0.0.1", "http://127.0.0.1:5000/", True),
        ("127.0.0.1:80", "http://127.0.0.1:5000/", False),
        ("0.0.1", "http://127.0.0.1/", False),
        ("::1", "http://[::1]/", True),
        ("[::1]:80", "http://[::1]/", True),
        ("[::1]:81", "http://[::1]/", False),
        ("fe80::/10", "http://[fe80::1]/", True),
        (".", "http://a/", False),
        ("", "http://a/", False),
    ],
)
def test_no_proxy_names_hosts_that_are_reached_directly(no_proxy: str, url: str, direct: bool) -> None:
    assert (read({"http_proxy": PROXY, "no_proxy": no_proxy}).proxy_for(url) is None) is direct
    assert read({"http_proxy": PROXY, "NO_PROXY": no_proxy}).proxy_for(url) in (None, PROXY)


@pytest.mark.parametrize("scheme", ["ftp", "socks5", "SOCKS5h"])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_an_unknown_kind_is_an_error(scheme: str, variable: str) -> None:
    with pytest.raises(RequestBuildException) as caught:
        read({variable: f"{scheme}://user:user-pass-1@p:1080"}).proxy_for("http://a/")
    assert caught.value.message == f"{variable}: {scheme} proxies are not supported"


def test_a_proxy_that_no_variable_names_is_called_so() -> None:
    with pytest.raises(RequestBuildException, match=r"^proxy: socks4 proxies are not supported$"):
        Environment(proxies={"http": "socks4://user:user-pass-1@p"}).proxy_for("http://a/")


def test_a_proxy_of_an_unknown_kind_is_no_error_where_it_is_not_used() -> None:
    assert read({"all_proxy": "socks5://p", "no_proxy": "a"}).proxy_for("http://a/") is None


def test_the_entries_of_no_proxy_may_be_apart_by_anything() -> None:
    assert entries(" a.example,,B  c ") == ("a.example", "b", "c")


def test_a_proxy_password_is_not_in_the_repr() -> None:
    assert "user-pass-1" not in repr(read({"http_proxy": "http://user:user-pass-1@p"}))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_ca_files_come_from_the_usual_variables(variable: str, tmp_path: Path) -> None:
    assert read({variable: str(tmp_path)}).ca_bundle == str(tmp_path)
    assert read({variable: ""}).ca_bundle is None
    with pytest.raises(RequestBuildException, match=f"{variable} names '/nowhere'"):
        _ = read({variable: "/nowhere"}).ca_bundle


def test_the_first_ca_variable_wins(tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": "/nowhere", "REQUESTS_CA_BUNDLE": str(tmp_path)}
    assert read(environ).ca_bundle == str(tmp_path)


def test_of_several_certificate_directories_the_first_that_exists_is_used(tmp_path: Path) -> None:
    assert read({"SSL_CERT_DIR": f"/nowhere:{tmp_path}"}).ca_bundle == str(tmp_path)
