"""The man page says what the program says, and man shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import click
import pytest

from docs import manual
from forge_cli.cli.app import forge
from forge_cli.cli.variables import VARIABLES
from tests.conftest import Require

ROOT = Path(__file__).parents[1]


def test_the_page_is_as_the_code_has_it() -> None:
    assert manual.PAGE.read_text(encoding="utf-8") == manual.page(), "run: python docs/manual.py"


def test_every_variable_is_explained() -> None:
    page = manual.page().replace(r"\-", "-")
    assert [name for names in VARIABLES for name in names.split(", ") if name not in page] == []


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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Path:
    """A folder with the wheel and the sdist of a checkout whose man page is of another time."""
    require.package("hatchling")
    checkout, target = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE", "profiles.example.toml"):
        shutil.copy(ROOT / name, checkout)
    for name in ("forge_cli", "docs"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "docs" / "forge.1").write_text("old")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True, timeout=120)
    return target


def test_a_wheel_and_an_sdist_have_the_page_of_the_code_they_carry(built: Path) -> None:
    [wheel], [sdist] = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/share/man/man1/forge.1")]
        assert archive.read(name).decode() == manual.page()
    with tarfile.open(sdist) as archive_:
        [member] = [member for member in archive_.getmembers() if member.name.endswith("/docs/forge.1")]
        file = archive_.extractfile(member)
        assert file is not None
        assert file.read().decode() == manual.page()


def test_man_finds_the_page_of_an_installed_wheel(built: Path, tmp_path: Path, require: Require) -> None:
    man = require("man", "apt-get install man-db")
    [wheel] = built.glob("*.whl")
    # Without --ignore-installed pip would first take away the forge that the tests run from.
    install = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--ignore-installed"]
    install += ["--prefix", str(tmp_path)]
    subprocess.run([sys.executable, *install, str(wheel)], check=True, capture_output=True, timeout=120)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "MANWIDTH": "80"}
    command = [man, "-M", str(tmp_path / "share" / "man"), "-P", "cat", "forge"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert "the HTTP command line for APIs whose login takes more than one step" in " ".join(shown.stdout.split())
    assert "EXIT STATUS" in re.sub(".\b", "", shown.stdout)
