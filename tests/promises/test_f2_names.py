"""F2: names of profiles, steps and outputs are such that each can be a file's name, and no two the same file's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge

Write = Callable[[str], Path]
GOOD = ["a", "A-b_c.d", "0", "x" * 64, "a..b", ".a", "CONS", "lpt"]
BAD = ["", ".", "..", "x" * 65, "a/b", "a\\b", "a b", "é", "a\n", "a\x1b[2J", "../../x", "a:b", "~", "$HOME"]
RESERVED = ["CON", "con", "nul", "AUX", "prn", "com1", "LPT9", "nul.txt"]


def profile(name: str, rest: str = "") -> str:
    return f'[profiles.{json.dumps(name)}]\nbase_url = "https://api.example.com"\n{rest}'


@pytest.mark.parametrize("name", GOOD)
def test_these_profiles_are_fine(forge: Forge, profile_file: Write, name: str) -> None:
    profile_file(profile(name))
    assert forge("get", "/x", "-p", name, "--offline").exit_code == 0
    assert forge("profile", "validate").exit_code == 0


@pytest.mark.parametrize("name", [*BAD, *RESERVED])
def test_these_are_refused(forge: Forge, profile_file: Write, name: str) -> None:
    profile_file(profile(name))
    for words in (("profile", "validate"), ("get", "/x", "-p", name, "--offline")):
        result = forge(*words)
        assert result.exit_code == 2
        assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("pair", [("dev", "Dev"), ("a", "A")])
def test_twins_that_differ_only_in_case_are_refused(forge: Forge, profile_file: Write, pair: tuple[str, str]) -> None:
    profile_file(profile(pair[0]) + profile(pair[1]))
    for name in pair:
        assert forge("get", "/x", "-p", name, "--offline").exit_code == 2


STEP = """
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.{step}]
request = {{ url = "/login" }}
extract = {{ token = "/token", {output} = "/other" }}
"""


@pytest.mark.parametrize(
    ("step", "output", "code"),
    [
        ("a_b-C", "other", 0),
        ("x" * 64, "x" * 64, 0),
        ('"a.b"', "other", 2),
        ('"a b"', "other", 2),
        ('""', "other", 2),
        ("x" * 65, "other", 2),
        ("one", '"a.b"', 2),
        ("one", '"é"', 2),
        ("one", "x" * 65, 2),
    ],
)
def test_names_of_steps_and_outputs(forge: Forge, profile_file: Write, step: str, output: str, code: int) -> None:
    profile_file(profile("api", STEP.format(step=step, output=output)))
    assert forge("get", "/x", "--offline").exit_code == code
    assert forge("profile", "validate").exit_code == code


def test_a_name_in_the_command_line_is_no_path(forge: Forge, profile_file: Write) -> None:
    profile_file(profile("dev"))
    for name in ("../dev", "/etc/passwd", "dev/../dev"):
        assert forge("token", "clear", "-p", name).exit_code == 2
