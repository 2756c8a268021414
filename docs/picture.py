"""The picture in the README, made from a real run: `python docs/picture.py` writes docs/picture.svg."""

from __future__ import annotations

import html
import io
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

from forge_cli.demo.stage import Stage, stage

PICTURE = Path(__file__).parent / "picture.svg"
COMMANDS = ("token explain", "get /users", "token explain", "curl GET /users")
_WIDTH = 96
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00) \(\d{10}\)")
_PORT = re.compile(r"(127\.0\.0\.1:)\d{5}")
# A run takes a moment, and no two take the same: what the picture shows begins here.
_BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def session() -> str:
    """What a terminal shows of the run, with its colours; ports and moments are always the same."""
    begun = datetime.fromtimestamp(time.time(), UTC)
    with stage("forge") as running:
        shown = "\n".join(f"\x1b[1m$ forge {command}\x1b[0m\n{_output(running, command)}" for command in COMMANDS)

    def moved(match: re.Match[str]) -> str:
        minutes = round((datetime.fromisoformat(match[1]) - begun).total_seconds() / 60)
        moment = _BEGIN + timedelta(minutes=minutes)
        return f"{moment.isoformat()} ({int(moment.timestamp())})"

    return _PORT.sub(r"\g<1>50000", _MOMENT.sub(moved, shown))


def _output(running: Stage, command: str) -> str:
    program, *arguments = running.command(*command.split())
    environ = dict(running.environ) | {"TERM": "xterm-256color"}
    child = pexpect.spawn(
        program, arguments, cwd=str(running.folder), env=environ, encoding="utf-8", timeout=30, dimensions=(60, _WIDTH)
    )
    child.expect(pexpect.EOF)
    child.close()
    if child.exitstatus != 0:
        raise SystemExit(f"forge {command} ended with {child.exitstatus}:\n{child.before}")
    return str(child.before).replace("\r\n", "\n")


def svg(text: str) -> str:
    """The text as a picture of a terminal."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text), soft_wrap=False)
    picture = console.export_svg(title="forge", unique_id="forge")
    # A picture in a README may load nothing; without the font the reader's own monospace is used.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


def words(picture: str) -> list[str]:
    """The words of a picture, which stay the same when only the way of drawing changes."""
    return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))).split()


if __name__ == "__main__":
    PICTURE.write_text(svg(session()), encoding="utf-8")
