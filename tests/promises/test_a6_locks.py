"""A6: a dead process's lock is free at once; a live one is waited for, told, and at last named."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_cli import files
from forge_cli.errors import LockTimeout
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.children import start

HOLD = """
with FileTokenStorage(path).lock("key"):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "dev.toml"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    with start(HOLD, path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_lock_of_a_killed_process_is_free_at_once(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    begun = time.monotonic()
    with FileTokenStorage(path).lock("key", 5):
        pass
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("stopped", [False, True], ids=["waiting", "stopped"])
def test_the_lock_of_a_live_process_is_waited_for_and_then_named(
    path: Path, holder: subprocess.Popen[str], stopped: bool
) -> None:
    if stopped:
        holder.send_signal(signal.SIGSTOP)
    with pytest.raises(LockTimeout) as caught, FileTokenStorage(path).lock("key", 0.2):
        pass
    [lock] = (path.parent / ".locks").iterdir()
    assert str(lock) in str(caught.value)
    assert caught.value.hint


def test_waiting_is_told_after_a_while(path: Path, holder: subprocess.Popen[str]) -> None:
    told: list[float] = []
    [lock] = (path.parent / ".locks").iterdir()
    with pytest.raises(LockTimeout), files.lock(lock, 0.2, on_wait=told.append, wait_notice_after=0.05):
        pass
    assert len(told) == 1


def test_other_keys_and_plain_reading_need_not_wait(path: Path, holder: subprocess.Popen[str]) -> None:
    storage = FileTokenStorage(path)
    with storage.lock("other", 0):
        assert storage.get("key") is None
