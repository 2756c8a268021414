"""All problems of a file, in order, each with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from forge_cli.profiles.document import Document, load_document
from forge_cli.profiles.validate import describe, problems, spelled

OAUTH2 = 'type = "oauth2", grant = "client-credentials", token_url = "/t", client_id = "c"'


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    return load_document(path)


def lines(tmp_path: Path, text: str) -> list[str]:
    found = document(tmp_path, text)
    return [describe(found, problem).removeprefix(f"{tmp_path}/") for problem in problems(found)]


def test_all_problems_are_listed_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """\
version = 2
default_profile = "dve"
profile = 1

[profiles.dev]
base_url = "ftp://a.example"
extends = "comon"

[profiles.prod.auth.steps.app]
reqest = { url = "/" }
extract = { token = "/t" }

[profiles.prod.auth]
type = "pipeline"

[[profiles.prod.auth.inject]]
in = "header"
name = "A"
value = [
  "x",
]

[profiles.common]
"""
    assert lines(tmp_path, text) == [
        "profiles.toml:1: version: must be 1",
        "profiles.toml:2: default_profile: unknown profile 'dve' (nearest: dev)",
        "profiles.toml:3: profile: unknown key (nearest: profiles)",
        "profiles.toml:7: profiles.dev.extends: unknown profile 'comon' (nearest: common)",
        "profiles.toml:9: profiles.prod.auth.steps.app: missing key: request",
        "profiles.toml:10: profiles.prod.auth.steps.app.reqest: unknown key (nearest: request)",
        "profiles.toml:19: profiles.prod.auth.inject[0].value: must be text or a table, not an array",
    ]


def test_a_problem_of_a_parent_is_said_once_and_at_the_parent(tmp_path: Path) -> None:
    text = """\
[profiles.base]
abstract = true
redirects = "x"
[profiles.a]
extends = "base"
[profiles.b]
extends = "a"
"""
    assert lines(tmp_path, text) == ["profiles.toml:3: profiles.base.redirects: must be a whole number, not text"]


def test_an_abstract_profile_may_lack_what_its_children_add(tmp_path: Path) -> None:
    text = """\
[profiles.base]
abstract = true
base_url = "https://${vars.shop}.example"
auth = { type = "oauth2", grant = "client-credentials", token_url = "/t", client_secret = "${secrets.s}" }
[profiles.good]
extends = "base"
auth = { client_id = "c" }
vars = { shop = "a" }
secrets = { s = { env = "S" } }
[profiles.bad]
extends = "base"
"""
    assert lines(tmp_path, text) == [
        "profiles.toml:3: profiles.base.base_url: unknown var 'shop' (there is none)",
        "profiles.toml:4: profiles.base.auth: missing key: client_id",
        "profiles.toml:4: profiles.base.auth.client_secret: unknown secret 's' (there is none)",
    ]


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        pytest.param('base_url = "ftp://a"', "base_url: must begin with https:// or http:// and a host", id="ftp"),
        pytest.param('base_url = "a.example"', "base_url: must begin with", id="no scheme"),
        pytest.param('base_url = "https:///x"', "base_url: must begin with", id="no host"),
        pytest.param('base_url = "httpx://${env.X}"', "base_url: must begin with", id="a template with another scheme"),
        pytest.param('origins = ["https://a", "b"]', "origins[1]: must begin with", id="an origin"),
        pytest.param(
            f'auth = {{ {OAUTH2} }}\nbase_url="https://a"',
            "auth: missing key: client_secret",
            id="no client secret",
        ),
        pytest.param(
            f'auth = {{ {OAUTH2}, client_auth = "none" }}',
            "auth.token_url: relative, and the profile has no base_url",
            id="a relative token_url",
        ),
        pytest.param(
            'auth = { type = "pipeline", steps = { s = { request = { url = "t" }, extract = { token = "/t" } } } }',
            "auth.steps.s.request.url: relative, and",
            id="a relative step",
        ),
    ],
)
def test_an_address_must_lead_somewhere(tmp_path: Path, profile: str, message: str) -> None:
    (line,) = lines(tmp_path, f"[profiles.dev]\n{profile}\n")
    assert f"profiles.dev.{message}" in line


def test_files_that_are_not_there_are_problems_once_each_at_their_line(tmp_path: Path) -> None:
    (tmp_path / "there.pem").touch()
    text = """\
