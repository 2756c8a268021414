"""The docs tell the truth: what they show runs, and what is written from the code is what the code says."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from docs import api, reference
from forge_cli.demo.api import USERS
from forge_cli.demo.stage import Stage, stage
from forge_cli.login.filters import FILTERS
from forge_cli.login.template import parse
from forge_cli.profiles.json_schema import schema
from forge_cli.profiles.load import load_document
from forge_cli.profiles.recipe import recipe
from forge_cli.profiles.validate import describe, problems
from forge_cli.testing import Answer, Reply, ScriptedServer, TokenEndpoint
from tests.conftest import Forge, Require

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/quickstart.md", "docs/scripting.md", "docs/profiles.md", "docs/logins.md")
LIBRARY = ("docs/library.md", "docs/extending.md")
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

# What builds, asks, or takes a while is tested elsewhere.
_NOT_HERE = re.compile(r"python3 -m venv|forge demo|forge profile init")


def blocks(kind: str, *pages: str) -> list[str]:
    """The code blocks of a kind, in order."""
    texts = ((ROOT / page).read_text(encoding="utf-8") for page in pages)
    return [match["text"] for text in texts for match in _BLOCK.finditer(text) if match["kind"] == kind]


def commands() -> list[str]:
    """The commands of the docs: each line for itself, unless they are one statement."""
    found = []
    for block in blocks("sh", *PAGES):
        found += [block] if block.startswith("if ") else block.splitlines()
    return [command for command in found if not _NOT_HERE.search(command)]


@pytest.fixture(scope="module")
def prod() -> Iterator[Stage]:
    """The demo's API as profile `prod`, and the files that the docs speak of."""
    with stage("forge", {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}) as running:
        profile = running.config_dir / "profiles.toml"
        profile.write_text(profile.read_text(encoding="utf-8").replace("profiles.demo", "profiles.prod"))
        (running.folder / "password.txt").write_text("secret-1")
        (running.folder / "report.json").write_text("{}")
        (running.folder / "requests.jsonl").write_text("/users\n/users\n")
        for name, script in {"deploy.sh": 'test -n "$FORGE_TOKEN"', "jq": "cat"}.items():
            (running.folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (running.folder / name).chmod(0o700)
        yield running


def run(prod: Stage, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**prod.environ, "PATH": f"{prod.environ['PATH']}{os.pathsep}{prod.folder}"}
    return subprocess.run(command, cwd=prod.folder, env=environ, capture_output=True, text=True)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_docs_runs(prod: Stage, command: str) -> None:
    result = run(prod, "sh", "-c", command.replace("https://api.example.com", prod.url))
    # The demo's API has few paths: what it refuses has been sent as it should be.
    assert result.returncode in (0, 4), result.stderr
    assert result.returncode == 0 or "forge: 40" in result.stderr


def test_the_docs_have_commands() -> None:
    assert len(commands()) > 20


def completed(text: str) -> str:
    """A profile of the docs with what its page takes for granted: a base URL, and the names that it refers to."""
    data = tomllib.loads(text)
    for profile in data.get("profiles", {}).values():
        if "extends" in profile or profile.get("abstract"):
            continue
        profile.setdefault("base_url", "https://api.example.com")
        if isinstance(auth := profile.get("auth", {}), dict) and "steps" in auth:
            auth.setdefault("type", "pipeline")
        said = tomli_w.dumps(auth) if isinstance(auth, dict) else ""
        if missing := dict.fromkeys(set(re.findall(r"vars\.([\w-]+)", said)) - set(profile.get("vars", {})), "a"):
            profile["vars"] = {**profile.get("vars", {}), **missing}
        names = set(re.findall(r"secrets\.([\w-]+)", said)) - set(profile.get("secrets", {}))
        if names and not any("extends" in other for other in data["profiles"].values()):
            profile["secrets"] = {**profile.get("secrets", {}), **{name: {"env": "A"} for name in names}}
    return tomli_w.dumps(data)


@pytest.mark.parametrize("text", blocks("toml", *PAGES), ids=lambda text: text.splitlines()[0])
def test_a_profile_of_the_docs_has_no_problems(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(completed(text), encoding="utf-8")
    document = load_document(path)
    assert [describe(document, problem) for problem in problems(document)] == []
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(document.data)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_the_login_of_the_logins_page_works_as_curl_and_as_a_profile(
    server: ScriptedServer, forge: Forge, profile_file: Callable[[str], Path], require: Require
) -> None:
    require("curl", "apt-get install curl")
    curl, shell, _ = blocks("bash", "docs/logins.md")
    text, _ = blocks("toml", "docs/logins.md")
    server.reply(
        "/v1/devices", lambda seen: Reply(200 if seen.json() == {"id": "desk-1"} else 400, {"token": "device-1"})
    )
    good = {"user": "ada", "password": "secret-1"}
    entered = Reply(200, {"access": "user-1", "expires_in": 900})
    server.reply(
        "/v1/login",
        lambda seen: entered if dict(seen.form) == good and seen.headers["X-Device"] == "device-1" else Reply(401),
        method="POST",
    )
    sent = {"X-Device": "device-1", "Authorization": "Bearer user-1"}
    server.reply(
        "/v1/orders",
        lambda seen: Reply(
            200 if all(seen.headers[name] == value for name, value in sent.items()) else 401, ["order-1"]
        ),
    )
    shown = [
        subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
        for line in curl.replace("https://api.example.com", server.url).splitlines()
    ]
    assert [json.loads(line) for line in shown] == [
        {"token": "device-1"},
        {"access": "user-1", "expires_in": 900},
        ["order-1"],
    ]
    profile_file(text.replace("https://api.example.com", server.url))
    export, *lines = shell.splitlines()
    name, _, value = export.removeprefix("export ").partition("=")
    before = len(server.seen)
    results = [forge(*line.split()[1:], env={name: value}) for line in lines]
    assert [result.exit_code for result in results] == [0, 0, 0, 0], [result.stderr for result in results]
    assert json.loads(results[-1].stdout) == ["order-1"]
    # Two to log in and one for each `get`.
    assert len(server.seen) - before == 4


def test_every_filter_has_an_example_and_every_example_with_a_key_pair_has_a_result() -> None:
    assert set(reference._EXAMPLES) == set(FILTERS)
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    values: dict[tuple[str, ...], str] = {("vars", "user"): "Ada", ("secrets", "key"): pem}
    for name in ("sign_rs256", "pem_fingerprint"):
        assert parse(reference._EXAMPLES[name]).text(values.__getitem__)


def test_every_recipe_belongs_to_a_flow_and_every_flow_has_a_test() -> None:
    page = (ROOT / "docs" / "logins.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ") for line in page.partition("## By flow")[2].partition("\n## ")[0].splitlines()
    ]
    flows = [row for row in rows if len(row) == 4][1:]
    named = {name.strip("`") for _, recipes, _, _ in flows for name in recipes.split(", ")}
    tests = {name.strip("`") for _, _, files, _ in flows for name in files.split(", ")}
    assert named == {path.stem for path in reference.recipes()}
    assert [name for name in tests if not (ROOT / "tests" / "recipes" / name).is_file()] == []


def test_what_a_recipe_shows_is_not_its_title_again() -> None:
    rows = [line.strip("| ").split(" | ") for line in reference.regions()["recipes"].splitlines()[2:]]
    heads = [recipe(path.stem, path, built_in=True).head for path in reference.recipes()]
    assert [row[3] for row, head in zip(rows, heads, strict=True) if row[3] in (head.title, head.summary)] == []


def test_every_recipe_has_a_test_that_the_page_names() -> None:
    rows = [line.split(" | ") for line in reference.regions()["recipes"].splitlines()[2:]]
    assert len(rows) == len(reference.recipes()) > 30
    assert [row[0] for row in rows if not (ROOT / "tests" / "recipes" / row[-1].strip("`| ")).is_file()] == []


@pytest.mark.parametrize("text", blocks("python", *PAGES), ids=lambda text: text.splitlines()[0])
def test_a_program_of_the_docs_runs(prod: Stage, text: str) -> None:
    result = run(prod, sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{text}")
    assert result.stdout.splitlines() == ["Ada", "Grace", "Edsger"], result.stderr


@dataclass(frozen=True)
class Program:
    """A program of the docs, and what is said to be its output."""

    page: str
    text: str
    shown: str


def programs() -> list[Program]:
    """The programs of the library's pages, in order."""
    found = []
    for page in LIBRARY:
        text = (ROOT / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", text, re.MULTILINE | re.DOTALL):
            found.append(Program(page, match[1], match[2] or ""))
    return found


@pytest.fixture
def example(server: ScriptedServer) -> str:
    """The API that the programs speak of, at its address."""
    endpoint = TokenEndpoint({"reporting": "client-secret-1"}, server=server, path="/oauth/token")
    odd = iter(itertools.cycle([True, False]))
    routes: dict[tuple[str, str], Answer] = {
        ("GET", "/users"): Reply(200, USERS),
        ("POST", "/users"): Reply(201, headers={"Location": "/users/4"}),
        ("PUT", "/users/4/photo"): Reply(204),
        ("GET", "/nobody"): Reply(404),
        ("GET", "/slow"): Reply(200, hold=threading.Event()),
        ("GET", "/down"): Reply(503),
        ("GET", "/flaky"): lambda seen: Reply(503 if next(odd) else 200),
        ("POST", "/flaky"): lambda seen: Reply(503 if next(odd) else 200),
        ("GET", "/reports"): endpoint.guard(Reply(200, ["2026-01", "2026-02"])),
        ("POST", "/device"): Reply(200, {"device_token": "device-token-1"}),
        ("POST", "/login"): lambda seen: Reply(200, {"user_token": f"for-{dict(seen.form)['device_token']}"}),
        ("GET", "/me"): lambda seen: Reply(
            200 if seen.headers["Authorization"] == "Bearer for-device-token-1" else 401, {"name": "Ada"}
        ),
        ("GET", "/export"): lambda seen: Reply(200, iter([b"x" * 10_000] * 100)),
    }
    for (method, path), answer in routes.items():
        server.reply(path, answer, method=method, optional=True)
    return server.url


@pytest.mark.parametrize("program", programs(), ids=lambda program: f"{program.page} {program.text.count(chr(10))}")
def test_a_program_of_the_library_pages_runs_and_prints_what_is_shown(
    prod: Stage, example: str, tmp_path: Path, program: Program
) -> None:
    path = tmp_path / "test_program.py"
    path.write_text(program.text.replace("https://api.example.com", example), encoding="utf-8")
    # The contract of a storage is run against the storage that is shown before it.
    [storage] = (shown.text for shown in programs() if "class SqliteTokenStorage(" in shown.text)
    (tmp_path / "sqlite_tokens.py").write_text(storage.partition("\nstorage = ")[0], encoding="utf-8")
    tests = re.search(r"^(def test_|class Test)", program.text, re.MULTILINE) is not None
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_program.py"] if tests else ["test_program.py"]
    search_path = os.pathsep.join([str(ROOT), str(tmp_path)])
    environ = {**prod.environ, "CLIENT_SECRET": "client-secret-1", "PYTHONPATH": search_path}
    result = subprocess.run(
        [sys.executable, "-W", "error", *command], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert tests or result.stdout.replace(example, "https://api.example.com") == program.shown


@pytest.mark.parametrize("program", programs(), ids=lambda program: f"{program.page} {program.text.count(chr(10))}")
def test_a_program_of_the_library_pages_has_no_long_line(program: Program) -> None:
    assert max(map(len, program.text.splitlines())) <= 120


def test_every_test_that_the_thread_safety_page_names_is_there() -> None:
    text = (ROOT / "docs" / "thread-safety.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py|forge_cli/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 10
    missing = [(path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert missing == []


def test_profile_init_says_what_the_quickstart_shows(forge: Forge) -> None:
    [shown] = blocks("console", "docs/quickstart.md")
    # A line is a question and what was typed, or all said.
    answers = re.findall(r"^(?:Name|Base URL|Login)\b.*: (\S+)$", shown, re.MULTILINE)
    result = forge("profile", "init", input="".join(f"{answer}\n" for answer in answers), tty=True)
    assert result.exit_code == 0, result.stderr
    said = re.sub(r"/\S*/profiles", "/home/ada/.config/forge/profiles", result.stdout + result.stderr)
    lines = [line for line in shown.splitlines() if line and not line.startswith("$ ")]
    questions = [re.sub(rf"(?<=: )({'|'.join(map(re.escape, answers))})$", "", line) for line in lines]
    assert [line for line in questions if line not in said] == []


def test_the_profile_of_the_quickstart_is_the_one_that_init_writes(forge: Forge, own_home: Path) -> None:
    result = forge("profile", "init", "prod", "--base-url", "https://api.example.com/v1", "--auth", "bearer")
    assert result.exit_code == 0, result.stderr
    written = (own_home / ".config" / "forge" / "profiles.toml").read_text(encoding="utf-8")
    assert tomllib.loads(blocks("toml", "docs/quickstart.md")[0]) == tomllib.loads(written)


@pytest.mark.parametrize("page", reference.pages(), ids=lambda path: path.name)
def test_what_is_written_from_the_code_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == reference.pages()[page], "run `python docs/reference.py`"


def test_the_api_reference_is_up_to_date() -> None:
    assert api.PAGE.read_text(encoding="utf-8") == api.page(), "run `python docs/api.py`"


def test_every_table_of_the_format_is_on_the_page() -> None:
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert [name for name in reference.tables() if f"<!-- {name}:" not in text] == []
