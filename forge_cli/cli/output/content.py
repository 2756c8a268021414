"""A body on its way to somebody: pieces of bytes, what kind of text they are, and how it is to look."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ... import digits
from ...compiled import compiled
from ...errors import ResponseParseException
from ...frozen import immutable
from ...models import decode_text

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_TEXT_TYPES = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
    "application/jsonl",
)
_TEXT_SUFFIXES = ("+json", "+xml")
_SAMPLE = 4096
_CHARSET = compiled(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)


@immutable
class Look:
    """How text is to look: laid out, coloured, with control characters shown, line by line, and how wide."""

    layout: bool = True
    color: bool = False
    safe: bool = True
    lines: bool = False
    width: int | None = None


class NotSuited(Exception):
    """The body cannot be shown in the format that was asked for; the message says why.

    `text` is the body, where it was begun to be read and can be had no other way.
    """

    def __init__(self, message: str, text: Iterator[str] | None = None) -> None:
        super().__init__(message)
        self.text = text


@dataclass
class Content:
    """A body that is read once. `head` is what an exchange says beside it."""

    pieces: Iterable[bytes]
    kind: str = ""
    charset: str | None = None
    head: dict[str, Any] = field(default_factory=dict)

    def text(self) -> Iterator[str]:
        """The body as text, while it arrives."""
        return texts(self.pieces, self.charset)

    def whole(self) -> str:
        """The body as one text."""
        return decode_text(b"".join(self.pieces), self.charset)

    @property
    def json(self) -> bool:
        return "json" in self.kind


def media_type(content_type: str | None) -> str:
    """The type and subtype of a Content-Type, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def named_charset(content_type: str | None) -> str | None:
    """The charset that a Content-Type names."""
    match = _CHARSET.search(content_type or "")
    return match[1] if match is not None else None


def texts(pieces: Iterable[bytes], charset: str | None) -> Iterator[str]:
    """Bytes to text as `decode_text` does it, while they arrive."""
    source = iter(pieces)
    start = b""
    for piece in source:
        start += piece
        if charset or not any(mark.startswith(start[:3]) for mark, _ in _MARKS):
            break
        if len(start) >= len(codecs.BOM_UTF8):
            break
    decoder = _decoder(charset, start)
    first = decoder.decode(start).removeprefix("\ufeff")
    if first:
        yield first
    for piece in source:
        text = decoder.decode(piece)
        if text:
            yield text
    last = decoder.decode(b"", True)
    if last:
        yield last


def _decoder(charset: str | None, start: bytes) -> codecs.IncrementalDecoder:
    if charset:
        try:
            b"a".decode(charset, "replace")  # some names are of codings that make no text
            return codecs.getincrementaldecoder(charset)("replace")
        except (LookupError, ValueError):
            pass
    name = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    return codecs.getincrementaldecoder(name)("replace")


def binary(sample: bytes, kind: str, charset: str | None) -> bool:
    """Whether a body that begins so is no text."""
    if charset or kind.startswith(_TEXT_TYPES) or kind.endswith(_TEXT_SUFFIXES):
        return False
    sample = sample[:_SAMPLE]
    if any(sample.startswith(mark) for mark, _ in _MARKS):
        return False
    return b"\0" in sample or _undecodable(sample)


def _undecodable(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as exc:
        return exc.end < len(sample)  # a character cut at the end of the sample is no sign
    return False


class Digits(str):
    """A number as it was written."""


class Pairs(list[tuple[str, Any]]):
    """The members of an object, in order, with those that have the same name."""


def as_written(text: str) -> Any:
    """The JSON value with every digit and every member: numbers as `Digits`, objects as `Pairs`.

    NotSuited when it is not JSON, or too deep.
    """
    try:
        return json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=Digits, object_pairs_hook=Pairs)
    except RecursionError:
        raise NotSuited("the JSON is nested too deeply") from None
    except ValueError:
        raise NotSuited("the body is not JSON") from None


def parsed(text: str) -> Any:
    """The JSON value. ResponseParseException when it is none."""
    try:
        return json.loads(text, parse_int=digits.whole, parse_float=digits.broken)
    except (ValueError, RecursionError):
        raise ResponseParseException("the body is not JSON", hint="without --select it is shown as it is") from None


def one_line(value: Any) -> str:
    """A value of `parsed` as JSON in one line."""
    try:
        return digits.one_line(value)
    except RecursionError:
        raise ResponseParseException("the JSON is nested too deeply") from None
    except ValueError:
        raise ResponseParseException("what is to be written is no JSON number: infinite, or none at all") from None


def written(value: Any) -> str:
    """A value of `as_written` as JSON in one line."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{quoted(name)}:{written(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return quoted(value)


def each_line(text: str) -> list[str]:
    """The lines that have text, where there are several: a body that is no JSON may be JSON line by line."""
    found = [line for line in text.split("\n") if line.strip()]
    return found if len(found) > 1 else []


def quoted(value: Any) -> str:
    """A text, true, false or null as JSON, without a character that could drive a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    # What drives a terminal or is no character is written as an escape, which is the same JSON.
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
