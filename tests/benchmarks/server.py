"""A server for benchmarks that costs next to nothing itself. Prints its port, and listens until it is killed.

`/size/N` is N megabytes; `/people` ten megabytes of JSON; `/token` a token, counted by `/count`; `/slow/MS/PATH` is
PATH after so many milliseconds; anything else a small JSON object.
"""

from __future__ import annotations

import itertools
import json
import random
import socket
import socketserver
import time
from functools import cache

MEGABYTE = 1_000_000
SMALL = b'{"name": "Ada"}'
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_PIECE = bytes(MEGABYTE)


@cache
def people(size: int = 10 * MEGABYTE) -> bytes:
    """People, as an API would list them."""
    chance = random.Random(1)
    rows: list[str] = []
    length = 0
    while length < size:
        number = len(rows)
        row = {
            "id": number,
            "name": f"user {number}",
            "email": f"user{number}@example.com",
            "active": number % 2 == 0,
            "score": chance.random(),
            "tags": ["one", "two"],
            "address": {"city": "Zürich", "zip": None},
        }
        rows.append(json.dumps(row))
        length += len(rows[-1]) + 2
    return f"[{', '.join(rows)}]".encode()


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests one after the other, without reading more of them than their heads and bodies."""

    tokens = itertools.count(1)
    given = 0

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()).strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.rfile.read(length)
            self._answer(line.split(b" ", 2)[1].decode())

    def _answer(self, target: str) -> None:
        if target.startswith("/slow/"):
            _, _, milliseconds, target = target.split("/", 3)
            time.sleep(int(milliseconds) / 1000)
            target = f"/{target}"
        if target.startswith("/size/"):
            megabytes = int(target.rpartition("/")[2])
            self.request.sendall(_HEAD % (megabytes * MEGABYTE))
            for _ in range(megabytes):
                self.request.sendall(_PIECE)
            return
        body = SMALL
        if target == "/people":
            body = people()
        elif target == "/token":
            Handler.given = next(self.tokens)
            body = json.dumps({"token": f"user-token-{Handler.given}", "expires_in": 3600}).encode()
        elif target == "/count":
            body = json.dumps(Handler.given).encode()
        self.request.sendall(_HEAD % len(body) + body)


class Listener(socketserver.ThreadingTCPServer):
    """Threads, so that fifty commands are served at once."""

    daemon_threads = True
    request_queue_size = 256


def serve() -> None:
    """Print the port and listen until killed."""
    with Listener(("127.0.0.1", 0), Handler) as listener:
        print(listener.server_address[1], flush=True)
        listener.serve_forever()


if __name__ == "__main__":
    serve()
