"""The person at the terminal: asked, told, and sent to a browser."""

from __future__ import annotations

import importlib
import os
import re
import select
import sys
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..registry import Registry
from .keys import Keys
from .output.text import paint, visible
from .streams import draws

if TYPE_CHECKING:
    from .run import Run

_LARGEST_LINE = 64 * 1024
# What opens a browser is loaded once one is to be opened.
_OPENERS = Registry("browser opener", {"system": "forge_cli.cli.opener:opened"})


class Terminal:
    """As `login.work.Person` says, on the terminal of a run. Without `browser`, none is opened.

    What is told goes to standard error, also with `-s`: a login cannot go on without it. A line that is
    indented is what it is about: a URL stands alone, so that it can be copied, and anything else in a box.
    """

    def __init__(self, run: Run, *, browser: bool = True, color: bool = False, platform: str = sys.platform) -> None:
        self._run = run
        self._browser = browser
        self._color = color
        self._platform = platform
        self._pending = b""
        self._keys: Keys | None = None

    def ask(self, text: str, *, hidden: bool) -> str:
        """What was typed. UsageError when the input is ended instead."""
        if hidden:
            return self._run.ask(text)
        self._run.tell(f"{visible(text)}: ")
        line = self._run.stdin.readline() if self._run.stdin is not None else ""
        if not line:
            raise self._nothing()
        return line.rstrip("\r\n")

    def tell(self, text: str) -> None:
        """Show lines; what could drive the terminal is shown instead."""
        self._run.tell("".join(f"{line}\n" for line in self._set(visible(text))))

    def browse(self, url: str) -> bool:
        """Open the system's browser; False when there is none, or it is not wanted."""
        return self._browser and bool(_OPENERS.load("system")(url, self._run.environ))

    def typed(self, seconds: float) -> str | None:
        """A line that was entered, None when none is within these seconds. UsageError at the end of the input."""
        if self._platform == "win32":
            return self._by_keys(seconds)
        if self._run.stdin is None:
            raise self._nothing()
        # Not through the stream, which could not be looked at without waiting.
        descriptor = self._run.stdin.fileno()
        if b"\n" not in self._pending and select.select([descriptor], [], [], seconds)[0]:
            data = os.read(descriptor, _LARGEST_LINE)
            if not data:
                raise self._nothing()
            self._pending = (self._pending + data)[-_LARGEST_LINE:]
        line, end, rest = self._pending.partition(b"\n")
        if not end:
            return None
        self._pending = rest
        return line.decode("utf-8", "replace").rstrip("\r")

    def _by_keys(self, seconds: float) -> str | None:
        if self._keys is None:
            console: Any = importlib.import_module("msvcrt")
            self._keys = Keys(console, self._run.tell)
        try:
            return self._keys.line(seconds)
        except EOFError:
            raise self._nothing() from None

    def _nothing(self) -> UsageError:
        self._run.end_line()
        return UsageError("nothing was entered", hint="type it when asked")

    def _set(self, text: str) -> list[str]:
        lines: list[str] = []
        for line in text.split("\n"):
            inner = line.strip()
            if not inner or not line.startswith("    "):
                lines.append(line)
            elif re.match(r"[a-z]+://", inner, re.IGNORECASE):
                lines.append(f"    {paint(inner, 'name', self._color)}")
            else:
                lines += self._boxed(inner)
        return lines

    def _boxed(self, text: str) -> list[str]:
        """The text in a box; a box of ASCII where the terminal may not have another."""
        left, right, low, high, across, side = "╭╮╰╯─│" if draws(self._run.stderr) else "++++-|"
        edge = across * (len(text) + 6)
        return [
            f"    {left}{edge}{right}",
            f"    {side}   {paint(text, 'strong', self._color)}   {side}",
            f"    {low}{edge}{high}",
        ]
