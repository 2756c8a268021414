"""The person at the terminal: what is shown, asked, pasted, and opened."""

from __future__ import annotations

import io
import os
import pty
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from forge_cli.cli import opener
from forge_cli.cli.context import Context
from forge_cli.cli.person import Terminal
from forge_cli.cli.run import Run
from forge_cli.errors import UsageError

OPENED = """
import pathlib, sys
pathlib.Path("opened").write_text(repr(sys.argv[1:]))
"""


class Stream(io.TextIOWrapper):
    """A terminal's stderr, in an encoding of its own."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")

    @property
    def text(self) -> str:
        self.flush()
        return str(self.buffer.getvalue().decode(self.encoding))  # type: ignore[attr-defined]  # a BytesIO


def terminal(
    encoding: str = "utf-8", environ: Mapping[str, str] = os.environ, **options: Any
) -> tuple[Terminal, Stream]:
    run = Run(environ=environ)
    stream = Stream(encoding)
    run.stderr = stream
    run.silent = 2  # nothing silences what a login needs
    return Terminal(run, **options), stream


def test_a_url_stands_alone_and_a_code_in_a_box() -> None:
    person, stream = terminal()
    person.tell("Open this page:\n\n    https://login.example/device?a=b\n\nand enter:\n\n    WDJB-MJHT\n")
    assert stream.text.splitlines() == [
        "Open this page:",
        "",
        "    https://login.example/device?a=b",
        "",
        "and enter:",
        "",
        "    ╭───────────────╮",
        "    │   WDJB-MJHT   │",
        "    ╰───────────────╯",
        "",
    ]


def test_the_box_is_of_ascii_where_it_has_to_be() -> None:
    person, stream = terminal("ascii")
    person.tell("    1234")
    assert stream.text == "    +----------+\n    |   1234   |\n    +----------+\n"


def test_what_is_told_cannot_drive_the_terminal() -> None:
    person, stream = terminal()
    person.tell("Enter:\n\n    \x1b[2JA\u202eB\x07\n\n    https://a/\x9b2J")
    assert not set("\x1b\x07\x9b\u202e") & set(stream.text)
    assert "\\x1b[2JA\\u202eB\\x07" in stream.text


def test_colour_is_used_where_it_is_wanted() -> None:
    person, stream = terminal(color=True)
    person.tell("    WDJB")
    assert "\x1b[1mWDJB\x1b[0m" in stream.text


def test_a_visible_question() -> None:
    person, stream = terminal()
    person._run.stdin = io.StringIO("yes \r\nno")
    assert person.ask("Really", hidden=False) == "yes "
    assert person.ask("Again", hidden=False) == "no"
    with pytest.raises(UsageError, match="nothing was entered"):
        person.ask("Once more", hidden=False)
    assert stream.text.startswith("Really: Again: Once more: ")


@pytest.fixture
def lines() -> Iterator[tuple[Terminal, int]]:
    """A person who types on a real terminal, and where the keys go in."""
    ours, theirs = pty.openpty()
    run = Run()
    with open(theirs, encoding="utf-8") as stdin:
        run.stdin = stdin
        yield Terminal(run), ours
        run.stdin = None
    os.close(ours)


def test_lines_are_taken_as_they_come(lines: tuple[Terminal, int]) -> None:
    person, keys = lines
    assert person.typed(0) is None
    os.write(keys, b"half a li")
    assert person.typed(0.05) is None
    os.write(keys, "ne \u00e9\nand another\n".encode())
    assert person.typed(5) == "half a line \u00e9"
    assert person.typed(5) == "and another"
    assert person.typed(0) is None


def test_the_wait_for_a_line_ends_in_time(lines: tuple[Terminal, int]) -> None:
    began = time.monotonic()
    assert lines[0].typed(0.1) is None
    assert 0.05 < time.monotonic() - began < 3


def test_the_end_of_the_input_is_no_line(lines: tuple[Terminal, int]) -> None:
    person, keys = lines
    os.write(keys, b"\x04")
    with pytest.raises(UsageError, match="nothing was entered"):
        person.typed(5)


def test_there_is_nobody_without_a_terminal() -> None:
    run = Run()
    run.stdin = io.StringIO()
    assert Context.of(run).person() is None


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    """A value of BROWSER: a program that writes down what it was called with."""
    script = tmp_path / "a browser.py"
    script.write_text(OPENED)

    def command(*more: str) -> str:
        return " ".join([sys.executable, f"'{script}'", *more])

    return command


def written(name: str = "opened") -> str:
    end = time.monotonic() + 20
    while not Path(name).exists() or not Path(name).read_text():
        assert time.monotonic() < end, "nothing was opened"
        time.sleep(0.01)
    return Path(name).read_text()


URL = "https://login.example/?a=1&b='2'; touch evil"


@pytest.mark.parametrize(
    ("more", "words"),
    [((), [URL]), (("%s",), [URL]), (("--new", "x=%s", "&"), ["--new", f"x={URL}"])],
    ids=["alone", "%s", "in a word"],
)
def test_the_program_of_browser_gets_the_url_and_no_shell(
    browser: Callable[..., str], more: tuple[str, ...], words: list[str]
) -> None:
    person, _ = terminal(environ={**os.environ, "BROWSER": browser(*more), "SSH_CONNECTION": "x"})
    assert person.browse(URL) is True
    assert written() == repr(words)
    assert not Path("evil").exists()


def test_the_first_program_that_starts_is_used(browser: Callable[..., str]) -> None:
    environ = {**os.environ, "BROWSER": f"/nowhere/browser:'unbalanced:{browser()}"}
    assert opener.opened(URL, environ) is True
    assert written() == repr([URL])
    assert opener.opened(URL, {**environ, "BROWSER": "/nowhere/browser"}) is False


def test_none_is_opened_when_it_is_not_wanted(browser: Callable[..., str]) -> None:
    person, _ = terminal(environ={**os.environ, "BROWSER": browser()}, browser=False)
    assert person.browse(URL) is False
    assert not Path("opened").exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"SSH_CONNECTION": "a b c d", "DISPLAY": ":0"},
        {"SSH_TTY": "/dev/pts/0", "DISPLAY": ":0"},
        {"WSL_DISTRO_NAME": "Debian", "DISPLAY": ":0"},
        *([] if sys.platform in ("win32", "darwin") else [{}]),
    ],
    ids=str,
)
def test_no_browser_opens_where_nobody_would_see_it(environ: dict[str, str]) -> None:
    assert opener.opened(URL, environ) is False


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_windows_and_macos_have_a_screen_unless_one_is_elsewhere(platform: str) -> None:
    assert opener.has_screen({}, platform) is True
    assert opener.has_screen({"SSH_CONNECTION": "a b c d"}, platform) is False
    assert opener.has_screen({}, "linux") is False


@pytest.mark.parametrize(
    ("command", "platform", "expected"),
    [
        (
            r'"C:\Program Files\Firefox\firefox.exe" -new-tab %s',
            "win32",
            [r"C:\Program Files\Firefox\firefox.exe", "-new-tab", URL],
        ),
        (r"C:\bin\b.exe", "win32", [r"C:\bin\b.exe", URL]),
        (r"/opt/a\ b/firefox --x=%s &", "linux", ["/opt/a b/firefox", f"--x={URL}"]),
        ("'/opt/a b/firefox'", "darwin", ["/opt/a b/firefox", URL]),
        ("'unbalanced", "linux", []),
        ('"unbalanced', "win32", []),
    ],
    ids=str,
)
def test_a_browser_is_named_as_its_platform_writes_commands(command: str, platform: str, expected: list[str]) -> None:
    assert opener.words(command, URL, platform) == expected


def test_on_windows_browsers_are_separated_as_its_paths_are(browser: Callable[..., str]) -> None:
    command = browser().replace("'", '"')
    assert opener.opened(URL, {**os.environ, "BROWSER": rf"C:\nowhere\b.exe;{command}"}, platform="win32") is True
    assert written() == repr([URL])
