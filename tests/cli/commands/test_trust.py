"""`forge trust`: what it shows, asks, keeps, lists and takes back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from forge_cli.errors import StorageError
from forge_cli.files import config_dir
from forge_cli.profiles.document import load_document
from forge_cli.profiles.powers import powers
from forge_cli.profiles.trust import Trust, relative_programs
from tests.conftest import Forge

ROOT = Path(__file__).parents[3]
TEXT = '[profiles.here]\nbase_url = "https://api.example.com"\n'


def project(text: str = TEXT, name: str = ".forge.toml") -> tuple[Path, str]:
    """A project file here, and its digest."""
    path = Path.cwd() / name
    path.write_text(text, encoding="utf-8")
    return path, hashlib.sha256(text.encode()).hexdigest()


def kept() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((config_dir() / "trust.toml").read_text())["files"]
    return found


@pytest.mark.parametrize("said", ["y\n", "YES\n"])
def test_on_a_terminal_a_person_is_asked(forge: Forge, said: str) -> None:
    path, digest = project()
    result = forge("trust", input=said, tty=True)
    assert (result.exit_code, result.stdout) == (0, f"{digest}  {path}\n")
    assert "https://api.example.com" in result.stderr
    assert digest in result.stderr.split("[y/N]")[0]
    assert kept()[digest]["path"] == str(path)
    assert (config_dir() / "trust.toml").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("said", ["\n", "n\n", "yess\n", ""], ids=["nothing", "no", "a slip", "the end of the input"])
def test_any_other_answer_allows_nothing(forge: Forge, said: str) -> None:
    project()
    result = forge("trust", input=said, tty=True)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "still not allowed" in result.stderr
    assert not (config_dir() / "trust.toml").exists()


def test_without_a_terminal_nobody_is_asked_and_yes_is_named(forge: Forge) -> None:
    project()
    result = forge("trust")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--yes" in result.stderr
    assert forge("trust", "--no-input", tty=True).exit_code == 2
    assert not (config_dir() / "trust.toml").exists()


def test_yes_needs_no_terminal_and_still_shows_what_it_allows(forge: Forge) -> None:
    path, digest = project()
    result = forge("trust", "--yes")
    assert (result.exit_code, result.stdout) == (0, f"{digest}  {path}\n")
    assert "https://api.example.com" in result.stderr


def test_it_is_the_nearest_one_and_any_other_may_be_named(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = project()
    other, digest = project(TEXT + "# 2\n", "other.toml")
    (path.parent / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(path.parent / "a" / "b")
    assert str(path) in forge("trust", "--yes").stdout
    assert forge("trust", "../../other.toml", "--yes").stdout == f"{digest}  {other}\n"


def test_where_there_is_none_it_says_so(forge: Forge) -> None:
    result = forge("trust", "--yes")
    assert result.exit_code == 2
    assert "no .forge.toml here" in result.stderr
    assert forge("trust", "missing.toml", "--yes").exit_code == 2


def test_what_is_allowed_already_is_not_asked_about(forge: Forge) -> None:
    _, digest = project()
    forge("trust", "--yes")
    result = forge("trust", tty=True)
    assert (result.exit_code, result.stdout.split()[0]) == (0, digest)
    assert "allowed already" in result.stderr


def test_the_list_has_every_one_and_revoking_takes_all_versions_of_a_file(forge: Forge) -> None:
    assert (forge("trust", "--list").exit_code, forge("trust", "--list").stdout) == (0, "")
    path, first = project()
    forge("trust", "--yes")
    _, second = project(TEXT + "# edited\n")
    forge("trust", "--yes")
    other, third = project(TEXT + "# other\n", "other.toml")
    forge("trust", "other.toml", "--yes")
    listed = forge("trust", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [first, second, third]
    assert listed[0].endswith(f"  {path}")
    revoked = forge("trust", "--revoke")
    assert revoked.stdout.split()[::2] == [first, second]
    assert list(kept()) == [third]
    other.unlink()
    assert forge("trust", "--revoke", "other.toml").exit_code == 0
    assert kept() == {}
    assert forge("trust", "--revoke").exit_code == 2


def test_a_copy_is_revoked_by_its_content(forge: Forge) -> None:
    path, digest = project()
    forge("trust", "--yes")
    copy, _ = project(TEXT, "copy.toml")
    path.unlink()
    assert forge("trust", "--revoke", str(copy)).stdout.split()[0] == digest


@pytest.mark.parametrize("words", [("--list", "--revoke"), ("--list", "x.toml"), ("--list", "--yes")], ids=" ".join)
def test_the_list_goes_with_nothing_else(forge: Forge, words: tuple[str, ...]) -> None:
    assert forge("trust", *words).exit_code == 2


@pytest.mark.parametrize("text", ["[profiles", "a = \x1b[2J1\n", "\0"], ids=["cut off", "escapes", "a NUL"])
def test_what_cannot_be_read_cannot_be_allowed(forge: Forge, text: str) -> None:
    project(text)
    result = forge("trust", "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "\x1b" not in result.stderr
    assert not (config_dir() / "trust.toml").exists()


def test_what_it_shows_cannot_drive_the_terminal(forge: Forge) -> None:
    project('[profiles.here]\nbase_url = "https://a\\u001b[2Kb.example"\n[profiles.here.secrets]\n'
            'x = { command = ["run\\u001b[1A", "\\u202ehidden"] }\n')  # fmt: skip
    shown = forge("trust", "--yes").stderr
    assert "\\x1b[1A" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


EVERYTHING = """
[profiles.all]
base_url = "https://ada:pass-word-1@api.example.com/v1?k=1"
origins = ["https://files.example.com:8443"]
proxy = "http://proxy.example:3128"
verify = false
headers = { X-Home = "${env.HEADER_VALUE}" }
client_cert = { cert = "c.pem", key = "k.pem" }
[profiles.all.retry]
strategy = "mine.retry:Strategy"
[profiles.all.secrets]
a = { env = "SECRET_A" }
b = { file = "~/.keys/b" }
c = { command = ["op", "read", "a b"], env = ["OP_TOKEN"] }
d = { keyring = { service = "svc", username = "ada" } }
[profiles.all.tokens]
storage = "command"
read = ["pass", "show", "{key}"]
[profiles.all.auth]
type = "pipeline"
[profiles.all.auth.steps.one]
kind = "command"
command = ["helper"]
[profiles.all.auth.steps.two]
kind = "mine.steps:Kind"
request = { method = "POST", url = "https://login.example.com/token" }
[profiles.other]
base_url = "${env.ANYWHERE}/v1"
[auth.shared]
secrets.x = { command = ["shared-helper"] }
"""


def test_what_a_file_may_do_is_all_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(EVERYTHING)
    found = powers(load_document(path))
    assert found == {
        "sends requests and credentials to": [
            "https://api.example.com",
            "https://files.example.com:8443",
            "http://proxy.example:3128",
            "https://login.example.com",
            "composed: ${env.ANYWHERE}/v1",
        ],
        "runs programs": ["op read 'a b'", "pass show '{key}'", "helper", "shared-helper"],
        "loads Python classes": ["mine.retry:Strategy", "mine.steps:Kind"],
        "reads environment variables": ["HEADER_VALUE", "SECRET_A", "OP_TOKEN", "ANYWHERE"],
        "reads files": ["c.pem", "k.pem", "~/.keys/b"],
        "reads the keyring": ["svc"],
        "does not check certificates": ["profiles.all"],
    }


@pytest.mark.parametrize(
    ("program", "relative"),
    [("op", False), ("/usr/bin/op", False), ("~/bin/op", False), ("./op", True), ("bin/op", True), ("../op", True)],
)
@pytest.mark.parametrize(
    "line",
    [
        "[profiles.a.secrets]\nx = {{ command = {} }}",
        "[profiles.a.auth.steps.s]\ncommand = {}",
        "[profiles.a.tokens]\nwrite = {}",
        "[auth.a.secrets]\nx = {{ command = {} }}",
        "[auth.a.steps.s]\ncommand = {}",
    ],
)
def test_a_relative_program_is_found_wherever_it_stands(
    tmp_path: Path, line: str, program: str, relative: bool
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(line.format(f'["{program}", "a/b"]'))
    assert bool(relative_programs(load_document(path))) is relative


def test_writers_at_the_same_time_lose_nothing(own_home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from forge_cli.profiles.trust import Trust\n"
        "for n in range(5): Trust().add(f'{int(sys.argv[1]) * 5 + n:064x}', Path(f'/p/{sys.argv[1]}'))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", code, str(number)], env=env) for number in range(6)]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    assert set(Trust().entries()) == {f"{number:064x}" for number in range(30)}


@pytest.mark.parametrize("text", ["[[[", "version = 1\nfiles = 3\n", "files = {}\n", "\0\xff"])
def test_a_damaged_list_allows_nothing_and_is_set_aside_by_the_next_writer(forge: Forge, text: str) -> None:
    _, digest = project()
    forge("trust", "--yes")
    (config_dir() / "trust.toml").write_text(text)
    assert not Trust().holds(digest)
    assert forge("get", "/x").exit_code == 2
    result = forge("trust", "--yes")
    assert result.exit_code == 0
    assert "was damaged" in result.stderr
    assert [each.read_text() for each in config_dir().glob("trust.toml.corrupt-*")] == [text]
    assert Trust().holds(digest)


def test_the_list_of_a_newer_forge_is_refused_and_left_as_it_is(forge: Forge) -> None:
    project()
    forge("trust", "--yes")
    path = config_dir() / "trust.toml"
    path.write_text("version = 2\n")
    assert [forge("trust", "--yes").exit_code, forge("get", "/x").exit_code] == [9, 9]
    assert path.read_text() == "version = 2\n"


def test_a_list_that_is_a_link_is_refused(forge: Forge, tmp_path: Path) -> None:
    project()
    forge("trust", "--yes")
    path = config_dir() / "trust.toml"
    path.rename(tmp_path / "real.toml")
    path.symlink_to(tmp_path / "real.toml")
    with pytest.raises(StorageError):
        Trust().entries()
    assert forge("get", "/x").exit_code == 9


def test_a_profile_added_to_a_projects_file_says_that_it_has_to_be_allowed_again(forge: Forge) -> None:
    path, _ = project()
    forge("trust", "--yes")
    result = forge("profile", "add", "more", "--from", "stripe")
    assert result.exit_code == 0, result.stderr
    assert "forge trust" in result.stderr
    assert forge("get", "/x").exit_code == 2
    assert "[profiles.more" in path.read_text()
