"""`netrc = true`: what the user's netrc file has for the profile's own host, and for no other."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.template import parse
from forge_cli.profiles.netrc import _literal
from tests.conftest import Forge
from tests.server import Reply, Server

ProfileFile = Callable[[str], Path]
PASSWORD = "fake-netrc-1"


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def netrc(own_home: Path) -> Path:
    path = own_home / ".netrc"
    path.write_text(f"machine 127.0.0.1\n  login ada\n  password {PASSWORD}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def dev(profile_file: ProfileFile, server: Server) -> str:
    text = f'default_profile = "dev"\n[profiles.dev]\nbase_url = "{server.url}"\nnetrc = true\n'
    profile_file(text)
    return text


def sent(server: Server, at: int = -1) -> str | None:
    value: str | None = server.seen[at].headers["Authorization"]
    return value


@pytest.mark.usefixtures("netrc", "dev")
class TestItsEntry:
    def test_is_sent_to_the_profiles_own_host(self, forge: Forge, server: Server) -> None:
        server.reply("/x", Reply(body="fine"))
        result = forge("get", "/x")
        assert (result.stdout, result.stderr) == ("fine", "")
        assert sent(server) == basic("ada", PASSWORD)

    def test_is_not_in_what_is_shown_or_exported(self, forge: Forge, server: Server) -> None:
        server.reply("/x", Reply())
        results = [
            forge("get", "/x", "-vv"),
            forge("get", "/x", "--offline"),
            forge("curl", "GET", "/x"),
            forge("profile", "show", "--expand"),
            forge("token", "explain"),
        ]
        for result in results:
            assert result.exit_code == 0, result.stderr
            for secret in (PASSWORD, basic("ada", PASSWORD).removeprefix("Basic ")):
                assert secret not in result.stdout + result.stderr
        assert "--header Authorization" in results[2].stdout
        assert "netrc = true" in results[3].stdout

    @pytest.mark.parametrize(
        ("options", "value"),
        [
            pytest.param(["-u", "eve:pw"], basic("eve", "pw"), id="user"),
            pytest.param(["--bearer", "own-token-1"], "Bearer own-token-1", id="bearer"),
            pytest.param(["Authorization:Custom x"], "Custom x", id="a header"),
            pytest.param(["--no-auth"], None, id="none"),
        ],
    )
    def test_gives_way_to_what_the_user_says(
        self, forge: Forge, server: Server, options: list[str], value: str | None
    ) -> None:
        server.reply("/x", Reply())
        assert forge("get", "/x", *options).exit_code == 0
        assert sent(server) == value

    def test_does_not_follow_to_another_host(self, forge: Forge, server: Server) -> None:
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        server.reply("/x", Reply(302, headers={"Location": f"{elsewhere}/y"}))
        server.reply("/y", Reply())
        assert forge("get", "/x").exit_code == 0
        assert [seen.headers["Authorization"] for seen in server.seen] == [basic("ada", PASSWORD), None]


def test_it_does_not_follow_to_another_origin_of_the_profile_either(
    forge: Forge, server: Server, netrc: Path, profile_file: ProfileFile
) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    profile_file(
        f'[profiles.dev]\nbase_url = "{server.url}"\norigins = ["{elsewhere}"]\nnetrc = true\n[profiles.own]\n'
        f'extends = "dev"\n'
    )
    server.reply("/x", Reply(302, headers={"Location": f"{elsewhere}/y"}))
    server.reply("/y", Reply())
    assert forge("get", "/x", "-p", "dev").exit_code == 0
    assert forge("get", f"{elsewhere}/y", "-p", "dev").exit_code == 0
    assert [seen.headers["Authorization"] for seen in server.seen] == [basic("ada", PASSWORD), None, None]
    # What the user says himself is for the profile's other origins too.
    assert forge("get", "/x", "Authorization:Custom x", "-p", "own").exit_code == 0
    assert sent(server) == "Custom x"


@pytest.mark.parametrize(
    ("more", "value"),
    [
        pytest.param('auth = { type = "bearer", token = "own-token-1" }', "Bearer own-token-1", id="auth"),
        pytest.param('headers = { authorization = "Custom x" }', "Custom x", id="headers"),
        pytest.param("netrc = false", None, id="not asked for"),
    ],
)
@pytest.mark.usefixtures("netrc")
def test_a_credential_of_the_profile_beats_it(
    forge: Forge, server: Server, profile_file: ProfileFile, more: str, value: str | None
) -> None:
    asked = "" if "netrc" in more else "netrc = true\n"
    profile_file(f'default_profile = "dev"\n[profiles.dev]\nbase_url = "{server.url}"\n{asked}{more}\n')
    server.reply("/x", Reply())
    assert forge("get", "/x").exit_code == 0
    assert sent(server) == value


@pytest.mark.usefixtures("dev")
class TestTheFile:
    def test_is_named_by_the_environment(self, forge: Forge, server: Server, netrc: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text("default login bob password fake-other-1\n")
        other.chmod(0o600)
        server.reply("/x", Reply())
        assert forge("get", "/x", env={"NETRC": str(other)}).exit_code == 0
        assert sent(server) == basic("bob", "fake-other-1")

    def test_may_be_absent_or_have_no_entry(self, forge: Forge, server: Server, own_home: Path) -> None:
        server.reply("/x", Reply())
        path = own_home / ".netrc"
        for _ in range(2):
            result = forge("get", "/x")
            assert result.exit_code == 0
            assert f"{path} has no entry for 127.0.0.1: no credential is sent" in result.stderr
            assert sent(server) is None
            path.write_text(f"machine a.example login ada password {PASSWORD}\n")
            path.chmod(0o600)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(f"machine 127.0.0.1 login ada pasword {PASSWORD}", ".netrc:1: is not understood", id="a slip"),
            pytest.param(f"\n{PASSWORD}", ".netrc:2: is not understood", id="no entry"),
            pytest.param("machine 127.0.0.1 login a:b password x", "has a colon", id="a colon"),
        ],
    )
    def test_that_cannot_be_used_is_exit_2_and_is_not_quoted(
        self, forge: Forge, netrc: Path, content: str, said: str
    ) -> None:
        netrc.write_text(content)
        result = forge("get", "/x")
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr and str(netrc) in result.stderr
        assert PASSWORD not in result.stderr

    def test_that_cannot_be_read_is_exit_2(self, forge: Forge, netrc: Path) -> None:
        netrc.unlink()
        netrc.mkdir()
        result = forge("get", "/x")
        assert result.exit_code == 2
        assert f"{netrc} is no netrc file" in result.stderr

    def test_that_others_can_read_is_said(self, forge: Forge, server: Server, netrc: Path) -> None:
        netrc.chmod(0o644)
        server.reply("/x", Reply())
        result = forge("get", "/x")
        assert result.exit_code == 0
        assert f"chmod 600 {netrc}" in result.stderr


@given(st.text(alphabet="${}ab", max_size=8))
def test_any_password_is_sent_as_it_is(text: str) -> None:
    assert parse(_literal(text)).literal == text or not text
