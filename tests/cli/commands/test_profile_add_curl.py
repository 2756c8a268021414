"""`forge profile add --from-curl`: a login from the commands of an API's documentation."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from forge_cli.files import config_dir
from tests.conftest import Forge
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shop(server: Server) -> Server:
    """An API with a login of two steps, each of which checks what it is sent."""

    def login(seen: Seen) -> Reply:
        assert dict(seen.form) == {"user": "ada", "password": "fake-secret-1"}
        return Reply(body={"token": "first-token-1"})

    def session(seen: Seen) -> Reply:
        assert seen.headers["X-Token"] == "first-token-1"
        assert seen.json() == {"for": "first-token-1"}
        return Reply(body={"data": {"session": "second-token-1"}, "expires_in": 60})

    def api(seen: Seen) -> Reply:
        assert seen.headers["Authorization"] == "Bearer second-token-1"
        return Reply(body="welcome")

    server.reply("/login", login, method="POST")
    server.reply("/session", session, method="POST")
    server.reply("/", api)
    return server


def commands(server: Server) -> list[str]:
    return [
        f"curl {server.url}/login -d user=ada -d password=fake-secret-1",
        f"curl {server.url}/session -H 'X-Token: ${{steps.step1.token}}' "
        '--json \'{"for": "${steps.step1.token}"}\'',
    ]


EXTRACT = ["--extract", "step1.token=/token", "--extract", "step2.token=/data/session"]


def test_the_last_command_with_a_token_is_the_request_to_the_api(forge: Forge, server: Server) -> None:
    server.reply("/login", Reply(body={"access": "token-1"}), method="POST")
    server.reply("/v1/users", Reply(body="welcome"))
    given = [
        f"curl {server.url}/login -d user=ada -d password=fake-secret-1",
        f"curl '{server.url}/v1/users?page=2' -H 'Accept: text/plain' "
        "-H 'Authorization: Bearer ${steps.step1.token}'",
    ]
    result = forge("profile", "add", "shop", "--from-curl", "--extract", "token=/access", *given)
    assert result.exit_code == 0, result.stderr
    next_line = result.stdout.splitlines()[-1].strip()
    assert next_line == "forge get '/v1/users?page=2' -p shop"
    shown = forge(*shlex.split(next_line)[1:], env={"SHOP_PASSWORD": "fake-secret-1"})
    assert shown.stdout == "welcome", shown.stderr
    api = server.seen_at("/v1/users")[0]
    assert (api.headers["Authorization"], api.headers["Accept"]) == ("Bearer token-1", "text/plain")
    assert api.target.endswith("?page=2")


def test_the_example_of_the_page_is_what_comes_out(forge: Forge, own_home: Path) -> None:
    page = (ROOT / "docs" / "logins.md").read_text(encoding="utf-8")
    part = page.partition("### The same, written by forge")[2]
    [block], [text] = (re.findall(rf"```{kind}\n(.*?)```", part, re.DOTALL) for kind in ("bash", "toml"))
    line, _, rest = block.partition(" <<'END'\n")
    result = forge(*shlex.split(line)[1:], input=rest.partition("END\n")[0])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("  forge get /v1/orders -p orders\n")
    written = tomllib.loads((config_dir() / "profiles.toml").read_text())
    assert written["profiles"] == tomllib.loads(text)["profiles"]


@pytest.mark.parametrize("how", ["arguments", "stdin"])
def test_commands_become_a_login_that_works(forge: Forge, shop: Server, how: str) -> None:
    given = commands(shop) if how == "arguments" else ["-"]
    result = forge("profile", "add", "shop", "--from-curl", *EXTRACT, *given, input="\n\n".join(commands(shop)))
    assert result.exit_code == 0, result.stderr
    assert "set SHOP_PASSWORD to the field password" in result.stderr
    assert "fake-secret-1" not in result.stdout + result.stderr + (config_dir() / "profiles.toml").read_text()
    assert result.stdout.endswith(
        "next:\n  export SHOP_PASSWORD=…\n  forge token explain --trace -p shop\n  forge get / -p shop\n"
    )
    assert forge("profile", "validate").exit_code == 0
    for _ in range(2):
        assert forge("get", "/", env={"SHOP_PASSWORD": "fake-secret-1"}).stdout == "welcome"
    assert [seen.path for seen in shop.seen] == ["/login", "/session", "/", "/"]


def test_what_is_left_to_fill_in_is_said_first(forge: Forge) -> None:
    result = forge("profile", "add", "x", "--from-curl", "curl https://api.example.com/token")
    assert result.exit_code == 0
    assert "# every FILL IN\n  forge profile validate\n" in result.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param([], "NAME is missing", id="no name"),
        pytest.param(["x", "wget y"], "there is no curl command", id="no curl"),
        pytest.param(["x", "curl https://a.example/", "--extract", "token"], "no place of an output", id="no place"),
        pytest.param(["x", "curl https://a.example/", "--extract", "t=x"], "no place of an output", id="no pointer"),
        pytest.param(
            ["x", "curl https://a.example/", "--extract", "setp1.t=/x"], "no step 'setp1' (nearest: step1)", id="a typo"
        ),
        pytest.param(
            ["x", "curl https://a.example/ --next https://a.example/", "--extract", "t=/x"], "of which step?", id="two"
        ),
        pytest.param(["x", "curl https://a.example/${steps.stpe1.token}"], "stpe1", id="an unknown step"),
        pytest.param(["x", "curl https://a.example/", "--from", "paypal"], "do not go together", id="two sources"),
    ],
)
def test_what_it_will_not_write_is_named(forge: Forge, args: list[str], said: str) -> None:
    result = forge("profile", "add", *args, "--from-curl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not (config_dir() / "profiles.toml").exists()


def test_commands_without_from_curl_are_no_recipe(forge: Forge) -> None:
    result = forge("profile", "add", "x", "curl https://a.example/")
    assert result.exit_code == 2
    assert "goes with --from-curl" in result.stderr
