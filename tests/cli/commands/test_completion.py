"""What the shell is offered: by the script, and in bash, zsh and fish themselves."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.commands.completion import lexed
from tests.conftest import Forge, Require
from tests.server import Reply, Server

ROOT = Path(__file__).parents[3]
SHELLS = ["bash", "zsh", "fish"]
PROFILES = """
[profiles.shared-parts]
abstract = true
vars = { region = "eu", tenant = "a" }
[profiles.production]
base_url = "https://ada:pass-1@api.example.com"
extends = "shared-parts"
[profiles.production.requests]
list-users = { url = "/users" }
new-user = { method = "POST", url = "/users" }
[profiles.production.auth]
type = "pipeline"
[profiles.production.auth.steps.device]
request = { url = "/device" }
extract = { token = "/token" }
[profiles.production.auth.steps.user]
request = { url = "/user", headers = { D = "${steps.device.token}" } }
extract = { token = "/token" }
[profiles.staging]
base_url = "https://staging.example.com"
[profiles.staging.auth]
type = "oauth2"
grant = "client-credentials"
token_url = "https://id.example.com/token"
client_id = "a"
client_secret = "${secrets.s}"
[profiles.staging.secrets]
s = { env = "CLIENT_SECRET" }
"""


@pytest.fixture
def asked(forge: Forge, profile_file: Callable[[str], Path]) -> Callable[..., list[str]]:
    """The candidates for the last word."""
    profile_file(PROFILES)

    def ask(*words: str) -> list[str]:
        result = forge("completion", "zsh", "--", *words)
        assert (result.exit_code, result.stderr) == (0, "")
        return [line.partition("\t")[0] for line in result.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["to"], ["token"]),
        (["token", "sh"], ["show"]),
        (["get", "--expe"], ["--expect"]),
        (["get", "-p", ""], ["production", "staging"]),
        (["-p", "pro"], ["production"]),
        (["get", "--profile=st"], ["--profile=staging"]),
        (["token", "show", "-p", "production", "--step", ""], ["device", "user"]),
        (["-p", "production", "token", "show", "--step", "u"], ["user"]),
        (["token", "show", "-p", "staging", "--step", ""], ["token"]),
        (["token", "show", "--step", ""], []),
        (["get", "-p", "production", "--var", ""], ["region=", "tenant="]),
        (["profile", "add", "x", "--from", "dig"], ["digest"]),
        (["profile", "add", "x", "--from", "./rep"], ["./report.json"]),
        (["profile", "show", "s"], ["staging"]),
        (["run", "-p", "production", ""], ["list-users", "new-user"]),
        (["run", "-p", "production", "new-user", "doc@rep"], ["doc@report.json"]),
        (["post", "/x", "@re"], ["@report.json"]),
        (["post", "/x", "doc@"], ["doc@inner/", "doc@report.json", "doc@two words.json"]),
        (["post", "/x", "a=1", "doc=@inner/"], ["doc=@inner/deep.json"]),
        (["post", "/x", "doc:=@rep"], ["doc:=@report.json"]),
        (["post", "/x", "K:@rep"], ["K:@report.json"]),
        (["get", "/x", "q==@rep"], ["q==@report.json"]),
        (["post", "/x", "user=ada@rep"], []),
        (["post", "/x", r"a\@rep"], []),
        (["post", "/x", "@.h"], ["@.hidden"]),
        (["get", "/x", "-d", "@rep"], ["@report.json"]),
        (["get", "/x", "--cert", "rep"], ["report.json"]),
        (["get", "/x", "--bearer", "env:FORGE_COMPL"], ["env:FORGE_COMPLETION_TEST"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["no-such-command", ""], []),
        (["post", "/x", "doc@no-such-folder/"], []),
        (["post", "/x", "doc@a\0b/"], []),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else None,
)
def test_each_word_is_completed_with_what_may_stand_there(
    asked: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, words: list[str], expected: list[str]
) -> None:
    monkeypatch.setenv("FORGE_COMPLETION_TEST", "a")
    tree()
    assert asked(*words) == expected


def tree() -> None:
    """Files in the working directory."""
    Path("inner").mkdir()
    for name in ("report.json", "two words.json", ".hidden", "inner/deep.json"):
        Path(name).write_text("{}")


def test_what_a_profile_is_for_is_said_without_its_password(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(PROFILES)
    assert forge("completion", "fish", "--", "get", "-p", "pro").stdout == "production\thttps://api.example.com\n"


def test_the_profile_file_that_is_named_before_is_read(asked: Callable[..., list[str]], own_home: Path) -> None:
    Path("other.toml").write_text('[profiles.other]\nbase_url = "https://api.example.com"\n')
    assert asked("--config", "other.toml", "get", "-p", "") == ["other"]


@pytest.mark.parametrize(
    "text",
    ["not TOML [", "profiles = 1", "[profiles]\na = 1", "a" + ".a" * 5000 + " = 1", '[profiles.a]\nextends = "a"'],
    ids=["syntax", "no table", "no profile", "deep", "circle"],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_profile_file_completes_nothing_and_says_nothing(
    forge: Forge, profile_file: Callable[[str], Path], shell: str, text: str
) -> None:
    profile_file(text)
    for words in (["token", "show", "--step", ""], ["get", "--var", ""]):
        given_ = [f"forge {' '.join(words)}", ""] if shell == "bash" else words
        result = forge("completion", shell, "--", *given_)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_project_file_that_is_not_trusted_completes_nothing(asked: Callable[..., list[str]]) -> None:
    Path(".forge.toml").write_text('[profiles.planted]\nbase_url = "https://example.net"\n')
    assert asked("get", "-p", "") == []


def test_names_that_could_drive_a_terminal_are_left_out(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file('[profiles."a\\u001b[31m"]\nbase_url = "https://api.example.com"\n')
    assert forge("completion", "zsh", "--", "get", "-p", "").stdout == ""


def test_nothing_heavy_is_loaded_to_complete(profile_file: Callable[[str], Path]) -> None:
    profile_file(PROFILES)
    code = (
        "import json, sys\n"
        "sys.argv = ['forge', 'completion', 'zsh', '--', 'token', 'show', '-p', 'staging', '--step', '']\n"
        "from forge_cli.__main__ import main\n"
        "main()\nsys.stdout.flush()\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert result.stdout == "token\t\n"
    found = set(json.loads(result.stderr.splitlines()[-1]))
    assert found & {"requests", "urllib3", "rich", "platformdirs", "ssl", "redis", "http.client"} == set()


def test_a_command_is_completed_without_loading_what_runs_it(own_home: Path) -> None:
    code = (
        "import json, sys\n"
        "sys.argv = ['forge', 'completion', 'zsh', '--', 'tok']\n"
        "from forge_cli.__main__ import main\n"
        "main()\nsys.stdout.flush()\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert result.stdout.startswith("token\t")
    loaded = json.loads(result.stderr.splitlines()[-1])
    assert [name for name in loaded if name.startswith(("forge_cli.login", "forge_cli.client"))] == []


def test_completion_sends_nothing_and_logs_nobody_in(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/device", Reply(200, {"token": "device-1"}), optional=True)
    profile_file(PROFILES.replace("https://ada:pass-1@api.example.com", server.url))
    for words in (
        ["token", "show", "-p", "production", "--step", ""],
        ["get", "/x", "-p", ""],
        ["run", "-p", "production", ""],
    ):
        assert forge("completion", "fish", "--", *words).stdout
    assert server.seen == []


@given(st.text(alphabet="ab \\'\"$=@\t", max_size=12))
def test_any_line_can_be_read_and_its_last_word_ends_it(line: str) -> None:
    read = lexed(line)
    assert line.endswith(read.last)
    assert len(read.words) >= 1


@given(st.lists(st.text(max_size=6).filter(lambda text: "\n" not in text), min_size=1, max_size=4))
def test_quoted_words_are_read_as_they_are_meant(words: list[str]) -> None:
    assert lexed(shlex.join(words)).words == words


@pytest.mark.parametrize("program", ["forge", "forge-http"])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_for_the_name_it_was_called_by(
    forge: Forge, monkeypatch: pytest.MonkeyPatch, require: Require, shell: str, program: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    script = forge("completion", shell).stdout
    path = require(shell, f"apt-get install {shell}")
    checked = subprocess.run([path, "-n"], input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert re.search(rf"(complete|compdef).* {program}$|complete -c {program} ", script, re.MULTILINE)


START = {
    "bash": (["--noprofile", "--norc", "-i"], ""),
    "zsh": (["-f", "-i"], "autoload -Uz compinit && compinit -u -D; bindkey -e; unsetopt prompt_cr prompt_sp; "),
    "fish": (["--no-config", "-i"], ""),
}


class Typing:
    """A shell on a terminal, in which somebody types."""

    def __init__(self, shell: str, path: str, folder: Path, program: str) -> None:
        start = (
            "import os, sys; sys.argv[0] = os.environ['CALLED']; from forge_cli.__main__ import main; sys.exit(main())"
        )
        (folder / program).write_text(
            f'#!/bin/sh\nCALLED={program} exec {shlex.join([sys.executable, "-c", start])} "$@"\n'
        )
        (folder / program).chmod(0o700)
        env = {
            **os.environ,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "TERM": "dumb" if shell != "fish" else "xterm",
        }
        options, setup = START[shell]
        self.program = program
        self.child = pexpect.spawn(path, options, env=env, encoding="utf-8", timeout=30, dimensions=(40, 200))
        load = (
            f"{program} completion {shell} | source" if shell == "fish" else f'eval "$({program} completion {shell})"'
        )
        self.child.sendline(f"{setup}{load}; printf 'RE%s\\n' ADY")
        self.child.expect("READY")

    def typed(self, text: str) -> list[str]:
        """The words of the line after this was typed; a tab completes."""
        # What is typed ends as the arguments of a program that prints them.
        self.child.send(f"{self.program} {text}")
        self.child.send("\x01printf '<%s>' \x05")
        self.child.send("; printf 'DO%s\\n' NE\r")
        self.child.expect(rf"(<{self.program}>[^\r\n]*)DONE")
        found = self.child.match
        assert isinstance(found, re.Match)
        return re.findall(r"<([^>]*)>", found[1])[1:]


@pytest.mark.parametrize("program", ["forge", "forge-http"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_in_the_real_shell_completes(
    shell: str, program: str, tmp_path: Path, require: Require, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILES)
    tree()
    shells = Typing(shell, require(shell, f"apt-get install {shell}"), tmp_path, program)
    try:
        assert shells.typed("tok\t") == ["token"]
        assert shells.typed("get /x -p prod\t") == ["get", "/x", "-p", "production"]
        assert shells.typed("get /x --profile=prod\t") == ["get", "/x", "--profile=production"]
        assert shells.typed("token show -p production --step dev\t") == [
            "token", "show", "-p", "production", "--step", "device"
        ]  # fmt: skip
        assert shells.typed("post /x doc@rep\t") == ["post", "/x", "doc@report.json"]
        assert shells.typed("post /x @inn\tdee\t") == ["post", "/x", "@inner/deep.json"]
        assert shells.typed("post /x doc=@two\t") == ["post", "/x", "doc=@two words.json"]
        assert shells.typed("post /x '@two\t") == ["post", "/x", "@two words.json"]
        assert shells.typed("get --var reg\teu -p production") == ["get", "--var", "reg" + "eu", "-p", "production"]
        assert shells.typed("-p production get --var reg\tus") == ["-p", "production", "get", "--var", "region=us"]
        assert shells.typed("profile add a --from dig\t") == ["profile", "add", "a", "--from", "digest"]
        assert shells.typed("run -p production list\t") == ["run", "-p", "production", "list-users"]
        assert shells.typed("get /x --max-red\t3") == ["get", "/x", "--max-redirects", "3"]
        # Nothing is found, and nothing is said about it: the line stays as it was typed.
        assert shells.typed("profile add a --from oidc-no-such\t") == ["profile", "add", "a", "--from", "oidc-no-such"]
        Path(os.environ["XDG_CONFIG_HOME"], "forge", "profiles.toml").write_text("not TOML [")
        assert shells.typed("get /x -p prod\t") == ["get", "/x", "-p", "prod"]
    finally:
        shells.child.close(force=True)
