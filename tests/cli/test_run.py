"""One run: who is told what, who can be asked, and who reads standard input."""

from __future__ import annotations

import io
from typing import TextIO

import click
import pytest

from forge_cli.cli.failure import Failure
from forge_cli.cli.run import Run, bundle, global_options
from forge_cli.errors import UsageError
from forge_cli.redact import REDACTOR


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def run_with(stdin: TextIO | None = None, stderr: TextIO | None = None, **environ: str) -> Run:
    run = Run("forge", environ)
    run.stdin, run.stderr = stdin, stderr or io.StringIO()
    return run


@pytest.mark.parametrize(("silent", "said"), [(0, "abc"), (1, "bc"), (2, "c")], ids=["loud", "-s", "-ss"])
def test_silence_has_two_degrees(silent: int, said: str) -> None:
    stderr = io.StringIO()
    run = run_with(stderr=stderr)
    run.silent = silent
    run.notice("a")
    run.fail(Failure(exit=2, kind="usage", message="b"))
    run.warn("c")
    assert stderr.getvalue() == "".join(f"forge: {letter}\n" for letter in said)


def test_what_is_said_holds_no_secret_and_drives_no_terminal() -> None:
    stderr = io.StringIO()
    REDACTOR.add("user-token-1")
    run_with(stderr=stderr).warn("user-token-1 \x1b[2J\u202e\nnext")
    assert stderr.getvalue() == "forge: *** \\x1b[2J\\u202e\nnext\n"


@pytest.mark.parametrize("stream", [Gone(), None], ids=["a closed pipe", "closed"])
def test_a_notice_that_nobody_can_read_is_no_failure(stream: TextIO | None) -> None:
    run = run_with(stderr=stream)
    if stream is None:
        run.stderr.close()
    run.warn("x")
    run.end_line()


@pytest.mark.parametrize(
    ("environ", "interactive"),
    [
        ({}, True),
        ({"CI": "true"}, False),
        ({"CI": "1"}, False),
        ({"CI": ""}, True),
        ({"CI": "0"}, True),
        ({"CI": "False"}, True),
        ({"FORGE_NO_INPUT": "1"}, False),
        ({"FORGE_NO_INPUT": "0"}, True),
    ],
    ids=str,
)
def test_the_environment_decides_whether_somebody_is_there(environ: dict[str, str], interactive: bool) -> None:
    assert run_with(Terminal(), Terminal(), **environ).interactive is interactive


def test_somebody_is_there_only_on_a_terminal() -> None:
    assert not run_with(io.StringIO(), Terminal()).interactive
    assert not run_with(Terminal(), io.StringIO()).interactive
    assert not run_with(None, Terminal()).interactive
    there = run_with(Terminal(), Terminal())
    there.no_input = True
    assert not there.interactive


def test_standard_input_is_for_one_reader() -> None:
    run = run_with(io.TextIOWrapper(io.BytesIO(b"\xff\n")))
    assert run.read_stdin("--data") == b"\xff\n"
    with pytest.raises(UsageError, match="--data and --bearer both read standard input"):
        run.read_stdin("--bearer")


def test_a_closed_standard_input_gives_nothing() -> None:
    with pytest.raises(UsageError, match="closed"):
        run_with(None).read_stdin("--data")


def test_options_are_listed_in_the_order_of_the_bundle() -> None:
    @click.command()
    @bundle(click.option("--one"), click.option("--two"))
    @global_options
    def command() -> None:
        pass

    assert [parameter.name for parameter in command.params][:4] == ["one", "two", "profile", "config"]


def test_global_options_go_into_the_run() -> None:
    run = Run()

    @click.command()
    @global_options
    def command() -> None:
        pass

    words = [
        "-p",
        "dev",
        "--config",
        "f.toml",
        "--no-project",
        "--no-input",
        "--debug",
        "--var",
        "a=b=c",
        "--var",
        "d=",
    ]
    command.main(words, standalone_mode=False, obj=run)
    assert (run.profile_name, run.config) == ("dev", "f.toml")
    assert (run.no_project, run.no_input, run.debug) == (True, True, True)
    assert run.variables == {"a": "b=c", "d": ""}
