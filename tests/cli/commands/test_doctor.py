"""What `forge doctor` finds, and that it finds it on machines where little works."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.cli.commands import doctor
from forge_cli.files import config_dir, too_open
from tests.children import NOBODY, ordinary_home
from tests.conftest import Forge, Require, Result

ROOT = Path(__file__).parents[3]
PROFILE = '[profiles.api]\nbase_url = "https://api.example.com"\n'


def fixes(result: Result) -> list[str]:
    """The lines that say what to do. Each line is of one of the two kinds."""
    lines = result.stdout.splitlines()
    assert all(line.startswith(("ok   ", "fix  ")) for line in lines)
    found = [line for line in lines if line.startswith("fix  ")]
    assert result.exit_code == (2 if found else 0)
    return found


def test_a_machine_on_which_all_is_well_is_exit_0(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    path = profile_file(PROFILE)
    result = forge("doctor")
    assert fixes(result) == []
    assert result.stderr == ""
    for text in (str(path), str(path.parent), "Python 3.", "urllib3 ", "api: https://api.example.com", "certifi"):
        assert text in result.stdout


def test_a_machine_without_a_profile_file_is_well_and_is_told_how_to_write_one(forge: Forge) -> None:
    result = forge("doctor")
    assert fixes(result) == []
    assert "`forge profile init` writes it" in result.stdout


def test_as_json_every_check_has_a_row(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(PROFILE).chmod(0o666)
    result = forge("doctor", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 2 and found["ok"] is False
    assert {row["check"] for row in found["checks"]} == set(doctor.CHECKS)
    [bad] = [row for row in found["checks"] if not row["ok"]]
    assert "open to other users (0666)" in bad["text"] and "chmod go-w" in bad["fix"]


def test_what_others_can_read_is_named_with_its_mode_and_left_as_it_is(
    forge: Forge, profile_file: Callable[[str], Path]
) -> None:
    folder = profile_file(PROFILE).parent
    tokens = folder / "tokens"
    tokens.mkdir(mode=0o755)
    for name in ("loose", "tight"):
        (tokens / f"{name}.toml").write_text("version = 1\n")
        (tokens / f"{name}.toml").chmod(0o600)
    (tokens / "loose.toml").chmod(0o644)
    (tokens / "linked.toml").symlink_to(tokens / "tight.toml")
    folder.chmod(0o750)
    tokens.chmod(0o755)
    result = forge("doctor")
    found = "\n".join(fixes(result))
    assert f"chmod 700 {folder}\n" in found + "\n" and f"chmod 700 {tokens}\n" in found + "\n"
    assert f"chmod 600 {tokens / 'loose.toml'}" in found and "linked.toml is a symbolic link" in found
    assert "tight.toml" not in found
    assert "1 of 3 token files are private" in result.stdout
    assert (tokens / "loose.toml").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not TOML [", "profiles.toml:1"),
        ("[profile.api]\n", "problem"),
        (PROFILE + "tymeout = 3\n", "`forge profile validate`"),
    ],
    ids=["syntax", "frame", "key"],
)
def test_a_broken_profile_file_is_one_finding_and_the_rest_is_looked_at(
    forge: Forge, profile_file: Callable[[str], Path], text: str, expected: str
) -> None:
    profile_file(text)
    result = forge("doctor")
    [found] = fixes(result)
    assert expected in found
    assert "ok   proxies: none" in result.stdout


def test_without_a_home_the_rest_is_looked_at(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    result = forge("doctor")
    assert all("set FORGE_CONFIG_DIR" in line for line in fixes(result)) and fixes(result)
    assert "ok   proxies: none" in result.stdout


def test_with_closed_streams_it_still_ends_with_its_answer(own_home: Path) -> None:
    command = f"exec {sys.executable} -m forge_cli doctor <&- 2>&-"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, env=env, timeout=60)
    assert result.returncode == 0
    assert "ok   proxies" in result.stdout


def test_a_project_file_that_is_not_trusted_is_named(forge: Forge) -> None:
    Path(".forge.toml").write_text(PROFILE)
    [found] = fixes(forge("doctor"))
    assert "not trusted" in found and "--no-project" in found


ADDRESS = """
[profiles.api]
base_url = "https://ada:${env.PASS_WORD}@${vars.site}.example.com/${vars.site_token}/${secrets.key}/${env.STAGE}"
vars = { site = "acme", site_token = "token-in-a-var-1" }
secrets.key = { command = ["touch", "made"] }
"""


def test_an_address_is_shown_filled_in_and_masked(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(ADDRESS)
    env = {"STAGE": "v2", "PASS_WORD": "pass-word-in-a-url-1"}
    result = forge("doctor", env=env)
    assert fixes(result) == []
    assert "api: https://ada:***@acme.example.com/***/***/v2, retry" in result.stdout
    assert "https://ada:***@emca.example.com/" in forge("doctor", "--var", "site=emca", env=env).stdout
    assert not Path("made").exists()


def test_a_variable_that_an_address_lacks_is_named(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(ADDRESS)
    [found] = fixes(forge("doctor", env={"PASS_WORD": "pass-word-in-a-url-1"}))
    assert "'env.STAGE' has no value: export STAGE=…" in found
    assert "pass-word-in-a-url-1" not in found and "token-in-a-var-1" not in found


def test_an_address_that_nothing_can_be_appended_to_is_found(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file('[profiles.api]\nbase_url = "${env.ADDRESS}"\n')
    [found] = fixes(forge("doctor", env={"ADDRESS": "https://api.example.com/?key=key-in-a-query-1"}))
    assert "has a query" in found and "key-in-a-query-1" not in found


def test_a_profile_that_is_named_and_not_there_is_found(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(PROFILE)
    [found] = fixes(forge("doctor", env={"FORGE_PROFILE": "apy"}))
    assert "no profile 'apy'" in found
    [found] = fixes(forge("doctor", "--config", "gone.toml"))
    assert "correct --config" in found


@pytest.fixture
def silent_port() -> int:
    """A port that accepts connections and never answers, for as long as the test runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    _OPEN.append(listener)
    return int(listener.getsockname()[1])


