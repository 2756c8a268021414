"""The pictures of the README and the docs, made from real runs: `python docs/picture.py` writes the .svg files."""

from __future__ import annotations

import html
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

from forge_cli.cli.output.meta import waterfall
from forge_cli.cli.progress import Progress
from forge_cli.demo.stage import Stage, stage
from forge_cli.events import Timing

DOCS = Path(__file__).parent
PICTURE = DOCS / "picture.svg"
_WIDTH = 96
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)( \(\d{10}\))?")
_PORT = re.compile(r"(127\.0\.0\.1:)\d{4,5}")
_TIMES = re.compile(r"^(?:DNS|connect|first byte|transfer|total) .*\n", re.MULTILINE)
_PROGRESS = re.compile(r"(?:\r *\d+%[^\r]*?\x1b\[K)+(?:\r\x1b\[K)?")
# A run takes a moment, and no two take the same: what the pictures show begins here.
_BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
_FILE = 4 * 1024 * 1024

_MISTAKES = """\
[profiles.prod]
base_url = "https://api.example.com"
timout = 30

[profiles.prod.auth]
type = "pipeline"

[profiles.prod.auth.steps.user]
request = { method = "POST", url = "/login", form = { password = "${secrets.pasword}" } }
extract = { token = "/access_token" }

[profiles.prod.secrets]
password = { env = "API_PASSWORD" }
"""


def readme(running: Stage) -> str:
    """A login of three steps, before and after, and the request as a cURL command."""
    return _typed(running, "token explain", "get /users", "token explain", "curl GET /users")


def get(running: Stage) -> str:
    """A request on a terminal."""
    return _typed(running, "get /users")


def verbose(running: Stage) -> str:
    """The heads of request and answer."""
    return _typed(running, "get /users -v --select '[0]'")


def meta(running: Stage) -> str:
    """Where the time was spent."""
    return _typed(running, "get /users --meta")


def table(running: Stage) -> str:
    """A list as a table."""
    return _typed(running, "get /users --format table --print b")


def show(running: Stage) -> str:
    """What is stored."""
    return _typed(running, "token show").replace(str(running.config_dir), "~/.config/forge")


def explain(running: Stage) -> str:
    """The steps of a login, and what a request would do."""
    return _typed(running, "token explain")


def validate(running: Stage) -> str:
    """The problems of a profile file."""
    (running.folder / "profiles.toml").write_text(_MISTAKES, encoding="utf-8")
    return _typed(running, "profile validate profiles.toml", code=2).replace(f"{running.folder}/", "")


def download(running: Stage) -> str:
    """How far a download is: the line that is there until it ends."""
    with _slow_file() as url:
        shown = _output(running, ["get", f"{url}/report.bin", "--download"])
    return f"{_prompt(f'get {url}/report.bin --download')}{shown}"


PICTURES: Mapping[Path, Callable[[Stage], str]] = {
    PICTURE: readme,
    **{DOCS / "pictures" / f"{name}.svg": make for name, make in {
        "get": get,
        "verbose": verbose,
        "meta": meta,
        "table": table,
        "token-show": show,
        "token-explain": explain,
        "validate": validate,
        "download": download,
    }.items()},
}  # fmt: skip
"""Where a picture is -> what it shows. The login of the first is there for those that follow."""


def sessions() -> dict[Path, str]:
    """What a terminal shows of the runs, with its colours; ports, moments and times are always the same."""
    begun = datetime.fromtimestamp(time.time(), UTC)

    def moved(match: re.Match[str]) -> str:
        minutes = round((datetime.fromisoformat(match[1]) - begun).total_seconds() / 60)
        moment = _BEGIN + timedelta(minutes=minutes)
        return moment.isoformat() + (f" ({int(moment.timestamp())})" if match[2] else "")

    with stage("forge") as running:
        shown = {path: make(running) for path, make in PICTURES.items()}
    return {path: _timed(_PORT.sub(r"\g<1>50000", _MOMENT.sub(moved, text))) for path, text in shown.items()}


def _timed(text: str) -> str:
    """The text with the times of an exchange, and the progress of a download, as they are by a clock of ours."""
    timing = Timing(0.0, resolved=0.004, connected=0.011, answered=0.058)
    lines = "".join(f"{line}\n" for line in waterfall(timing, 0.064, color=True))
    found = list(_TIMES.finditer(text))
    if found:
        text = text[: found[0].start()] + lines + text[found[-1].end() :]
    now = iter((0.0, 4.0))
    progress = Progress(lambda shown: None, _FILE, clock=lambda: next(now))
    progress.at(_FILE * 3 // 5)
    return _PROGRESS.sub(f"{progress.text(4.0)}\n", text)


def _typed(running: Stage, *commands: str, code: int = 0) -> str:
    """The commands and what they show."""
    return "\n".join(
        f"{_prompt(command)}{_output(running, [word.strip(chr(39)) for word in command.split()], code)}"
        for command in commands
    )


def _prompt(command: str) -> str:
    return f"\x1b[1m$ forge {command}\x1b[0m\n"


def _output(running: Stage, words: Sequence[str], code: int = 0) -> str:
    """What the program writes to a terminal."""
    program, *arguments = running.command(*words)
    environ = dict(running.environ) | {"TERM": "xterm-256color"}
    child = pexpect.spawn(
        program, arguments, cwd=str(running.folder), env=environ, encoding="utf-8", timeout=30, dimensions=(60, _WIDTH)
    )
    child.expect(pexpect.EOF)
    child.close()
    if child.exitstatus != code:
        raise SystemExit(f"forge {' '.join(words)} ended with {child.exitstatus}:\n{child.before}")
    return str(child.before).replace("\r\n", "\n")


@contextmanager
def _slow_file() -> Iterator[str]:
    """A server with one file, which it sends in pieces that one can watch."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {_FILE}\r\nConnection: close\r\n\r\n".encode())
                for _ in range(8):
                    connection.sendall(bytes(_FILE // 8))
                    time.sleep(0.12)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def svg(text: str) -> str:
    """The text as a picture of a terminal."""
    lines = Text.from_ansi(text).split()
    width = max(60, *(line.cell_len for line in lines)) if lines else 60
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text), soft_wrap=False)
    picture = console.export_svg(title="forge", unique_id="forge")
    # A picture on a page may load nothing; without the font the reader's own monospace is used.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


def words(picture: str) -> list[str]:
    """The words of a picture, which stay the same when only the way of drawing changes."""
    return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))).split()


if __name__ == "__main__":
    for path, text in sessions().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg(text), encoding="utf-8")
