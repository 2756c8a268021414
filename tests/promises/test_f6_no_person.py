"""F6: where nobody is, nobody is asked: exit 7, and the name of the setting that would have helped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Forge
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
Start = Callable[..., "pexpect.spawn[str]"]
OFF = [{"CI": "true"}, {"CI": "1"}, {"FORGE_NO_INPUT": "1"}]
ON: list[dict[str, str]] = [{}, {"CI": ""}, {"CI": "0"}, {"CI": "false"}]


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    """A profile whose password only a person knows."""
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n'
        'auth = { type = "basic", username = "ada", password = "${secrets.pass-word}" }\n'
        '[profiles.api.secrets]\npass-word = { prompt = "Password of ada" }\n'
    )
    return server


@pytest.fixture
def on_a_terminal(own_home: Path) -> Iterator[Start]:
    """Start forge on a terminal; it is killed with the end of the test."""
    with ExitStack() as children:

        def start(*words: str, **environ: str) -> pexpect.spawn[str]:
            env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
            command = ["-m", "forge_cli", *words]
            child = pexpect.spawn(sys.executable, command, env=env, encoding="utf-8", timeout=20)
            children.callback(child.close, force=True)
            return child

        yield start


@pytest.mark.parametrize("words", [["get", "/x"], ["token", "show", "--header"]], ids=" ".join)
@pytest.mark.parametrize("tty", [(), ("stdin",), ("stderr",)], ids=["none", "stdin", "stderr"])
def test_without_a_terminal(forge: Forge, api: Server, words: list[str], tty: tuple[str, ...]) -> None:
    result = forge(*words, tty=tty)
    assert (result.exit_code, result.stdout, api.seen) == (7, "", [])
    assert 'pass-word = { env = "PASS_WORD" }' in result.stderr


@pytest.mark.parametrize("environ", OFF, ids=str)
def test_on_a_terminal_where_input_is_off(forge: Forge, api: Server, environ: dict[str, str]) -> None:
    assert (forge("get", "/x", tty=True, env=environ).exit_code, api.seen) == (7, [])


def test_no_input_as_an_option(forge: Forge, api: Server) -> None:
    assert forge("--no-input", "get", "/x", tty=True).exit_code == 7
    assert forge("get", "/x", "--no-input", tty=True).exit_code == 7


@pytest.mark.parametrize("environ", ON, ids=str)
def test_a_person_is_asked_and_what_is_typed_is_not_shown(
    api: Server, on_a_terminal: Start, environ: dict[str, str]
) -> None:
    api.reply("/x", Reply(200, "welcome"))
    child = on_a_terminal("get", "/x", **environ)
    child.expect("Password of ada: ")
    child.sendline("pass-word-1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "welcome" in (child.before or "")
    assert "pass-word-1" not in (child.before or "")
    assert api.seen[0].headers["Authorization"] == "Basic YWRhOnBhc3Mtd29yZC0x"


def test_u_asks_for_the_password(server: Server, on_a_terminal: Start) -> None:
    child = on_a_terminal("get", server.reply("/x", Reply(200)), "-u", "ada")
    child.expect("Password for ada: ")
    child.sendline("pass-word-1")
    child.expect(pexpect.EOF)
    assert server.seen[0].headers["Authorization"] == "Basic YWRhOnBhc3Mtd29yZC0x"


def test_the_end_of_input_is_no_traceback(api: Server, on_a_terminal: Start) -> None:
    child = on_a_terminal("get", "/x")
    child.expect("Password of ada: ")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    assert "nothing was entered" in (child.before or "")


def test_an_interrupt_while_asking_is_130_and_the_echo_is_back(api: Server, on_a_terminal: Start) -> None:
    child = on_a_terminal("get", "/x")
    child.expect("Password of ada: ")
    child.sendintr()
    child.expect(pexpect.EOF)
    assert child.getecho()
    child.close()
    assert (child.exitstatus, api.seen) == (130, [])
