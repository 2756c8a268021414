"""D2: what a repetition could do twice is sent once, unless nothing was sent or the user says so."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

Write = Callable[[str], Path]
QUICK = '[profiles.api]\nbase_url = "{url}"\nretry = {{ base_delay = 0 }}\n'


@pytest.fixture
def quick(server: Server, profile_file: Write) -> Server:
    profile_file(QUICK.format(url=server.url))
    return server


@pytest.mark.parametrize("method", ["post", "patch"])
@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_these_are_sent_once(forge: Forge, quick: Server, method: str, status: int) -> None:
    quick.reply("/x", Reply(status), Reply(200))
    result = forge(method, "/x", "a=1")
    assert (result.exit_code, len(quick.seen)) == (4 if status < 500 else 5, 1)


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options"])
@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_these_may_be_repeated(forge: Forge, quick: Server, method: str, status: int) -> None:
    quick.reply("/x", Reply(status), Reply(200))
    assert (forge(method, "/x").exit_code, len(quick.seen)) == (0, 2)


@pytest.mark.parametrize("method", ["post", "patch"])
@pytest.mark.parametrize("words", [("--retry-unsafe",), ("Idempotency-Key:k-1",)], ids=["--retry-unsafe", "a key"])
def test_the_user_can_say_that_it_does_no_harm(
    forge: Forge, quick: Server, method: str, words: tuple[str, ...]
) -> None:
    quick.reply("/x", Reply(503), Reply(200))
    assert (forge(method, "/x", "a=1", *words).exit_code, len(quick.seen)) == (0, 2)
    keys = {seen.headers["Idempotency-Key"] for seen in quick.seen}
    assert keys == ({None} if words == ("--retry-unsafe",) else {"k-1"})


@pytest.mark.parametrize("method", ["post", "patch"])
def test_an_answer_that_breaks_off_is_no_reason_either(forge: Forge, quick: Server, method: str) -> None:
    quick.reply("/x", Reply(raw=b""))
    assert forge(method, "/x", "a=1").exit_code == 8
    assert len(quick.seen) == 1


@pytest.mark.parametrize("method", ["post", "patch"])
def test_what_was_not_sent_is_tried_again(forge: Forge, profile_file: Write, method: str) -> None:
    with socket.socket() as held:
        # Bound and not listening: every connection is refused.
        held.bind(("127.0.0.1", 0))
        profile_file(QUICK.format(url=f"http://127.0.0.1:{held.getsockname()[1]}"))
        result = forge(method, "/x", "a=1")
    assert result.exit_code == 8
    assert "retry 3 of 3" in result.stderr
