"""E: a login by a code on another device: how often it asks, when it ends, and what a person is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import ProfileError, StepFailed
from tests.browser_login import device_profile, token
from tests.conftest import Forge
from tests.login_server import DEVICE, browser
from tests.people import Somebody
from tests.server import Reply, Server

CODES = {"device_code": "d-1", "user_code": "WDJB", "verification_uri": "https://login.example", "expires_in": 27}
PENDING = Reply(400, {"error": "authorization_pending"})
SLOW_DOWN = Reply(400, {"error": "slow_down"})
GRANTED = Reply(200, {"access_token": "access-token-1", "expires_in": 60})


def waited(server: Server, *polls: Reply, person: Somebody | None = None, **codes: Any) -> list[float]:
    """The waits of a login whose codes are these, and whose polls are answered with these, until it ends."""
    told = {name: value for name, value in {**CODES, **codes}.items() if value is not ...}
    server.reply("/device", Reply(200, told))
    server.reply("/token", *(polls or (PENDING,)), optional=True)
    found = device_profile(server, person or Somebody())
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert len(slept) < 1000

    found._world.sleep = sleep
    # Its own limit is not asked about here, and would be reached by a clock that stands still.
    with suppress(StepFailed):
        found.login.pipeline.obtain(["user"])
    return slept


def test_it_asks_every_five_seconds_and_more_slowly_when_told_so(server: Server) -> None:
    # 5 + 10 + 10 seconds; ten more would be past its end.
    assert waited(server, SLOW_DOWN, PENDING) == [5, 10, 10]


def test_each_slow_down_adds_five_seconds(server: Server) -> None:
    assert waited(server, SLOW_DOWN, SLOW_DOWN, SLOW_DOWN, GRANTED, interval=2, expires_in=600) == [2, 7, 12, 17]


@pytest.mark.parametrize(
    ("interval", "first"),
    [
        (..., 5),
        (None, 5),
        (2, 2),
        ("7", 7),
        (2.5, 2.5),
        (0, 1),
        (-1, 5),
        ("soon", 5),
        ([], 5),
        (True, 5),
        (10**400, 5),
        ("1e400", 5),
        ("nan", 5),
    ],
    ids=str,
)
def test_an_interval_is_what_it_says_or_five_seconds(server: Server, interval: Any, first: float) -> None:
    assert waited(server, GRANTED, interval=interval) == [first]


@pytest.mark.parametrize(("interval", "expires_in"), [(1e9, 600), (27, 27), (5, 3), (600, 0)])
def test_a_code_that_ends_before_it_may_be_asked_about_is_shown_to_nobody(
    server: Server, interval: float, expires_in: float
) -> None:
    person = Somebody()
    assert waited(server, person=person, interval=interval, expires_in=expires_in) == []
    assert person.told == []
    assert server.seen_at("/token") == []


@pytest.mark.parametrize(
    ("expires_in", "last"),
    [
        (27, 27),
        ("27", 27),
        (..., 900),
        (None, 900),
        (-5, 900),
        ("never", 900),
        ({}, 900),
        (10**400, 900),
        (1e12, 86400),
    ],
    ids=str,
)
def test_it_ends_with_its_code(server: Server, expires_in: Any, last: float) -> None:
    interval = max(5, last // 100)
    slept = waited(server, expires_in=expires_in, interval=interval)
    assert last - 2 * interval <= sum(slept) < last


def test_the_end_of_a_code_is_exit_7(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(DEVICE.replace("@URL@", server.url))
    server.reply("/device", Reply(200, {**CODES, "expires_in": 2.5, "interval": 1}))
    server.reply("/token", Reply(400, {"error": "expired_token"}))
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert (result.exit_code, "refused: expired_token" in result.stderr) == (7, True)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JAVASCRIPT://x/%0aalert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "ms-settings:x",
        "--version",
        "login.example/device",
        "https://login.example/\x1b[2J",
        "https://login.example/\n    https://evil.example/",
        "https://login.example/\x9b2J",
        "https://a b",
        "http://",
        "",
        7,
        "https://login.example/" + "a" * 5000,
    ],
)
def test_only_web_addresses_are_shown(server: Server, uri: Any) -> None:
    person = Somebody(lambda url: None)
    assert waited(server, person=person, verification_uri=uri) == []
    assert (person.told, person.opened) == ([], [])
    assert server.seen_at("/token") == []


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "file:///etc/passwd", "--help", "https://a\x1bb", ["https://a"]]
)
def test_a_page_that_has_the_code_in_it_is_opened_only_when_it_is_one(server: Server, uri: Any) -> None:
    person = Somebody(lambda url: None)
    waited(server, GRANTED, person=person, verification_uri_complete=uri)
    assert person.opened == ["https://login.example"]


def test_what_is_refused_is_not_shown_to_a_person(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(DEVICE.replace("@URL@", server.url))
    server.reply("/device", Reply(200, {**CODES, "verification_uri": "file:///etc/passwd"}))
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert result.exit_code == 7
    assert "the page for the code is no web address" in result.stderr
    assert "passwd" not in result.stderr


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x85", "\x0b", "\x1b[1A"])
def test_a_code_cannot_speak_in_forges_place(server: Server, end: str) -> None:
    person = Somebody()
    waited(server, GRANTED, person=person, user_code=f"WDJB{end}{end}    https://evil.example/")
    lines = [line for text in person.told for line in text.splitlines()]
    assert [line.strip() for line in lines if line.strip().startswith("https://")] == ["https://login.example"]
    assert not any(end in line for line in lines)


@pytest.mark.parametrize(
    "where", ["http://login.example/poll", "http://127.0.0.1.evil.example/", "https://me@a.example/"]
)
def test_where_the_server_says_to_ask_is_https_or_on_this_machine(server: Server, where: str) -> None:
    person = Somebody()
    server.reply("/device", Reply(200, {**CODES, "poll_at": where}))
    changes = (
        ("poll = {", 'start = { at = "/poll_at" }\npoll = {'),
        ('url = "/token"', 'url = "${self.at}"'),
    )
    with pytest.raises(StepFailed, match=r"the URL of `poll\.request`"):
        token(device_profile(server, person, *changes))
    assert person.told == []


@pytest.mark.parametrize("key", ["request", "poll"])
def test_endpoints_are_https_or_on_this_machine(server: Server, key: str) -> None:
    path = {"request": "/device", "poll": "/token"}[key]
    person = Somebody()
    with pytest.raises(ProfileError, match=rf"the URL of `{key}.* is not https"):
        token(device_profile(server, person, (f'url = "{path}"', f'url = "http://login.example{path}"')))
    assert (person.told, server.seen) == ([], [])
