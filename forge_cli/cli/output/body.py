"""A response on its way out: formatted on a terminal, byte for byte into a pipe or a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from ...client import StreamedResponse
from ...errors import StorageError
from ...models import decode_text
from ...redact import REDACTOR
from .heads import response_head
from .json import pretty_chunks
from .text import visible

_MOST_SHOWN = 10 * 1024 * 1024
_TEXT_TYPES = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
)
_TEXT_SUFFIXES = ("+json", "+xml")


def show(response: StreamedResponse, stream: TextIO, *, color: bool, head: bool) -> str | None:
    """Write status, headers and body for a person. Returns what should be said about a body not shown."""
    if head:
        text = response_head(
            response.http_version, response.status_code, response.reason, response.headers, color, REDACTOR
        )
        stream.write(f"{text}\n")
        stream.flush()
    content = response.peek(_MOST_SHOWN)
    if content is None:
        return f"the body is larger than {_MOST_SHOWN // 1024 // 1024} MiB: save it with -o FILE"
    if not content:
        return None
    kind = (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if _binary(content, kind, response.encoding):
        return f"{len(content)} bytes of {kind or 'binary data'} not shown: save them with -o FILE"
    text = decode_text(content, response.encoding)
    for chunk in pretty_chunks(text, color=color) if _may_be_json(text, kind) else (visible(text),):
        stream.write(chunk)
    if not text.endswith("\n"):
        stream.write("\n")
    stream.flush()
    return None


def copy(response: StreamedResponse, stream: BinaryIO) -> int:
    """Write the body as it is, each piece as it comes; return how many bytes."""
    written = 0
    for piece in response.iter_bytes():
        stream.write(piece)
        stream.flush()
        written += len(piece)
    return written


@contextmanager
def output_file(path: str) -> Iterator[BinaryIO]:
    """A file that replaces `path` when everything went well; until then the old one stays.

    StorageError, before anything is sent, when it cannot be made.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        with _opened(path) as file:  # a device or a pipe: nothing to replace
            yield file
        return
    folder, name = os.path.split(os.path.abspath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(suffix=".part", prefix=f".{name}.", dir=folder)
    except OSError as exc:
        raise StorageError(f"cannot write {path!r}: {exc.strerror}", hint="choose another file with -o") from exc
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "wb")
    except OSError as exc:
        raise StorageError(f"cannot write {path!r}: {exc.strerror}", hint="choose another file with -o") from exc


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _binary(content: bytes, kind: str, charset: str | None) -> bool:
    if charset or kind.startswith(_TEXT_TYPES) or kind.endswith(_TEXT_SUFFIXES):
        return False
    return b"\0" in content[:4096] or _undecodable(content[:4096])


def _undecodable(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as exc:
        return exc.end < len(sample)  # a character cut at the end of the sample is no sign
    return False


def _may_be_json(text: str, kind: str) -> bool:
    return "json" in kind or (not kind.startswith("text/html") and text.lstrip()[:1] in ("{", "["))
