"""The man page says what the program says, and man shows it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click

from docs import manual
from forge_cli.cli.app import forge
from tests.conftest import Require

SOURCES = (Path(__file__).parents[1] / "forge_cli").rglob("*.py")


def test_the_page_is_as_the_code_has_it() -> None:
    assert manual.PAGE.read_text(encoding="utf-8") == manual.page(), "run: python docs/manual.py"


def test_every_variable_of_the_code_is_explained() -> None:
    found = {name for path in SOURCES for name in re.findall(r"FORGE_[A-Z_]+", path.read_text(encoding="utf-8"))}
    known = {name.rstrip("_") for name in manual.VARIABLES}
    assert {name for name in found if name.rstrip("_") not in known and not name.startswith("FORGE_VAR_")} == set()


def test_no_line_is_taken_for_a_request_of_roff() -> None:
    known = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".B", ".BR", '.\\"'}
    starts = {line.split()[0] for line in manual.page().splitlines() if line.startswith((".", "'"))}
    assert starts <= known


def test_man_shows_every_command_and_warns_of_nothing(require: Require) -> None:
    require("groff", "apt-get install groff-base")
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(manual.PAGE)]
    result = subprocess.run(command, input="", capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert (result.returncode, result.stderr) == (0, "")
    for name in forge.list_commands(click.Context(forge)):
        assert f"forge {name}" in result.stdout
    for text in ("--profile", "FORGE_CONFIG_DIR", "130", r"forge token exec -- sh -c", "an --expect did not hold"):
        assert text in result.stdout
