"""How fast forge is beside its peers: every row that `docs/performance.md` shows, measured in one run.

    python -m tests.benchmarks.performance [--rounds N] [--httpie PROGRAM] [--only WORD] [--write]
    python -m tests.benchmarks.performance --short

A row is a ratio of two commands that ran in turn, the median over the pairs; memory is the kernel's figure for the
whole process. HTTPie is installed from PyPI into an environment of its own unless it is given. `--write` puts the
table into the page. `--short` measures no time: it holds what must be so on any machine, how much memory a large
body takes and how many tokens are asked for, and ends with 1 where that is not so.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.benchmarks import batch_rate, client_rate, validate
from tests.benchmarks.measure import Pairs, Run, pairs, run, server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
MARKS = "<!-- table -->\n", "<!-- end of the table -->\n"
MEMORY_AIM = 70.0
CLICK = [sys.executable, "-c", "import click"]
FORGE = [str(Path(sys.executable).with_name("forge"))]
_BARE = """
import sys, click, requests
answer = requests.get(sys.argv[1], headers={"Authorization": "Bearer user-token-1"}, timeout=30)
sys.stdout.buffer.write(answer.content)
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool
    peer: str


@dataclass(frozen=True)
class Bench:
    """Where the commands run: a server, a configuration directory with a profile, HTTPie's program."""

    url: str
    folder: Path
    env: Mapping[str, str]
    httpie: str | None
    rounds: int
    gigabyte: int = 1000

    def pairs(self, ours: Sequence[str], peer: Sequence[str], *, rounds: int = 0, anew: bool = False) -> Pairs:
        """Both in turn; `anew` changes the environment each time, so that nothing is remembered."""
        times = itertools.count()

        def one() -> Run:
            return run(ours, {**self.env, "TIMES": str(next(times))} if anew else self.env)

        return pairs(one, lambda: run(peer, self.env), rounds or self.rounds)


_PARENT = '[profiles.parent]\nabstract = true\nbase_url = "{url}"\nauth.type = "pipeline"\n{steps}'
_ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {}


def row(name: str) -> Callable[[Callable[[Bench], Iterator[Row]]], Callable[[Bench], Iterator[Row]]]:
    """Put a row, or a few that belong together, into the table."""

    def put(function: Callable[[Bench], Iterator[Row]]) -> Callable[[Bench], Iterator[Row]]:
        _ROWS[name] = function
        return function

    return put


def times(value: float) -> str:
    return f"{value:.2f} x"


def shown(words: Sequence[str]) -> str:
    """A command as somebody would type it."""
    names = {sys.executable: "python", FORGE[0]: "forge"}
    return " ".join(names.get(word, f'"{word}"' if " " in word else word) for word in words)


@row("start")
def start(bench: Bench) -> Iterator[Row]:
    for words, aim, when in [
        (["--version"], 1.3, ""),
        (["--help"], 1.3, ""),
        (["token", "show", "--raw"], 1.5, ", again"),
        (["token", "show", "--raw"], 1.5, ", for the first time"),
        (["curl", "GET", "/users"], 1.5, ""),
    ]:
        found = bench.pairs([*FORGE, *words], CLICK, anew="first" in when)
        what, met = shown([*FORGE, *words]) + when, found.times <= aim
        yield Row(what, times(found.times), f"<= {aim} x", met, 'python -c "import click"')


@row("get")
def get(bench: Bench) -> Iterator[Row]:
    ours = [*FORGE, "get", "/users"]
    script = bench.folder / "bare.py"
    script.write_text(_BARE, encoding="utf-8")
    found = bench.pairs(ours, [sys.executable, str(script), f"{bench.url}/users"])
    what = "forge get /users, in a pipe"
    yield Row(what, times(found.times), "<= 1.2 x", found.times <= 1.2, "requests.get in a script")
    if bench.httpie:
        peer = [bench.httpie, "--ignore-stdin", "GET", f"{bench.url}/users", "Authorization:Bearer user-token-1"]
        found = bench.pairs(ours, peer)
        yield Row(what, times(found.times), "<= 0.6 x", found.times <= 0.6, "http GET …/users")
    found = pairs(lambda: run(ours, bench.env, terminal=True), lambda: run(ours, bench.env), bench.rounds)
    extra = found.extra * 1000
    yield Row("forge get /users, on a terminal", f"+ {extra:.0f} ms", "<= + 60 ms", extra <= 60, "the same in a pipe")


@row("client")
def client(bench: Bench) -> Iterator[Row]:
    ratio = client_rate.ratio_of(client_rate.measured(200, max(bench.rounds, 20)))
    yield Row("HttpClient.get, requests a second", times(ratio), ">= 1.6 x", ratio >= 1.6, "requests.Session().get")


