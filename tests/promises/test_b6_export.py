"""B6: an exported command holds no secret, survives every shell, and is refused where nothing could be quoted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge, Require
from tests.server import Server

SECRET = "exported-secret-5513"
NASTY = [
    "it's",
    "$(touch made)",
    "`touch made`",
    "hi!!there!",
    "two\nlines",
    "@file",
    "[a]{b,c}",
    "\\",
    '"; touch made; "',
    "$HOME ${HOME}",
    "-- -o made",
    "\U0001f511 é",
    "*?~",
    "#no comment",
    "\t",
]
LOGINS = {
    "bearer": '[profiles.api.auth]\ntype = "bearer"\ntoken = "${secrets.s}"\n',
    "basic": '[profiles.api.auth]\ntype = "basic"\nusername = "ada"\npassword = "${secrets.s}"\n',
    "key": '[profiles.api.auth]\ntype = "api-key"\nkey = "${secrets.s}"\nname = "X-K"\nin = "header"\n',
    "query": '[profiles.api.auth]\ntype = "api-key"\nkey = "${secrets.s}"\nname = "k"\nin = "query"\n',
    "cookie": '[profiles.api.auth]\ntype = "api-key"\nkey = "${secrets.s}"\nname = "k"\nin = "cookie"\n',
}


@pytest.fixture(params=list(LOGINS))
def api(request: pytest.FixtureRequest, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SECRET_OF_API", SECRET)
    profile_file(
        '[profiles.api]\nbase_url = "https://api.example.com"\nsecrets.s = { env = "SECRET_OF_API" }\n'
        + LOGINS[request.param]
    )
    return str(request.param)


@pytest.mark.parametrize("words", [("curl", "GET", "/x"), ("get", "/x", "--curl")], ids=" ".join)
@pytest.mark.parametrize("style", ["forge", "env"])
def test_it_holds_no_secret(forge: Forge, api: str, words: tuple[str, ...], style: str) -> None:
    result = forge(*words, "--as", style)
    assert result.exit_code == 0, result.stderr
    shown = result.stdout + result.stderr
    assert SECRET not in shown
    assert "YWRhOmV4cG9ydGVk" not in shown


def test_unless_it_is_asked_for(forge: Forge, api: str) -> None:
    shown = forge("curl", "GET", "/x", "--reveal").stdout
    assert (SECRET in shown) or ("YWRhOmV4cG9ydGVk" in shown) or (api == "basic" and f"ada:{SECRET}" in shown)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_quoting_survives(forge: Forge, require: Require, tmp_path: Path, shell: str) -> None:
    program = require(shell, f"apt-get install {shell}")
    words = [f"n{number}:={json.dumps(text)}" for number, text in enumerate(NASTY)]
    export = forge("curl", "POST", "https://api.example.com/x", *words)
    assert export.exit_code == 0, export.stderr
    # A function stands for curl: what matters here is which words reach it.
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{export.stdout}"
    got = subprocess.run([program, "-c", script], cwd=tmp_path, capture_output=True, check=True).stdout
    [body] = [word for word in got.decode().split("\0") if word.startswith("{")]
    assert list(json.loads(body).values()) == NASTY
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
@pytest.mark.parametrize("text", [text for text in NASTY if text.isascii() and "\n" not in text and text.strip()])
def test_quoting_of_headers_survives(forge: Forge, require: Require, tmp_path: Path, shell: str, text: str) -> None:
    program = require(shell, f"apt-get install {shell}")
    export = forge("curl", "GET", "https://api.example.com/x", "-H", f"X-Nasty: {text}")
    assert export.exit_code == 0, export.stderr
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{export.stdout}"
    got = subprocess.run([program, "-c", script], cwd=tmp_path, capture_output=True, check=True).stdout
    assert f"X-Nasty: {text.strip()}" in got.decode().split("\0")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\r\nX-Evil: 1"], ids=["CR", "LF", "NUL", "a header"])
@pytest.mark.parametrize("sending", [True, False], ids=["sent", "exported"])
@pytest.mark.parametrize("place", ["value", "name", "method", "host"])
def test_what_would_end_a_line_is_refused_and_nothing_is_sent(
    forge: Forge, server: Server, bad: str, sending: bool, place: str
) -> None:
    method = f"GET{bad}" if place == "method" else "GET"
    url = server.url.replace("127", f"1{bad}27") if place == "host" else server.url
    header = {"value": f"X-A: a{bad}b", "name": f"X{bad}A: a"}.get(place, "X-A: a")
    result = forge("request" if sending else "curl", method, f"{url}/x", "-H", header)
    assert (result.exit_code, server.seen) == (2, []), result.stderr
    assert (result.stdout, bad in result.stderr.rstrip("\n").replace("\n  ", "")) == ("", False)


GIVEN = "given-By-Reference-5513"
BODIES = [
    ("password=@pw",),
    ("password:=@json",),
    ("user[password]=@pw",),
    ("-f", "password=@pw"),
    ("--multipart", "client_secret=@pw"),
    ("--multipart", "client_secret;type=text/plain=@pw"),
    ("-d", f"password={GIVEN}&a=1"),
    ("-d", "@form", "-d", "a=1"),
    ("X-Foo:@pw",),
    ("foo==@pw",),
    ("X-Foo:@pw", "-d", f"a={GIVEN}"),
]


def given(tmp_path: Path, words: tuple[str, ...]) -> list[str]:
    """The words, with the files that they name."""
    (tmp_path / "pw").write_text(f"{GIVEN}\n")
    (tmp_path / "json").write_text(json.dumps(GIVEN))
    (tmp_path / "form").write_text(f"password={GIVEN}")
    return [word.replace("@", f"@{tmp_path}/") for word in words]


@pytest.mark.parametrize("words", BODIES, ids=" ".join)
def test_no_secret_of_an_item_or_a_body_is_in_it_and_that_is_said_once(
    forge: Forge, tmp_path: Path, words: tuple[str, ...]
) -> None:
    url = "https://api.example.com/login"
    export = forge("post", url, *given(tmp_path, words), "--curl")
    assert export.exit_code == 0, export.stderr
    assert GIVEN not in export.stdout + export.stderr
    assert "<redacted>" in export.stdout
    said = export.stderr.splitlines()
    assert len(said) == len(set(said)) and all("<redacted> stands for a value" in line for line in said)
    assert GIVEN in forge("post", url, *given(tmp_path, words), "--curl", "--reveal").stdout
    offline = forge("post", url, *given(tmp_path, words), "--offline").stdout
    assert GIVEN not in offline and "***" in offline


@pytest.mark.parametrize("body", ['json = { user = "a", password = "${env.PW}" }', 'text = "x ${env.API_TOKEN} y"'])
def test_nor_is_one_of_a_saved_request(forge: Forge, profile_file: Callable[[str], Path], body: str) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "https://api.example.com"\n'
        f'[profiles.api.requests.login]\nmethod = "POST"\nurl = "/login"\n{body}\n'
    )
    env = {"PW": GIVEN, "API_TOKEN": GIVEN}
    export = forge("run", "login", "--curl", env=env)
    assert (export.exit_code, "<redacted>" in export.stdout) == (0, True)
    assert "the body: <redacted>" in export.stderr
    assert GIVEN in forge("run", "login", "--curl", "--reveal", env=env).stdout


@pytest.mark.parametrize("words", [("@data.json",), ("-d", "@data.json"), ("a:=@data.json",), ("a=@data.json",)])
def test_a_file_that_is_data_stays_as_it_is(forge: Forge, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "data.json").write_text('{"name": "Ada", "id": "123e4567-e89b-42d3-a456-426614174000"}')
    named = [word.replace("@", f"@{tmp_path}/") for word in words]
    export = forge("post", "https://api.example.com/x", *named, "--curl")
    assert (export.exit_code, "<redacted>" in export.stdout, export.stderr) == (0, False, "")
    assert str(tmp_path / "data.json") in export.stdout or "123e4567-e89b-42d3-a456-426614174000" in export.stdout


def test_a_credential_that_a_login_puts_into_a_body_is_written_as_its_expression(
    forge: Forge, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        '[profiles.api]\nbase_url = "https://api.example.com"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/login" }\nextract = { token = "/t" }\n'
        '[[profiles.api.auth.inject]]\nin = "json"\nname = "token"\nvalue = "${steps.one.token}"\n'
    )
    export = forge("post", "/x", "a=1", "--curl")
    assert (export.exit_code, "--step one --raw)" in export.stdout, export.stderr) == (0, True, "")
