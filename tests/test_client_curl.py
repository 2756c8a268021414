"""What `to_curl` writes is what the client sends: both are run, and the server compares."""

from __future__ import annotations

import dataclasses
import io
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from forge_cli import HttpClient, HttpClientConfig, HttpRequest, PreparedRequest, to_curl
from forge_cli.curl import render
from tests.conftest import Require
from tests.server import Reply, Seen, Server

# Each program says these in its own way, and nobody asked for them.
OWN = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "expect"}

REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"method": "GET"},
    "head": {"method": "HEAD"},
    "options": {"method": "OPTIONS"},
    "delete": {"method": "DELETE"},
    "other method": {"method": "PROPFIND"},
    "params": {"method": "GET", "params": {"a": ["1", "2"], "b": None, "c": "x y&=ë", "d": True}},
    "query and params": {"method": "GET", "url": "/x?q=1#top", "params": {"a": 1}},
    "globbing": {"method": "GET", "url": "/x?a[]={1,2}"},
    "headers": {"method": "GET", "headers": {"X-One": "it's $HOME `id` !", "X-Empty": "", "X-List": ["1", "2"]}},
    "cookies": {"method": "GET", "cookies": {"a": "1", "b": "2"}},
    "basic": {"method": "GET", "auth": ("ada", "pass:wörd")},
    "json": {"method": "POST", "json_data": {"name": "Zoë 'x' $HOME", "n": [1, None]}},
    "json with a type": {"method": "PUT", "json_data": {}, "headers": {"content-type": "application/vnd.api+json"}},
    "form": {"method": "POST", "data": {"a": "x y", "b": ["1", None, "2"], "c": "@file"}},
    "pairs": {"method": "POST", "data": [("a", "1"), ("a", "2")]},
    "text": {"method": "PUT", "data": "@not a file\nsecond line"},
    "bytes": {"method": "PUT", "content": bytes(range(256))},
    "empty post": {"method": "POST"},
    "timeout": {"method": "GET", "timeout": 20},
}


def run(command: str, stdin: bytes = b"") -> None:
    result = subprocess.run(["sh", "-c", f"{command} -s -o /dev/null"], input=stdin, capture_output=True)
    assert result.returncode == 0, result.stderr


def essence(seen: Seen) -> Any:
    """What the caller asked for."""
    headers = sorted((n.lower(), v.strip()) for n, v in seen.headers.items() if n.lower() not in OWN)
    return seen.method, seen.target, headers, seen.body


def request_to(server: Server, fields: dict[str, Any]) -> HttpRequest:
    return HttpRequest(**{**fields, "url": server.url + fields.get("url", "/x")})


@pytest.fixture
def curl(require: Require) -> Callable[[str], None]:
    require("curl", "apt-get install curl")
    return run


@pytest.mark.parametrize("fields", REQUESTS.values(), ids=REQUESTS)
def test_the_command_sends_what_the_client_sends(
    server: Server, curl: Callable[[str], None], fields: dict[str, Any]
) -> None:
    server.reply("/x", Reply())
    request = request_to(server, fields)
    with HttpClient() as client:
        client.request(request)
    curl(request.to_curl())
    ours, theirs = server.seen
    assert essence(theirs) == essence(ours)


def test_fields_and_files_travel_together(server: Server, curl: Callable[[str], None]) -> None:
    server.reply("/x", Reply())
    request = request_to(
        server, {"method": "POST", "data": {"a": "b"}, "files": {"f": ("n.txt", b"content", "text/plain")}}
    )
    with HttpClient() as client:
        client.request(request)
    curl(request.to_curl())
    bodies = [
        seen.body.replace((seen.headers.get_param("boundary") or "").encode(), b"BOUNDARY")  # type: ignore[union-attr]
        for seen in server.seen
    ]
    assert bodies[0] == bodies[1]


def test_a_prepared_request_is_the_same_command(server: Server, curl: Callable[[str], None]) -> None:
    server.reply("/x", Reply())
    config = HttpClientConfig(
        server.url, default_headers={"X-Tenant": "one"}, default_params={"l": "en"}, cookies={"a": "1"}
    )
    request = HttpRequest("POST", "/x", params={"q": "ë"}, json_data={"a": 1})
    with HttpClient(config) as client:
        prepared: PreparedRequest = client.prepare(request)
        client.request(request)
    command = render(
        method=prepared.method,
        url=prepared.url,
        headers=prepared.headers.pairs,
        body=prepared.body,
        parts=prepared.parts,
    )
    curl(command)
    ours, theirs = server.seen
    assert essence(theirs) == essence(ours)
    assert (theirs.headers["User-Agent"], theirs.headers["Accept"]) == (
        ours.headers["User-Agent"],
        ours.headers["Accept"],
    )


def test_a_body_from_standard_input_is_named_so(server: Server, require: Require) -> None:
    require("curl", "apt-get install curl")
    server.reply("/x", Reply())

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    request = request_to(server, {"method": "PUT", "data": Pipe()})
    run(request.to_curl(), b"from a pipe")
    assert server.seen[0].body == b"from a pipe"


def test_callers_find_what_they_look_for() -> None:
    request = HttpRequest(
        "POST",
        "https://api.example.com/users",
        headers={"X-Tenant": "one"},
        params={"page": 2},
        json_data={"name": "Ada"},
        auth=("user", "password"),
        timeout=30,
    )
    text = request.to_curl()
    assert text == to_curl(request)
    assert text.startswith("curl -X POST ")
    for word in ("--data", "-u", "user:password", "--max-time", "30", "X-Tenant", "page", "api.example.com/users"):
        assert word in text
    assert "-F" in dataclasses.replace(request, json_data=None, files={"f": b"x"}).to_curl()
    assert "password" not in request.to_curl(redact=True)