@row("batch")
def batch(bench: Bench) -> Iterator[Row]:
    found = batch_rate.measured(10_000, 8, 3, 100_000)
    what = "forge batch, 10,000 requests on 8 threads: rate"
    yield Row(what, times(found.ratio), ">= 0.8 x", found.ratio >= 0.8, "prepared requests through an HTTPAdapter")
    growth = found.much / found.few
    yield Row("forge batch, 100,000 lines: memory", times(growth), "<= 1.1 x", growth <= 1.1, "1,000 lines")


@row("json")
def pretty(bench: Bench) -> Iterator[Row]:
    ours = [*FORGE, "get", f"{bench.url}/people", "--no-auth", "--print", "b", "--pretty", "all"]
    if bench.httpie:
        peer = [bench.httpie, "--ignore-stdin", "--print=b", "--pretty=all", "GET", f"{bench.url}/people"]
        found = bench.pairs(ours, peer, rounds=3)
        memory = found.ours.memory / found.peer.memory
        yield Row(
            "10 MB of JSON in colour: time", times(found.times), "<= 0.17 x", found.times <= 1 / 6, "http GET …/people"
        )
        yield Row("10 MB of JSON in colour: memory", times(memory), "<= 0.5 x", memory <= 0.5, "http GET …/people")
        first = found.ours.first
    else:
        first = statistics.median(run(ours, bench.env).first for _ in range(3))
    yield Row("10 MB of JSON in colour: first line", f"{first:.2f} s", "<= 0.3 s", first <= 0.3, "")


@row("large")
def large(bench: Bench) -> Iterator[Row]:
    url = f"{bench.url}/size/{bench.gigabyte}"
    found = bench.pairs([*FORGE, "get", url, "--no-auth"], ["curl", "-sS", url], rounds=3)
    yield Row("a body of 1 GB in a pipe: time", times(found.times), "<= 1.5 x", found.times <= 1.5, "curl URL")
    yield _memory("a body of 1 GB in a pipe: memory", found.ours.memory)
    target, other = str(bench.folder / "ours"), str(bench.folder / "theirs")

    def ours() -> Run:
        Path(target).unlink(missing_ok=True)
        return run([*FORGE, "get", url, "--no-auth", "-o", target], bench.env)

    found = pairs(ours, lambda: run(["curl", "-sS", "-o", other, url]), 3)
    yield Row("a download of 1 GB: time", times(found.times), "<= 1.5 x", found.times <= 1.5, "curl -o FILE URL")
    yield _memory("a download of 1 GB: memory", found.ours.memory)


def _memory(what: str, megabytes: float) -> Row:
    return Row(what, f"{megabytes:.0f} MB", f"<= {MEMORY_AIM:.0f} MB", megabytes <= MEMORY_AIM, "")


@row("processes")
def processes(bench: Bench) -> Iterator[Row]:
    before = _count(bench)
    subprocess.run([*FORGE, "token", "clear", "-s"], env=bench.env, check=True, stdout=subprocess.DEVNULL)
    started = time.perf_counter()
    command = [*FORGE, "get", "/users"]
    children = [
        subprocess.Popen(command, env=bench.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(50)
    ]
    ended: list[float] = []
    waiting = set(children)
    while waiting:
        for child in [child for child in waiting if child.poll() is not None]:
            waiting.remove(child)
            ended.append(time.perf_counter() - started)
        time.sleep(0.005)
    asked = _count(bench) - before
    failed = sum(child.returncode != 0 for child in children)
    yield Row("50 processes without a token: token requests", str(asked), "1", asked == 1 and not failed, "")
    ratio = max(ended) / min(ended)
    # All fifty share the cores, so the last one cannot end with the first: each one's own time is what counts.
    yield Row("50 processes: the last beside the first", times(ratio), "told, not held", True, "")


def _count(bench: Bench) -> int:
    with urllib.request.urlopen(f"{bench.url}/count") as answer:
        return int(json.load(answer))


@row("store")
def store(bench: Bench) -> Iterator[Row]:
    crowded = bench.folder / "crowded"
    many_profiles(crowded, bench.url)
    env = {**bench.env, "FORGE_CONFIG_DIR": str(crowded), "FORGE_PROFILE": "p500"}
    alone = {**bench.env, "FORGE_CONFIG_DIR": str(bench.folder / "alone"), "FORGE_PROFILE": "p500"}
    many_profiles(bench.folder / "alone", bench.url, only=500)
    for words in (["token", "show", "--raw"], ["get", "/users"]):
        command = [*FORGE, *words]
        found = pairs(partial(run, command, env), partial(run, command, alone), bench.rounds)
        what = f"{shown(command)}, 1,000 profiles of 10 steps"
        yield Row(what, times(found.times), "<= 1.1 x", found.times <= 1.1, "the same with one profile")


def many_profiles(folder: Path, url: str, *, only: int | None = None) -> None:
    """A configuration directory with 1,000 profiles of ten steps each, all with tokens; or with one of them."""
    numbers = range(1000) if only is None else [only]
    text = _PARENT.format(url=url, steps="".join(map(_step, range(10))))
    text += "".join(f'[profiles.p{number}]\nextends = "parent"\nvars.number = {number}\n' for number in numbers)
    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "tokens").chmod(0o700)
    (folder / "profiles.toml").write_text(text, encoding="utf-8")
    name = "p500"
    env = {**os.environ, "FORGE_CONFIG_DIR": str(folder), "FORGE_PROFILE": name}
    subprocess.run([*FORGE, "get", "/users"], env=env, check=True, stdout=subprocess.DEVNULL)
    made = folder / "tokens" / f"{name}.toml"
    for number in numbers:
        if f"p{number}" != name:
            other = made.with_name(f"p{number}.toml")
            other.write_bytes(made.read_bytes())
            other.chmod(0o600)


