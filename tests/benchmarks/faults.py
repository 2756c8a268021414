"""What curl, HTTPie and forge make of each fault: `python -m tests.benchmarks.faults > docs/faults.md`.

`--http PATH` and `--curl PATH` name the programs; one that is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults import FAULTS, MIB, Fault, after_head, bomb_of_gzip, coded, served
from tests.server import Reply, Server
from tests.transport.conftest import RawServer, reply

LIMIT = "2"
"""Seconds: each program is told so, and stopped after ten times that."""

KEY = "X-Api-Key: user-key-1"
PASSED, FAILED = "success", "error"


@dataclass(frozen=True)
class Program:
    """A program, and how it is asked for a URL: quietly, decoded, following redirects, failing on an error."""

    name: str
    version: str
    get: tuple[str, ...]
    post: tuple[str, ...]
    save: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    exit_code: int | None
    out: bytes
    seconds: float
    peak: int

    @property
    def cell(self) -> str:
        """How it ended, in a few words."""
        if self.exit_code is None:
            return "does not end"
        return f"{PASSED if self.exit_code == 0 else FAILED}, {self.exit_code}"


def programs(curl: str | None, http: str | None) -> Iterator[Program]:
    get: tuple[str, ...]
    if curl is not None:
        version = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        get = (curl, "-sS", "-L", "--compressed", "--fail", "--max-time", LIMIT, "-k")
        yield Program("curl", version, get, (*get, "-d", "a=user-body-1"), ("-O", "-J"))
    if http is not None:
        version = subprocess.run([http, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        get = (http, "--ignore-stdin", "--check-status", "--follow", "--timeout", LIMIT, "--verify", "no", "--body")
        yield Program("HTTPie", version, get, (*get, "--form", "a=user-body-1"), ("--download",))
    get = (sys.executable, "-m", "forge_cli", "get", "--timeout", LIMIT, "-k", "--retry", "0")
    version = subprocess.run([*get[:3], "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    post = tuple("post" if word == "get" else word for word in get)
    yield Program("forge", version, get, (*post, "-L", "-f", "a=user-body-1"), ("--download",))


def run(words: tuple[str, ...], folder: str) -> Ended:
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "_bundle"))}
    env |= {"HOME": folder, "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"XDG_CONFIG_HOME": f"{folder}/.config", "FORGE_CONFIG_DIR": f"{folder}/.forge"}
    begun = time.monotonic()
    with (
        tempfile.TemporaryFile() as out,
        subprocess.Popen(words, stdout=out, stderr=subprocess.DEVNULL, env=env, cwd=folder) as child,
    ):
        ended = False
        while not ended and time.monotonic() - begun < 10 * float(LIMIT):
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            ended = pid != 0
            time.sleep(0.005)
        if not ended:
            child.kill()
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        seen = out.read(2 * MIB)
    seconds = time.monotonic() - begun
    return Ended(child.returncode if ended else None, seen, seconds, usage.ru_maxrss * 1024)


def ordered(words: tuple[str, ...], program: Program, url: str, *items: str) -> tuple[str, ...]:
    """The program's words with the URL in its place: HTTPie and forge take items after it, curl options."""
    if program.name == "curl":
        return (*words, *(word for item in items for word in ("-H", item)), url)
    pairs = tuple(item.replace(": ", ":") for item in items)
    cut = next((place for place, word in enumerate(words) if "user-body-1" in word), len(words))
    return (*words[:cut], url, *words[cut:], *pairs)


def of_fault(fault: Fault) -> Callable[[Program], str]:
    def cell(program: Program) -> str:
        with served(fault) as server, tempfile.TemporaryDirectory() as folder:
            ended = run(ordered(program.get, program, server.url("/x")), folder)
        late = f" after {ended.seconds:.0f} s" if ended.exit_code is not None and ended.seconds > 4 else ""
        return ended.cell + late

    return cell


def of_key(program: Program) -> str:
    """An API key and a redirect to another origin."""
    with Server() as home, Server() as other, tempfile.TemporaryDirectory() as folder:
        home.reply("/x", Reply(302, headers={"Location": other.reply("/y", Reply(200, "ok"))}))
        ended = run(ordered(program.get, program, home.url + "/x", KEY), folder)
        sent = any("user-key-1" in str(seen.headers) for seen in other.seen)
    return f"{ended.cell}, key {'sent' if sent else 'not sent'}"


