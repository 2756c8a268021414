"""The help of every command: an example that parses, every option explained, and narrow enough for any terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from forge_cli.cli.app import forge as program
from forge_cli.cli.exit_codes import MEANINGS
from forge_cli.cli.run import Run
from forge_cli.cli.variables import VARIABLES
from tests.conftest import Forge

WIDTH = 80
# Without one of these nothing is added or done: there is no other value to tell.
ADDITIONS = frozenset(
    "header data query user bearer select expect har var step import as-profile from set extract show".split()
)
FOUND_IN_THE_HELP_OF_AN_OPTION = {
    "FORGE_PROFILE": "--profile",
    "FORGE_CONFIG": "--config",
    "FORGE_NO_INPUT": "--no-input",
    "CI": "--no-input",
    "FORGE_RETRY": "--retry",
    "HTTP_PROXY": "--proxy",
    "HTTPS_PROXY": "--proxy",
    "ALL_PROXY": "--proxy",
    "NO_PROXY": "--proxy",
    "REQUESTS_CA_BUNDLE": "--verify",
    "CURL_CA_BUNDLE": "--verify",
    "SSL_CERT_FILE": "--verify",
    "SSL_CERT_DIR": "--verify",
    "NO_COLOR": "--pretty",
    "FORCE_COLOR": "--pretty",
    "TERM": "--pretty",
}
# There is no option for these: `forge --help` alone has them.
WITHOUT_AN_OPTION = {
    "FORGE_CONFIG_DIR", "FORGE_TOKEN_STORAGE", "FORGE_ERRORS", "FORGE_VAR_NAME", "FORGE_TOKEN", "FORGE_TRUST",
    "NETRC", "BROWSER", "XDG_CONFIG_HOME",
}  # fmt: skip


def walked(
    path: tuple[str, ...] = (), command: click.Command = program
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walked((*path, name), inner)


COMMANDS = dict(walked())
EVERY = pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "forge")


@pytest.fixture
def helped(forge: Forge, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]) -> str:
    """What `--help` says on a terminal of the usual width."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    result = forge(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def examples(text: str) -> list[str]:
    """The commands of a help text, without what is said about them."""
    shown = [line for line in text.replace("\\\n", "").splitlines() if line.startswith("    ")]
    before = [re.split(r"(?<=\S)   *(?=\S)(?!curl )", line.strip())[0] for line in shown]
    return [line for line in before if re.search(r"(^|\$\(|\| |\|\| )forge ", line)]


def calls(example: str) -> Iterator[list[str]]:
    """The words of every `forge` in a line for a shell."""
    for inner in re.findall(r"\$\((forge [^()]*)\)", example):
        yield shlex.split(inner)[1:]
    outer = re.sub(r"\$\([^()]*\)", "value", example)
    lexer = shlex.shlex(outer, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "|"]:
        if re.fullmatch(r"[|>]+", word):
            if words[:1] == ["forge"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


@EVERY
def test_the_help_of_a_command_begins_with_an_example_of_it(helped: str, path: tuple[str, ...]) -> None:
    before_the_options = helped.partition("\nOptions:\n")[0]
    assert any(f"forge {' '.join(path)}" in example for example in examples(before_the_options))


@EVERY
def test_the_examples_of_a_command_are_taken_by_it(helped: str) -> None:
    found = [words for example in examples(helped) for words in calls(example)]
    assert found
    for words in found:
        root = program.make_context("forge", list(words), obj=Run())
        command: click.Command = program
        context, rest = root, [*root._protected_args, *root.args]
        while isinstance(command, click.Group):
            name, inner, rest = command.resolve_command(context, rest)
            assert inner is not None
            command, context = inner, inner.make_context(name, list(rest), parent=context)
            rest = [*context._protected_args, *context.args]


@EVERY
def test_no_line_of_the_help_is_wider_than_a_terminal(helped: str) -> None:
    assert [line for line in helped.splitlines() if len(line) > WIDTH] == []


@EVERY
def test_every_option_says_what_it_does_in_a_sentence(path: tuple[str, ...]) -> None:
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option):
            assert re.fullmatch(r"(?s)[A-Z'`].*[.)…]", option.help or ""), option.opts


@EVERY
def test_every_option_with_a_value_says_what_holds_without_it(path: tuple[str, ...]) -> None:
    missing = []
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option) and not option.is_flag and not option.count:
            name = max(option.opts, key=len).lstrip("-")
            if name not in ADDITIONS and "default" not in (option.help or ""):
                missing.append(name)
    assert missing == []


@pytest.mark.parametrize(("variable", "option"), FOUND_IN_THE_HELP_OF_AN_OPTION.items(), ids=str)
def test_an_option_names_the_variables_that_stand_for_it(variable: str, option: str) -> None:
    having = [item for command in COMMANDS.values() for item in command.params if option in item.opts]
    assert having
    assert all(re.search(rf"\b{variable}\b", getattr(item, "help", "")) for item in having)


def test_every_variable_is_in_the_help_of_forge(forge: Forge) -> None:
    names = {name for names in VARIABLES for name in names.split(", ")}
    assert names == set(FOUND_IN_THE_HELP_OF_AN_OPTION) | (names & WITHOUT_AN_OPTION)
    text = forge("--help").stdout
    assert [name for name in names if name not in text] == []


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    names = {name for names in VARIABLES for name in names.split(", ")}
    sources = (Path(__file__).parents[2] / "forge_cli").rglob("*.py")
    found = {name for path in sources for name in re.findall(r"\bFORGE_[A-Z]+(?:_[A-Z]+)*", path.read_text("utf-8"))}
    known = tuple(name for name in found if name in names or name.startswith(("FORGE_VAR", "FORGE_TOKEN")))
    assert found == set(known)


def test_the_table_of_exit_codes_is_in_the_help_of_forge(forge: Forge) -> None:
    text = forge("--help").stdout.partition("Exit codes:\n")[2]
    rows = dict(re.findall(r"^  (\d+) +(\S.*)$", text, re.MULTILINE))
    assert rows == {str(code.value): meaning for code, meaning in MEANINGS.items()}


@EVERY
def test_options_are_in_sections_and_those_of_every_command_come_last(helped: str, path: tuple[str, ...]) -> None:
    if isinstance(COMMANDS[path], click.Group):
        return
    titles = re.findall(r"^([A-Z][^:\n]*):$", helped, re.MULTILINE)
    assert titles[-1] == "Everywhere"
    assert "--profile" in helped.partition("Everywhere:\n")[2]


@EVERY
def test_one_word_is_used_for_one_thing(helped: str) -> None:
    for other, ours in {"response": "answer", "reply": "answer", "authenticat(?!ed without|ion)": "log in"}.items():
        assert re.search(rf"\b{other}", helped) is None, f"{other}: it is {ours} elsewhere"
