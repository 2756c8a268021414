"""B4: a secret need not be on a command line, and is on none that the docs show."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from forge_cli.redact import sensitive
from tests.conftest import Forge
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECRET = "command-line-secret-1"
# These take where a secret is, not what it is.
_PLACES = ("--extract", "--set")
_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS = ("-u", "--user", "--bearer")
_ITEM = re.compile(r"(?P<name>[\w.-]+)(?P<sign>:=@|==@|=@|:@|:=|==|=|:)(?P<value>.*)", re.DOTALL)
_STAND_IN = re.compile(r"^(\$|@|env:|-$|<|\{|…|$)")


@pytest.mark.parametrize(
    ("option", "text", "sent"),
    [
        ("--bearer", SECRET, f"Bearer {SECRET}"),
        ("--user", f"ada:{SECRET}", "Basic YWRhOmNvbW1hbmQtbGluZS1zZWNyZXQtMQ=="),
    ],
)
@pytest.mark.parametrize("place", ["env:", "@", "-"])
def test_options_for_secrets_take_a_variable_a_file_and_standard_input(
    forge: Forge, server: Server, tmp_path: Path, option: str, text: str, sent: str, place: str
) -> None:
    url = server.reply("/x", Reply())
    file = tmp_path / "secret"
    file.write_text(f"{text}\n")
    value = {"env:": "env:THE_SECRET", "@": f"@{file}", "-": "-"}[place]
    result = forge("get", url, option, value, input=text if place == "-" else None, env={"THE_SECRET": text})
    assert result.exit_code == 0, result.stderr
    assert server.seen[0].headers["Authorization"] == sent
    assert "can be seen" not in result.stderr


@pytest.mark.parametrize("words", [("--bearer", SECRET), ("-u", f"ada:{SECRET}")])
def test_a_literal_works_and_warns_without_repeating_it(forge: Forge, server: Server, words: tuple[str, str]) -> None:
    result = forge("get", server.reply("/x", Reply()), *words)
    assert result.exit_code == 0
    assert "a secret on the command line can be seen by others" in result.stderr
    assert SECRET not in result.stderr


@pytest.mark.parametrize("item", ["X-Api-Key:@{}", "password=@{}", "key==@{}"])
def test_items_take_a_file(forge: Forge, server: Server, tmp_path: Path, item: str) -> None:
    url = server.reply("/x", Reply())
    (tmp_path / "secret").write_text(SECRET)
    assert forge("post", url, item.format(tmp_path / "secret")).exit_code == 0
    seen = server.seen[0]
    assert SECRET in f"{seen.headers} {seen.target} {seen.body!r}"


def command_lines() -> str:
    """What anybody on this machine can read of every process of ours."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if process.stat().st_uid == os.geteuid():
                    found.append((process / "cmdline").read_bytes().decode("utf-8", "replace"))
    return "\n".join(found)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc")
@pytest.mark.parametrize(
    "words",
    [
        ("get", "/x"),
        ("get", "/x", "-v", "--debug"),
        ("token", "exec", "--", "sh", "-c", "exec {forge} get /x --no-auth --bearer env:FORGE_TOKEN"),
        ("run", "saved"),
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_no_process_has_a_secret_on_its_command_line_while_a_request_is_on_its_way(
    server: Server, profile_file: Callable[[str], Path], words: tuple[str, ...]
) -> None:
    seen: list[str] = []

    def look(request: Seen) -> Reply:
        seen.append(command_lines())
        return Reply(200, {"token": "made-token-5512"})

    server.reply("/login", look)
    server.reply("/x", look)
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\nsecrets.s = {{ env = "THE_SECRET" }}\n'
        '[profiles.api.requests.saved]\nurl = "/x"\n'
        '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\n'
        'request = { method = "POST", url = "/login", form = { s = "${secrets.s}" } }\nextract = { token = "/token" }\n'
    )
    program = f"{sys.executable} -m forge_cli"
    argv = [sys.executable, "-m", "forge_cli", *(word.format(forge=program) for word in words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "THE_SECRET": SECRET}
    result = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert server.seen_at("/x")[0].headers["Authorization"] == "Bearer made-token-5512"
    assert len(seen) == 2
    for text in seen:
        assert "forge_cli" in text
        assert SECRET not in text
        assert "made-token-5512" not in text


def documented() -> Iterator[tuple[str, list[str]]]:
    """The words of every forge command in a code block: pipes, loops and substitutions count as its end."""
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"\s*(?:\||&&|;|\$\()\s*", line.removeprefix("$ ")):
                    with suppress(ValueError):
                        words = shlex.split(part.rstrip(")"), comments=True)
                        if words and words[0] == "forge":
                            yield page.name, words


def exposed(words: list[str]) -> list[str]:
    """The words of a command that are, or look like, a literal secret."""
    found = []
    for before, word in itertools.pairwise(words):
        option, _, value = word.partition("=")
        if before in _OPTIONS or (option in _OPTIONS and value):
            text = word if before in _OPTIONS else value
            secret = text.partition(":")[2] if before in ("-u", "--user") and not text.startswith("env:") else text
            found += [word] if not _STAND_IN.search(secret) else []
        elif before in _PLACES:
            continue
        elif re.search(r"://[^/@\s:]+:[^/@\s]+@", word):
            found.append(word)
        elif (item := _ITEM.fullmatch(word)) and "://" not in word and not word.startswith("-"):
            literal = "@" not in item["sign"] and not _STAND_IN.search(item["value"].strip().removeprefix("Bearer "))
            found += [word] if literal and sensitive(item["name"]) else []
    return found


def test_no_documented_command_holds_a_literal_secret() -> None:
    commands = list(documented())
    assert len(commands) > 30
    assert [(page, words) for page, words in commands if exposed(words)] == []


@pytest.mark.parametrize(
    ("command", "bad"),
    [
        ("forge get /x --bearer abc", True),
        ("forge get /x --bearer=abc", True),
        ("forge get /x --bearer env:A", False),
        ("forge get /x -u ada:pw", True),
        ("forge get /x -u ada", False),
        ("forge get /x -u @f", False),
        ("forge get https://a:b@c/", True),
        ("forge get /x 'Authorization: Bearer abc'", True),
        ("forge get /x 'Authorization: Bearer $T'", False),
        ("forge post /x password=abc", True),
        ("forge post /x password=@f name=ada", False),
        ("forge post /x token==1", True),
    ],
)
def test_a_literal_secret_would_be_seen(command: str, bad: bool) -> None:
    assert bool(exposed(shlex.split(command))) is bad
