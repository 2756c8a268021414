"""C4: decompression bombs and endless bodies, by what a child's memory came to and how long it took."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.children import ROOT
from tests.conftest import Require
from tests.faults import BOMB, MIB, bomb_of_deflate, bomb_of_gzip, coded
from tests.server import Reply, Server

ROOM = 48 * MIB
"""Bytes that any body may cost beyond a small one; the buffers of five nested decoders fit."""


class Ended(NamedTuple):
    exit_code: int
    size: int
    stderr: str
    peak: int


def forge(*words: str) -> Ended:
    """The command, its output counted and thrown away, and the most memory that it had, in bytes."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "forge_cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None and child.stderr is not None
        errors: list[bytes] = []
        reader = threading.Thread(target=lambda: errors.append(child.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        size = 0
        while piece := child.stdout.read(MIB):
            size += len(piece)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        reader.join()
    scale = 1 if sys.platform == "darwin" else 1024
    return Ended(child.returncode, size, b"".join(errors).decode(), usage.ru_maxrss * scale)


def bomb_of_brotli() -> bytes:
    brotli = Require().package("brotli")
    packer = brotli.Compressor(quality=5)
    data = b"".join(packer.process(bytes(MIB)) for _ in range(BOMB // MIB))
    return bytes(data + packer.finish())


def bomb_of_zstd() -> bytes:
    packer = Require().package("compression.zstd", "backports.zstd").ZstdCompressor()
    data = b"".join(packer.compress(bytes(MIB)) for _ in range(BOMB // MIB))
    return bytes(data + packer.flush())


def bomb_in_a_bomb() -> bytes:
    """Of the same size in the end, and smaller still at first."""
    return gzip.compress(bomb_of_gzip(), 9)


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": bomb_of_gzip,
    "deflate": bomb_of_deflate,
    "br": bomb_of_brotli,
    "zstd": bomb_of_zstd,
    "gzip, gzip": bomb_in_a_bomb,
}


@pytest.fixture(scope="module")
def small() -> int:
    """What the command costs with a body of nothing."""
    with Server() as server:
        return forge("get", server.reply("/x", Reply(200, b"{}"))).peak


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_goes_to_a_pipe_in_flat_memory(server: Server, small: int, coding: str) -> None:
    data = BOMBS[coding]()
    assert len(data) < BOMB / 500
    ended = forge("get", server.reply("/x", Reply(raw=coded(data, coding))), "--retry", "0")
    assert (ended.exit_code, ended.size, ended.stderr) == (0, BOMB, "")
    assert ended.peak < small + ROOM, ended.peak / MIB


def test_a_bomb_goes_to_a_file_in_flat_memory(server: Server, small: int) -> None:
    url = server.reply("/x", Reply(raw=coded(bomb_of_gzip(), "gzip")))
    ended = forge("get", url, "--retry", "0", "-o", os.devnull)
    assert ended.exit_code == 0, ended.stderr
    assert ended.peak < small + ROOM, ended.peak / MIB


class Counting:
    """A server that counts a chunked body instead of keeping it; `begun` once there is something of it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.size = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        with self._socket, self._socket.accept()[0] as connection, connection.makefile("rb") as file:
            while file.readline().strip():
                pass
            while length := int(file.readline(), 16):
                self.size += len(file.read(length))
                self.begun.set()
                file.readline()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("words", ["@-", "-d @-", "f@-"])
def test_a_pipe_is_uploaded_in_flat_memory_while_it_comes(small: int, words: str) -> None:
    server = Counting()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "forge_cli", "put", server.url, *words.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=env) as child:
        assert child.stdin is not None
        for _ in range(8):
            child.stdin.write(bytes(MIB))
        assert server.begun.wait(60), "nothing is sent before the end"
        for _ in range(120):
            child.stdin.write(bytes(MIB))
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    server.thread.join(60)
    assert child.returncode == 0
    assert 0 <= server.size - 128 * MIB < (1000 if words == "f@-" else 1)
    assert usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) < small + ROOM


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--select a", 10),
        ("--format yaml", 10),
        ("--format exchange", 10),
        ("--expect body:/a==1", 12),
        ("--har x.har", 0),
    ],
)
def test_what_needs_the_body_whole_stops_at_its_limit(server: Server, small: int, words: str, code: int) -> None:
    fields = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    ended = forge("get", server.reply("/x", Reply(200, bomb_of_gzip(), fields)), "--retry", "0", *words.split())
    assert ended.exit_code == code, ended.stderr
    assert ("larger than" in ended.stderr) is (code == 10)
    # The limit of what is kept is 100 MiB, which is there once in pieces.
    assert ended.peak < small + ROOM + 110 * MIB, ended.peak / MIB


def test_the_answer_of_a_login_is_no_bomb_either(
    server: Server, small: int, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        f'[profiles.default]\nbase_url = "{server.url}"\n[profiles.default.auth]\ntype = "oauth2"\n'
        'token_url = "/token"\nclient_id = "app-1"\nclient_secret = "app-secret-1"\ngrant = "client-credentials"\n'
    )
    fields = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    server.reply("/token", Reply(200, bomb_of_gzip(), fields))
    ended = forge("get", "/x", "--retry", "0")
    assert ended.exit_code in (7, 10), ended.stderr
    assert ended.peak < small + ROOM + 110 * MIB, ended.peak / MIB