[profiles.base]
abstract = true
verify = "missing-ca.pem"
[profiles.dev]
extends = "base"
client_cert = { cert = "there.pem", key = "~/missing.key" }
[profiles.prod]
extends = "base"
verify = true
"""
    assert lines(tmp_path, text) == [
        "profiles.toml:3: profiles.base.verify: no such file (a path is relative to the profile file)",
        "profiles.toml:6: profiles.dev.client_cert.key: no such file (a path is relative to the profile file)",
    ]


def test_a_header_name_that_is_none_is_a_problem_at_its_line(tmp_path: Path) -> None:
    assert lines(tmp_path, '[profiles.dev.headers]\nAccept = "x"\n"X Shop" = "y"\n') == [
        'profiles.toml:3: profiles.dev.headers."X Shop": is not a header name (letters, digits and `-`)'
    ]


@pytest.mark.parametrize("url", ["HTTPS://a.example/x", "http://[::1]:80", "${env.BASE}", "https://${vars.x}.example"])
def test_a_base_url_is_http_or_a_template(tmp_path: Path, url: str) -> None:
    assert lines(tmp_path, f'[profiles.dev]\nbase_url = "{url}"\nvars.x = "1"\n') == []


@pytest.mark.parametrize("name", ["dev", "Dev.2", "a_b-c", "x" * 64, "console", "com10"])
def test_a_profile_name_is_fine(tmp_path: Path, name: str) -> None:
    assert lines(tmp_path, f'[profiles."{name}"]\n') == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a b", "a/b", "é", "x" * 65, "con", "NUL", "com1", "lpt9.toml", "a\\n"]
)
def test_a_profile_name_is_refused(tmp_path: Path, name: str) -> None:
    (line,) = lines(tmp_path, f'[profiles."{name}"]\n')
    assert "a profile name" in line
    assert "\n" not in line


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    assert lines(tmp_path, "[profiles.dev]\n[profiles.Dev]\n[profiles.other]\n") == [
        "profiles.toml:1: profiles.dev: differs from 'Dev' only in case",
        "profiles.toml:2: profiles.Dev: differs from 'dev' only in case",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("profiles = 1", "profiles: must be a table, not a whole number", id="profiles"),
        pytest.param("[profiles]\ndev = 1", "profiles.dev: must be a table, not a whole number", id="a profile"),
        pytest.param("version = '1'", "version: must be 1, not text", id="the version"),
        pytest.param(
            "default_profile = 'a'\n[profiles.a]\nabstract = true",
            "'a' is abstract: it may only be extended",
            id="default",
        ),
        pytest.param("[profiles.a]\nextends = 1", "profiles.a.extends: must be text", id="extends"),
        pytest.param(
            "[profiles.a]\nextends = 'a'",
            "extends: profiles extend each other in a circle: a -> a",
            id="its own parent",
        ),
    ],
)
def test_the_frame_of_the_file_is_checked(tmp_path: Path, text: str, message: str) -> None:
    (line,) = lines(tmp_path, text)
    assert message in line


def test_a_sound_file_has_no_problems(tmp_path: Path) -> None:
    assert lines(tmp_path, "") == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("profiles", "dev", "auth", "inject", 0, "value"), "profiles.dev.auth.inject[0].value"),
        (("a b", "", "x.y", "n\n"), '"a b".""."x.y"."n\\n"'),
    ],
)
def test_a_path_is_spelled_as_people_write_it(path: tuple[str | int, ...], text: str) -> None:
    assert spelled(path) == text


def test_five_hundred_profiles_are_a_matter_of_moments(tmp_path: Path) -> None:
    one = """\
[profiles.p{n}]
base_url = "https://a.example"
vars = {{ shop = "s{n}" }}
headers = {{ X-Shop = "${{vars.shop}}" }}
secrets = {{ s = {{ env = "S" }} }}
[profiles.p{n}.auth]
type = "pipeline"
[profiles.p{n}.auth.steps.app]
request = {{ method = "POST", url = "/app", json = {{ s = "${{secrets.s}}" }} }}
extract = {{ token = "/t" }}
expires = {{ in = "/e" }}
[profiles.p{n}.auth.steps.user]
request = {{ method = "POST", url = "/user", form = {{ app = "${{steps.app.token}}" }} }}
extract = {{ token = "/t" }}
"""
    found = document(tmp_path, "".join(one.format(n=n) for n in range(500)))
    started = time.process_time()
    assert problems(found) == []
    # Ten times what it takes here: this is about growing with the square, not about this machine.
    assert time.process_time() - started < 2
