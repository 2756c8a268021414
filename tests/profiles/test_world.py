from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forge_cli.profiles.world import World
from forge_cli.programs import ProgramFailed

ROOT = Path(__file__).parents[2]


def test_a_program_is_run_with_the_environment_given_and_from_the_folder_of_the_profile(tmp_path: Path) -> None:
    (tmp_path / "helper").write_text('#!/bin/sh\necho "$1 $HOME $CLUSTER $OTHER"\n')
    (tmp_path / "helper").chmod(0o700)
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/h", "CLUSTER": "c", "OTHER": "o"}
    world = World(environ=environ, folder=tmp_path)
    assert world.command(["./helper", "a b"], ["CLUSTER"]) == "a b /h c "
    with pytest.raises(ProgramFailed, match="cannot run 'helper'"):
        world.command(["helper"], [])


def test_what_runs_programs_is_loaded_only_for_a_profile_that_has_one() -> None:
    code = "import json, sys, forge_cli.profiles.build; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"subprocess", "forge_cli.programs", "keyring"} & set(json.loads(ran.stdout)) == set()
