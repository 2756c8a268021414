"""What goes into a pipe is what the server sent, byte for byte, through the real executable, whatever it was."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.blackbox.program import ROOT, Case, Ended, run_all
from tests.conftest import Require
from tests.server import Reply, Server

JSON = {"Content-Type": "application/json"}
DOCUMENT = '{"é": 1.50, "é": [], "big": 123456789012345678901234567890}'.encode()


def _chunks(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


BODIES: dict[str, tuple[bytes, Callable[[bytes], object], dict[str, str]]] = {
    "nothing": (b"", bytes, {}),
    "json": (DOCUMENT, bytes, JSON),
    "bad json": (b'{"a": ', bytes, JSON),
    "json lines": (b'{"a":1}\r\n{"a":2}\n\n', bytes, {"Content-Type": "application/x-ndjson"}),
    "events": (b"data: 1\r\n\r\ndata: 2\n\n", bytes, {"Content-Type": "text/event-stream"}),
    "xml": (b"<a>\n<b/></a>", bytes, {"Content-Type": "text/xml"}),
    "every byte": (bytes(range(256)) * 300, bytes, {"Content-Type": "image/png"}),
    "utf-16": ("\ufeffé€".encode("utf-16-le"), bytes, {"Content-Type": "text/plain; charset=utf-16"}),
    "latin-1": (b"caf\xe9", bytes, {"Content-Type": "text/plain; charset=latin-1"}),
    "no such charset": (b"caf\xe9", bytes, {"Content-Type": "text/plain; charset=nonsense"}),
    "not what it says": (b"\xff\xfe\0", bytes, {"Content-Type": "text/plain; charset=utf-8"}),
    "control characters": (b"\x1b[2J\x07\r\n\r\0", bytes, {"Content-Type": "text/plain"}),
    "no line end": (b"text", bytes, {}),
    "a mark and nothing": (b"\xef\xbb\xbf", bytes, JSON),
    "gzip": (DOCUMENT * 1000, gzip.compress, JSON | {"Content-Encoding": "gzip"}),
    "deflate": (DOCUMENT * 1000, zlib.compress, JSON | {"Content-Encoding": "deflate"}),
    "gzip of nothing": (b"", gzip.compress, {"Content-Encoding": "gzip"}),
    "a gzip file": (gzip.compress(b"x", mtime=0), bytes, {"Content-Type": "application/gzip"}),
    "chunked": (DOCUMENT * 100, lambda body: _chunks(body, 7), JSON),
    "large": (os.urandom(1 << 21), bytes, {"Content-Type": "application/octet-stream"}),
}


def _answer(body: bytes, coded: Callable[[bytes], object], headers: dict[str, str]) -> Callable[[Any], Reply]:
    return lambda request: Reply(200, coded(body), headers)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """Each body, asked for with `-v`; the environment has no locale, and standard input stays silent."""
    cases = [Case("get", "/x -v", answers=(_answer(*each),)) for each in BODIES.values()]
    with Server() as server:
        yield dict(zip(BODIES, run_all(cases, server, tmp_path_factory.mktemp("bodies")), strict=True))


@pytest.mark.parametrize("name", BODIES)
def test_it_is_what_the_server_sent(ends: dict[str, Ended], name: str) -> None:
    ended = ends[name]
    assert (ended.exit, ended.out) == (0, BODIES[name][0])
    assert "< HTTP/1.1 200 OK" in ended.err
    assert [(seen.method, seen.body) for seen in ended.seen] == [("GET", b"")]


ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("words", ["-v", "-vv", "-vv --retry 2", "-s -v", "-v --format json", "-v --select people"])
def test_jq_reads_it_with_v(server: Server, require: Require, words: str) -> None:
    jq = require("jq", "apt-get install jq")
    url = server.reply("/x", Reply(503, b"busy", {"Retry-After": "0"}), Reply(200, {"people": [{"n": 1}]}))
    script = f'set -o pipefail; "$0" -m forge_cli get {url} {words} | {jq} -c .'
    result = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, timeout=60, env=ENVIRON)
    found = json.loads(result.stdout)
    assert (result.returncode, found) == (0, [{"n": 1}] if "select" in words else {"people": [{"n": 1}]})


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
@pytest.mark.parametrize("stdin", ["<&-", "</dev/null", "< <(yes a=1)"], ids=["closed", "null", "yes"])
def test_standard_input_is_left_alone_and_the_method_stays(server: Server, verb: str, stdin: str) -> None:
    """As in cron, or in `ssh -n`: nearly nothing in the environment."""
    url = server.reply("/x", Reply(200, b"body"))
    env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    script = f'exec "$0" -m forge_cli {verb} {url} {stdin}'
    result = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, timeout=60, env=env)
    assert (result.returncode, result.stdout) == (0, b"" if verb == "head" else b"body")
    assert [(seen.method, seen.body) for seen in server.seen] == [(verb.upper(), b"")]
