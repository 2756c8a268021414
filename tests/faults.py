"""What a hostile or broken server does, as scripts of bytes, and how forge has to end."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.transport.conftest import Peer, RawServer, reply

TEXT = json.dumps({"text": "all of it " * 200}).encode()
MIB = 1024 * 1024
BOMB = 128 * MIB
"""Bytes that a decompression bomb becomes."""


@dataclass(frozen=True)
class Fault:
    """One fault: what the server does on each connection, and the exit code that is promised.

    `limit` is a time limit in seconds for the whole command; `says` is in the error line.
    """

    name: str
    script: Callable[[Peer], object]
    exit_code: int
    says: str = ""
    limit: float | None = None
    tls: bool = False


def coded(data: bytes, coding: str) -> bytes:
    """An answer whose length is right, and whose content is what it is."""
    return reply(data, f"Content-Encoding: {coding}", "Content-Type: application/json")


def bomb_of_gzip() -> bytes:
    """As small as such data gets, made without ever having it all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(BOMB // MIB)) + packer.flush()


def bomb_of_deflate() -> bytes:
    """The same in the zlib format."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(BOMB // MIB)) + packer.flush()


def after_head(*steps: bytes | Callable[[Peer], object]) -> Callable[[Peer], None]:
    """Read a request, then send or do each of these, and close."""

    def script(peer: Peer) -> None:
        if not peer.head():
            return
        for step in steps:
            if isinstance(step, bytes):
                peer.send(step)
            else:
                step(peer)

    return script


def _endless(peer: Peer) -> None:
    peer.drip(bytes(65536), 0.01)


def _silent(peer: Peer) -> None:
    peer.stop.wait(60)


def _many(peer: Peer) -> None:
    for _ in range(100):
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
    peer.send(reply(b"late"))


def _loop(peer: Peer) -> None:
    while peer.head():
        peer.send(reply(b"", "Location: /again", status="302 Found"))


def _tls_drip(peer: Peer) -> None:
    """The beginning of a TLS record, and then a byte now and then."""
    peer.send(struct.pack(">BHH", 22, 0x0303, 16000))
    peer.drip(b"\0")


_GZIP = gzip.compress(TEXT)
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPEN = b"HTTP/1.1 200 OK\r\n\r\n"


def _head(*fields: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"", b""])


FAULTS = (
    Fault("body shorter than Content-Length", after_head(_head(b"Content-Length: 100") + b"part"), 10, "got 4 of 100"),
    Fault("chunked body cut inside a chunk", after_head(_CHUNKED + b"8\r\npart"), 10, "got 4 of"),
    Fault("chunked body without its end", after_head(_CHUNKED + b"4\r\npart\r\n"), 10, "got 4 of"),
    Fault("a chunk size that is no number", after_head(_CHUNKED + b"zz\r\npart\r\n0\r\n\r\n"), 10),
    Fault("a chunk size of 2**70", after_head(_CHUNKED + b"400000000000000000\r\npart"), 10),
    Fault("reset inside the body", after_head(_head(b"Content-Length: 100") + b"part", Peer.reset), 10, " of 100"),
    Fault("gzip cut short, Content-Length right", after_head(coded(_GZIP[:-20], "gzip")), 10, "cut short"),
    Fault("gzip without its last 8 bytes", after_head(coded(_GZIP[:-8], "gzip")), 10, "cut short"),
    Fault("gzip of nothing but a head", after_head(coded(_GZIP[:10], "gzip")), 10, "cut short"),
    Fault("gzip with a wrong checksum", after_head(coded(_GZIP[:-8] + bytes(8), "gzip")), 10, "damaged"),
    Fault("what is no gzip", after_head(coded(TEXT, "gzip")), 10, "damaged"),
    Fault("deflate cut short", after_head(coded(zlib.compress(TEXT)[:-6], "deflate")), 10, "cut short"),
    Fault("two Content-Lengths", after_head(_head(b"Content-Length: 4", b"Content-Length: 9") + b"part"), 10, "differ"),
    Fault("a negative Content-Length", after_head(_head(b"Content-Length: -4") + b"part"), 0),
    Fault("a header line of 200 KiB", after_head(_head(b"X-Long: " + b"a" * 200 * 1024)), 10, "longer than 64 KiB"),
    Fault("a status line of 200 KiB", after_head(b"HTTP/1.1 200 " + b"a" * 200 * 1024 + b"\r\n\r\n"), 10),
    Fault(
        "10,000 header fields", after_head(_head(*(b"X-%d: y" % number for number in range(10_000)))), 10, "too many"
    ),
    Fault("100,000 times 100 Continue", after_head(_many), 10, "informational"),
    Fault("garbage instead of HTTP", after_head(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(range(256))), 10, "not proper HTTP"),
    Fault("a status that is no number", after_head(b"HTTP/1.1 2xx OK\r\n\r\n"), 10, "not proper HTTP"),
    Fault("a head without its end", after_head(b"HTTP/1.1 200 OK\r\nX-One: 1"), 10, "breaks off"),
    Fault("NUL and CR in a header", after_head(_head(b"X-Odd: a\0b\rc", b"Content-Length: 0")), 0),
    Fault("closed without an answer", after_head(), 8, "without an answer"),
    Fault("reset without an answer", after_head(Peer.reset), 8, "reset"),
    Fault("HTTP on the https port", lambda peer: peer.send(reply(b"plain")), 8, "SSL/TLS", tls=True),
    Fault("a body that drips", after_head(_OPEN, lambda peer: peer.drip(b"x")), 28, "longer than 0.5 s", 0.5),
    Fault("a head that drips", after_head(b"HTTP/1.1 200 OK\r\nX-A: ", lambda peer: peer.drip(b"x")), 28, "0.5 s", 0.5),
    Fault(
        "header fields that drip",
        after_head(b"HTTP/1.1 200 OK\r\n", lambda peer: peer.drip(b"X-A: x\r\n")),
        28,
        "0.5 s",
        0.5,
    ),
    Fault("a status line that drips", after_head(b"HTTP/1.1 200 ", lambda peer: peer.drip(b"x")), 28, "0.5 s", 0.5),
    Fault("100 Continue that drip", after_head(lambda p: p.drip(b"HTTP/1.1 100 C\r\n\r\n", 0.2)), 28, "0.5 s", 0.5),
    Fault("trailers that drip", after_head(_CHUNKED + b"0\r\n", lambda peer: peer.drip(b"X: x\r\n")), 28, "0.5 s", 0.5),
    Fault("a chunk size that drips", after_head(_CHUNKED, lambda peer: peer.drip(b"0")), 28, "0.5 s", 0.5),
    Fault("a body without end", after_head(_OPEN, _endless), 28, "0.5 s", 0.5),
    Fault("nothing at all", after_head(_silent), 28, "0.5 s", 0.5),
    Fault("a TLS handshake that never comes", _silent, 28, "0.5 s", 0.5, tls=True),
    Fault("a TLS handshake that drips", _tls_drip, 28, "0.5 s", 0.5, tls=True),
    Fault("a redirect to itself", _loop, 6, "circle"),
    Fault(
        "a redirect to file:", after_head(reply(b"", "Location: file:///etc/passwd", status="302 F")), 6, "only http"
    ),
    Fault(
        "two different Locations",
        after_head(reply(b"", "Location: /a", "Location: /b", status="302 F")),
        6,
        "more than one place",
    ),
    Fault("JSON 100,000 levels deep", after_head(reply(b"[" * 100_000 + b"]" * 100_000)), 0),
)


def served(fault: Fault) -> RawServer:
    """A running server with this fault; its URL begins with https where the fault is one of TLS."""
    server = RawServer(fault.script)
    server.scheme = "https" if fault.tls else "http"
    return server
