"""Every option of every command, through the real executable in pipes: what it is for, and which exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from forge_cli.cli.app import forge
from tests.blackbox.cases import PIPE
from tests.blackbox.program import Ended, check, run_all, uses
from tests.server import Server


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Ended]]:
    """What became of each case: all of them are run first, some at a time."""
    with Server() as server:
        yield run_all(PIPE, server, tmp_path_factory.mktemp("pipe"))


@pytest.mark.parametrize("number", range(len(PIPE)), ids=[str(case)[:90] for case in PIPE])
def test_the_option_does_what_it_is_for(ends: list[Ended], number: int) -> None:
    check(PIPE[number], ends[number])


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from commands(found, f"{name} {inner}".strip())


def options() -> Iterator[tuple[str, list[str]]]:
    """Every option of every command, each way of an option with two ways by itself."""
    for name, command in commands(forge):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield name, parameter.opts
                if parameter.secondary_opts:
                    yield name, parameter.secondary_opts


OPTIONS = list(options())


@pytest.mark.parametrize(("name", "names"), OPTIONS, ids=[f"{name} {names[-1]}" for name, names in OPTIONS])
def test_every_option_has_a_case(name: str, names: list[str]) -> None:
    own = [case for case in PIPE if (case.command == name if name != "request" else case.command == "request GET")]
    assert any(uses(case, names) for case in own), f"no case of `forge {name}` has {' or '.join(names)}"
