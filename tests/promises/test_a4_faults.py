"""A4: each call to the kernel that a write is made of may fail: the old tokens stay, and the error says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.children import ROOT
from tests.conftest import Require

OLD, NEW = TokenData("user-token-old"), TokenData("user-token-new")

_SET = """
import sys
from pathlib import Path
from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
storage = FileTokenStorage(Path(sys.argv[1]))
try:
    storage.get("key")
    storage.set("key", TokenData("user-token-new"))
except StorageError as exc:
    print(f"StorageError: {exc.message} / {exc.hint}")
else:
    print("saved")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens" / "dev.toml"
    FileTokenStorage(path).set("key", OLD)
    return path


def injected(require: Require, path: Path, *rules: str) -> str:
    """What the child says when the kernel answers so; nothing but the storage makes these calls."""
    strace = require("strace", "apt-get install strace")
    command = [strace, "-f", "-qq", "-o", os.devnull]
    for rule in rules:
        command += ["-e", f"inject={rule}"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, sys.executable, "-c", _SET, str(path)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr.lower() or "attach" in done.stderr.lower():
        require.missing("this machine does not allow tracing: in a container, --cap-add SYS_PTRACE")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("rename,renameat,renameat2:error=ENOSPC", "no space left on device"),
        ("rename,renameat,renameat2:error=EROFS", "read-only file system"),
        ("rename,renameat,renameat2:error=EIO", "input/output error"),
        ("fsync:error=EIO:when=1", "input/output error"),
        ("fsync:error=EDQUOT:when=1", "quota exceeded"),
        ("ftruncate:error=ENOSPC", "no space left on device"),
    ],
)
def test_a_call_that_fails_leaves_the_old_tokens(path: Path, require: Require, rule: str, why: str) -> None:
    said = injected(require, path, rule)
    assert said.startswith("StorageError: cannot write ")
    assert why in said
    assert FileTokenStorage(path).get("key") == OLD
    assert not list(path.parent.glob("*.tmp")) + list(path.parent.glob(".*.tmp"))


@pytest.mark.parametrize("errno", ["ENOLCK", "EOPNOTSUPP"])
def test_a_file_system_without_locks_gets_a_lease(path: Path, require: Require, errno: str) -> None:
    assert injected(require, path, f"flock:error={errno}") == "saved\n"
    assert FileTokenStorage(path).get("key") == NEW


def test_a_lock_that_fails_is_an_error(path: Path, require: Require) -> None:
    said = injected(require, path, "flock:error=EIO")
    assert "cannot lock" in said
    assert FileTokenStorage(path).get("key") == OLD


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB with tokens on it, and not a byte free."""
    mount = shutil.which("mount")
    if os.getuid() != 0 or mount is None:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this machine does not allow mounting")
    try:
        path = place / "tokens" / "dev.toml"
        FileTokenStorage(path).set("key", OLD)
        with pytest.raises(OSError, match="No space"):
            (place / "filler").write_bytes(bytes(65536))
        yield path
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_tokens_and_says_so(full: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _SET, str(full)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StorageError: cannot ")
    assert "no space left on device" in done.stdout
    assert "free some space" in done.stdout
    assert FileTokenStorage(full).get("key") == OLD
    (full.parents[1] / "filler").unlink()
    FileTokenStorage(full).set("key", NEW)
    assert FileTokenStorage(full).get("key") == NEW
