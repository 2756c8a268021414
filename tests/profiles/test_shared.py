from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.profiles.build import load_profile
from forge_cli.profiles.document import load_document
from forge_cli.profiles.validate import describe, problems
from tests.logins import numbered
from tests.server import Reply, Seen, Server

CORP = """
[auth.corp]
type = "pipeline"
base_url = "{url}"
vars = {{ tenant = "acme" }}
secrets = {{ key = {{ env = "CORP_KEY" }} }}
[auth.corp.steps.token]
request = {{ method = "POST", url = "/token", form = {{ tenant = "${{vars.tenant}}", key = "${{secrets.key}}" }} }}
extract = {{ token = "/token" }}
expires = {{ ttl = "1h" }}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "profiles.toml"
    path.write_text(text)
    return path


def found(tmp_path: Path, text: str) -> list[str]:
    document = load_document(written(tmp_path, text))
    return [describe(document, each).removeprefix(str(document.path)) for each in problems(document)]


def test_profiles_share_one_login_and_one_token(tmp_path: Path, server: Server, own_home: Path) -> None:
    server.reply("/token", Reply(200, {"token": "corp-token-1"}))
    for target in ("/a", "/b"):
        server.reply(target, Reply())
    profiles = "".join(f'[profiles.{name}]\nbase_url = "{server.url}"\nauth = "corp"\n' for name in ("one", "two"))
    path = written(tmp_path, profiles + CORP.format(url=server.url))
    environ = {"HOME": str(own_home), "CORP_KEY": "corp-key-1"}
    for name, target in (("one", "/a"), ("two", "/b")):
        with load_profile(name, config=path, environ=environ).client() as client:
            client.get(target)
    assert len(server.seen_at("/token")) == 1
    assert dict(server.seen_at("/token")[0].form) == {"tenant": "acme", "key": "corp-key-1"}
    assert [server.seen_at(path)[0].headers["Authorization"] for path in ("/a", "/b")] == ["Bearer corp-token-1"] * 2
    assert [file.name for file in own_home.rglob("tokens/auth/*.toml")] == ["corp.toml"]


@pytest.mark.parametrize(("strategy", "key"), [("first_match", None), ("all", "key-1")])
def test_a_composite_uses_the_first_part_or_all(
    tmp_path: Path, server: Server, own_home: Path, strategy: str, key: str | None
) -> None:
    server.reply("/a", Reply())
    server.reply("/plain", Reply())
    text = f"""
[profiles.one]
base_url = "{server.url}"
auth = {{ type = "composite", strategy = "{strategy}", parts = ["bearer", "key"] }}
[auth.bearer]
type = "bearer"
token = "bearer-1"
exclude = ["/plain"]
[auth.key]
type = "api-key"
name = "X-Key"
key = "key-1"
"""
    with load_profile("one", config=written(tmp_path, text), environ={"HOME": str(own_home)}).client() as client:
        client.get("/a")
        client.get("/plain")

    def sent(seen: Seen) -> tuple[str | None, str | None]:
        return seen.headers["Authorization"], seen.headers["X-Key"]

    assert sent(server.seen[0]) == ("Bearer bearer-1", key)
    assert sent(server.seen[1]) == (None, "key-1")


TWO = """
[profiles.one]
base_url = "{url}"
auth = {{ type = "composite", strategy = "all", parts = ["first", "second"] }}
[auth.first]
type = "pipeline"
base_url = "{url}"
inject = [{{ in = "header", name = "X-First", value = "${{steps.login.token}}" }}]
[auth.first.steps.login]
request = {{ method = "POST", url = "/first" }}
extract = {{ token = "/token" }}
expires = {{ ttl = "1h" }}
{sign}
[auth.second]
type = "pipeline"
base_url = "{url}"
inject = [{{ in = "header", name = "X-Second", value = "${{steps.login.token}}" }}]
[auth.second.steps.login]
request = {{ method = "POST", url = "/second" }}
extract = {{ token = "/token" }}
expires = {{ ttl = "1h" }}
"""
SIGN = """
[auth.first.sign]
type = "template"
inject = [{ in = "header", name = "X-Signed", value = "for ${steps.login.token}" }]
"""


@pytest.mark.parametrize("sign", ["", SIGN], ids=["injected", "signed"])
@pytest.mark.parametrize("revoked", ["first-token-1", "second-token-1"])
def test_of_several_logins_each_signs_and_renews_its_own(
    tmp_path: Path, server: Server, own_home: Path, sign: str, revoked: str
) -> None:
    refused: set[str] = set()

    def answer(seen: Seen) -> Reply:
        sent = {seen.headers["X-First"], seen.headers["X-Second"]}
        signed = not sign or seen.headers["X-Signed"] == f"for {seen.headers['X-First']}"
        return Reply(200 if signed and None not in sent and not sent & refused else 401)

    server.reply("/a", answer)
    for name in ("first", "second"):
        server.reply(f"/{name}", numbered(name))
    path = written(tmp_path, TWO.format(url=server.url, sign=sign))
    with load_profile("one", config=path, environ={"HOME": str(own_home)}).client() as client:
        assert client.get("/a").status_code == 200
        refused.add(revoked)
        assert client.get("/a").status_code == 200
    assert len(server.seen_at("/a")) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[profiles.a]\nauth = "crop"\n[auth.corp]\ntype = "none"\n', ":2: profiles.a.auth: there is no shared login"),
        (
            '[profiles.a]\nauth = { type = "composite", parts = ["corp", "cop"] }\n[auth.corp]\ntype = "none"\n',
            ":2: profiles.a.auth.parts[1]: unknown shared login 'cop' (nearest: corp)",
        ),
        ('[auth.corp]\ntype = "bearer"\ntoken = "${vars.x}"\n', ":3: auth.corp.token: unknown var 'x'"),
        ('[auth.corp]\ntype = "bearer"\ntoken = "x"\nverfy = true\n', ":4: auth.corp.verfy: unknown key"),
        ('[auth."a b"]\ntype = "none"\n', ':1: auth."a b": a name is'),
    ],
    ids=["unknown name", "unknown part", "unknown var", "unknown key", "bad name"],
)
def test_what_is_wrong_with_a_shared_login_is_said_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in found(tmp_path, text)), found(tmp_path, text)


def test_the_name_of_a_shared_login_is_not_repeated_for_it_may_be_a_secret(tmp_path: Path) -> None:
    assert not any(
        "not-a-real-password" in line for line in found(tmp_path, '[profiles.a]\nauth = "not-a-real-password"\n')
    )
