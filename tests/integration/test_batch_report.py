"""The report of `forge batch` in a real browser."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Forge, Require
from tests.server import Reply, Server


@pytest.fixture
def browser(require: Require, tmp_path: Path) -> list[str]:
    """The command that shows a page without a window, and writes what it complained of."""
    command = [require("chromium", "apt-get install chromium"), "--headless=new", "--disable-gpu"]
    command += ["--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'browser'}"]
    command += ["--enable-logging=stderr"]
    return [*command, "--no-sandbox"] if os.geteuid() == 0 else command


def shown(browser: list[str], page: Path) -> tuple[str, list[str]]:
    """The page as the browser understands it, and the lines of its console."""
    result = subprocess.run([*browser, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60)
    return result.stdout, [line for line in result.stderr.splitlines() if ":CONSOLE" in line]


def test_a_report_opens_in_a_browser_without_a_complaint(
    forge: Forge, server: Server, browser: list[str], tmp_path: Path
) -> None:
    url, page = server.reply("/x", Reply(200), Reply(404), Reply(200)), tmp_path / "report.html"
    assert forge("batch", "-", "--jobs", "1", "--report", str(page), input=f"{url}\n" * 30).exit_code == 4
    document, complaints = shown(browser, page)
    assert complaints == []
    assert document.count("<svg ") == 4 and document.count("</svg>") == 4
    assert "404: 1" in document


def test_what_it_draws_is_on_the_screen(forge: Forge, server: Server, browser: list[str], tmp_path: Path) -> None:
    url, page = server.reply("/x", Reply(200), Reply(404), Reply(200)), tmp_path / "report.html"
    assert forge("batch", "-", "--jobs", "1", "--report", str(page), input=f"{url}\n" * 30).exit_code == 4
    picture = tmp_path / "report.png"
    taking = [*browser, f"--screenshot={picture}", "--window-size=800,1600", "--hide-scrollbars", page.as_uri()]
    subprocess.run(taking, check=True, capture_output=True, timeout=60)
    seen = colours(picture.read_bytes())
    # Bars and curves, what failed, and the paper that they are on.
    assert seen[BAR] > 1000 and seen[BAD] > 100 and seen[PAPER] > 500_000, seen.most_common(5)


BAR, BAD, PAPER = bytes.fromhex("2f6fb0"), bytes.fromhex("b3392b"), bytes.fromhex("ffffff")


def colours(png: bytes) -> Counter[bytes]:
    """How many points of a picture have each colour (PNG, 8 bits a channel, not interlaced)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6)
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        data += png[at + 8 : at + 8 + size] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    raw, channels = zlib.decompress(data), 3 if kind == 2 else 4
    row = width * channels
    above, found = bytes(row), Counter[bytes]()
    for y in range(height):
        start = y * (row + 1)
        above = unfiltered(raw[start], raw[start + 1 : start + 1 + row], above, channels)
        found.update(above[x : x + 3] for x in range(0, row, channels))
    return found


def unfiltered(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    """A line of a PNG without its filter (PNG specification, section 9)."""
    made = bytearray(line)
    for x, value in enumerate(line):
        left, corner = (made[x - channels], above[x - channels]) if x >= channels else (0, 0)
        up = above[x]
        nearest = min(
            (abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner)
        )
        made[x] = (value + (0, left, up, (left + up) // 2, nearest[2])[kind]) & 0xFF
    return bytes(made)


def test_what_a_page_complains_of_is_seen(browser: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html><script>nothing.here()</script>")
    assert shown(browser, tmp_path / "bad.html")[1] != []
