"""`forge token exec` where a process cannot become another one."""

from __future__ import annotations

import os
import sys

import pytest

from forge_cli.cli.commands.token import execute


def test_on_windows_the_program_is_a_child_and_its_exit_code_is_ours(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import os, sys; print(os.environ['FORGE_TOKEN']); sys.exit(42)"
    environ = {**os.environ, "FORGE_TOKEN": "token-1"}
    assert execute.run([sys.executable, "-c", code], environ, platform="win32") == 42
    assert capfd.readouterr().out == "token-1\n"
    with pytest.raises(FileNotFoundError):
        execute.run(["no-such-program"], environ, platform="win32")
