"""Patterns for paths are tried on what a server takes the path for, not on how it is written."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli import ApiKeyAuthHook, HttpClient, HttpClientConfig
from forge_cli.encode import normal_url
from forge_cli.transport.redirects import matched_path
from tests.logins import made
from tests.server import Reply, Server

WRITTEN = [
    ("/api/users", True),
    ("/api/./users", True),
    ("/api/../admin", False),
    ("/api/x/../../admin", False),
    ("/api/%2e%2e/admin", False),
    ("/api/%2E./admin", False),
    ("/x/../api/users", True),
    ("/%61pi/users", True),
    ("/api%2Fusers", False),
    ("/api/../admin?next=/api/x", False),
]


def answer(server: Server, *paths: str) -> None:
    """Answer these paths, as they are sent."""
    for path in paths:
        server.reply(urlsplit(normal_url(f"{server.url}{path}")).path, Reply())


@pytest.mark.parametrize(("path", "sent"), WRITTEN)
def test_a_credential_goes_only_where_its_paths_are(server: Server, path: str, sent: bool) -> None:
    answer(server, path)
    text = (
        '[profiles.demo.auth]\ntype = "pipeline"\n[[profiles.demo.auth.inject]]\nin = "header"\nname = "X-Key"\n'
        'value = "key-1"\npaths = ["/api/*"]\n'
    )
    with made(text, server.url).client() as client:
        client.get(path)
        client.get(f"{server.url}{path}")
    assert [seen.headers["X-Key"] == "key-1" for seen in server.seen] == [sent, sent]


@pytest.mark.parametrize(("path", "excluded"), WRITTEN)
def test_excluded_paths_are_what_they_come_to(server: Server, path: str, excluded: bool) -> None:
    answer(server, path)
    text = '[profiles.demo.auth]\ntype = "bearer"\ntoken = "token-1"\nexclude = ["/api/*"]\n'
    with made(text, server.url).client() as client:
        client.get(path)
        client.get(f"{server.url}{path}")
    assert [seen.headers["Authorization"] is None for seen in server.seen] == [excluded, excluded]


def test_a_path_that_leads_out_of_the_base_url_is_no_path_below_it(server: Server) -> None:
    answer(server, "/v1/health", "/health", "/admin/health")
    text = '[profiles.demo.auth]\ntype = "bearer"\ntoken = "token-1"\nexclude = ["/health"]\n'
    with made(text, f"{server.url}/v1").client() as client:
        client.get("/health")
        client.get("/../health")
        client.get("/../admin/health")
    assert [seen.headers["Authorization"] is None for seen in server.seen] == [True, True, False]


def test_the_excluded_paths_of_a_hook_too(server: Server) -> None:
    answer(server, "/health", "/admin")
    hook = ApiKeyAuthHook("key-1", excluded_paths={"/health"})
    with HttpClient(HttpClientConfig(server.url, auth_hook=hook)) as client:
        client.get("/health")
        client.get("/health/../admin")
        client.get("/x/../health")
    assert [seen.headers["X-API-Key"] is None for seen in server.seen] == [True, False, True]


@given(st.text(alphabet="ab./%2eE", max_size=16))
def test_nothing_is_left_to_resolve(text: str) -> None:
    once = matched_path(f"https://a.example/{text}")
    assert once.startswith("/")
    assert not {".", ".."} & set(once.split("/"))
