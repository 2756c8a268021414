"""A response on its way out: formatted on a terminal, byte for byte into a pipe or a file."""

from __future__ import annotations

import errno
import os
import stat
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
    last = ""
    for chunk in pretty_chunks(text, color=color) if _may_be_json(text, kind) else (visible(text),):
        stream.write(chunk)
        last = chunk
    if not last.endswith("\n"):
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
    path = os.path.realpath(os.path.expanduser(path))
    with _translated(path):
        old = _old(path)
        whole = old is None or stat.S_ISREG(old.st_mode)
        folder, name = os.path.split(path)
        part = os.path.join(folder, f".{name[:200]}.{os.urandom(4).hex()}.part") if whole else path
        file = open(part, "xb" if whole else "wb")  # noqa: SIM115  # closed below
    if not whole:
        with file:  # a device or a pipe: nothing to replace
            yield file
        return
    try:
        with file:
            yield file
        with _translated(path):
            if old is not None:
                os.chmod(part, stat.S_IMODE(old.st_mode))
            os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _old(path: str) -> os.stat_result | None:
    """The file that is to be replaced. OSError when it may not be."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return found


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        reason = (exc.strerror or "").lower()
        raise StorageError(f"cannot write {path!r}: {reason}", hint="choose another file with -o") from exc


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
