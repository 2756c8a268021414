"""D3: what the server asks for is done as far as it is reasonable, and said where it is not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

Write = Callable[[str], Path]


@pytest.fixture
def api(server: Server, profile_file: Write) -> Server:
    profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nretry = {{ base_delay = 0 }}\n')
    return server


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "a date"])
def test_it_is_waited_for(forge: Forge, api: Server, date: bool) -> None:
    # A date has whole seconds: two ahead is more than one and at most two.
    value = formatdate(time.time() + 2, usegmt=True) if date else "1"
    api.reply("/x", Reply(503, headers={"Retry-After": value}), Reply(200))
    begun = time.monotonic()
    result = forge("get", "/x")
    assert result.exit_code == 0
    assert time.monotonic() - begun >= (0.5 if date else 1)
    [said] = re.findall(r"503, retry 1 of 3 in ([\d.]+) s", result.stderr)
    assert 0.5 < float(said) <= 2


@pytest.mark.parametrize(("status", "code"), [(503, 5), (429, 4)])
@pytest.mark.parametrize("date", [False, True], ids=["seconds", "a date"])
def test_beyond_the_limit_it_stops_at_once_and_says_why(
    forge: Forge, api: Server, status: int, code: int, date: bool
) -> None:
    value = formatdate(time.time() + 86400, usegmt=True) if date else "86400"
    api.reply("/x", Reply(status, headers={"Retry-After": value}))
    result = forge("get", "/x")
    assert (result.exit_code, len(api.seen)) == (code, 1)
    assert re.search(r"the server asks for (24 h|23 h)", result.stderr), result.stderr


def test_so_it_does_beyond_what_is_left_of_the_deadline(forge: Forge, api: Server) -> None:
    api.reply("/x", Reply(503, headers={"Retry-After": "40"}))
    result = forge("get", "/x", "--timeout", "5")
    assert (result.exit_code, len(api.seen)) == (5, 1)
    assert "the server asks for 40 s" in result.stderr


def test_the_profile_sets_the_limit(forge: Forge, server: Server, profile_file: Write) -> None:
    profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nretry = {{ max_retry_after = 5 }}\n')
    server.reply("/x", Reply(503, headers={"Retry-After": "6"}))
    assert (forge("get", "/x").exit_code, len(server.seen)) == (5, 1)


@pytest.mark.parametrize("junk", ["soon", "-5", "", "1e9", "nan", "Thu, 99 Jan 2099 00:00:00 GMT", "0x10", "1,2"])
def test_junk_is_ignored(forge: Forge, api: Server, junk: str) -> None:
    api.reply("/x", Reply(503, headers={"Retry-After": junk}), Reply(200))
    result = forge("get", "/x")
    assert (result.exit_code, len(api.seen)) == (0, 2)
    assert "asks for" not in result.stderr
