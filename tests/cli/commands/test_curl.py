"""`forge curl` and `--curl`: the text of the command. What a shell makes of it is in integration/test_shells.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Server

PIPELINE = """
[profiles.api]
base_url = "https://api.example.com/v1"
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.user]
request = { url = "/login" }
extract = { token = "/token" }
"""
TOKEN = '"Authorization: Bearer $(forge token show --profile api --step user --raw)"'


@pytest.fixture
def api(profile_file: Callable[[str], Path]) -> Path:
    return profile_file(PIPELINE)


def test_a_token_is_a_command_that_shows_it(forge: Forge, api: Path) -> None:
    result = forge("curl", "GET", "/users")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"-H {TOKEN}" in result.stdout
    assert "https://api.example.com/v1/users" in result.stdout
    assert result.stdout.startswith("curl ")


@pytest.mark.parametrize("verb", ["get", "post", "delete"])
def test_every_send_command_takes_curl(forge: Forge, api: Path, verb: str) -> None:
    by_option, by_command = forge(verb, "/users", "a==1", "--curl"), forge("curl", verb.upper(), "/users", "a==1")
    assert by_option == by_command


def test_the_other_name_of_the_program_is_used(forge: Forge, api: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/forge-http"])
    assert "$(forge-http token show" in forge("curl", "GET", "/users").stdout


def test_as_env_names_the_variable(forge: Forge, api: Path) -> None:
    assert '-H "Authorization: Bearer $FORGE_TOKEN"' in forge("curl", "GET", "/users", "--as", "env").stdout


def test_on_a_terminal_one_line_names_the_three_ways(forge: Forge, api: Path) -> None:
    result = forge("curl", "GET", "/users", tty=True)
    assert result.stderr.count("\n") == 1
    for way in ("--as forge", "--as env", "--as literal"):
        assert way in result.stderr
    assert forge("curl", "GET", "/users", "-s", tty=True).stderr == ""
    assert forge("curl", "GET", "/users", "--as", "env", tty=True).stderr == ""


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["-u", "ada:user-password-1"], "--user"),
        (["--bearer", "user-password-1"], "--bearer"),
        (["--bearer", "-"], "--bearer"),
        (["-u", "-"], "--user"),
        (["-H", "X-Api-Key: user-password-1"], "X-Api-Key"),
        (["Authorization:Token user-password-1"], "Authorization"),
        (["Cookie:sid=user-password-1"], "Cookie"),
        (["api_key==user-password-1"], "the query parameter api_key"),
        (["-x", "http://ada:user-password-1@proxy:3128"], "the proxy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_secret_that_was_typed_in_is_left_out_with_a_warning(forge: Forge, words: list[str], place: str) -> None:
    result = forge("curl", "GET", "https://api.example.com/x", *words)
    assert result.exit_code == 0
    assert "<redacted>" in result.stdout
    assert "user-password-1" not in result.stdout + result.stderr
    assert f"{place}: <redacted> stands for a value that only --as literal can show" in result.stderr


def test_a_password_in_the_url_is_left_out(forge: Forge) -> None:
    result = forge("curl", "GET", "https://ada:user-password-1@api.example.com/x")
    assert "user-password-1" not in result.stdout
    assert "YWRh" not in result.stdout


@pytest.mark.parametrize("way", [["--as", "literal"], ["--reveal"]], ids=" ".join)
def test_literal_shows_what_was_typed_in(forge: Forge, way: list[str]) -> None:
    words = ["--bearer", "user-token-1", "api_key==key-secret-1", "-x", "http://ada:pass-word-1@proxy:3128"]
    result = forge("curl", "GET", "https://api.example.com/x", *words, *way)
    for value in ("Bearer user-token-1", "key-secret-1", "http://ada:pass-word-1@proxy:3128"):
        assert value in result.stdout


def test_a_secret_of_the_profile_in_a_body_is_left_out(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        PIPELINE.replace('{ url = "/login" }', '{ url = "/login", query = { p = "${secrets.password}" } }')
        + '[profiles.api.secrets]\npassword = { env = "API_PASSWORD" }\n'
    )
    words = ["curl", "POST", "/login", "password=user-password-1"]
    result = forge(*words, env={"API_PASSWORD": "user-password-1"})
    assert '{"password": "<redacted>"}' in result.stdout
    assert "the body: <redacted>" in result.stderr


def test_a_missing_secret_does_not_keep_a_command_from_being_written(
    forge: Forge, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        '[profiles.api]\nbase_url = "https://api.example.com"\nheaders = { X-Key = "${secrets.key}" }\n'
        'auth = { type = "bearer", token = "${secrets.key}" }\n'
        '[profiles.api.secrets]\nkey = { env = "API_KEY" }\n'
    )
    result = forge("curl", "GET", "/x")
    assert result.exit_code == 0
    assert '-H "X-Key: $API_KEY"' in result.stdout
    assert '-H "Authorization: Bearer $API_KEY"' in result.stdout


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ('base_url = "https://api.example.com/bot${secrets.key}"', []),
        ('base_url = "https://api.example.com"\nquery = { k = "${secrets.key}" }', []),
        ('base_url = "https://api.example.com/${secrets.key}"', ["X-Other:user-token-1", "k==user-token-1"]),
    ],
    ids=["in the path", "in the query", "typed in besides"],
)
def test_a_secret_of_the_profile_is_nowhere_in_the_command(
    forge: Forge, profile_file: Callable[[str], Path], profile: str, words: list[str]
) -> None:
    profile_file(f'[profiles.api]\n{profile}\n[profiles.api.secrets]\nkey = {{ env = "API_KEY" }}\n')
    result = forge("curl", "GET", "/x", *words, env={"API_KEY": "user-token-1"})
    assert result.exit_code == 0
    assert "user-token-1" not in result.stdout + result.stderr
    assert "user-token-1" in forge("curl", "GET", "/x", "--reveal", env={"API_KEY": "user-token-1"}).stdout


def test_what_fits_no_expression_is_redacted_and_named(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(
        '[profiles.api]\nbase_url = "https://api.example.com"\nauth = { type = "api-key", in = "query", '
        'name = "key", key = "${vars.a}-${secrets.key}" }\nvars = { a = "b" }\n'
        '[profiles.api.secrets]\nkey = { env = "API_KEY" }\n'
    )
    result = forge("curl", "GET", "/x", "--as", "env", env={"API_KEY": "user-token-1"})
    assert result.exit_code == 0
    assert "user-token-1" not in result.stdout


def test_what_stands_for_a_composed_secret_is_readable_in_a_query_too(
    forge: Forge, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        PIPELINE + '[[profiles.api.auth.inject]]\nin = "query"\nname = "k"\n'
        'value = "${steps.user.token};${steps.user.token}"\n'
    )
    result = forge("curl", "GET", "/x")
    assert "k=<redacted>" in result.stdout
    assert "k: <redacted> stands for a value" in result.stderr


def test_settings_of_the_transport_become_options(forge: Forge, api: Path) -> None:
    Path("ca.pem").write_text("")
    words = ["--timeout", "2.5", "-x", "http://proxy:3128", "--cert", "c.pem", "--cert-key", "k.pem", "--no-auth"]
    text = forge("curl", "GET", "/x", *words, "--verify", "ca.pem", "--max-redirects", "3").stdout
    for option in ("--max-time 2.5", "--proxy http://proxy:3128", "--cert c.pem", "--key k.pem", "--cacert ca.pem"):
        assert option in text
    assert "-L --max-redirs 3" in text
    assert "Authorization" not in text
    assert " -k " in forge("curl", "GET", "/x", "-k", "-s").stdout
    assert "--noproxy '*'" in forge("curl", "GET", "/x", "-x", "").stdout
    assert "-L" not in forge("curl", "GET", "/x", "--no-follow").stdout


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["GET", "/x", "--reveal", "--as", "env"], "contradict"),
        (["GET", "/x", "-u", "a:b", "--bearer", "t"], "cannot go together"),
        (["G ET", "/x"], "method"),
        (["GET", "/x", "-H", "A: b\nc"], "line break"),
        (["GET", "/x", "a:=b"], "not JSON"),
        (["GET", "/x", "--bearer", ""], "--bearer: the credential is empty"),
        (["GET", "/x", "-u", ":"], "--user: the credential is empty"),
        (["GET", "/x", "-x", "socks5://proxy"], "--proxy: socks5 proxies are not supported"),
        (["POST", "/x", "a=1", "Content-Length:5"], "Content-Length says 5, and the body has 10 bytes"),
        (["GET", "/x", "--timeout", "nan"], "not a number of seconds"),
        (["GET"], "missing argument"),
        (["GET", "/x", "--as", "csv"], "--as"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_usage_error_is_exit_2(forge: Forge, api: Path, words: list[str], say: str) -> None:
    result = forge("curl", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert say in result.stderr


def test_nothing_is_sent(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    profile_file(PIPELINE.replace("https://api.example.com/v1", server.url))
    assert forge("curl", "POST", "/x", "a=1").exit_code == 0
    assert server.connections == 0


def test_a_command_for_powershell_asks_forge_for_the_token(forge: Forge, api: Path) -> None:
    result = forge("curl", "POST", "/users", "name=it's", "--shell", "powershell")
    assert (result.exit_code, result.stderr) == (0, "")
    assert TOKEN in result.stdout and "curl.exe -X POST" in result.stdout
    assert '\'"{\\"name\\": \\"it\'\'s\\"}"\'' in result.stdout


def test_a_command_for_powershell_names_variables_as_it_does(forge: Forge, api: Path) -> None:
    result = forge("curl", "GET", "/users", "--shell", "powershell", "--as", "env")
    assert '-H "Authorization: Bearer $($env:FORGE_TOKEN)"' in result.stdout
    result = forge("curl", "GET", "https://h.example/", "--shell", "powershell", "--bearer", "@it's.txt")
    assert "Bearer $((Get-Content -Raw -LiteralPath 'it''s.txt').TrimEnd())" in result.stdout
