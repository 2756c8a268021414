"""A8: a keyring that is locked or absent ends the command soon, and no token goes to a file instead."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.keyrings import MemoryKeyring
from tests.server import Reply, Server

Use = Callable[[KeyringBackend], None]


class Sleeping(MemoryKeyring):
    """One whose window waits for somebody to unlock it."""

    def get_password(self, service: str, username: str) -> str | None:
        time.sleep(30)
        return None


@pytest.fixture
def use() -> Iterator[Use]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\ntokens = {{ storage = "keyring" }}\n'
        '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\n'
        'request = { url = "/login" }\nextract = { token = "/token" }\nexpires = { ttl = "1h" }\n'
    )
    server.reply("/login", Reply(body={"token": "user-token-1"}), optional=True)
    server.reply("/x", Reply(), optional=True)
    return server


def files() -> list[str]:
    """Whatever could hold a token."""
    found = [path for path in config_dir().rglob("*") if path.is_file() and path.name != "profiles.toml"]
    return [str(path) for path in found if b"user-token-1" in path.read_bytes()]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param(NoKeyring, ("get", "/x"), id="absent"),
        pytest.param(NoKeyring, ("token", "show", "--raw"), id="absent: show"),
        pytest.param(NoKeyring, ("token", "refresh"), id="absent: refresh"),
        pytest.param(Sleeping, ("get", "/x"), id="locked"),
    ],
)
def test_it_is_exit_9_within_seconds_and_names_the_setting(
    forge: Forge, api: Server, use: Use, kind: type[KeyringBackend], words: tuple[str, ...]
) -> None:
    use(kind())
    begun = time.monotonic()
    result = forge(*words)
    assert time.monotonic() - begun < 6
    assert (result.exit_code, result.stdout) == (9, "")
    assert "storage" in result.stderr
    assert api.seen_at("/x") == []
    assert files() == []


def test_the_token_is_there_and_nowhere_else_and_show_says_where(forge: Forge, api: Server, use: Use) -> None:
    use(MemoryKeyring())
    for _ in range(2):
        assert forge("get", "/x").exit_code == 0
    assert len(api.seen_at("/login")) == 1
    assert files() == []
    assert "keyring" in forge("token", "show").stdout


def test_where_the_extra_is_missing_the_install_line_is_named(
    forge: Forge, api: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "keyring" or name.endswith(".keyring")]:
        monkeypatch.delitem(sys.modules, name)
    # As where it was never installed (PEP 302: None stands for a module that is not there).
    monkeypatch.setitem(sys.modules, "keyring", None)
    result = forge("get", "/x")
    assert (result.exit_code, api.seen) == (2, [])
    assert "pip install 'forge-http[keyring]'" in result.stderr
