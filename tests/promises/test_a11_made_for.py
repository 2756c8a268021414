"""A11: a token is used only with the definition and the host it was made for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.logins import numbered
from tests.server import Reply, Server

PROFILE = """\
[profiles.demo]
base_url = "@URL@"
vars = { shop = "acme" }

[profiles.demo.secrets]
client = { env = "CLIENT" }
password = { file = "@HOME@/password" }

[profiles.demo.auth]
type = "pipeline"

[profiles.demo.auth.steps.app]
request = { method = "POST", url = "/app", json = { client = "${secrets.client}" } }
extract = { token = "/token" }

[profiles.demo.auth.steps.user]
extract = { token = "/token" }

[profiles.demo.auth.steps.user.request]
method = "POST"
url = "/user"
headers = { X-App = "${steps.app.token}", X-Shop = "${vars.shop}" }
form = { user = "${env.USER_NAME}", password = "${secrets.password}" }
"""

ENVIRON = {"CLIENT": "client-secret-1", "USER_NAME": "ada", "UNUSED": "x"}


class Login:
    """The profile, and what the command asks the API for."""

    def __init__(self, forge: Forge, server: Server, write: Callable[[str], Path], home: Path) -> None:
        self._forge = forge
        self._write = write
        self._server = server
        self.text = PROFILE.replace("@URL@", server.url).replace("@HOME@", str(home))
        self.password = home / "password"
        self.password.write_text("user-password-1\n")
        for name in ("app", "user"):
            server.reply(f"/{name}", numbered(name))
        server.reply("/users", Reply())

    def get(self, *arguments: str, **environ: str) -> list[str]:
        """The steps that one command ran."""
        self._write(self.text)
        self._server.seen.clear()
        result = self._forge("get", "/users", *arguments, env={**ENVIRON, **environ})
        assert result.exit_code == 0, result.stderr
        return [seen.path for seen in self._server.seen if seen.path != "/users"]


@pytest.fixture
def login(forge: Forge, server: Server, profile_file: Callable[[str], Path], own_home: Path) -> Login:
    found = Login(forge, server, profile_file, own_home)
    assert found.get() == ["/app", "/user"]
    assert found.get() == []
    return found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('url = "/user"', 'url = "/user?v=2"', ["/user"]),
        ("X-Shop", "X-Store", ["/user"]),
        ('extract = { token = "/token" }\n\n[profiles.demo.auth.steps.user.request]',
         'extract = { token = "/token", again = "/token" }\n\n[profiles.demo.auth.steps.user.request]', ["/user"]),
        ('"/app", json', '"/app?v=2", json', ["/app", "/user"]),
        ("http://127.0.0.1", "http://localhost", ["/app", "/user"]),
    ],
    ids=["url", "header", "extract", "a parent's url", "host"],
)  # fmt: skip
def test_an_edited_step_logs_in_anew_and_with_it_what_it_is_a_parent_of(
    login: Login, old: str, new: str, expected: list[str]
) -> None:
    before = login.text
    login.text = before.replace(old, new)
    assert login.text != before
    assert login.get() == expected
    login.text = before
    assert login.get() == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"USER_NAME": "grace"}, ["/user"]),
        ({"CLIENT": "client-secret-2"}, ["/app", "/user"]),
        ({"UNUSED": "y"}, []),
    ],
    ids=["user", "client secret", "not used"],
)
def test_another_environment_logs_in_anew_where_it_is_used(
    login: Login, environ: dict[str, str], expected: list[str]
) -> None:
    assert login.get(**environ) == expected
    assert login.get(**environ) == []
    assert login.get() == []


def test_another_var_logs_in_anew_where_it_is_used(login: Login) -> None:
    assert login.get("--var", "shop=other") == ["/user"]
    assert login.get("--var", "shop=other") == []
    assert login.get() == []


def test_a_secret_in_a_file_counts_by_its_place(login: Login) -> None:
    login.password.write_text("user-password-2\n")
    assert login.get() == []
    login.password.unlink()
    assert login.get() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('[profiles.demo.auth]\n', '[profiles.demo.retry]\nmax_retries = 1\n[profiles.demo.auth]\n'),
        ('vars = {', 'headers = { X-Own = "1" }\nvars = { unused = 1,'),
        ("# nothing", ""),
    ],
    ids=["retry", "headers and an unused var", "nothing"],
)  # fmt: skip
def test_what_the_login_does_not_use_may_change(login: Login, old: str, new: str) -> None:
    login.text = login.text.replace(old, new)
    assert login.get() == []


def test_another_profile_has_tokens_of_its_own(login: Login) -> None:
    login.text += login.text.replace("profiles.demo", "profiles.other")
    assert login.get("-p", "demo") == []
    assert login.get("-p", "other") == ["/app", "/user"]


def test_nothing_of_a_secret_or_a_user_is_in_a_key(login: Login, own_home: Path) -> None:
    stored = (own_home / ".config" / "forge" / "tokens" / "demo.toml").read_text()
    for value in (*ENVIRON.values(), "acme", "user-password-1", "127.0.0.1"):
        assert len(value) < 3 or value not in stored
