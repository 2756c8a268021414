"""A2: a link that is planted again and again while tokens are written is never written or read through."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage

ROUNDS = 300


def test_links_planted_during_writes_lead_nowhere(tmp_path: Path) -> None:
    path, victim = tmp_path / "tokens" / "dev.toml", tmp_path / "victim"
    sound = b'version = 1\n[tokens.key]\naccess_token = "victims-token-1"\n'
    victim.write_bytes(sound)
    victim.chmod(0o600)
    storage = FileTokenStorage(path, notice=lambda _: None)
    storage.set("key", TokenData("user-token-0"))
    stop, planted = threading.Event(), 0

    def plant() -> None:
        nonlocal planted
        aside = path.with_name("aside")
        while not stop.is_set():
            for name in (path, path.with_name("dev.toml.lock")):
                with contextlib.suppress(OSError):
                    os.symlink(victim, aside)
                    os.replace(aside, name)
                    planted += 1

    enemy = threading.Thread(target=plant)
    enemy.start()
    seen, refused = set(), 0
    for number in range(ROUNDS):
        try:
            storage.set("key", TokenData(f"user-token-{number}"))
            token = FileTokenStorage(path, notice=lambda _: None).get("key")
            seen.add(token.access_token if token is not None else "")
        except StorageError:
            refused += 1
            for name in (path, path.with_name("dev.toml.lock")):
                with contextlib.suppress(OSError):
                    name.unlink()
    stop.set()
    enemy.join()
    assert planted > ROUNDS
    assert refused > 0
    assert "victims-token-1" not in seen
    assert victim.read_bytes() == sound
