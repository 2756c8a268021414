"""B3: a URL that leads elsewhere never receives what the client has of its own."""

from __future__ import annotations

from typing import Any

import pytest

from forge_cli import (
    ApiKeyAuthHook,
    AuthorizationHook,
    HttpClient,
    HttpClientConfig,
    HttpRequest,
    MaxRetryException,
    RequestBuildException,
)
from forge_cli.events import Foreign
from forge_cli.transport.redirects import origin
from tests.server import Reply, Server

SECRETS = ("default-key-1", "auth-key-1", "hook-token-1", "cookie-1", "query-1")


def configured(base_url: str, heard: list[Any] | None = None) -> HttpClient:
    config = HttpClientConfig(
        base_url=base_url,
        default_headers={"X-Api-Key": "default-key-1"},
        default_params={"tenant": "query-1"},
        cookies={"sid": "cookie-1"},
        auth_hook=ApiKeyAuthHook("auth-key-1", "X-Auth"),
        request_hooks=(AuthorizationHook(lambda: "hook-token-1"),),
    )
    return HttpClient(config, listener=None if heard is None else heard.append)


def test_an_absolute_foreign_url_is_sent_without_and_with_a_notice(server: Server, other_server: Server) -> None:
    url = other_server.reply("/x", Reply(200, "ok"))
    heard: list[Any] = []
    with configured(server.url, heard) as client:
        assert client.get(url, headers={"X-Own": "mine"}).text == "ok"
    [seen] = other_server.seen
    assert [secret for secret in SECRETS if secret in f"{seen.target}{seen.headers}"] == []
    assert seen.headers["X-Own"] == "mine"
    assert heard[0] == Foreign(url)


def test_a_credential_of_the_request_itself_goes_where_the_request_goes(server: Server, other_server: Server) -> None:
    url = other_server.reply("/x", Reply())
    with configured(server.url) as client:
        client.get(url, headers={"X-Api-Key": "own-key-1"}, auth=("ada", "pw"))
    [seen] = other_server.seen
    assert (seen.headers["X-Api-Key"], seen.headers["Authorization"]) == ("own-key-1", "Basic YWRhOnB3")


def test_user_information_is_no_host(server: Server, other_server: Server) -> None:
    other_server.reply("/x", Reply())
    with configured(server.url) as client:
        client.get(f"http://{server.host}@{other_server.host}/x".replace(f":{server.port}", ""))
    [seen] = other_server.seen
    assert [secret for secret in SECRETS if secret in f"{seen.target}{seen.headers}"] == []


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/x",
        "/\\evil.example/x",
        "\\\\evil.example/x",
        "/@evil.example",
        "@evil.example/x",
        ".evil.example/x",
        ":80@evil.example/x",
        "/x?u=http://evil.example",
        "/x#@evil.example",
        "?@evil.example",
        "#@evil.example",
    ],
)
def test_what_is_no_absolute_url_stays_at_home(url: str) -> None:
    with configured("https://api.example.com/v1") as client:
        prepared = client.prepare(HttpRequest("GET", url))
    assert origin(prepared.url) == ("https", "api.example.com", 443)
    assert prepared.headers["X-Auth"] == "auth-key-1"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "HTTPS://evil.example/x",
        "https://api.example.com.evil.example/x",
        "https://api.example.com@evil.example/x",
        "https://api.example.com:x@evil.example/x",
        "http://api.example.com/v1/x",
        "https://api.example.com:8443/v1/x",
        "https://api.example.com./v1/x",
        "https://api.example.com%2e.evil.example/",
        "https://аpi.example.com/x",
    ],
)
def test_another_origin_gets_nothing(url: str) -> None:
    with configured("https://api.example.com/v1") as client:
        try:
            prepared = client.prepare(HttpRequest("GET", url))
        except RequestBuildException:
            return
    assert origin(prepared.url) != ("https", "api.example.com", 443)
    assert [secret for secret in SECRETS if secret in f"{prepared.url}{prepared.headers}"] == []


@pytest.mark.parametrize(
    "url",
    [
        "http:evil.example",
        "https:evil.example/x",
        "https:/evil.example",
        " https://evil.example",
        "https://evil.example\t",
        "https://evil\\.example@api.example.com/",
        "https://evil.example\\@api.example.com/",
        "https://a@b@evil.example/",
        "ftp://evil.example/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///evil.example",
        "https://evil.example:0/",
        "https://evil.example:99999/",
        "https://evil example/",
        "/x\r\nHost: evil.example",
    ],
    ids=repr,
)
def test_what_is_neither_a_path_nor_a_proper_url_is_refused(url: str) -> None:
    with configured("https://api.example.com/v1") as client:
        with pytest.raises(RequestBuildException):
            client.prepare(HttpRequest("GET", url))
        with pytest.raises(MaxRetryException):
            client.get(url)


@pytest.mark.parametrize("url", ["https://API.example.com/v1/x", "https://api.example.com:443/other", "/v1/../../x"])
def test_other_spellings_of_home_are_home(url: str) -> None:
    with configured("https://api.example.com/v1") as client:
        assert client.prepare(HttpRequest("GET", url)).headers["X-Auth"] == "auth-key-1"
