"""The line that says how far a transfer is."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.cli.progress import Progress, WatchedFile, in_bytes
from tests.conftest import Forge
from tests.server import Reply, Server


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_says_share_rate_and_time_left() -> None:
    clock, shown = Clock(), list[str]()
    line = Progress(shown.append, 4 * 1024 * 1024, clock=clock)
    clock.now += 2
    line.add(1024 * 1024)
    assert shown == ["\r 25%  1.0 MiB of 4.0 MiB, 512.0 KiB/s, 0:06 left\x1b[K"]
    line.end()
    line.end()
    assert shown[1:] == ["\r\x1b[K"]


def test_what_was_there_before_does_not_count_for_the_rate() -> None:
    clock = Clock()
    line = Progress(lambda text: None, 400, 200, clock=clock)
    clock.now += 1
    line.add(100)
    assert line.text(clock.now) == " 75%  300 B of 400 B, 100 B/s, 0:01 left"


def test_nothing_is_shown_of_what_is_quick_and_little_of_what_comes_in_pieces() -> None:
    clock, shown = Clock(), list[str]()
    line = Progress(shown.append, None, clock=clock)
    line.add(1)
    assert shown == []
    line.end()
    assert shown == []
    clock.now += 1
    for _ in range(100):
        line.add(1)
    assert shown == ["\r2 B, 2 B/s\x1b[K"]


def test_a_file_that_is_read_again_is_the_same() -> None:
    file = WatchedFile(open(__file__, "rb"), Progress(lambda text: None, 1))  # noqa: SIM115  # closed below
    first = file.read()
    file.seek(0)
    assert (file.read(), file.tell(), file.seekable()) == (first, len(first), True)
    file.close()


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**30, "5.0 GiB")])
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert in_bytes(size) == text


@pytest.mark.parametrize("silent", [[], ["-s"]], ids=["", "-s"])
def test_a_download_shows_it_on_a_terminal_only(
    forge: Forge, server: Server, monkeypatch: pytest.MonkeyPatch, silent: list[str]
) -> None:
    monkeypatch.setattr("forge_cli.cli.progress._FIRST", 0.0)  # a body of a test takes no time
    url = server.reply("/x", Reply(body=b"x" * 100))
    assert "\r" not in forge("get", url, "-o", "a", *silent).stderr
    told = forge("get", url, "-o", "b", *silent, tty=["stderr"]).stderr
    assert ("100%  100 B of 100 B" in told) is (not silent)
    assert told.endswith("\r\x1b[K") is (not silent)
    assert Path("b").read_bytes() == b"x" * 100


@pytest.mark.parametrize("words", [("@big",), ("doc@big",), ("-d", "@big")], ids=["body", "part", "-d"])
def test_an_upload_shows_it_on_a_terminal_only(
    forge: Forge, server: Server, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("forge_cli.cli.progress._FIRST", 0.0)  # a body of a test takes no time
    Path("big").write_bytes(b"x" * 2 * 1024 * 1024)
    url = server.reply("/x", Reply(503), Reply())
    assert forge("put", url, *words, "--retry", "0").exit_code == 5
    told = forge("put", url, *words, tty=["stderr"])
    assert told.exit_code == 0
    assert "of 2.0 MiB" in told.stderr
    assert told.stderr.endswith("\r\x1b[K")
    assert server.seen[0].body.count(b"x") == server.seen[1].body.count(b"x")
    assert len(server.seen[1].body) >= 2 * 1024 * 1024
