"""Content codings: what is offered, and decoding in pieces of bounded size (RFC 9110, section 8.4)."""

from __future__ import annotations

import functools
import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import IncompleteResponseException

# Nobody compresses more often; each coding multiplies what a hostile server makes us do.
_MOST_CODINGS = 5
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_HEADER = 10  # the shortest one, in bytes (RFC 1952, section 2.3)

Chunks = Iterable[bytes]
Decode = Callable[[Chunks, int], Iterator[bytes]]


def accept_encoding() -> str:
    """The Accept-Encoding value that names what can be decoded here."""
    offered = ["gzip", "deflate"]
    if _brotli() is not None:
        offered.append("br")
    if _zstd() is not None:
        offered.append("zstd")
    return ", ".join(offered)


def decoded(chunks: Chunks, content_encoding: str, piece: int = 65536) -> Iterator[bytes]:
    """The body without its content codings, in pieces of at most `piece` bytes.

    A coding that is not known is left on, as the data may be meant that way.
    IncompleteResponseException when the data is damaged or ends too early, or needs a library that
    is not installed.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",") if coding.strip()]
    if len(codings) > _MOST_CODINGS:
        raise IncompleteResponseException(f"the body is encoded {len(codings)} times, and {_MOST_CODINGS} are the most")
    stream: Chunks = chunks
    for coding in reversed(codings):
        if coding in ("identity", ""):
            continue
        decode = _DECODERS.get(coding)
        if decode is None:
            break
        stream = decode(stream, piece)
    return iter(stream)


def _gunzip(chunks: Chunks, piece: int) -> Iterator[bytes]:
    """gzip, in one or more members (RFC 1952); what follows the last one is ignored."""
    member, start, seen, total = _gzip_member(), b"", 0, 0
    finished = garbage = False
    for chunk in chunks:
        total += len(chunk)
        data = b"" if garbage else chunk
        while data:
            seen += len(data)
            if len(start) < len(_GZIP_MAGIC):
                start = (start + data)[: len(_GZIP_MAGIC)]
            try:
                output = member.decompress(data, piece)
            except zlib.error:
                if start == _GZIP_MAGIC or not finished:
                    raise _damaged("gzip", total) from None
                garbage = True
                break
            data = member.unconsumed_tail
            seen -= len(data)
            if output:
                yield output
            if member.eof:
                data = member.unused_data
                member, finished, start, seen = _gzip_member(), True, b"", 0
    # A few bytes after a complete member are padding, not a member that was cut.
    if total and not garbage and not (finished and seen < _GZIP_HEADER):
        raise _cut("gzip", total)


def _gzip_member() -> Any:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _inflate(chunks: Chunks, piece: int) -> Iterator[bytes]:
    """deflate: the zlib format (RFC 1950), or the bare data (RFC 1951) that some servers send."""
    engine: Any = None
    waiting, total = b"", 0
    for chunk in chunks:
        total += len(chunk)
        data = waiting + chunk
        if engine is None:
            if len(data) < 2:
                waiting = data
                continue
            engine, waiting = zlib.decompressobj(zlib.MAX_WBITS if _zlib_header(data) else -zlib.MAX_WBITS), b""
        while data and not engine.eof:
            try:
                output = engine.decompress(data, piece)
            except zlib.error:
                raise _damaged("deflate", total) from None
            data = engine.unconsumed_tail
            if output:
                yield output
    # The last input may be used up while output is left, because each call was bounded.
    while engine is not None and not engine.eof and (output := engine.decompress(b"", piece)):
        yield output
    if total and (engine is None or not engine.eof):
        raise _cut("deflate", total)


def _zlib_header(data: bytes) -> bool:
    """RFC 1950, section 2.2."""
    return data[0] & 0x0F == 8 and data[0] >> 4 <= 7 and int.from_bytes(data[:2], "big") % 31 == 0


def _unbrotli(chunks: Chunks, piece: int) -> Iterator[bytes]:
    """br (RFC 7932)."""
    brotli = _brotli()
    if brotli is None:
        raise _not_installed("br", "Brotli>=1.2")
    engine, total = brotli.Decompressor(), 0
    for chunk in chunks:
        total += len(chunk)
        data = chunk
        while not engine.is_finished():
            try:
                output = engine.process(data, output_buffer_limit=piece)
            except brotli.error:
                raise _damaged("br", total) from None
            data = b""
            if not output:
                break
            # The library takes its limit as a wish.
            yield from (output[start : start + piece] for start in range(0, len(output), piece))
    if total and not engine.is_finished():
        raise _cut("br", total)


def _unzstd(chunks: Chunks, piece: int) -> Iterator[bytes]:
    """zstd, in one or more frames (RFC 8878)."""
    zstd = _zstd()
    if zstd is None:
        raise _not_installed("zstd", "backports.zstd")
    engine, total, started = zstd.ZstdDecompressor(), 0, False
    for chunk in chunks:
        total += len(chunk)
        data = chunk
        while data or not engine.needs_input:
            started = True
            try:
                output = engine.decompress(data, piece)
            except zstd.ZstdError:
                raise _damaged("zstd", total) from None
            data = b""
            if output:
                yield output
            if engine.eof:
                data, engine, started = engine.unused_data, zstd.ZstdDecompressor(), False
    if started:
        raise _cut("zstd", total)


_DECODERS: dict[str, Decode] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}


@functools.cache
def _brotli() -> Any:
    """The library, from the version on that can bound what one call puts out."""
    module = _optional("brotli")
    return module if hasattr(getattr(module, "Decompressor", None), "can_accept_more_data") else None


@functools.cache
def _zstd() -> Any:
    """The standard library's module, or its backport: only these can bound what one call puts out."""
    return _optional("compression.zstd") or _optional("backports.zstd")


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _damaged(coding: str, total: int) -> IncompleteResponseException:
    return IncompleteResponseException(f"the {coding} data of the body is damaged, within the first {total} bytes")


def _cut(coding: str, total: int) -> IncompleteResponseException:
    return IncompleteResponseException(
        f"the {coding} data of the body is cut short: got {total} bytes of it, not its end"
    )


def _not_installed(coding: str, package: str) -> IncompleteResponseException:
    return IncompleteResponseException(
        f"the body is encoded with {coding!r}, which needs {package}", hint=f"pip install {package}"
    )
