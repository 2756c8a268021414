"""C1: on a real terminal what a server says is shown and not obeyed, wherever it says it; a pipe gets the bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pexpect
import pyte
import pytest

from tests.children import ROOT
from tests.conftest import Forge
from tests.server import Reply, Server

WIDTH, HEIGHT = 100, 60
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b2J\u202eltr\u2066\x08\r\x85[/nope][red]"
"""A title, a cleared screen, colours, a C1 sequence, bidi overrides, a step back, and what rich takes for markup."""

OBEYED = "\x1b\x07\x9b\u202e\u2066\x08\x85"


OAUTH = """
[profiles.default]
base_url = "{url}"
[profiles.default.auth]
type = "oauth2"
token_url = "/token"
client_id = "app-1"
{rest}
"""


class Screen(NamedTuple):
    exit_code: int
    text: str
    raw: str
    title: str


def on_a_terminal(*words: str) -> Screen:
    """The command on a terminal of its own, after its end; uncoloured, so that each escape is the server's."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    command = ["-m", "forge_cli", *words]
    child = pexpect.spawn(
        sys.executable,
        command,
        env=env,
        encoding="utf-8",
        codec_errors="replace",
        timeout=30,
        dimensions=(HEIGHT, WIDTH),
    )
    child.expect(pexpect.EOF)
    raw = child.before or ""
    child.close()
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(raw)
    assert child.exitstatus is not None
    return Screen(child.exitstatus, "\n".join(line.rstrip() for line in screen.display), raw, screen.title)


def in_this_process(forge: Forge, *words: str) -> Screen:
    """The same without a terminal of its own: what goes to both streams, on one screen."""
    result = forge(*words, tty=("stdout", "stderr"), env={"NO_COLOR": "1"})
    raw = (result.stdout + result.stderr).replace("\n", "\r\n")
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(raw)
    return Screen(result.exit_code, "\n".join(line.rstrip() for line in screen.display), raw, screen.title)


def assert_shown(found: Screen) -> None:
    for character in OBEYED:
        assert character not in found.raw, repr(character)
    assert "\r" not in found.raw.replace("\r\n", "")
    assert found.title == ""
    assert "Traceback" not in found.text


def raw(status: str, *fields: str, body: str = "") -> Reply:
    data = body.encode()
    head = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(data)}", "", ""]
    return Reply(raw="\r\n".join(head).encode() + data)


# A CR ends a field in some places and is no part of one.
IN_A_HEAD = EVIL.replace("\r", "")
PLACES: dict[str, tuple[Reply, tuple[str, ...], int]] = {
    "body": (raw("200 OK", "Content-Type: text/plain; charset=utf-8", body=EVIL), (), 0),
    "JSON body": (raw("200 OK", "Content-Type: application/json", body=f'{{"a": "{EVIL}"}}'), (), 0),
    "XML body": (raw("200 OK", "Content-Type: application/xml", body=f"<a>{EVIL}</a>"), (), 0),
    "event": (raw("200 OK", "Content-Type: text/event-stream", body=f"data: {EVIL}\n\n"), (), 0),
    "table": (raw("200 OK", "Content-Type: application/json", body=f'[{{"a": "{EVIL}"}}]'), ("--format", "table"), 0),
    "YAML": (
        raw("200 OK", "Content-Type: application/json", body='["\\u001b[2J\\u009b\\u202e"]'),
        ("--format", "yaml"),
        0,
    ),
    "selected": (
        raw("200 OK", "Content-Type: application/json", body='{"a": "\\u001b]0;x\\u0007"}'),
        ("--select", "a"),
        0,
    ),
    "header": (raw("200 OK", f"X-Evil: {IN_A_HEAD}"), ("-v",), 0),
    "header name": (raw("200 OK", "X-\x1b[2JEvil: 1"), (), 0),
    "cookie": (raw("200 OK", f"Set-Cookie: sid={IN_A_HEAD}"), ("-v",), 0),
    "content type": (raw("200 OK", f"Content-Type: text/{IN_A_HEAD}", body="x"), (), 0),
    "reason": (raw(f"404 {IN_A_HEAD}"), (), 4),
    "reason of an error": (raw(f"500 {IN_A_HEAD}"), ("--retry", "0", "-b"), 5),
    "Location not followed": (raw("302 Found", f"Location: /{IN_A_HEAD}"), ("--no-follow", "-b"), 3),
    "Location refused": (raw("302 Found", f"Location: {IN_A_HEAD}"), (), 6),
    "scheme refused": (raw("302 Found", "Location: file:\u202e/etc"), (), 6),
    "expectation": (raw("200 OK", f"X-Evil: {IN_A_HEAD}"), ("-b", "--expect", "header:x-evil==1"), 12),
    "body in an expectation": (raw("200 OK", body='{"a": "\\u001b[2J"}'), ("--expect", "body:/a==1"), 12),
    "Retry-After": (
        raw("503 x", f"Retry-After: {IN_A_HEAD}"),
        (
            "--retry",
            "0",
        ),
        5,
    ),
    "content encoding": (raw("200 OK", f"Content-Encoding: {IN_A_HEAD}", body="x"), (), 0),
    "a redirect that is followed": (raw("302 Found", "Location: //127.0.0.1:1/\u202e[/x]"), ("-vv", "--retry", "0"), 8),
}


