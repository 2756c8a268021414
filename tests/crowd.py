"""Many processes that run `forge` at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZE = 16

# The modules are loaded before the fork, so that the processes are at the same place when the pipe closes.
_SCRIPT = """
import json, os, sys
import forge_cli.cli.app, forge_cli.cli.commands.send, forge_cli.tokens.storage.file, forge_cli.transport.session
import forge_cli.profiles.build, tomli_w
size, arguments = int(sys.argv[1]), sys.argv[2:]
gate, hold = os.pipe()
children = []
for number in range(size):
    pid = os.fork()
    if pid == 0:
        os.close(hold)
        os.read(gate, 1)
        try:
            code = forge_cli.cli.app.main(arguments)
            sys.stdout.flush()
        except BaseException as exc:
            print(repr(exc), file=sys.stderr)
            code = 99
        os._exit(code)
    children.append(pid)
os.close(hold)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
print("\\n" + json.dumps(codes))
"""


@dataclass(frozen=True)
class Crowd:
    """The exit codes of the processes, and what all of them wrote to stderr.

    Left out is that another process is waited for: whether that takes so long is the machine's affair.
    """

    codes: list[int]
    stderr: str


def together(arguments: Sequence[str], *, environ: Mapping[str, str] | None = None, size: int = SIZE) -> Crowd:
    """Run `forge ARGUMENTS` in so many processes that all wait at one barrier."""
    command = [sys.executable, "-c", _SCRIPT, str(size), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines(keepends=True) if "waiting for another process" not in line]
    return Crowd(json.loads(done.stdout.splitlines()[-1]), "".join(said))
