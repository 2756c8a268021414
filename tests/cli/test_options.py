"""The options that commands share, and how a command gets its context."""

from __future__ import annotations

import dataclasses

import click
import pytest

from forge_cli.cli.context import Context
from forge_cli.cli.options import (
    Count,
    Seconds,
    bundle,
    export_options,
    global_options,
    pass_context,
    request_options,
    silent,
)
from forge_cli.cli.request import RequestOptions
from forge_cli.cli.run import Run


def parameters(decorator: object) -> dict[str, click.Parameter]:
    assert callable(decorator)
    command = click.command()(decorator(lambda **given: None))
    return {parameter.name: parameter for parameter in command.params if parameter.name is not None}


def test_the_request_options_are_the_fields_of_their_value() -> None:
    fields = {field.name for field in dataclasses.fields(RequestOptions)}
    assert set(parameters(request_options)) == fields - {"method"} | {"method_option"}


@pytest.mark.parametrize("options", [request_options, export_options, global_options, silent], ids=["r", "e", "g", "s"])
def test_every_option_says_what_it_does(options: object) -> None:
    for parameter in parameters(options).values():
        assert isinstance(parameter, click.Option)
        assert parameter.help
        assert parameter.help.endswith((".", ")."))


def test_no_two_options_have_one_name() -> None:
    command = click.command()(bundle(request_options, export_options, silent, global_options)(lambda **given: None))
    names = [name for parameter in command.params for name in parameter.opts]
    assert sorted(set(names)) == sorted(names)


def converted(kind: Seconds | Count, text: str) -> object:
    return click.Option(["--x"], type=kind).type_cast_value(click.Context(click.Command("c")), text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0", "-1", "1e300", "soon", ""])
def test_a_limit_that_is_no_time_span_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(
        click.BadParameter, match=r"is not a number of seconds, such as 3 or 0\.5, or a time such as 500ms or 1m$"
    ):
        converted(Seconds(), text)


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "inf", ""])
def test_a_count_that_is_none_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a whole number, such as 0 or 3$"):
        converted(Count(), text)


def test_seconds_and_counts_are_numbers() -> None:
    assert [converted(Seconds(), text) for text in ("3", "0.5")] == [3.0, 0.5]
    assert [converted(Count(), text) for text in ("0", "3")] == [0, 3]


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
def test_every_limit_of_a_request_is_such_a_time_span(name: str) -> None:
    assert isinstance(parameters(request_options)[name].type, Seconds)


def test_a_command_gets_the_context_of_its_run() -> None:
    seen: list[Context] = []

    @click.command()
    @silent
    @global_options
    @pass_context
    def command(context: Context) -> int:
        """Say nothing."""
        seen.append(context)
        return 0

    run = Run("forge-http")
    command.main(["-s", "-p", "dev"], standalone_mode=False, obj=run)
    assert [(c.program, c.silent, c.profile_name) for c in seen] == [("forge-http", 1, "dev")]
    assert run.silent == 1
    assert command.help == "Say nothing."


@pytest.mark.parametrize(
    ("text", "found"),
    [("3", 3), ("0.5", 0.5), (".5", 0.5), ("500ms", 0.5), ("1m", 60), ("1h30m", 5400), ("1m 5s", 65), ("2d", 172800)],
)
def test_a_limit_is_seconds_or_a_time_as_profiles_have_it(text: str, found: float) -> None:
    assert Seconds().convert(text, None, None) == found


@pytest.mark.parametrize("text", ["m", "1mm", "1sm", "1m1h", "1 2", "5 minutes"])
def test_what_only_looks_like_a_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Seconds().convert(text, None, None)
