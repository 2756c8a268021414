"""What every test leans on: a home of its own, and the program with streams of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli import __version__
from tests.conftest import Forge, Require


def test_a_test_has_a_home_and_nothing_from_outside(own_home: Path) -> None:
    assert Path.home() == own_home
    assert Path.cwd() == own_home / "project"
    leaked = [name for name in os.environ if name.startswith("FORGE_") or name.upper().endswith("_PROXY")]
    assert leaked == []


def test_a_profile_file_is_private(profile_file: Callable[[str], Path], own_home: Path) -> None:
    path = profile_file("version = 1\n")
    assert own_home in path.parents
    assert path.read_text() == "version = 1\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_program_runs_and_its_output_is_caught(forge: Forge) -> None:
    result = forge("--version")
    assert (result.exit_code, result.stderr) == (0, "")
    assert __version__ in result.stdout
    assert result.stdout_bytes == result.stdout.encode()


def test_the_program_finds_the_streams_of_the_test(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    def main(arguments: list[str]) -> int:
        terminals = [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)]
        print(arguments, sys.stdin.read(), terminals, os.environ["EXTRA"], end="")
        raise SystemExit(3)

    monkeypatch.setattr("forge_cli.cli.app.main", main)
    result = forge("a", "b", input="typed", tty=["stderr"], env={"EXTRA": "x"})
    assert (result.exit_code, result.stdout) == (3, "['a', 'b'] typed [False, False, True] x")
    assert "EXTRA" not in os.environ


def test_reading_input_that_was_not_given_is_an_error(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forge_cli.cli.app.main", lambda arguments: sys.stdin.read())
    with pytest.raises(AssertionError, match="standard input was read"):
        forge()


def test_a_program_that_is_missing_skips_or_fails(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.conftest.STRICT", False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed: apt-get install it"):
        require("no-such-program", "apt-get install it")
    monkeypatch.setattr("tests.conftest.STRICT", True)
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require("no-such-program", "apt-get install it")


def test_a_package_that_is_missing_skips_or_fails(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    assert require.package("no_such_package", "json") is json
    monkeypatch.setattr("tests.conftest.STRICT", False)
    with pytest.raises(pytest.skip.Exception, match="no_such_package or no_other is not installed: pip install"):
        require.package("no_such_package", "no_other")
    monkeypatch.setattr("tests.conftest.STRICT", True)
    with pytest.raises(pytest.fail.Exception, match="no_such_package is not installed: pip install it"):
        require.package("no_such_package", install="pip install it")


def test_no_test_is_left_out_in_another_way_because_a_package_is_missing() -> None:
    called = "importor" + "skip("
    found = [path for path in Path(__file__).parent.rglob("*.py") if called in path.read_text(encoding="utf-8")]
    assert found == []
