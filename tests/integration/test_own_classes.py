"""A kind of step, a storage and a retry strategy of the user's own, named in their file and run by the executable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[2]
PACKAGE = {
    "__init__.py": "",
    "steps.py": '''
from forge_cli.login.definition import StepTable, TemplateText, key, table
from forge_cli.login.expiry import End
from forge_cli.login.work import Result

@table
class Reversed(StepTable):
    """Turn a text round."""
    text: TemplateText = key("the text")

    def run(self, work):
        return Result({"token": work.scope.text(self.text)[::-1]}, End(None, known=False))

    def renew(self, work):
        return None
''',
    "storage.py": '''
import json, os, pathlib
from forge_cli import TokenData, TokenStorageInterface

class OneJsonFile(TokenStorageInterface):
    """All tokens in the file that OWN_TOKENS names."""
    def __init__(self):
        self.path = pathlib.Path(os.environ["OWN_TOKENS"])

    def _all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, key):
        text = self._all().get(key)
        return None if text is None else TokenData(text)

    def set(self, key, token):
        self.path.write_text(json.dumps({**self._all(), key: token.access_token}))

    def delete(self, key):
        self.path.write_text(json.dumps({k: v for k, v in self._all().items() if k != key}))

    def exists(self, key):
        return key in self._all()
''',
    "retry.py": '''
from forge_cli import HttpStatusException, RetryStrategyInterface

class Teapot(RetryStrategyInterface):
    """Once more, at once, after a 418."""
    def __init__(self, max_retries=1):
        self._most = max_retries

    @property
    def max_retries(self):
        return self._most

    def is_retryable_status(self, code):
        return code == 418

    def should_retry(self, context, exception):
        return context.attempt < self._most and isinstance(exception, HttpStatusException)

    def get_delay(self, context):
        return 0.0
''',
}
PROFILE = """
[profiles.api]
base_url = "@URL@"
retry = { strategy = "own_things.retry:Teapot", max_retries = 2 }
tokens = { storage = "own_things.storage:OneJsonFile" }
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.own]
kind = "own_things.steps:Reversed"
text = "1-nekot-nwo"
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def forge(tmp_path: Path) -> Run:
    """The executable, with a package of the user's own on its path."""
    package = tmp_path / "lib" / "own_things"
    package.mkdir(parents=True)
    for name, text in PACKAGE.items():
        (package / name).write_text(text)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(package.parent)]),
            "OWN_TOKENS": str(tmp_path / "tokens.json"),
        }
        command = [sys.executable, "-m", "forge_cli", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)

    return run


def test_all_three_work_from_the_users_own_file(
    forge: Run, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    server.reply("/users", Reply(418), Reply(418), Reply(200, ["Ada"]))
    done = forge("get", "/users")
    assert (done.returncode, done.stdout) == (0, '["Ada"]'), done.stderr
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer own-token-1"] * 3
    assert list(json.loads((tmp_path / "tokens.json").read_text()).values()) == ["own-token-1"]
    # The next command takes it from there.
    tokens = (tmp_path / "tokens.json").read_text().replace("own-token-1", "own-token-2")
    (tmp_path / "tokens.json").write_text(tokens)
    server.reply("/others", lambda seen: Reply(200, seen.headers["Authorization"]))
    assert forge("get", "/others").stdout == "Bearer own-token-2"


def test_a_strategy_of_ones_own_gives_up_when_it_says_so(
    forge: Run, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    server.reply("/users", Reply(503))
    assert forge("get", "/users").returncode == 5
    assert len(server.seen) == 1


def test_an_untrusted_project_file_is_not_used_at_all(
    forge: Run, server: Server, profile_file: Callable[[str], Path], own_home: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    text = PROFILE.replace("@URL@", "http://127.0.0.1:1").replace("own_things", "evil_things")
    (own_home / "project" / ".forge.toml").write_text(text)

    def sent(seen: Seen) -> Reply:
        return Reply(200, seen.headers["Authorization"])

    server.reply("/users", sent)
    done = forge("get", "/users")
    assert (done.returncode, server.seen) == (2, [])
    assert "not trusted" in done.stderr
    assert "--no-project" in done.stderr
    assert "evil_things" not in done.stderr
    assert forge("get", "/users", "--no-project").stdout == "Bearer own-token-1"
