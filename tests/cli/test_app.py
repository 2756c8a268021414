"""The entry: the table of commands, help, and errors on their way out."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from forge_cli import __version__
from forge_cli.cli import app, signals
from forge_cli.cli.exit_codes import ExitCode
from forge_cli.cli.group import Entry
from forge_cli.cli.options import bundle, global_options, silent
from forge_cli.errors import ConnectionException, ForgeError, ProfileError, StepFailed, UsageError
from forge_cli.redact import REDACTOR
from tests.conftest import Forge


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let a command named `fail` raise this error."""

    def arrange(error: BaseException) -> None:
        def fail() -> NoReturn:
            raise error

        command = click.command("fail")(bundle(silent, global_options)(fail))
        monkeypatch.setattr(app, "FAILING", command, raising=False)
        monkeypatch.setitem(app.COMMANDS, "fail", Entry("forge_cli.cli.app:FAILING", "Fail."))

    return arrange


def test_version(forge: Forge) -> None:
    assert forge("--version").stdout == f"forge {__version__}\n"


def test_it_goes_by_the_name_it_was_called_by(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/forge-http"])
    assert forge("--help").stdout.startswith("Usage: forge-http ")
    assert forge("nonsense").stderr.startswith("forge-http: ")
    monkeypatch.setattr("sys.argv", ["/usr/lib/python3/__main__.py"])
    assert forge("--help").stdout.startswith("Usage: forge ")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands_in_order_and_the_exit_codes(forge: Forge, option: str) -> None:
    text = forge(option).stdout
    commands = text.partition("Requests:\n")[2].partition("Environment variables:\n")[0]
    assert re.findall(r"^  (\w+) ", commands, re.MULTILINE) == list(app.COMMANDS)
    assert "130  interrupted" in text


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help_with_an_example(forge: Forge, name: str) -> None:
    result = forge(name, "--help")
    assert result.exit_code == 0
    assert f"forge {name}" in result.stdout


@pytest.mark.parametrize("name", ["get", "request", "curl"])
def test_the_many_options_of_a_request_are_in_sections(forge: Forge, name: str) -> None:
    text = forge(name, "--help").stdout
    sections = re.findall(r"^([A-Z][^:\n]*):$", text, re.MULTILINE)
    assert {"Request", "Output", "As a cURL command"} <= set(sections) and sections[-1] == "Everywhere"
    everywhere = text.rpartition("Everywhere:\n")[2]
    assert "--profile" in everywhere and "--help" in everywhere and "--header" not in everywhere
    assert text.count("--profile") == 1


def test_no_arguments_is_help_on_stderr(forge: Forge) -> None:
    result = forge()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Exit codes:" in result.stderr


def test_a_mistyped_command_says_where_to_look(forge: Forge) -> None:
    result = forge("tokn", "show")
    assert (result.exit_code, result.stderr) == (
        2,
        "forge: no such command 'tokn'. Did you mean 'token'?\n  see `forge --help`\n",
    )


@pytest.mark.parametrize(
    ("given", "meant"), [("gte", "get"), ("profil", "profile"), ("GET", None), ("frobnicate", None)], ids=str
)
def test_the_nearest_command_is_proposed(forge: Forge, given: str, meant: str | None) -> None:
    result = forge(given, "/x")
    assert result.exit_code == 2
    assert ("Did you mean" in result.stderr) is (meant is not None)
    assert meant is None or f"no such command '{given}'. Did you mean '{meant}'?\n" in result.stderr


def test_an_error_says_what_and_what_next(forge: Forge, failing: Callable[[BaseException], None]) -> None:
    failing(UsageError("that is wrong", hint="try this"))
    result = forge("fail")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "forge: that is wrong\n  try this\n")


def test_a_failure_without_a_hint_gets_that_of_its_code(forge: Forge, failing: Callable[[BaseException], None]) -> None:
    failing(ConnectionException("Connection failed"))
    assert "check the address" in forge("fail").stderr


def test_a_failure_of_a_step_names_the_step(forge: Forge, failing: Callable[[BaseException], None]) -> None:
    failing(ConnectionException("Connection failed", context={"step": "app"}))
    assert forge("fail").stderr.startswith("forge: login step 'app': Connection failed\n")
    failing(StepFailed("app", "refused"))
    assert forge("fail").stderr == "forge: login step 'app': refused\n"


def test_every_problem_of_a_profile_is_a_line(forge: Forge, failing: Callable[[BaseException], None]) -> None:
    failing(ProfileError("2 problems", problems=["a: wrong", "b: wrong"], hint="correct them"))
    assert forge("fail").stderr == "forge: 2 problems\n  a: wrong\n  b: wrong\n  correct them\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (signals.Terminated(), 143),
        (BrokenPipeError(), 141),
        (OSError(errno.ENOSPC, "No space left on device"), 9),
        (RuntimeError("oops"), 1),
        (click.exceptions.Exit(3), 3),
    ],
    ids=["interrupt", "terminate", "pipe", "disk", "bug", "exit"],
)
def test_what_is_no_error_of_forge_has_its_code_too(
    forge: Forge, failing: Callable[[BaseException], None], error: BaseException, code: int
) -> None:
    failing(error)
    assert forge("fail").exit_code == code


@pytest.mark.parametrize("error", [KeyboardInterrupt(), signals.Terminated(), BrokenPipeError()], ids=repr)
def test_whoever_stopped_it_need_not_be_told(
    forge: Forge, failing: Callable[[BaseException], None], error: BaseException
) -> None:
    failing(error)
    result = forge("fail")
    assert (result.stdout, result.stderr) == ("", "")


def test_a_bug_shows_a_traceback_without_secrets_or_control_characters(
    forge: Forge, failing: Callable[[BaseException], None]
) -> None:
    REDACTOR.add("user-token-1")
    failing(RuntimeError("user-token-1 \x1b[2J"))
    result = forge("fail")
    assert result.exit_code == ExitCode.BUG
    assert "this is a bug in forge" in result.stderr
    assert "RuntimeError: *** \\x1b[2J" in result.stderr


def test_debug_shows_the_traceback_of_any_error(forge: Forge, failing: Callable[[BaseException], None]) -> None:
    failing(ForgeError("that is wrong"))
    assert "Traceback" in forge("fail", "--debug").stderr
    assert "Traceback" in forge("--debug", "fail").stderr
    assert "Traceback" not in forge("fail").stderr


@pytest.mark.parametrize(
    "error", [UsageError("x"), click.UsageError("x"), OSError(errno.ENOSPC, "full")], ids=["ours", "click's", "disk"]
)
def test_ss_says_nothing(forge: Forge, failing: Callable[[BaseException], None], error: BaseException) -> None:
    failing(error)
    assert forge("fail", "-s").stderr != ""
    assert forge("fail", "-ss").stderr == ""


def test_a_signal_handler_is_only_for_the_main_thread(monkeypatch: pytest.MonkeyPatch, forge: Forge) -> None:
    def refuse(*args: object) -> NoReturn:
        raise ValueError("signal only works in main thread")

    monkeypatch.setattr(signal, "signal", refuse)
    assert forge("--version").exit_code == 0


def test_a_directory_named_like_a_profile_file_is_exit_2(forge: Forge, own_home: Path) -> None:
    (own_home / ".config" / "forge" / "profiles.toml").mkdir(parents=True)
    result = forge("get", "/x")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
