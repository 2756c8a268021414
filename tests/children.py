"""Child processes of the tests: ones that can be killed, and ones that are no superuser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOBODY = 65534

_START = """
import fcntl, os, resource, signal, stat, sys, time
from pathlib import Path
from forge_cli import files
from forge_cli.errors import ForgeError, LockTimeout, StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
path = Path(sys.argv[1])
"""
# Modules are imported first, because an ordinary user may not be able to read where they are.
_DROP = f"""
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""


def start(script: str, path: Path, *, ordinary: bool = False) -> subprocess.Popen[str]:
    """Start Python with this script, which finds `path` and the storage's names defined."""
    text = _START + (_DROP if ordinary else "") + script
    command = [sys.executable, "-c", text, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def run(script: str, path: Path, *, ordinary: bool = False) -> str:
    """Run the script to its end and return what it printed; the test fails when it does."""
    with start(script, path, ordinary=ordinary) as child:
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return out


@contextmanager
def ordinary_home() -> Iterator[Path]:
    """A directory of the user that `ordinary` children are; pytest's own are closed to everyone else."""
    home = Path(tempfile.mkdtemp(prefix="forge-test-"))
    try:
        if os.getuid() == 0:
            os.chown(home, NOBODY, NOBODY)
        yield home
    finally:
        home.chmod(0o700)  # a child may have closed it
        shutil.rmtree(home)
