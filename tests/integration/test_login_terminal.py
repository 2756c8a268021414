"""Logins that need a person, on a real terminal: by a browser, by a pasted address, by a code on another device."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pexpect
import pytest

from tests.login_server import DEVICE, PROFILE, LoginServer, browser
from tests.people import parameters, visit
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
Child = "pexpect.spawn[str]"
Start = Callable[..., "pexpect.spawn[str]"]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def on_a_terminal() -> Iterator[Start]:
    """Start forge on a wide terminal; it is killed with the end of the test."""
    with ExitStack() as children:

        def start(*words: str, **environ: str) -> pexpect.spawn[str]:
            env = {**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": "/nowhere", "NO_COLOR": "1", **environ}
            child = pexpect.spawn(
                sys.executable,
                ["-m", "forge_cli", *words],
                env=env,
                encoding="utf-8",
                timeout=20,
                dimensions=(40, 1000),
            )
            children.callback(child.close, force=True)
            return child

        yield start


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> LoginServer:
    """A profile whose login is by a browser."""
    profile_file(PROFILE.replace("@URL@", server.url))
    return LoginServer(server)


def shown(child: pexpect.spawn[str]) -> str:
    """The URL that the person is to open."""
    child.expect(r"    (http\S+)\r\n")
    assert isinstance(child.match, re.Match)
    return str(child.match.group(1))


def ended(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before or ""


def test_a_login_with_the_browser(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    child = on_a_terminal("token", "login", BROWSER=browser(tmp_path))
    assert urlsplit(shown(child)).path == "/authorize"
    child.expect("Waiting for the browser")
    code, rest = ended(child)
    assert code == 0
    assert "renewed user: expires in 60 min" in rest
    assert "code-" not in rest
    page = (tmp_path / "page.html").read_text()
    assert "You can close this page" in page
    assert api.logins == 1


def test_the_next_request_needs_nobody(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    assert ended(on_a_terminal("token", "login", BROWSER=browser(tmp_path)))[0] == 0
    api.server.reply("/x", Reply(200, "welcome"))
    assert "welcome" in ended(on_a_terminal("get", "/x", CI="1"))[1]
    assert api.server.seen_at("/x")[0].headers["Authorization"] == "Bearer access-token-1-abcdef"
    assert api.logins == 1


def test_a_request_logs_in_by_itself_on_a_terminal(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    api.server.reply("/x", Reply(200, "welcome"))
    child = on_a_terminal("get", "/x", BROWSER=browser(tmp_path))
    assert "/authorize?" in shown(child)
    assert "welcome" in ended(child)[1]


def test_login_logs_in_again(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    for _ in range(2):
        assert ended(on_a_terminal("token", "login", BROWSER=browser(tmp_path)))[0] == 0
    assert api.logins == 2
    assert [dict(seen.form)["grant_type"] for seen in api.server.seen_at("/token")] == ["authorization_code"] * 2


def test_without_a_browser_the_address_is_pasted(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    child = on_a_terminal("token", "login", "--no-browser", BROWSER=browser(tmp_path))
    url = shown(child)
    child.expect("paste here the address")
    assert api.logins == 0
    # The person's own browser ends at an address that is not there.
    child.sendline("http://127.0.0.1/callback?code=evil&state=forged")
    child.expect("not the answer to this login")
    code = "auth-code-1"
    api._codes[code] = parameters(url)
    child.sendline(f"{parameters(url)['redirect_uri']}?code={code}&state={parameters(url)['state']}")
    assert ended(child)[0] == 0


def test_without_a_browser_the_callback_works_too(api: LoginServer, on_a_terminal: Start) -> None:
    child = on_a_terminal("token", "login", "--no-browser")
    url = shown(child)
    child.expect("paste here the address")
    assert "You can close this page" in visit(url)
    assert ended(child)[0] == 0


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_a_signal_while_the_browser_is_waited_for(
    api: LoginServer, on_a_terminal: Start, number: signal.Signals, code: int
) -> None:
    child = on_a_terminal("token", "login", "--no-browser")
    port = int(urlsplit(parameters(shown(child))["redirect_uri"]).netloc.rpartition(":")[2])
    child.expect("paste here the address")
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    began = time.monotonic()
    if number == signal.SIGINT:
        child.sendintr()
    else:
        child.kill(number)
    status, rest = ended(child)
    assert (status, time.monotonic() - began < 2) == (code, True)
    assert "\x1b[?25l" not in rest
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_no_lock_is_held_while_the_person_is_awaited(api: LoginServer, on_a_terminal: Start, tmp_path: Path) -> None:
    assert ended(on_a_terminal("token", "login", BROWSER=browser(tmp_path)))[0] == 0
    child = on_a_terminal("token", "login", "--no-browser")
    url = shown(child)
    child.expect("paste here the address")
    began = time.monotonic()
    assert ended(on_a_terminal("token", "refresh", CI="1"))[0] == 0
    assert ended(on_a_terminal("token", "clear", CI="1"))[0] == 0
    assert time.monotonic() - began < 15
    visit(url)
    assert ended(child)[0] == 0
    assert ended(on_a_terminal("token", "status", CI="1"))[0] == 0


def test_the_end_of_the_input_is_no_traceback(api: LoginServer, on_a_terminal: Start) -> None:
    child = on_a_terminal("token", "login", "--no-browser")
    child.expect("paste here the address")
    child.sendeof()
    code, rest = ended(child)
    assert (code, "nothing was entered" in rest, "Traceback" in rest) == (2, True, False)


def test_a_refusal_is_exit_7_in_the_servers_words_made_harmless(
    server: Server, profile_file: Callable[[str], Path], on_a_terminal: Start, tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    LoginServer(server, answer={"error": "access_denied", "error_description": "no\x1b[2J\u202e\x9b1m"})
    child = on_a_terminal("token", "login", BROWSER=browser(tmp_path))
    code, rest = ended(child)
    assert code == 7
    assert "refused: access_denied: no\\x1b[2J\\u202e\\x9b1m" in rest
    assert not set("\x1b\u202e\x9b") & set(rest)
    assert "did not work" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("words", [("--timeout", "1")])
def test_the_time_limit_is_exit_28(api: LoginServer, on_a_terminal: Start, words: tuple[str, ...]) -> None:
    code, rest = ended(on_a_terminal("token", "login", "--no-browser", *words))
    assert (code, "nothing came back from the browser" in rest) == (28, True)


@pytest.fixture
def device(server: Server, profile_file: Callable[[str], Path]) -> Server:
    """A profile whose login is by a code on another device."""
    profile_file(DEVICE.replace("@URL@", server.url))
    return server


def started(server: Server, **more: object) -> Reply:
    codes = {"device_code": "device-code-1", "user_code": "WDJB-MJHT", "verification_uri": f"{server.url}/activate"}
    return Reply(200, {**codes, "expires_in": 60, "interval": 1, **more})


def test_a_code_on_another_device(device: Server, on_a_terminal: Start) -> None:
    device.reply("/device", started(device))
    device.reply(
        "/token",
        Reply(400, {"error": "authorization_pending"}),
        Reply(200, {"access_token": "access-token-1-abcdef", "expires_in": 60}),
    )
    child = on_a_terminal("token", "login")
    assert shown(child) == f"{device.url}/activate"
    child.expect("│   WDJB-MJHT   │")
    code, rest = ended(child)
    assert (code, "renewed user: expires in" in rest, "device-code-1" in rest) == (0, True, False)


def test_a_hostile_code_cannot_drive_the_terminal(device: Server, on_a_terminal: Start) -> None:
    device.reply("/device", started(device, user_code="A\x1b]0;owned\x07B"))
    device.reply("/token", Reply(400, {"error": "access_denied", "error_description": "\x1b[31mno"}))
    code, rest = ended(on_a_terminal("token", "login"))
    assert code == 7
    assert not re.search("[\x1b\x07]", rest)
    assert "A\\x1b]0;owned\\x07B" in rest
    assert "refused: access_denied: \\x1b[31mno" in rest


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_a_signal_while_the_code_is_waited_for(
    device: Server, on_a_terminal: Start, number: signal.Signals, code: int
) -> None:
    device.reply("/device", started(device, interval=30))
    child = on_a_terminal("token", "login")
    child.expect("Waiting until it is entered")
    began = time.monotonic()
    child.kill(number)
    assert (ended(child)[0], time.monotonic() - began < 2) == (code, True)
