"""The command on a real terminal: what a person sees on the screen."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte
import pytest
import trustme

from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 100, 40


@dataclass(frozen=True)
class Seen:
    """A screen after the command has ended, and all that was written to the terminal."""

    exit_code: int
    lines: list[str]
    screen: pyte.Screen
    raw: str

    def colour(self, text: str) -> str:
        """The colour of the first character of this text."""
        for number, line in enumerate(self.lines):
            if text in line:
                return str(self.screen.buffer[number][line.index(text)].fg)
        raise AssertionError(f"{text!r} is not on the screen")


def seen(*words: str, **environ: str) -> Seen:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    command = ["-m", "forge_cli", *words]
    size = (HEIGHT, WIDTH)
    child = pexpect.spawn(sys.executable, command, env=env, encoding="utf-8", timeout=30, dimensions=size)
    # Not `expect`: that searches everything that came, again and again.
    pieces: list[str] = []
    with suppress(pexpect.EOF):
        while True:
            pieces.append(child.read_nonblocking(1 << 16))
    raw = "".join(pieces)
    child.close()
    screen = pyte.Screen(WIDTH, HEIGHT)
    # What is on the screen is the end of it, and the emulator is slow.
    pyte.Stream(screen).feed(raw[-100_000:])
    assert child.exitstatus is not None
    return Seen(child.exitstatus, [line.rstrip() for line in screen.display], screen, raw)


def test_status_headers_and_coloured_json(server: Server) -> None:
    body = b'{"name":"Ada","n":1.50,"ok":true,"name":"Bob"}\n'
    found = seen("get", server.reply("/x", Reply(200, body, {"Content-Type": "application/json"})))
    assert found.exit_code == 0
    assert found.lines[:9] == [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Content-Length: 47",
        "",
        "{",
        '  "name": "Ada",',
        '  "n": 1.50,',
        '  "ok": true,',
        '  "name": "Bob"',
    ]
    assert found.lines[9:11] == ["}", ""]
    assert [found.colour(text) for text in ("200 OK", "Content-Type", '"name"', '"Ada"', "1.50", "true")] == [
        "green", "cyan", "brightblue", "green", "cyan", "magenta"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"TERM": "dumb", "FORCE_COLOR": "1"}, True)],
    ids=["as it comes", "NO_COLOR", "dumb", "FORCE_COLOR"],
)
def test_colour_can_be_chosen(server: Server, environ: dict[str, str], coloured: bool) -> None:
    found = seen("get", server.reply("/x", Reply(200, {"a": 1})), **environ)
    assert ("\x1b[" in found.raw) is coloured
    assert '  "a": 1' in found.lines


def test_a_server_cannot_drive_the_terminal(server: Server) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b2J\u202ertl\x07\b\r"
    body = f'{{"a": "{evil}"}}'.encode()
    raw = (
        b"HTTP/1.1 404 No\x1b[2J\x9b1m\r\nContent-Type: application/json\r\nX-Evil: a\x1b]0;owned\x07b\r\n"
        b"Set-Cookie: s=\x1b[2J\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    found = seen("get", server.reply("/x", Reply(raw=raw + body)), "-v", NO_COLOR="1")
    assert found.exit_code == 4
    for character in "\x1b\x07\x9b\u202e\b":
        assert character not in found.raw
    assert found.screen.title == ""
    assert any("\\x1b]0;owned\\x07\\x1b[2J" in line for line in found.lines)
    assert "\r" not in found.raw.replace("\r\n", "")


def test_an_error_line_cannot_drive_the_terminal_either(server: Server) -> None:
    url = server.reply("/x", Reply(302, headers={"Location": "/\u00e9\u0085x"}))
    found = seen("get", url, "--no-follow", NO_COLOR="1")
    assert found.exit_code == 3
    assert "\x85" not in found.raw


def test_progress_and_notices_do_not_hide_the_answer(server: Server) -> None:
    url = server.reply("/x", Reply(503, headers={"Retry-After": "0"}), Reply(200, "done"))
    found = seen("get", url, NO_COLOR="1")
    assert any("503, retry 1 of 3 in" in line for line in found.lines)
    assert "done" in found.lines


def test_a_table_fits_the_terminal(server: Server) -> None:
    found = seen("token", "list")
    assert found.exit_code == 0
    assert found.lines[1].split() == "profile step token type scope issued expires storage".split()


def test_an_exported_command_is_followed_by_the_other_ways() -> None:
    found = seen("curl", "GET", "https://api.example.com/x", NO_COLOR="1")
    assert any(line.startswith("curl ") for line in found.lines)
    assert any("--as env" in line for line in found.lines)


def test_a_large_answer_is_shown_to_its_limit_and_the_way_to_all_of_it_is_said(server: Server) -> None:
    found = seen("get", server.reply("/x", Reply(200, b"line\n" * 3_000_000)), "-b", NO_COLOR="1")
    assert found.exit_code == 0
    assert found.raw.count("line\r\n") >= 2_097_152
    assert "save it with -o FILE" in found.lines[found.screen.cursor.y - 1] + found.lines[found.screen.cursor.y]


def test_where_the_time_went(server: Server) -> None:
    found = seen("get", server.reply("/x", Reply(200, "hello")), "--meta", LC_ALL="C.UTF-8")
    assert found.lines[0] == "HTTP/1.1 200, 5 bytes, 1 attempt, 0 redirects"
    assert found.lines[2].startswith("DNS ")
    assert "█" in found.lines[2]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(tls=context) as running:
        yield running


def test_tls_and_its_certificate_are_named(tls_server: Server, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path("ca.pem")
    url = tls_server.reply("/x", Reply(200, "hello"))
    found = seen("get", url, "--verify", "ca.pem", "-vv", NO_COLOR="1")
    assert any(line.startswith("* TLSv1.") for line in found.lines)
    assert any(line.startswith("* certificate of ") and ", until " in line for line in found.lines)
    assert any(", TLS " in line for line in found.lines)
    assert "* certificate not verified" in seen("get", url, "-k", "-vv", NO_COLOR="1").lines


def test_events_come_one_by_one(server: Server) -> None:
    body = iter([b"event: a\n", b'data: {"n": 1}\n\n'])
    found = seen("get", server.reply("/x", lambda request: Reply(200, body, {"Content-Type": "text/event-stream"})))
    assert 'data: {"n": 1}' in found.lines
    assert found.colour("1}") == "cyan"


def test_a_table_of_an_answer_fits_the_terminal(server: Server) -> None:
    rows = [{"id": number, "text": "word " * 40} for number in range(2)]
    found = seen("get", server.reply("/x", Reply(200, rows)), "-b", "--format", "table", NO_COLOR="1")
    assert found.lines[0].split() == ["id", "text"]
    assert all(len(line) <= WIDTH for line in found.lines)
    assert found.lines[1].startswith("0   word word")
