"""The report of `forge batch` in a real browser."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Forge, Require
from tests.server import Reply, Server


@pytest.fixture
def browser(require: Require, tmp_path: Path) -> list[str]:
    """The command that shows a page without a window, and writes what it became and what it complained of."""
    command = [require("chromium", "apt-get install chromium"), "--headless=new", "--disable-gpu"]
    command += ["--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'browser'}"]
    command += ["--enable-logging=stderr", "--dump-dom"]
    return [*command, "--no-sandbox"] if os.geteuid() == 0 else command


def shown(browser: list[str], page: Path) -> tuple[str, list[str]]:
    """The page as the browser understands it, and the lines of its console."""
    result = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=60)
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


def test_what_a_page_complains_of_is_seen(browser: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html><script>nothing.here()</script>")
    assert shown(browser, tmp_path / "bad.html")[1] != []