_OPEN: list[socket.socket] = []


def test_a_storage_that_cannot_be_reached_is_named_within_its_limit(
    forge: Forge, profile_file: Callable[[str], Path], silent_port: int, require: Require
) -> None:
    require.package("redis")
    profile_file(PROFILE + f'tokens = {{ storage = "redis", url = "redis://:pass-1@127.0.0.1:{silent_port}/0" }}\n')
    begun = time.monotonic()
    result = forge("doctor")
    assert time.monotonic() - begun < 20  # several limits would be more
    [found] = fixes(result)
    assert found.startswith("fix  storage: api: redis: ") and "check that the server" in found
    assert "pass-1" not in result.stdout
    _OPEN.pop().close()


def test_a_storage_of_ones_own_that_fails_is_named_without_what_it_said(
    forge: Forge, profile_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_storage_of_doctor.py").write_text(
        "class Broken:\n"
        "    get = set = delete = None\n"
        "    def __init__(self, **settings): pass\n"
        "    def exists(self, key): raise RuntimeError('secret-1')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    profile_file(PROFILE + 'tokens = { storage = "own_storage_of_doctor:Broken" }\n')
    result = forge("doctor")
    [found] = fixes(result)
    assert "it fails with RuntimeError" in found and "secret-1" not in result.stdout


def test_a_storage_that_answers_is_well(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    words = 'read = ["true", "{key}"], write = ["true", "{key}"], delete = ["true", "{key}"]'
    profile_file(PROFILE + f'tokens = {{ storage = "command", {words} }}\n')
    result = forge("doctor")
    assert fixes(result) == [] and "ok   storage: api: command" in result.stdout


def test_authorities_and_proxies_are_shown_with_where_they_are_from(
    forge: Forge, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE + "verify = false\n")
    Path("broken.pem").write_text("no certificate")
    environ = {
        "HTTPS_PROXY": "http://ada:pass-1@proxy.example.com:3128",
        "ALL_PROXY": "socks5://ada:pass-2@proxy.example.com",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "broken.pem",
    }
    result = forge("doctor", env=environ)
    found = fixes(result)
    assert len(found) == 3
    assert "'broken.pem' cannot be used" in found[0] and "ALL_PROXY: socks5 proxies are not supported" in found[2]
    assert "https: http://ada:" in result.stdout and "(from HTTPS_PROXY)" in result.stdout
    assert "none for localhost" in result.stdout
    assert "pass-1" not in result.stdout and "pass-2" not in result.stdout
    [found_] = fixes(forge("doctor"))
    assert "certificates are not verified" in found_


def test_a_count_that_is_none_is_found(forge: Forge) -> None:
    [found] = fixes(forge("doctor", env={"FORGE_RETRY": "often"}))
    assert "FORGE_RETRY is 'often'" in found


def test_on_windows_modes_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("")
    path.chmod(0o666)
    assert too_open(path, platform="win32") is None
    assert too_open(path, platform="linux") == "is open to other users (0666)"
    assert config_dir().name == "forge"


_AS_SOMEBODY = """
import os, sys
from forge_cli.cli import app
import email.parser, forge_cli.cli.commands.doctor, forge_cli.transport.authorities, forge_cli.transport.tls
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
os.environ["FORGE_CONFIG_DIR"] = sys.argv[1]
sys.exit(app.main(["doctor"]))
"""


def as_somebody(folder: Path) -> Result:
    """The doctor of a user who is no superuser."""
    command = [sys.executable, "-c", _AS_SOMEBODY.format(nobody=NOBODY), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, env=env, cwd="/", timeout=60)
    return Result(result.returncode, result.stdout, result.stderr.decode())


def test_a_directory_that_cannot_be_written_to_is_named_with_what_to_do() -> None:
    with ordinary_home() as home:
        home.chmod(0o500)
        result = as_somebody(home)
    [found] = fixes(result)
    assert f"{home} cannot be written" in found and "set FORGE_CONFIG_DIR" in found
    assert result.stderr == ""


def test_a_place_that_another_user_has_is_named_with_what_to_do() -> None:
    if os.getuid() != 0:
        pytest.skip("only the superuser gives files away")
    with ordinary_home() as home:
        (home / "tokens").mkdir(0o700)
        os.chown(home / "tokens", NOBODY - 1, NOBODY - 1)
        home.chmod(0o700)
        result = as_somebody(home)
    found = "\n".join(fixes(result))
    assert f"{home / 'tokens'} belongs to another user" in found
    assert "run forge as that user, or set FORGE_CONFIG_DIR" in found and "chmod" not in found
