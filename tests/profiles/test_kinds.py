"""What may be written where a profile names a program, and the variables that it gets."""

from __future__ import annotations

from typing import Any

import pytest

from forge_cli.login.steps.command import CommandStep
from forge_cli.profiles.kinds import Problem
from forge_cli.profiles.reader import read
from forge_cli.profiles.schema import CommandSecret, EnvSecret, ProfileTable

GOOD = {"command": ["op", "read", "$HOME", "a b", ""], "env": ["OP_TOKEN", "ProgramFiles(x86)"]}


@pytest.mark.parametrize("kind", [CommandSecret, CommandStep])
def test_a_command_is_taken_as_it_is(kind: Any) -> None:
    problems: list[Problem] = []
    made = read(kind, GOOD, (), problems)
    assert problems == []
    assert made is not None
    assert (made.command, made.env) == (tuple(GOOD["command"]), tuple(GOOD["env"]))


@pytest.mark.parametrize("kind", [CommandSecret, CommandStep])
@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"command": []}, ("command",), "must be a program and its arguments"),
        ({"command": [""]}, ("command",), "must be a program and its arguments"),
        ({"command": ["op", 5]}, ("command",), "must be a program and its arguments"),
        ({"command": [["op"]]}, ("command",), "must be a program and its arguments"),
        ({"command": "op read"}, ("command",), "must be an array of words, not text"),
        ({"command": ["op", "${secrets.x}"]}, ("command", 1), "no template is filled in in a command"),
        ({"command": ["op", "a\0b"]}, ("command", 1), "must not hold a NUL"),
        ({"env": ["OP_TOKEN=shown-1"]}, ("env", 0), "must be the name of an environment variable"),
        ({"env": ["OP", "$OP_TOKEN"]}, ("env", 1), "must be the name of an environment variable"),
        ({"env": [""]}, ("env", 0), "must be the name of an environment variable"),
    ],
)
def test_what_is_no_command_is_said_where_it_is(kind: Any, change: Any, path: Any, message: str) -> None:
    problems: list[Problem] = []
    assert read(kind, {**GOOD, **change}, (), problems) is None
    [problem] = problems
    assert problem.path == path
    assert message in problem.message
    assert "shown-1" not in problem.message


def test_a_secret_from_a_program_may_name_variables_and_one_from_a_variable_no_program() -> None:
    problems: list[Problem] = []
    table = {"secrets": {"a": {"env": ["A"], "command": ["op"], "ttl": "10m"}, "b": {"env": "B"}}}
    made = read(ProfileTable, table, (), problems)
    assert problems == []
    assert made is not None
    assert made.secrets == {"a": CommandSecret(command=("op",), env=("A",), ttl=600.0), "b": EnvSecret(env="B")}
