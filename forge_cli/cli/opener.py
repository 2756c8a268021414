"""Opens the system's browser, beside the command and without its terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

# A browser that has not said by then that it failed is taken to be opening.
_PATIENCE = 3.0


def opened(url: str, environ: Mapping[str, str]) -> bool:
    """Open a URL in the program of BROWSER, else in the system's browser. False when there is none here to see."""
    if chosen := environ.get("BROWSER"):
        return any(_started(command, url, environ) for command in chosen.split(os.pathsep) if command.strip())
    return _has_screen(environ) and _by_system(url)


def _started(command: str, url: str, environ: Mapping[str, str]) -> bool:
    """Start a command, in which `%s` stands for the URL, and do not wait for it: it may be about to ask us."""
    try:
        words = [word.replace("%s", url) for word in shlex.split(command.rstrip("& "))]
    except ValueError:
        return False
    if "%s" not in command:
        words.append(url)
    nothing = subprocess.DEVNULL
    try:
        program = subprocess.Popen(
            words, stdin=nothing, stdout=nothing, stderr=nothing, env=dict(environ), start_new_session=True
        )
    except OSError:
        return False
    _beside(program.wait)
    return True


def _has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a window that opens here would be in front of whoever types: not over ssh, nor without a display."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") or environ.get("WSL_DISTRO_NAME"):
        return False
    if sys.platform in ("win32", "darwin"):
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
