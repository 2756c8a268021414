"""One long run of `forge batch`: flat memory, and nothing twice or missing after kill -9 and `--resume`. Run by hand.

    python -m tests.benchmarks.million [--lines 1000000] [--jobs 8]

A server in a process of its own answers; half of the lines later the run is killed, and resumed. Memory is what the
kernel says of each of the two processes, beside one that had 1,000 lines and nothing to resume. What the second one may
have more is 32 bytes for each line that was done: it holds the ids of those.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
AIM_MEMORY = 1.1
# Bytes for each id that is done: they are held in a table of hashes, which doubles when two thirds of it are full.
_ID = 32
_LOOK = 0.2


def command(lines: Path, results: Path, base_url: str, jobs: int) -> list[str]:
    """The run that is measured."""
    words = ["batch", str(lines), "--resume", str(results), "--template", f"{base_url}/{{id}}", "--jobs", str(jobs)]
    return [sys.executable, "-m", "forge_cli", *words, "-s"]


def written(path: Path, count: int) -> None:
    """A CSV file of so many rows."""
    with path.open("w") as file:
        file.write("id\n")
        file.writelines(f"{number}\n" for number in range(1, count + 1))


def ended(child: subprocess.Popen[bytes]) -> float:
    """Wait for a process; its peak in MB."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024 / 1e6


def killed(child: subprocess.Popen[bytes], results: Path, size: int) -> float:
    """Kill it without a word as soon as its results have so many bytes; its peak in MB."""
    while child.poll() is None:
        if results.exists() and results.stat().st_size >= size:
            child.send_signal(signal.SIGKILL)
            return ended(child)
        time.sleep(_LOOK)
    raise SystemExit("it ended before it could be killed: take more lines")


def checked(results: Path, count: int) -> None:
    """SystemExit unless each line has one result, and that is an answer."""
    times = array("B", bytes(count + 1))
    with results.open("rb") as file:
        for raw in file:
            record = json.loads(raw)
            if record["status"] != 200 or "error" in record:
                raise SystemExit(f"line {record['id']}: {record['status']}, {record.get('error')}")
            times[record["id"]] += 1
    wrong = [number for number in range(1, count + 1) if times[number] != 1]
    if wrong:
        raise SystemExit(f"{len(wrong)} lines are missing or there twice, as {wrong[:5]}")


def main(count: int, jobs: int) -> int:
    with (
        tempfile.TemporaryDirectory() as place,
        # It says what it thinks of a client that was killed.
        subprocess.Popen(
            [sys.executable, str(SERVER)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            return measured(Path(place), base_url, count, jobs)
        finally:
            server.kill()


def measured(place: Path, base_url: str, count: int, jobs: int) -> int:
    environment = {**os.environ, "HOME": str(place)}

    def start(name: str, rows: int) -> subprocess.Popen[bytes]:
        lines, results = place / f"{name}.csv", place / f"{name}.jsonl"
        if not lines.exists():
            written(lines, rows)
        return subprocess.Popen(command(lines, results, base_url, jobs), env=environment)

    few = ended(start("few", 1000))
    each = (place / "few.jsonl").stat().st_size / 1000
    begun = time.perf_counter()
    first = killed(start("many", count), place / "many.jsonl", int(count * each / 2))
    with (place / "many.jsonl").open("rb") as file:
        half = sum(1 for _ in file)
    child = start("many", count)
    second = ended(child)
    took = time.perf_counter() - begun
    if child.returncode:
        raise SystemExit(f"the resumed run ended with {child.returncode}")
    checked(place / "many.jsonl", count)
    bound = AIM_MEMORY * few
    bound_resumed = bound + half * _ID / 1e6
    print(f"{count:,} lines, {jobs} jobs, killed after {half:,} and resumed: {took:.0f} s, {count / took:.0f}/s")
    print("each line was answered, and has one result")
    print(f"memory: 1,000 lines {few:.1f} MB, until the kill {first:.1f} MB (aim: <= {bound:.1f} MB), ", end="")
    print(f"resumed {second:.1f} MB (aim: <= {bound_resumed:.1f} MB, with {_ID} bytes for each id)")
    return 0 if first <= bound and second <= bound_resumed else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.million", description="One long run, killed and resumed."
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=8)
    given = parser.parse_args()
    sys.exit(main(given.lines, given.jobs))
