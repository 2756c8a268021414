"""Opens the system's browser, beside the command and without its terminal."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# A browser that has not said by then that it failed is taken to be opening.
_PATIENCE = 3.0


def opened(url: str, environ: Mapping[str, str], *, platform: str = sys.platform) -> bool:
    """Open a URL in the program of BROWSER, else in the system's browser. False when there is none here to see."""
    if chosen := environ.get("BROWSER"):
        commands = chosen.split(";" if platform == "win32" else ":")
        return any(_started(words(command, url, platform), environ) for command in commands if command.strip())
    return has_screen(environ, platform) and _by_system(url)


def words(command: str, url: str, platform: str) -> list[str]:
    """The words of a command, in which `%s` stands for the URL; none when its quotes are not closed.

    Windows has no escapes in a command: its paths are full of backslashes.
    """
    lexer = shlex.shlex(command.rstrip("& "), posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if platform == "win32":
        lexer.escape, lexer.quotes = "", '"'
    try:
        found = [word.replace("%s", url) for word in lexer]
    except ValueError:
        return []
    return found if "%s" in command else [*found, url]


def _started(command: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Start a command, and do not wait for it: it may be about to ask us."""
    if not command:
        return False
    nothing = subprocess.DEVNULL
    try:
        program = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, env=dict(environ), start_new_session=True
        )
    except OSError:
        return False
    _beside(program.wait)
    return True


def has_screen(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a window that opens here would be in front of whoever types: not over ssh, nor without a display."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") or environ.get("WSL_DISTRO_NAME"):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _by_system(url: str) -> bool:
    answers: list[bool] = []

    def run() -> None:
        try:
            # A browser of text would take over the terminal that the login is on.
            browser = webbrowser.get()
            answers.append(type(browser) is not webbrowser.GenericBrowser and browser.open(url))
        except (webbrowser.Error, OSError):
            answers.append(False)

    _beside(run).join(_PATIENCE)
    return answers[0] if answers else True


def _beside(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, name="forge-browser", daemon=True)
    thread.start()
    return thread