def _step(number: int) -> str:
    headers = f', headers = {{ X-Before = "${{steps.s{number - 1}.token}}" }}' if number else ""
    return (
        f'[profiles.parent.auth.steps.s{number}]\nrequest = {{ method = "POST", url = "/token"{headers} }}\n'
        'extract = { token = "/token" }\nexpires = { in = "/expires_in" }\n'
    )


@row("validate")
def many(bench: Bench) -> Iterator[Row]:
    path = bench.folder / "many.toml"
    path.write_text(validate.generated(500), encoding="utf-8")
    seconds = statistics.median(validate.seconds(path) for _ in range(bench.rounds))
    yield Row("profile validate, 500 profiles", f"{seconds:.2f} s", "<= 0.5 s", seconds <= 0.5, "")


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | measured | target | beside |", "|---|---|---|---|"]
    for line in rows:
        measured = line.measured if line.met else f"**{line.measured}**"
        lines.append(f"| {line.what} | {measured} | {line.target} | {line.peer} |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """What it ran on."""
    version = platform.python_version()
    return f"{time.strftime('%Y-%m-%d')}, Python {version}, {platform.system()}, {os.cpu_count()} cores"


def httpie_program(folder: Path) -> str:
    """HTTPie from PyPI, in an environment of its own."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "httpie"], check=True)
    return str(folder / "bin" / "http")


def prepare(url: str, folder: Path) -> dict[str, str]:
    """A profile with a pipeline and a token that is cached."""
    config = folder / "config"
    config.mkdir(mode=0o700)
    (config / "profiles.toml").write_text(
        f'default_profile = "p0"\n[profiles.p0]\nbase_url = "{url}"\nauth.type = "pipeline"\n'
        '[profiles.p0.auth.steps.user]\nrequest = { method = "POST", url = "/slow/100/token" }\n'
        'extract = { token = "/token" }\nexpires = { in = "/expires_in" }\n',
        encoding="utf-8",
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
    env = {**kept, "PYTHONPATH": str(ROOT), "FORGE_CONFIG_DIR": str(config), "FORGE_NO_INPUT": "1"}
    subprocess.run([*FORGE, "get", "/users"], env=env, check=True, stdout=subprocess.DEVNULL)
    return env


def short(bench: Bench) -> int:
    """What must hold on any machine."""
    bench = replace(bench, gigabyte=200)
    url = f"{bench.url}/size/{bench.gigabyte}"
    rows = [_memory("a body of 200 MB in a pipe: memory", run([*FORGE, "get", url, "--no-auth"], bench.env).memory)]
    target = str(bench.folder / "ours")
    download = run([*FORGE, "get", url, "--no-auth", "-o", target], bench.env)
    rows += [_memory("a download of 200 MB: memory", download.memory), next(iter(processes(bench)))]
    print(table(rows), end="")
    return 0 if all(row.met for row in rows) else 1


def main() -> int:
    """Measure, print, and say whether every target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--httpie")
    parser.add_argument("--only", choices=_ROWS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server() as url:
        folder = Path(name)
        env = prepare(url, folder)
        bench = Bench(url, folder, env, None, options.rounds)
        if options.short:
            return short(bench)
        httpie = options.httpie or shutil.which("http") or httpie_program(folder / "httpie")
        bench = replace(bench, httpie=httpie)
        rows = [line for name, make in _ROWS.items() if options.only in (None, name) for line in make(bench)]
    text = f"{machine()}:\n\n{table(rows)}"
    print(text, end="")
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
        PAGE.write_text(f"{before}{MARKS[0]}{text}{MARKS[1]}{rest.split(MARKS[1])[1]}", encoding="utf-8")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
