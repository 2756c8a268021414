"""A4: a token store that cannot be written does not keep a request from going out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from forge_cli.demo.api import DemoApi
from forge_cli.demo.profile import ENVIRON, PROFILE
from tests.children import NOBODY, ROOT, ordinary_home

# An ordinary user may not be able to read where the modules are: they are loaded first.
_SCRIPT = f"""
import fcntl, json, netrc, os, resource, sys
import encodings.idna, encodings.latin_1, encodings.utf_8_sig, unicodedata, tomli_w, platformdirs
import forge_cli.cli.app, forge_cli.cli.commands.send, forge_cli.cli.commands.token, forge_cli.transport.session
import forge_cli.profiles.build, forge_cli.tokens.storage.file, forge_cli.tokens.storage.memory
import forge_cli.login.steps.http, forge_cli.login.steps.value
limit, commands = json.loads(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
if limit is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
codes = [forge_cli.cli.app.main(command) for command in commands]
sys.stdout.flush()
os._exit(max(codes))
"""

WARNING = "used now and lost when this process ends"


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: list[str]


class Place:
    """The demo API, and a home of an ordinary user with a profile for it."""

    def __init__(self, home: Path, api: DemoApi) -> None:
        self.home = home
        self.api = api
        self.config = home / ".config" / "forge"
        self.write(PROFILE.replace("@URL@", api.start()))

    def write(self, text: str) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        path = self.config / "profiles.toml"
        path.write_text(text, encoding="utf-8")
        for each in (self.home / ".config", self.config, path):
            each.chmod(0o600 if each is path else 0o700)
            if os.getuid() == 0:
                os.chown(each, NOBODY, NOBODY)

    def forge(self, *arguments: str, limit: int | None = None, env: Mapping[str, str | None] | None = None) -> Ended:
        """One command of the ordinary user; `limit` is the largest file that may be written, in bytes."""
        environ = {**os.environ, **ENVIRON, "HOME": str(self.home)}
        environ.pop("XDG_CONFIG_HOME")
        for name, value in (env or {}).items():
            environ[name] = value or ""
        command = [sys.executable, "-c", _SCRIPT, json.dumps([limit, [arguments]])]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
        return Ended(done.returncode, done.stdout, done.stderr.splitlines())

    def tokens(self) -> list[str]:
        """The token requests so far, by the last part of their path."""
        calls = self.api.calls
        return sorted(path.rpartition("/")[2] for path in calls.elements() if path.startswith("/v1/"))

    @property
    def store(self) -> Path:
        return self.config / "tokens" / "demo.toml"


@pytest.fixture
def place() -> Iterator[Place]:
    api = DemoApi()
    with ordinary_home() as home:
        yield Place(home, api)
    api.stop()


def read_only(place: Place) -> dict[str, str]:
    place.config.chmod(0o500)
    return {}


def missing(place: Place) -> dict[str, str]:
    place.home.chmod(0o755)
    (place.home / ".config").chmod(0o755)
    place.config.chmod(0o755)
    (place.config / "profiles.toml").chmod(0o644)
    return {"HOME": "/nonexistent", "FORGE_CONFIG": str(place.config / "profiles.toml")}


def unset(place: Place) -> dict[str, str]:
    return {"HOME": "", "FORGE_CONFIG": str(place.config / "profiles.toml")}


def full(place: Place) -> dict[str, str]:
    return {"LIMIT": "200"}


@pytest.mark.parametrize("kind", [read_only, missing, unset, full], ids=["read-only", "missing", "no HOME", "full"])
class TestStore:
    def test_the_request_goes_out_with_one_warning(self, place: Place, kind: Callable[[Place], dict[str, str]]) -> None:
        environ = kind(place)
        limit = int(environ["LIMIT"]) if "LIMIT" in environ else None
        ended = place.forge("get", "/users", env=environ, limit=limit)
        assert (ended.exit_code, '"Ada"' in ended.stdout) == (0, True), ended.stderr
        assert len(ended.stderr) == 1, ended.stderr
        assert WARNING in ended.stderr[0]
        assert len(place.tokens()) == 3

    def test_a_renewal_that_is_asked_for_is_an_error(
        self, place: Place, kind: Callable[[Place], dict[str, str]]
    ) -> None:
        environ = kind(place)
        limit = int(environ["LIMIT"]) if "LIMIT" in environ else None
        ended = place.forge("token", "refresh", env=environ, limit=limit)
        assert ended.exit_code == 9, ended.stderr
        assert "FORGE_CONFIG_DIR" in ended.stderr[-1]


def test_what_was_stored_before_is_used_and_stays_as_it_was(place: Place) -> None:
    assert place.forge("get", "/users").exit_code == 0
    before = place.store.read_bytes()
    place.store.parent.chmod(0o500)
    assert place.forge("get", "/users") == (0, place.forge("get", "/users").stdout, [])
    place.api.revoke_app()
    ended = place.forge("get", "/users")
    assert (ended.exit_code, len(ended.stderr)) == (0, 1), ended.stderr
    assert place.tokens() == ["login", "login", "token", "token", "token"]
    assert place.store.read_bytes() == before


def test_a_refresh_token_is_not_spent_while_the_access_token_is_good(place: Place) -> None:
    text = (place.config / "profiles.toml").read_text()
    # With a skew longer than its life a token is due at once, and still valid.
    place.write(text.replace("[profiles.demo.auth.steps.user]", '[profiles.demo.auth.steps.user]\nskew = "1h"'))
    assert place.forge("get", "/users").exit_code == 0
    before = place.store.read_bytes()
    ended = place.forge("get", "/users", limit=len(before))
    assert (ended.exit_code, len(ended.stderr)) == (0, 1), ended.stderr
    assert "the token at hand is used instead of renewing it" in ended.stderr[0]
    assert "refresh" not in place.tokens()
    assert place.store.read_bytes() == before
    assert place.forge("token", "refresh", limit=len(before)).exit_code == 9
    assert "refresh" not in place.tokens()
    assert place.forge("get", "/users").exit_code == 0
    assert place.tokens().count("refresh") == 1


def test_a_refresh_token_that_had_to_be_spent_is_named(place: Place) -> None:
    assert place.forge("get", "/users").exit_code == 0
    before = place.store.read_bytes()
    place.api.expire_user()
    ended = place.forge("get", "/users", limit=200)
    assert (ended.exit_code, len(ended.stderr)) == (0, 1), ended.stderr
    assert f"the new token and its refresh token are {WARNING}" in ended.stderr[0]
    assert place.store.read_bytes() == before
