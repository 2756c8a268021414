"""Every option that decides what is shown, through the real executable on a terminal: what a person sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from forge_cli.cli.commands.send import get
from tests.blackbox.cases import BODY, FAULTY, file, header, requests
from tests.blackbox.program import Case, Ended, check, run_all, uses
from tests.server import Reply, Server

HEAD = "HTTP/1.1 200 OK"
LAID_OUT = '    "name": "Ada"'


def without(*texts: str, colour: bool | None = None) -> Callable[[Ended], bool]:
    """Whether none of this is on the screen, and whether something there has a colour."""

    def holds(ended: Ended) -> bool:
        shown = "\n".join(ended.screen)
        coloured = b"\x1b[3" in ended.out or b"\x1b[9" in ended.out
        return not any(text in shown for text in texts) and colour in (None, coloured)

    return holds


def case(command: str, words: str, *out: str, **more: Any) -> Case:
    return replace(Case(command, words, out=out, terminal=True), **more)


CASES = [
    case("get", "/x", HEAD, "Content-Type: application/json", LAID_OUT, holds=without(colour=True)),
    case("get", "/x", HEAD, LAID_OUT, env={"NO_COLOR": "1"}, holds=without(colour=False)),
    case("get", "/x -o f", holds=lambda ended: file("f", BODY)(ended) and without("Ada", "HTTP/1.1")(ended)),
    case("get", "/x --download", "saved 52 bytes as", holds=file("x", BODY)),
    case("get", "/x -o f --continue", files={"f.part": b"ab"}, holds=file("f", b"abcd"),
         answers=(Reply(206, b"cd", {"Content-Range": "bytes 2-3/4"}),)),
    case("get", "/x -v", "> GET /", "> X-Tenant: a", "< HTTP/1.1 200 OK", LAID_OUT),
    case("get", "/x -vv -p login", "> [user] POST", "* connected to 127.0.0.1", "first byte", "total"),
    case("get", "/x -vv --retry 1", "503, retry 1 of 1", "< HTTP/1.1 503", "< HTTP/1.1 200",
         answers=(FAULTY, Reply(200))),
    case("get", "/x -vv", "302, redirected to ", "< HTTP/1.1 302",
         answers=(Reply(302, headers={"Location": "x?2"}), Reply(200))),
    case("get", "/x -s --retry 1", "busy", "forge: 503", answers=(FAULTY,), exit=5, holds=without("retry 1")),
    case("get", "/x -ss", HEAD.replace("200 OK", "404"), answers=(Reply(404),), exit=4, holds=without("forge:")),
    case("post", "/x a=1 --print HBhb", "POST /", '  "a": "1"', HEAD, LAID_OUT),
    case("get", "/x --headers", HEAD, holds=without("Ada")),
    case("get", "/x -b", LAID_OUT, holds=without("HTTP/1.1")),
    case("get", "/x --meta", "connected to", "first byte", "transfer", "█", holds=without("Ada")),
    case("get", "/x --pretty none", '[{"id": 1, "name": "Ada"}', holds=without(colour=False)),
    case("get", "/x --pretty colors", '[{"id": 1, "name": "Ada"}', holds=without(colour=True)),
    case("get", "/x --pretty format", LAID_OUT, holds=without(colour=False)),
    case("get", "/x --format yaml", "- id: 1", "  name: Ada"),
    case("get", "/x --format table", "Ada", "Bob", holds=without("{")),
    case("get", "/x --format ndjson", '{"id":1,"name":"Ada"}', '{"id":2,"name":"Bob"}'),
    case("get", "/x --format exchange", '"elapsed_ms"', '  "attempts": 1', holds=without("HTTP/1.1")),
    case("get", "/x --select [0].name", "Ada", holds=lambda ended: ended.out == b"Ada\r\n"),
    case("get", "/x --select nothing", "null"),
    case("get", "/x --stream", HEAD, '"a": 1', answers=(Reply(200, b'{"a":1}\n{"a":2}\n'),)),
    case("get", "/x --expect status==201 --expect body:/0/id==1", "expected status==201, got 200", LAID_OUT, exit=12),
    case("get", "/x --har f", LAID_OUT, holds=lambda ended: (ended.home / "f").stat().st_mode & 0o077 == 0),
    case("get", "/x --no-check-status", "HTTP/1.1 404", answers=(Reply(404),), holds=without("forge:")),
    case("get", "/x --paginate --max-pages 1 --max-items 1", LAID_OUT, holds=without("Bob")),
    case("get", "/x --offline", "GET /", "Host: 127.0.0.1", holds=requests(0)),
    case("get", "/x --curl", "curl ", "--as env ($FORGE_TOKEN)", holds=requests(0)),
    case("get", "/x -u env:API_USER -v", "> Authorization: Basic ***", holds=without("password-1")),
    case("get", "/x --bearer env:API_TOKEN", holds=header("Authorization", "Bearer api-token-1")),
    case("get", "/x", "6 bytes of image/png not shown: save them with -o FILE", holds=without("PNG"),
         answers=(Reply(200, b"\x89PNG\0\xff", {"Content-Type": "image/png"}),)),
    case("get", "/x", "café", answers=(Reply(200, b"caf\xe9", {"Content-Type": "text/plain; charset=latin-1"}),)),
    case("get", "/x", "  <b/>", answers=(Reply(200, b"<a><b/></a>", {"Content-Type": "text/xml"}),)),
    case("get", "/x --no-follow", "not followed", answers=(Reply(302, headers={"Location": "y"}),), exit=3),
    case("get", "/x -u ada", "no password", env={"FORGE_NO_INPUT": "1"}, exit=7, holds=requests(0)),
    case("get", "/x -u ada", "no password", env={"CI": "true"}, exit=7, holds=requests(0)),
    case("get", "/x -u ada --no-input", "no password", exit=7, holds=requests(0)),
    case("token", "show -p login", before=("token refresh -p login -s",), holds=without("-token-1")),
    case("token", "explain -p login", "app", "user"),
    case("profile", "list", "login"),
    case("doctor", "", "ok"),
    case("run", "--list", "people"),
    case("get", "/x --as env", "goes with --curl", exit=2),
    case("get", "/x --curl --shell powershell", "curl.exe"),
    case("get", "/x --curl --as env --bearer env:API_TOKEN", "$API_TOKEN"),
    case("get", "/x --curl --reveal --bearer env:API_TOKEN", "api-token-1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Ended]]:
    with Server() as server:
        yield run_all(CASES, server, tmp_path_factory.mktemp("terminal"))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case)[:90] for case in CASES])
def test_it_is_seen(ends: list[Ended], number: int) -> None:
    check(CASES[number], ends[number])


SHOWING = ("Output", "Pages", "Instead of sending", "As a cURL command")


@pytest.mark.parametrize(
    "names", [each.opts for each in get.params if getattr(each, "section", "") in SHOWING], ids=lambda names: names[-1]
)
def test_every_option_of_output_has_a_case(names: list[str]) -> None:
    assert any(uses(each, names) for each in CASES if each.command in ("get", "post"))