def of_body(program: Program) -> str:
    """A form and a 307 to another origin."""
    with Server() as home, Server() as other, tempfile.TemporaryDirectory() as folder:
        home.reply("/x", Reply(307, headers={"Location": other.reply("/y", Reply(200, "ok"))}))
        ended = run(ordered(program.post, program, home.url + "/x"), folder)
        sent = any(b"user-body-1" in seen.body for seen in other.seen)
    return f"{ended.cell}, body {'sent' if sent else 'not sent'}"


def of_netrc(program: Program) -> str:
    """A bearer token, and a `.netrc` that has an entry for the host."""
    with Server() as home, tempfile.TemporaryDirectory() as folder:
        Path(folder, ".netrc").write_text("machine 127.0.0.1 login ada password netrc-pass-1\n")
        Path(folder, ".netrc").chmod(0o600)
        home.reply("/x", Reply(200, "ok"))
        ended = run(ordered(program.get, program, home.url + "/x", "Authorization: Bearer user-token-1"), folder)
        replaced = any("Bearer" not in (seen.headers["Authorization"] or "") for seen in home.seen)
    return f"{ended.cell}, token {'replaced' if replaced else 'sent'}"


def of_bomb(program: Program) -> str:
    """128 MiB in a gzip body of 128 KiB, into a file."""
    with RawServer(after_head(coded(bomb_of_gzip(), "gzip"))) as server, tempfile.TemporaryDirectory() as folder:
        ended = run(ordered(program.get, program, server.url("/x")), folder)
    return f"{ended.cell}, {ended.peak // MIB} MiB of memory"


def of_name(program: Program) -> str:
    """A download that names itself `../../.profile`."""
    head = 'Content-Disposition: attachment; filename="../../.profile"'
    with RawServer(after_head(reply(b"x", head))) as server, tempfile.TemporaryDirectory() as folder:
        deep = Path(folder, "a", "b")
        deep.mkdir(parents=True)
        ended = run((*ordered(program.get, program, server.url("/x")), *program.save), str(deep))
        found = [path.relative_to(deep).as_posix() for path in deep.rglob("*") if path.is_file()]
        found += [
            f"../{path.name}" for path in (deep.parent, deep.parents[1]) for path in path.iterdir() if path.is_file()
        ]
    return f"{ended.cell}, saved as {', '.join(f'`{name}`' for name in found) or 'nothing'}"


def of_part(program: Program) -> str:
    """A download that breaks off."""
    script = after_head(
        b'HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="a.txt"\r\nContent-Length: 9\r\n\r\npart'
    )
    with RawServer(script) as server, tempfile.TemporaryDirectory() as folder:
        ended = run((*ordered(program.get, program, server.url("/x")), *program.save), folder)
        whole = Path(folder, "a.txt").exists()
    return f"{ended.cell}, {'looks complete' if whole else 'no final name'}"


MORE: dict[str, Callable[[Program], str]] = {
    "`X-Api-Key` and a redirect to another origin": of_key,
    "a form and a 307 to another origin": of_body,
    "a bearer token and a `.netrc`": of_netrc,
    "a gzip bomb of 128 MiB": of_bomb,
    "a download named `../../.profile`": of_name,
    "a download that breaks off": of_part,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curl", default=shutil.which("curl"))
    parser.add_argument("--http", default=shutil.which("http"))
    asked = parser.parse_args()
    known = list(programs(asked.curl, asked.http))
    rows = {fault.name: of_fault(fault) for fault in FAULTS} | MORE
    print("# Faults\n")
    print("What each program makes of a broken or hostile server: whether it says that all is well, and its exit code.")
    print(f"Time limit {LIMIT} s, no retries, redirects followed, certificates not verified, output into a file.")
    print("Measured by\n\n    python -m tests.benchmarks.faults > docs/faults.md\n")
    print("| fault | " + " | ".join(f"{program.name} {program.version}" for program in known) + " |")
    print("|---" * (len(known) + 1) + "|")
    for name, cell in rows.items():
        print(f"| {name} | " + " | ".join(cell(program) for program in known) + " |", flush=True)


if __name__ == "__main__":
    main()
