from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.profiles.world import World
from forge_cli.programs import ProgramFailed


def test_a_program_is_run_with_the_environment_given_and_from_the_folder_of_the_profile(tmp_path: Path) -> None:
    (tmp_path / "helper").write_text('#!/bin/sh\necho "$1 $HOME $CLUSTER $OTHER"\n')
    (tmp_path / "helper").chmod(0o700)
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/h", "CLUSTER": "c", "OTHER": "o"}
    world = World(environ=environ, folder=tmp_path)
    assert world.command(["./helper", "a b"], ["CLUSTER"]) == "a b /h c "
    with pytest.raises(ProgramFailed, match="cannot run 'helper'"):
        world.command(["helper"], [])
