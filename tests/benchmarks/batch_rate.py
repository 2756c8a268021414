"""`forge batch` against a hand-written loop over requests' own adapter, on as many threads. Run by hand.

    python -m tests.benchmarks.batch_rate [lines] [jobs] [rounds]

Both send authenticated requests to a server in a process of its own; the rounds alternate. The aim is a ratio of
0.8 or more, and no more than 1.1 times the memory of 1,000 lines for 100,000.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter

AIM, AIM_MEMORY = 0.8, 1.1
SERVER = Path(__file__).with_name("server.py")


def by_hand(base_url: str, count: int, jobs: int) -> None:
    """Prepared requests through one adapter."""
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=jobs)
    numbers = itertools.count()

    def work() -> None:
        while next(numbers) < count:
            request = requests.Request("GET", f"{base_url}/a", headers={"Authorization": "Bearer user-token-1"})
            response = adapter.send(request.prepare(), timeout=30)
            _ = response.content

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(command: list[str], home: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a process."""
    started = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env={**os.environ, "HOME": home})
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command}: exit {child.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e6


class Figures(NamedTuple):
    """Seconds of each pair, by hand and with `forge batch`, and the peak megabytes for few and many lines."""

    pairs: list[tuple[float, float]]
    few: float
    much: float

    @property
    def ratio(self) -> float:
        return statistics.median(plain / ours for plain, ours in self.pairs)


def measured(count: int, jobs: int, rounds: int, many: int) -> Figures:
    """Both in turn, and then the memory of 1,000 lines and of so many."""
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            with tempfile.TemporaryDirectory() as home:
                return compared(base_url, Path(home), count, jobs, rounds, many)
        finally:
            server.kill()


def compared(base_url: str, home: Path, count: int, jobs: int, rounds: int, many: int) -> Figures:
    profiles = home / "profiles.toml"
    profiles.write_text(
        f'[profiles.api]\nbase_url = "{base_url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/token" }\nextract = { token = "/token" }\n'
    )
    profiles.chmod(0o600)

    def forge(lines: int) -> list[str]:
        path = home / f"{lines}.jsonl"
        path.write_text("/a\n" * lines)
        words = ["batch", str(path), "-p", "api", "--config", str(profiles), "--jobs", str(jobs), "-s"]
        return [sys.executable, "-m", "forge_cli", *words]

    plain = [sys.executable, "-m", "tests.benchmarks.batch_rate", "--by-hand", base_url, str(count), str(jobs)]
    pairs = [(run(plain, str(home))[0], run(forge(count), str(home))[0]) for _ in range(rounds)]
    return Figures(pairs, run(forge(1000), str(home))[1], run(forge(many), str(home))[1])


def main(count: int = 10_000, jobs: int = 8, rounds: int = 3, many: int = 100_000) -> int:
    found = measured(count, jobs, rounds, many)
    by_hand, ours = (count / statistics.median(seconds) for seconds in zip(*found.pairs, strict=True))
    print(f"{count:,} requests, {jobs} jobs: by hand {by_hand:.0f}/s, ", end="")
    print(f"forge batch {ours:.0f}/s, ratio {found.ratio:.2f} (aim: {AIM})")
    growth = found.much / found.few
    print(f"memory: 1,000 lines {found.few:.1f} MB, {many:,} lines {found.much:.1f} MB, {growth:.2f} x ", end="")
    print(f"(aim: {AIM_MEMORY})")
    return 0 if found.ratio >= AIM and growth <= AIM_MEMORY else 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--by-hand", url, number, jobs]:
            by_hand(url, int(number), int(jobs))
        case numbers:
            sys.exit(main(*map(int, numbers)))
