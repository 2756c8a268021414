"""`forge token show` remembers its answer for exactly as long as it is the answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from forge_cli.cli import recall
from forge_cli.files import config_dir
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
RAW = ("token", "show", "--raw")
_PROFILE = """
[profiles.api]
base_url = "{url}"
auth.type = "pipeline"
[profiles.api.auth.steps.one]
request = {{ method = "POST", url = "/one" }}
extract = {{ token = "/token" }}
expires = {{ in = "/expires_in" }}
"""


@dataclass(frozen=True)
class Shell:
    """The command as a shell runs it, in processes of its own."""

    env: Mapping[str, str]

    def __call__(self, *words: str, code: int = 0, **more: str) -> str:
        result = self.run(*words, **more)
        assert result.returncode == code, result.stderr
        return result.stdout

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "forge_cli", *words]
        env = {**self.env, **more}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)

    def remembered(self, *words: str, now: float | None = None, **more: str) -> str | None:
        """What would be answered without loading the command line."""
        found = recall.answer(words, {**self.env, **more}, now=now)
        return None if found is None else found.decode()


@pytest.fixture
def shell(server: Server, profile_file: Callable[[str], Path]) -> Shell:
    """A shell in which `token show --raw` has been run, so that a token is there."""
    profile_file(_PROFILE.format(url=server.url))
    server.reply("/one", Reply(200, {"token": "token-of-one", "expires_in": 600}))
    shell = Shell({**os.environ, "PYTHONPATH": str(ROOT)})
    shell(*RAW)
    assert shell(*RAW) == "token-of-one\n"
    assert shell.remembered(*RAW) == "token-of-one\n"
    return shell


def _answers() -> list[Path]:
    return sorted((config_dir() / "state" / "answers").iterdir())


def test_a_remembered_answer_is_given_without_the_command_line(shell: Shell) -> None:
    code = (
        "import sys; sys.argv = ['forge', 'token', 'show', '--raw']\n"
        "from forge_cli.__main__ import recalled\n"
        "assert recalled(sys.argv[1:])\n"
        "print(sorted({'click', 'tomllib', 'typing', 'json'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-S", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=shell.env, timeout=60)
    assert (result.stdout, result.stderr) == ("token-of-one\n", "[]\n")


def test_the_header_is_remembered_too(shell: Shell) -> None:
    assert shell("token", "show", "--header") == "Authorization: Bearer token-of-one\n"
    assert shell.remembered("token", "show", "--header") == "Authorization: Bearer token-of-one\n"


def test_the_token_is_not_in_what_is_remembered(shell: Shell) -> None:
    shell("token", "show", "--header")
    assert len(_answers()) == 2
    assert not any(b"token-of-one" in path.read_bytes() for path in _answers())
    assert {path.stat().st_mode & 0o777 for path in _answers()} == {0o600}
    assert _answers()[0].parent.stat().st_mode & 0o777 == 0o700


def test_another_command_line_directory_or_environment_is_another_question(shell: Shell, own_home: Path) -> None:
    assert shell.remembered(*RAW, "-p", "api") is None
    assert shell.remembered("token", "show", "--raw", "") is None
    assert shell.remembered(*RAW, FORGE_PROFILE="other") is None
    assert shell.remembered(*RAW, SOMETHING="else") is None
    assert shell.remembered(*RAW, SHLVL="7", _="/bin/forge") == "token-of-one\n"
    os.chdir(own_home)
    assert shell.remembered(*RAW) is None


def _edit_profile(shell: Shell) -> None:
    with (config_dir() / "profiles.toml").open("a", encoding="utf-8") as file:
        file.write("# a comment\n")


def _clear(shell: Shell) -> None:
    shell("token", "clear", "-s")


def _loosen(shell: Shell) -> None:
    (config_dir() / "tokens" / "api.toml").chmod(0o644)


def _loosen_folder(shell: Shell) -> None:
    (config_dir() / "tokens").chmod(0o755)


def _loosen_profiles(shell: Shell) -> None:
    config_dir().chmod(0o777)


def _link(shell: Shell) -> None:
    path = config_dir() / "tokens" / "api.toml"
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def _new_key(shell: Shell) -> None:
    (config_dir() / "state" / "digest.key").write_bytes(os.urandom(32))


def _project(shell: Shell) -> None:
    Path(".forge.toml").write_text("", encoding="utf-8")


def _project_above(shell: Shell) -> None:
    Path("../.forge.toml").symlink_to("nowhere")


def _loose_record(shell: Shell) -> None:
    _answers()[0].chmod(0o644)


def _linked_record(shell: Shell) -> None:
    path = _answers()[0]
    path.symlink_to(path.rename(path.with_name("elsewhere")))


@pytest.mark.parametrize(
    "change",
    [
        _edit_profile,
        _clear,
        _loosen,
        _loosen_folder,
        _loosen_profiles,
        _link,
        _new_key,
        _project,
        _project_above,
        _loose_record,
        _linked_record,
    ],
)
def test_nothing_is_remembered_once_something_has_changed(shell: Shell, change: Callable[[Shell], None]) -> None:
    change(shell)
    assert shell.remembered(*RAW) is None


def test_an_edited_profile_gets_its_own_token(shell: Shell, server: Server, other_server: Server) -> None:
    path = config_dir() / "profiles.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(server.url, other_server.url), encoding="utf-8")
    other_server.reply("/one", Reply(200, {"token": "token-of-other", "expires_in": 600}))
    assert shell(*RAW) == "token-of-other\n"


def test_a_token_is_not_remembered_longer_than_it_can_be_used(shell: Shell) -> None:
    now = time.time()
    assert shell.remembered(*RAW, now=now + 560) == "token-of-one\n"
    assert shell.remembered(*RAW, now=now + 571) is None
    assert shell.remembered(*RAW, now=now - 60) is None


def test_the_end_of_a_parent_counts(shell: Shell, server: Server, profile_file: Callable[[str], Path]) -> None:
    two = (
        '[profiles.api.auth.steps.two]\nrequest = { url = "/two", headers = { X = "${steps.one.token}" } }\n'
        'extract = { token = "/token" }\nexpires = { in = "/expires_in" }\n'
    )
    profile_file(_PROFILE.format(url=server.url) + two)
    server.reply("/two", Reply(200, {"token": "token-of-two", "expires_in": 3600}))
    shell(*RAW)
    assert shell(*RAW) == "token-of-two\n"
    now = time.time()
    assert shell.remembered(*RAW, now=now + 560) == "token-of-two\n"
    assert shell.remembered(*RAW, now=now + 571) is None


def test_an_answer_that_came_with_a_warning_is_not_remembered(
    shell: Shell, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(_PROFILE.format(url=server.url).replace("auth.type", "verify = false\nauth.type"))
    for _ in range(2):
        result = shell.run(*RAW)
        assert (result.returncode, result.stdout) == (0, "token-of-one\n")
        assert "not verified" in result.stderr
    assert shell.remembered(*RAW) is None


def test_what_depends_on_a_secret_elsewhere_is_not_remembered(
    shell: Shell, server: Server, profile_file: Callable[[str], Path], own_home: Path
) -> None:
    (own_home / "where").write_text(server.url, encoding="utf-8")
    (own_home / "where").chmod(0o600)
    text = _PROFILE.format(url="${secrets.where}")
    profile_file(f'{text}\n[profiles.api.secrets]\nwhere = {{ file = "{own_home}/where" }}\n')
    for _ in range(2):
        assert shell(*RAW) == "token-of-one\n"
    assert shell.remembered(*RAW) is None


def test_a_damaged_record_is_no_answer(shell: Shell) -> None:
    path = _answers()[0]
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        assert shell.remembered(*RAW) is None, data[:end]
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert shell.remembered(*RAW) is None, place
    path.write_bytes(data.replace(b"answer 1", b"answer 2"))
    assert shell(*RAW) == "token-of-one\n"


def test_nothing_is_lost_where_nothing_can_be_remembered(shell: Shell) -> None:
    for path in _answers():
        path.unlink()
    folder = config_dir() / "state" / "answers"
    folder.rmdir()
    folder.write_text("in the way", encoding="utf-8")
    assert shell(*RAW) == "token-of-one\n"
    assert folder.read_text(encoding="utf-8") == "in the way"


def test_only_the_last_answers_are_kept(shell: Shell) -> None:
    for number in range(40):
        watch = recall.Watch([str(number)], shell.env)
        watch.file(str(config_dir() / "tokens" / "api.toml"))
        watch.keep("token-of-one\n", "token-of-one", str(config_dir() / "tokens" / "api.toml"), time.time() + 60)
    assert len(_answers()) == 32
    assert shell.remembered("39") == "token-of-one\n"


def test_a_file_that_changes_while_it_is_read_leaves_nothing(shell: Shell) -> None:
    path = config_dir() / "tokens" / "api.toml"
    watch = recall.Watch(["anew"], shell.env)
    watch.file(str(path))
    path.write_bytes(path.read_bytes() + b"\n")
    watch.keep("token-of-one\n", "token-of-one", str(path), time.time() + 60)
    assert shell.remembered("anew") is None


@pytest.mark.parametrize(("target", "code"), [("/dev/full", 9), (None, 141)], ids=["full disk", "closed pipe"])
def test_a_remembered_answer_that_cannot_be_written_fails_as_ever(shell: Shell, target: str | None, code: int) -> None:
    command = [sys.executable, "-m", "forge_cli", *RAW]
    if target is None:
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(target, os.O_WRONLY)
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=shell.env, timeout=60)
    os.close(write)
    assert result.returncode == code