@pytest.mark.parametrize("place", PLACES)
def test_nothing_drives_the_terminal(forge: Forge, server: Server, place: str) -> None:
    reply, words, code = PLACES[place]
    found = in_this_process(forge, "get", server.reply("/x", reply), *words)
    assert found.exit_code == code, found.text
    assert_shown(found)


@pytest.mark.parametrize("place", ["body", "cookie", "reason", "expectation"])
def test_nothing_drives_a_real_terminal(server: Server, place: str) -> None:
    reply, words, code = PLACES[place]
    found = on_a_terminal("get", server.reply("/x", reply), *words)
    assert found.exit_code == code, found.text
    assert_shown(found)


@pytest.mark.parametrize(
    "disposition", [f'attachment; filename="{EVIL[:20]}x"', "attachment; filename*=UTF-8''%1B%5B2J%E2%80%AEx%0D"]
)
def test_a_file_name_does_not(server: Server, disposition: str) -> None:
    found = on_a_terminal(
        "get", server.reply("/x", raw("200 OK", f"Content-Disposition: {disposition}", body="x")), "--download"
    )
    assert found.exit_code == 0, found.text
    assert_shown(found)
    [path] = Path().iterdir()
    assert path.name.isprintable()


def test_what_a_token_endpoint_says_does_not(server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(OAUTH.format(url=server.url, rest='grant = "client-credentials"\nclient_secret = "app-secret-1"'))
    error = '{"error": "invalid_client", "error_description": "\\u001b[2J\\u202e[/nope]"}'
    server.reply("/token", raw("400 Bad", "Content-Type: application/json", body=error))
    found = on_a_terminal("get", "/x")
    assert found.exit_code == 7
    assert_shown(found)


@pytest.mark.parametrize(
    "address",
    [
        "https://login.example/\\u001b]0;owned\\u0007\\u202e",
        "https://login.example/[/nope]\\u009b2J",
        "https://login.example/",
    ],
)
def test_where_a_person_is_sent_to_does_not(server: Server, profile_file: Callable[[str], Path], address: str) -> None:
    rest = 'grant = "device-code"\ndevice_url = "/device"'
    profile_file(OAUTH.format(url=server.url, rest=rest))
    started = (
        f'{{"device_code": "d", "user_code": "A\\u001b[2JB", "verification_uri": "{address}",'
        f' "expires_in": 60, "interval": 1}}'
    )
    server.reply("/device", raw("200 OK", "Content-Type: application/json", body=started))
    server.reply(
        "/token", raw("400 Bad", "Content-Type: application/json", body='{"error": "access_denied"}'), optional=True
    )
    found = on_a_terminal("token", "login", "--no-browser")
    assert found.exit_code == 7, found.text
    assert_shown(found)


def test_a_pipe_gets_the_bytes(forge: Forge, server: Server) -> None:
    data = EVIL.encode() + bytes(range(256))
    result = forge("get", server.reply("/x", Reply(200, data, {"Content-Type": "text/plain"})))
    assert (result.exit_code, result.stdout_bytes) == (0, data)


def test_stderr_alone_on_a_terminal_is_not_driven_either(server: Server) -> None:
    """Standard output in a pipe, as in `forge get … | jq`: the heads of `-v` still go to a person."""
    url = server.reply("/x", raw("404 No", f"X-Evil: {IN_A_HEAD}", body=EVIL))
    parent, child = os.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "forge_cli", "get", url, "-v"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=child, env=env, check=False)
    os.close(child)
    told = os.read(parent, 65536).decode()
    os.close(parent)
    assert (done.returncode, done.stdout) == (4, EVIL.encode())
    assert "X-Evil" in told
    assert not set(OBEYED) & set(told)
