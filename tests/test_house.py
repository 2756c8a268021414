"""The rules of the house that no linter knows. `docs/contributing.md` says them in words."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import forge_cli
from forge_cli.cli.app import COMMANDS
from forge_cli.cli.exit_codes import EXIT_CODES
from forge_cli.cli.group import Entry, LazyGroup
from forge_cli.errors import ForgeError
from forge_cli.registry import Registry

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "forge_cli"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

TRY = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/forge demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest"

# What no command may load that neither sends a request nor draws: each costs more than all of forge.
HEAVY = ("platformdirs", "requests", "rich", "ssl", "tomli_w", "urllib3")
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "profiles.example.toml", "forge_cli", "tests", "docs"}


def modules() -> Iterator[ModuleType]:
    yield forge_cli
    for found in pkgutil.walk_packages(forge_cli.__path__, "forge_cli."):
        yield importlib.import_module(found.name)


def tables() -> dict[int, Registry]:
    values = (value for module in modules() for value in vars(module).values())
    return {id(value): value for value in values if isinstance(value, Registry)}


def loaded_after(code: str) -> set[str]:
    """The modules that a new interpreter has loaded once it has run this code."""
    command = [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_a_module_opens_with_a_sentence(source: Path) -> None:
    opening = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    first, _, rest = opening.partition("\n")
    assert first.endswith((".", ":"))
    assert not rest.split("\n")[0]


def test_every_row_of_every_table_loads_and_says_what_it_is() -> None:
    rows = [(table, name) for table in tables().values() for name in table]
    assert rows
    undocumented = [f"{table.kind} {name}" for table, name in rows if not table.load(name).__doc__]
    assert not undocumented


def command_tables() -> Iterator[tuple[str, str, Entry]]:
    """Every row of every table of commands: the group, the name, the entry."""
    groups = {"forge": COMMANDS}
    for name, entry in COMMANDS.items():
        command = loaded(entry)
        if isinstance(command, LazyGroup):
            groups[name] = dict(command.entries)
    yield from ((group, name, entry) for group, entries in groups.items() for name, entry in entries.items())


def loaded(entry: Entry) -> click.Command:
    module, _, attribute = entry.target.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@pytest.mark.parametrize(("group", "name", "entry"), list(command_tables()), ids=str)
def test_a_command_says_of_itself_what_the_table_says(group: str, name: str, entry: Entry) -> None:
    command = loaded(entry)
    assert command.name == name
    assert command.get_short_help_str(limit=200) == entry.summary


def test_every_kind_of_error_has_an_exit_code() -> None:
    assert [kind.__name__ for kind in ForgeError.__subclasses__() if kind not in EXIT_CODES] == []


def test_every_public_name_loads() -> None:
    assert forge_cli.__all__ == sorted(set(forge_cli.__all__))
    for name in forge_cli.__all__:
        value = getattr(forge_cli, name)
        assert value.__name__ == name
        assert value.__doc__
    assert set(forge_cli.__all__) <= set(dir(forge_cli))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(forge_cli.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'HttpKlient'"):
        _ = forge_cli.HttpKlient


def test_importing_the_package_loads_none_of_it() -> None:
    loaded = loaded_after("import forge_cli")
    assert {name for name in loaded if name.startswith("forge_cli")} == {"forge_cli"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["get", "--help"]], ids=" ".join)
def test_a_command_that_sends_nothing_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['forge', *{arguments!r}]\n"
        "from forge_cli.__main__ import main\n"
        "code = main()\n"
        "if code: sys.exit(code)"
    )
    assert loaded_after(code).intersection(HEAVY) == set()


def test_the_top_of_the_repository_stays_tidy() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    names = {line.split("/")[0] for line in listing.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("command", [TRY, TEST], ids=["try it", "test it"])
def test_the_readme_has_the_command(command: str) -> None:
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    assert command in lines


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_in_the_docs_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_tree_in_the_docs_is_the_tree() -> None:
    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    tree = text.partition("```text")[2].partition("```")[0]
    children = {path.name for path in PACKAGE.iterdir() if not path.name.startswith("__pycache__")}
    assert {name for name in children if not re.search(rf"\b{re.escape(name)}(?!\w)", tree)} == set()
