"""Ten megabytes of JSON, laid out and coloured, beside HTTPie: time, memory, and when the first line is there.

`python -m tests.benchmarks.json_output HTTP [ROUNDS]`, where HTTP is HTTPie's program, in an environment of its own.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from forge_cli.testing import Reply, ScriptedServer

MEGABYTE = 1_000_000
SIZE = 10 * MEGABYTE
AIM_TIME, AIM_MEMORY, AIM_FIRST = 1 / 6, 1 / 2, 0.3


@dataclass(frozen=True)
class Run:
    """What one command took: seconds, MB, and seconds to its first line."""

    seconds: float
    memory: float
    first: float


def document() -> bytes:
    """People, as an API would list them."""
    chance = random.Random(1)
    rows: list[str] = []
    size = 0
    while size < SIZE:
        number = len(rows)
        row = {
            "id": number,
            "name": f"user {number}",
            "email": f"user{number}@example.com",
            "active": number % 2 == 0,
            "score": chance.random(),
            "tags": ["one", "two"],
            "address": {"city": "Zürich", "zip": None},
        }
        rows.append(json.dumps(row))
        size += len(rows[-1]) + 2
    return f"[{', '.join(rows)}]".encode()


def measure(command: list[str]) -> Run:
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    child.stdout.readline()
    first = time.monotonic() - started
    while child.stdout.read(1 << 20):
        pass
    _, status, usage = os.wait4(child.pid, 0)
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with {child.returncode}")
    # Kilobytes, but bytes on macOS.
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE
    return Run(time.monotonic() - started, memory, first)


def main(httpie: str, rounds: int = 3) -> int:
    found: dict[str, list[Run]] = {"forge": [], "HTTPie": []}
    with ScriptedServer() as server:
        url = server.reply("/people", Reply(200, document(), {"Content-Type": "application/json"}))
        commands = {
            "forge": [sys.executable, "-m", "forge_cli", "get", url, "--print", "b", "--pretty", "all"],
            "HTTPie": [httpie, "--ignore-stdin", "--print=b", "--pretty=all", "GET", url],
        }
        for _ in range(rounds):
            for name, command in commands.items():
                found[name].append(measure(command))
    middle = {
        name: Run(*(statistics.median(getattr(run, part) for run in runs) for part in ("seconds", "memory", "first")))
        for name, runs in found.items()
    }
    for name, run in middle.items():
        print(f"{name:<8}{run.seconds:7.2f} s {run.memory:7.1f} MB   first line after {run.first:.2f} s")
    ours, theirs = middle["forge"], middle["HTTPie"]
    times, memory = ours.seconds / theirs.seconds, ours.memory / theirs.memory
    print(f"time    1/{1 / times:.1f}   (aim: 1/6)")
    print(f"memory  1/{1 / memory:.1f}   (aim: 1/2)")
    print(f"first line {ours.first:.2f} s   (aim: {AIM_FIRST} s)")
    return 0 if times <= AIM_TIME and memory <= AIM_MEMORY and ours.first <= AIM_FIRST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:3])))
