"""E: a login that needs a person: the address is always shown, a terminal is asked, and without one it is exit 7."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pexpect
import pytest

from forge_cli.errors import NeedsPerson
from tests.browser_login import logged_in, profile, token
from tests.conftest import Forge
from tests.login_server import DEVICE, PROFILE, LoginServer, browser
from tests.people import Typist, parameters, shown_url
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
WriteProfile = Callable[[str], Path]


@pytest.fixture
def on_a_terminal(tmp_path: Path) -> Iterator[Callable[..., pexpect.spawn[str]]]:
    """Start forge on a wide terminal, where a browser would open."""
    with ExitStack() as children:

        def start(*words: str) -> pexpect.spawn[str]:
            env = {**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": browser(tmp_path), "NO_COLOR": "1"}
            command = ["-m", "forge_cli", *words]
            child = pexpect.spawn(sys.executable, command, env=env, encoding="utf-8", timeout=20, dimensions=(40, 1000))
            children.callback(child.close, force=True)
            return child

        yield start


def test_the_address_is_shown_also_when_a_browser_opens(server: Server) -> None:
    LoginServer(server)
    person = logged_in(server)
    assert shown_url(person) == person.opened[0]


def test_the_address_is_shown_also_with_s(
    forge: Forge, server: Server, profile_file: WriteProfile, tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    LoginServer(server)
    result = forge("token", "login", "-s", tty=True, env={"BROWSER": browser(tmp_path), "NO_COLOR": "1"})
    assert (result.exit_code, f"    {server.url}/authorize?" in result.stderr) == (0, True)


def test_no_browser_opens_none_and_takes_what_is_pasted(
    server: Server, profile_file: WriteProfile, on_a_terminal: Callable[..., pexpect.spawn[str]], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    api = LoginServer(server)
    child = on_a_terminal("token", "login", "--no-browser")
    child.expect(r"    (http\S+)\r\n")
    assert isinstance(child.match, re.Match)
    asked = parameters(str(child.match.group(1)))
    child.expect("paste here the address")
    api._codes["code-1-abcdef"] = asked
    wrong = urlencode({"code": "evil", "state": "A" * 43})
    child.sendline(f"{asked['redirect_uri']}?{wrong}")
    child.expect("That is not the answer to this login")
    child.sendline(f"{asked['redirect_uri']}?{urlencode({'code': 'code-1-abcdef', 'state': asked['state']})}")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (api.logins, (tmp_path / "page.html").exists()) == (0, False)
    assert [dict(seen.form)["code"] for seen in server.seen_at("/token")] == ["code-1-abcdef"]


def test_where_no_browser_opens_the_answer_is_pasted(server: Server) -> None:
    api = LoginServer(server)

    def answer(url: str) -> str:
        api._codes["code-1-abcdef"] = parameters(url)
        return f"?{urlencode({'code': 'code-1-abcdef', 'state': parameters(url)['state']})}"

    person = Typist(lambda url: "http://127.0.0.1/callback?code=evil&state=x", answer)
    assert token(profile(server, person)).access_token == "access-token-1-abcdef"


@pytest.mark.parametrize("text", [PROFILE, DEVICE], ids=["browser", "device"])
def test_a_command_that_needs_a_person_logs_in_on_a_terminal(
    forge: Forge, server: Server, profile_file: WriteProfile, tmp_path: Path, text: str
) -> None:
    profile_file(text.replace("@URL@", server.url))
    if text is PROFILE:
        LoginServer(server)
    else:
        codes = {"device_code": "d", "user_code": "WDJB", "verification_uri": f"{server.url}/x", "interval": 1}
        server.reply("/device", Reply(200, {**codes, "expires_in": 60}))
        server.reply("/token", Reply(200, {"access_token": "access-token-1-abcdef", "expires_in": 60}))
    server.reply("/x", Reply(200, "welcome"))
    environ = {"BROWSER": browser(tmp_path)}
    refused = forge("get", "/x", env=environ)
    assert (refused.exit_code, server.seen) == (7, [])
    assert "run `forge token login` on a terminal" in refused.stderr
    result = forge("get", "/x", tty=True, env=environ)
    assert (result.exit_code, "welcome" in result.stdout) == (0, True)


def test_without_a_person_nothing_is_sent(server: Server) -> None:
    with pytest.raises(NeedsPerson, match="step 'code' needs a person") as caught:
        token(profile(server, None))
    assert "forge token login" in str(caught.value.hint)
    assert server.seen == []


def test_a_refused_login_is_exit_7(forge: Forge, server: Server, profile_file: WriteProfile, tmp_path: Path) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    LoginServer(server, answer={"error": "access_denied", "error_description": "Ada said no"})
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert result.exit_code == 7
    assert "refused: access_denied: Ada said no" in result.stderr
