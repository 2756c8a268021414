"""Addresses, proxies and certificate files of a profile that cannot be meant."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from forge_cli.profiles.connection import missing_files, problems


def found(text: str) -> list[tuple[str, str]]:
    return [(".".join(map(str, problem.path)), problem.message) for problem in problems(tomllib.loads(text))]


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://a.example/v1?key=1", "query"),
        ("https://a.example/v1#top", "fragment"),
        ("https://a.example/#top?x", "query"),
        ("https://${vars.host}/v1?x=${vars.x}", "query"),
    ],
)
def test_a_base_url_with_a_query_would_lose_the_path(url: str, what: str) -> None:
    [(path, message)] = found(f'base_url = "{url}"')
    assert path == "base_url"
    assert message == f"has a {what}: write parameters of every request under `query`"


def test_a_question_mark_inside_a_reference_is_none_of_the_url() -> None:
    assert found("base_url = \"https://a.example/${vars.x ?? '?#'}\"") == []


@pytest.mark.parametrize("proxy", ["http://p.example:3128", "HTTPS://p.example", "p.example:3128", "${env.PROXY}"])
def test_a_proxy_is_fine(proxy: str) -> None:
    assert found(f'proxy = "{proxy}"') == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('proxy = "socks5://p.example"', "proxy"),
        ('proxy = "socks5://${env.PROXY}"', "proxy"),
        ('proxy = { https = "socks5://p.example", http = "http://p.example" }', "proxy.https"),
    ],
)
def test_a_proxy_of_another_kind_is_refused(text: str, path: str) -> None:
    assert found(text) == [(path, "a proxy of the kind 'socks5' is not supported (one of: http, https)")]


def test_files_are_looked_for_beside_the_profile_file_and_at_home(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (own_home / "key.pem").touch()
    certificate = {"cert": "no.pem", "key": "~/key.pem"}
    profile = {"verify": "ca.pem", "client_cert": certificate}
    assert [problem.path for problem in missing_files(profile, tmp_path)] == [("client_cert", "cert")]


@pytest.mark.parametrize(
    "profile", [{}, {"verify": False}, {"client_cert": 1, "verify": 2}, {"client_cert": {"key": 1}}]
)
def test_where_no_file_is_named_none_is_missing(profile: dict[str, object], tmp_path: Path) -> None:
    assert list(missing_files(profile, tmp_path)) == []
