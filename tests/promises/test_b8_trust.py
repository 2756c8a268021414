"""B8: a project's own file is not used before it is allowed, and its content is what is allowed."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.build import load_profile
from forge_cli.profiles.load import find, opened
from tests.conftest import Forge
from tests.server import Reply, Server

MINE = '[profiles.mine]\nbase_url = "{}/mine"\n'
THEIRS = '[profiles.theirs]\nbase_url = "{}/theirs"\n'

USERS = [
    ("get", "/x"),
    ("get", "http://127.0.0.1:9/x"),
    ("post", "/x", "-p", "mine", "a=1"),
    ("curl", "GET", "/x"),
    ("run", "--list"),
    ("token", "show"),
    ("token", "show", "--raw"),
    ("token", "status"),
    ("token", "refresh"),
    ("token", "explain"),
    ("token", "exec", "--", "true"),
    ("profile", "list"),
    ("profile", "show"),
    ("profile", "path"),
    ("profile", "validate"),
    ("profile", "init", "x"),
    ("batch", "requests.jsonl"),
]


def project(text: str) -> tuple[Path, str]:
    path = Path.cwd() / ".forge.toml"
    path.write_text(text, encoding="utf-8")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    """A profile of the user's own, and a project's that is the default in its directory."""
    Path("requests.jsonl").write_text("/x\n")
    profile_file(MINE.format(server.url))
    project(THEIRS.format(server.url))
    for path in ("/mine/x", "/theirs/x"):
        server.reply(path, Reply(body={"from": path}), optional=True)
    return server


@pytest.mark.parametrize("words", USERS, ids=" ".join)
def test_every_command_that_uses_a_profile_stops(forge: Forge, api: Server, words: tuple[str, ...]) -> None:
    before = sorted(Path.home().rglob("*"))
    result = forge(*words)
    assert (result.exit_code, result.stdout, api.seen) == (2, "", [])
    assert "not trusted" in result.stderr
    assert "forge trust" in result.stderr
    assert "--no-project" in result.stderr
    assert sorted(Path.home().rglob("*")) == before


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("get", "--help"), ("completion", "bash")], ids=" ".join
)
def test_commands_that_use_none_go_on(forge: Forge, api: Server, words: tuple[str, ...]) -> None:
    assert forge(*words).exit_code == 0


def test_doctor_says_it_and_what_to_do(forge: Forge, api: Server) -> None:
    result = forge("doctor")
    assert result.exit_code == 2
    [line] = [line for line in result.stdout.splitlines() if "not trusted" in line]
    assert line.startswith("fix ")
    assert "forge trust" in line


def test_a_profile_of_the_same_name_is_not_taken_from_elsewhere(forge: Forge, api: Server) -> None:
    # The person means the project's `mine`; the user's own would be another API.
    project(MINE.format(api.url))
    assert (forge("get", "/x", "-p", "mine").exit_code, api.seen) == (2, [])


def test_allowed_it_is_the_one_that_is_used_and_no_project_still_is_not(forge: Forge, api: Server) -> None:
    assert forge("trust", "--yes").exit_code == 0
    assert forge("get", "/x").exit_code == 0
    assert forge("get", "/x", "--no-project").exit_code == 0
    assert [seen.path for seen in api.seen] == ["/theirs/x", "/mine/x"]


def test_the_library_asks_for_the_same(forge: Forge, api: Server) -> None:
    with pytest.raises(ProfileError, match="not trusted"):
        load_profile()
    forge("trust", "--yes")
    assert load_profile().name == "theirs"


def test_an_edit_asks_again_and_the_old_content_needs_no_second_answer(forge: Forge, api: Server) -> None:
    text = THEIRS.format(api.url)
    forge("trust", "--yes")
    project(text + "\n")
    assert forge("get", "/x").exit_code == 2
    project(text)
    assert forge("get", "/x").exit_code == 0


def test_the_content_is_allowed_wherever_it_lies(
    forge: Forge, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge("trust", "--yes")
    (tmp_path / ".forge.toml").write_bytes(Path(".forge.toml").read_bytes())
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert forge("get", "/x").exit_code == 0


def test_revoked_it_stops_again(forge: Forge, api: Server) -> None:
    forge("trust", "--yes")
    forge("trust", "--revoke")
    assert (forge("get", "/x").exit_code, api.seen) == (2, [])


@pytest.mark.parametrize("spelled", [str.lower, str.upper, lambda digest: f" {digest}\n"])
def test_a_hash_in_the_environment_allows_it_for_one_run(
    forge: Forge, api: Server, spelled: Callable[[str], str]
) -> None:
    _, digest = project(THEIRS.format(api.url))
    assert forge("get", "/x", env={"FORGE_TRUST": spelled(digest)}).exit_code == 0
    assert forge("get", "/x").exit_code == 2


@pytest.mark.parametrize("wrong", ["0" * 64, "1", "*", "true", "all", "{short}"])
def test_another_hash_allows_nothing_and_is_named(forge: Forge, api: Server, wrong: str) -> None:
    _, digest = project(THEIRS.format(api.url))
    result = forge("get", "/x", env={"FORGE_TRUST": wrong.format(short=digest[:32])})
    assert (result.exit_code, api.seen) == (2, [])
    assert "FORGE_TRUST" in result.stderr


@pytest.mark.parametrize("way", ["--config", "FORGE_CONFIG"])
def test_a_file_that_is_named_on_purpose_needs_none(forge: Forge, api: Server, way: str) -> None:
    words, env = (("--config", ".forge.toml"), {}) if way == "--config" else ((), {way: ".forge.toml"})
    assert forge("get", "/x", *words, env=env).exit_code == 0
    assert api.seen[0].path == "/theirs/x"


def test_nothing_in_the_file_affects_its_own_trust(forge: Forge, api: Server) -> None:
    here = Path.cwd()
    # All of it names itself: as a key, a variable, a comment, and a list of what is allowed that lies beside it.
    text = f'trust = true\n[files]\n"{"0" * 64}" = {{ path = "{here}/.forge.toml" }}\n'
    project(f"{text}{THEIRS.format(api.url)}vars = {{ FORGE_TRUST = '1', FORGE_CONFIG_DIR = '{here}' }}\n")
    (here / "trust.toml").write_text(f'version = 1\n[files]\n"{project(Path(".forge.toml").read_text())[1]}" = {{}}\n')
    for variables in ((), ("--var", "FORGE_TRUST=1")):
        result = forge("get", "/x", *variables)
        assert result.exit_code == 2
        assert "not trusted" in result.stderr


@pytest.mark.parametrize("line", ['s = { command = ["./run"] }', 's = { command = ["bin/run", "x"] }'])
def test_relative_programs_of_it_are_neither_allowed_nor_run(forge: Forge, api: Server, line: str) -> None:
    Path("run").write_text("#!/bin/sh\ntouch made\necho token-1\n")
    Path("run").chmod(0o755)
    login = '[profiles.theirs.auth]\ntype = "bearer"\ntoken = "${secrets.s}"\n'
    path, digest = project(f"{THEIRS.format(api.url)}[profiles.theirs.secrets]\n{line}\n{login}")
    for result in (forge("trust", "--yes"), forge("get", "/x", env={"FORGE_TRUST": digest})):
        assert result.exit_code == 2
        assert f"{path}:4: profiles.theirs.secrets.s.command: " in result.stderr
    assert not Path("made").exists()
    assert api.seen == []


def test_nothing_of_it_is_loaded_before_it_was_allowed(
    forge: Forge, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To say what is wrong with its keys is no reason to run a module that it names."""
    (tmp_path / "module_of_a_project.py").write_text("import pathlib\npathlib.Path('made').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    login = 'auth = { type = "pipeline", steps.s.kind = "module_of_a_project:Step" }\n'
    project(THEIRS.format(api.url) + login)
    assert forge("trust").exit_code == 2
    assert not Path("made").exists()


def test_the_bytes_that_were_hashed_are_those_that_are_parsed(api: Server) -> None:
    path, digest = project(THEIRS.format(api.url))
    source = find(None, {"FORGE_TRUST": digest, "FORGE_CONFIG_DIR": "/none"}, Path.cwd(), False)
    # Between the two somebody puts another file there.
    path.write_text('[profiles.evil]\nbase_url = "https://evil.example"\n')
    assert list(opened(source).profiles) == ["theirs"]


def test_a_file_that_changes_all_the_time_is_the_allowed_one_or_refused(api: Server) -> None:
    path, digest = project(THEIRS.format(api.url))
    good, evil = path.read_bytes(), b'[profiles.evil]\nbase_url = "https://evil.example"\n'
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            for each in (evil, good):
                other = path.with_suffix(".new")
                other.write_bytes(each)
                other.replace(path)

    flipping = threading.Thread(target=flip)
    flipping.start()
    environ = {"FORGE_TRUST": digest, "FORGE_CONFIG_DIR": "/none"}
    used = refused = 0
    try:
        for _ in range(400):
            try:
                assert list(opened(find(None, environ, path.parent, False)).profiles) == ["theirs"]
                used += 1
            except ProfileError:
                refused += 1
    finally:
        stop.set()
        flipping.join()
    assert used
    assert refused


class TestOddFiles:
    def test_a_link_counts_by_the_content_it_leads_to(self, forge: Forge, api: Server, tmp_path: Path) -> None:
        real = tmp_path / "real.toml"
        Path(".forge.toml").rename(real)
        Path(".forge.toml").symlink_to(real)
        result = forge("trust", "--yes")
        assert result.exit_code == 0
        assert f"a link to {real}" in result.stderr
        assert forge("get", "/x").exit_code == 0
        real.write_text(MINE.format("https://evil.example"))
        assert forge("get", "/x").exit_code == 2

    @pytest.mark.parametrize("kind", ["a link to nothing", "a link to itself", "a FIFO", "a device"])
    def test_what_is_no_file_stops_too_and_does_not_hang(self, forge: Forge, api: Server, kind: str) -> None:
        path = Path(".forge.toml")
        path.unlink()
        if kind == "a FIFO":
            os.mkfifo(path)
        else:
            targets = {"a link to nothing": "missing", "a link to itself": str(path), "a device": "/dev/zero"}
            path.symlink_to(targets[kind])
        for words in (("get", "/x"), ("trust", "--yes")):
            result = forge(*words)
            assert (result.exit_code, api.seen) == (2, [])
            assert ".forge.toml" in result.stderr
        assert forge("get", "/x", "--no-project").exit_code == 0

    def test_a_directory_of_that_name_is_none(self, forge: Forge, api: Server) -> None:
        Path(".forge.toml").unlink()
        Path(".forge.toml").mkdir()
        assert forge("get", "/x").exit_code == 0
        assert api.seen[0].path == "/mine/x"

    def test_one_that_others_can_write_to_is_told_and_counts_by_its_content(self, forge: Forge, api: Server) -> None:
        Path(".forge.toml").chmod(0o666)
        Path.cwd().chmod(0o777)
        result = forge("trust", "--yes")
        assert "other users can write to it\n" in result.stderr
        assert "other users can write to its directory\n" in result.stderr
        assert forge("get", "/x").exit_code == 0

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only the superuser gives files away")
    def test_another_owners_is_told_and_counts_by_its_content(self, forge: Forge, api: Server) -> None:
        os.chown(".forge.toml", 65534, 65534)
        assert forge("get", "/x").exit_code == 2
        assert "it belongs to another user\n" in forge("trust", "--yes").stderr
        assert forge("get", "/x").exit_code == 0

    def test_one_that_is_too_large_is_not_read_to_its_end(self, forge: Forge, api: Server) -> None:
        with Path(".forge.toml").open("r+b") as file:
            file.truncate(1 << 40)
        with suppress(OSError):
            assert forge("trust", "--yes").exit_code == 2
