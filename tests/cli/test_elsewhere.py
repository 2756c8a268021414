"""What is typed out of habit is answered with what it is called here."""

from __future__ import annotations

import pytest
from click.shell_completion import BashComplete

from forge_cli.cli import app
from tests.conftest import Forge


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("GET /users", "no such command 'GET'", "did you mean `forge get /users`?"),
        ("Post /users name=Ada", "no such command 'Post'", "did you mean `forge post /users …`?"),
        ("/users a==1", "no such command '/users'", "did you mean `forge get /users …`?"),
        (
            "https://h.example/x",
            "no such command 'https://h.example/x'",
            "did you mean `forge get https://h.example/x`?",
        ),
        ("api.example.com/x", "no such command 'api.example.com/x'", "did you mean `forge get api.example.com/x`?"),
        (":8000/x", "no such command ':8000/x'", "did you mean `forge get :8000/x`?"),
    ],
)
def test_a_method_or_a_url_is_no_command(forge: Forge, words: str, message: str, hint: str) -> None:
    result = forge(*words.split())
    assert (result.exit_code, result.stderr) == (2, f"forge: {message}\n  {hint}\n")


def test_a_password_in_the_url_is_not_shown(forge: Forge) -> None:
    result = forge("https://ada:pass-word-1@h.example/x", "password=other-word-1")
    assert result.exit_code == 2
    assert "word-1" not in result.stderr


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("-a", "here it is -u USER[:PASS]"),
        ("--auth", "here it is -u USER[:PASS]"),
        ("--ignore-stdin", "leave it out: standard input is read only where @- asks for it"),
        ("-j", "here it is --json"),
        ("-F", "here it is --multipart"),
        ("--session=x", "here it is a profile"),
        ("--check-status", "leave it out: a 3xx, 4xx or 5xx is an exit code"),
        ("-i", "here it is --print hb"),
        ("-sI", "here it is the command `head`"),
        ("--compressed", "leave it out: compressed answers"),
        ("-G", "here it is the command `get`"),
    ],
)
def test_an_option_of_another_program_is_named_as_it_is_here(forge: Forge, option: str, hint: str) -> None:
    result = forge("get", "/x", option, "a")
    assert result.exit_code == 2
    assert "no such option" in result.stderr
    assert hint in result.stderr


@pytest.mark.parametrize("words", [("batch", "-i"), ("token", "show", "-a"), ("curl", "GET", "/x", "-i")])
def test_other_commands_have_no_such_options(forge: Forge, words: tuple[str, ...]) -> None:
    assert "here it is" not in forge(*words).stderr


def test_an_option_without_its_value_says_whose_help_to_read(forge: Forge) -> None:
    assert forge("get", "/x", "-o").stderr == "forge: option '-o' requires an argument\n  see `forge get --help`\n"


def test_help_shows_every_separator_of_an_item(forge: Forge) -> None:
    lines = forge("get", "--help").stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if "ITEM is" in line)
    text = "\n".join(lines[first : first + 6])
    for form in (
        "r:value",
        "Header:",
        "Header;",
        "==",
        "field=",
        ":=",
        "[]",
        "@FILE",
        "@-",
        "=@",
        ":=@",
        ":@",
        "==@",
        "\\",
    ):
        assert form in text
    assert "docs/scripting.md#items" in text


@pytest.mark.parametrize("words", [["curl"], ["request"]], ids=" ".join)
def test_methods_are_completed(words: list[str]) -> None:
    found = BashComplete(app.forge, {}, "forge", "_FORGE_COMPLETE").get_completions(words, "p")
    assert [item.value for item in found] == ["POST", "PUT", "PATCH"]
