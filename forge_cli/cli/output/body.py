"""A response on its way out: formatted for a person, byte for byte into a pipe or a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, Protocol, TextIO

from ...client import StreamedResponse
from ...errors import IncompleteResponseException, ResponseParseException
from ...models import PreparedRequest, decode_text
from ...redact import REDACTOR
from ..streams import draws, widened
from . import FORMATS
from .auto import EVENTS, auto, streams
from .content import Content, Look, NotSuited, binary, each_line, media_type, named_charset, one_line, parsed
from .exchange import exchange, head_of
from .heads import request_head, response_head
from .lines import documents
from .meta import connection, rate_limit, waterfall
from .scanning import plain
from .shown import MOST_SHOWN, Shown
from .text import visible

_WHOLE = "save it with -o FILE; --select and this --format need all of it in memory"
_PIECE = 64 * 1024
# Fewer and larger reads and writes: of a body that is not looked at, these are most of the work.
_LARGE_PIECE = 256 * 1024
_MUCH = 1024 * 1024


class Sink(Protocol):
    """What takes bytes."""

    def write(self, data: bytes, /) -> Any: ...

    def flush(self) -> None: ...


class Output:
    """Where the answer goes: a terminal takes text, a pipe and a file take bytes. Each piece is there at once."""

    def __init__(self, text: TextIO | None, data: Sink | None) -> None:
        self._text = text
        self._data = data
        self._last = "\n"
        self._written = 0

    def write(self, text: str) -> None:
        """Write text, in a pipe as UTF-8."""
        if not text:
            return
        self._last = text[-1]
        if self._data is not None:
            self.raw(text.encode("utf-8", "surrogatepass"))
        elif self._text is not None:
            self._text.write(text)
            self._text.flush()

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self._data is not None and data:
            self._last = chr(data[-1])
            before, self._written = self._written, self._written + len(data)
            if before <= _MUCH < self._written:
                widened(self._data)
            self._data.write(data)
            self._data.flush()

    def end_line(self) -> None:
        """See that what follows begins a line."""
        if self._last != "\n":
            self.write("\n")

    @property
    def blocks(self) -> str:
        """What bars are drawn with."""
        return "█" if self._text is None or draws(self._text) else "#"


class Body:
    """The bytes of an answer's body as they come; some of them are kept, and some are enough.

    More than `most` are an IncompleteResponseException.
    """

    def __init__(
        self, response: StreamedResponse, *, limit: int | None, keep: int | None, most: int | None = None
    ) -> None:
        self._response = response
        self._most = most
        self._limit = limit
        self._keep = keep
        self._kept: list[bytes] = []
        self.size = 0
        self.cut = False
        self.ended: float | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces(_PIECE)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The body, in pieces of at most so many bytes."""
        for piece in self._response.iter_bytes(size):
            if self._limit is not None and self.size + len(piece) > self._limit:
                self.cut = True
                piece = piece[: self._limit - self.size]
            self.size += len(piece)
            if self._most is not None and self.size > self._most:
                self._response.close()
                raise IncompleteResponseException(f"the body is larger than {self._most} bytes", hint=_WHOLE)
            if self._keep is not None:
                self._kept.append(piece)
                if self.size > self._keep:
                    self._kept, self._keep = [], None
            yield piece
            if self.cut:
                break
        self.ended = time.monotonic()

    def rest(self) -> None:
        """Read what nobody has read."""
        for _ in self if self.ended is None else ():
            pass

    @property
    def content(self) -> bytes | None:
        """All that came; None when it was too much, or not to be kept."""
        return None if self._keep is None else b"".join(self._kept)


def show_request(prepared: PreparedRequest, shown: Shown, output: Output) -> None:
    """Write the parts of the request that are wanted, before the answer."""
    if "H" in shown:
        output.write(request_head(prepared, shown.look.color, REDACTOR) + "\n")
    if "B" in shown and prepared.body is not None:
        body = prepared.body
        if isinstance(body, bytes):
            _show_text(body, len(body), prepared, shown, output)
        else:
            output.write(f"<{getattr(body, 'length', None) or 'some'} bytes that are read while they are sent>\n")
        output.write("\n")


def print_request(prepared: PreparedRequest, shown: Shown, output: Output) -> None:
    """Write the parts that are wanted of a request that is not sent. Of its body no more is read than is shown."""
    if "H" in shown:
        output.write(request_head(prepared, shown.look.color, REDACTOR))
    if "B" in shown and prepared.body is not None:
        if "H" in shown:
            output.write("\n")
        data, size = _beginning(prepared.body)
        _show_text(data, size, prepared, shown, output)


def _beginning(body: Any) -> tuple[bytes, int | None]:
    """As much of the body as is shown, and a little more where there is more; how long it is, None: not known."""
    if isinstance(body, bytes):
        return body, len(body)
    opened = body.open()
    if isinstance(opened, bytes):
        return opened, len(opened)
    kept: list[bytes] = []
    read = 0
    try:
        for piece in opened:
            kept.append(piece)
            read += len(piece)
            if read > MOST_SHOWN:
                return b"".join(kept), body.length
    finally:
        close = getattr(opened, "close", None)
        if close is not None:
            close()
    return b"".join(kept), read


def _show_text(data: bytes, size: int | None, prepared: PreparedRequest, shown: Shown, output: Output) -> None:
    """The body of a request, or how long it is where it is no text or too long."""
    content_type = prepared.headers.get("Content-Type")
    kind, charset = media_type(content_type), named_charset(content_type)
    length = f"{'more than ' if size is None else ''}{size or len(data)} bytes of {kind or 'binary data'}"
    if binary(data, "", charset):
        output.write(f"<{length}>\n")
    elif len(data) > MOST_SHOWN:
        output.write(f"<{length}: more than the {_mib(MOST_SHOWN)} that are shown>\n")
    else:
        text = REDACTOR.content(decode_text(data, charset))
        for piece in auto(Content((text.encode("utf-8", "replace"),), kind), shown.look):
            output.write(piece)
        output.end_line()


def show_response(
    response: StreamedResponse,
    body: Body,
    prepared: PreparedRequest | None,
    shown: Shown,
    output: Output,
    notice: Callable[[str], None],
) -> None:
    """Write the parts of the answer that are wanted. `notice` is told what is not shown, and how to get it."""
    if "h" in shown:
        output.write(
            response_head(
                response.http_version,
                response.status_code,
                response.reason,
                response.headers,
                shown.look.color,
                REDACTOR,
            )
        )
        if "b" in shown or "m" in shown:
            output.write("\n")
    if "b" in shown:
        if shown.exact:
            for piece in body.pieces(_LARGE_PIECE):
                output.raw(piece)
        else:
            _show_body(response, body, prepared, shown, output, notice)
    if "m" in shown:
        body.rest()
        _show_meta(response, body, shown, output)


def _show_body(
    response: StreamedResponse,
    body: Body,
    prepared: PreparedRequest | None,
    shown: Shown,
    output: Output,
    notice: Callable[[str], None],
) -> None:
    pieces = iter(body)
    first = next(pieces, b"")
    kind = media_type(response.headers.get("Content-Type"))
    content = Content(chain((first,), pieces), kind, response.encoding)
    if shown.format == "exchange" and prepared is not None:
        kept = b"".join(content.pieces)
        content = Content((kept,), kind, response.encoding, head_of(prepared, response))
    elif not first:
        return
    elif binary(first, kind, response.encoding) and shown.select is None:
        _show_binary(content, body, shown, output, notice)
        return
    if shown.select is not None:
        try:
            _show_selected(content, shown, output, notice)
        except ResponseParseException as exc:
            if response.status_code < 400:
                raise
            notice(exc.message)  # what the command is about is the status
        return
    for text in _formatted(content, shown, notice):
        output.write(text)
    output.end_line()
    if body.cut and shown.limit is not None:
        notice(f"the body is larger than {_mib(shown.limit)}, and only its beginning is shown: save it with -o FILE")


def _show_selected(content: Content, shown: Shown, output: Output, notice: Callable[[str], None]) -> None:
    """The part that was asked for of each document of the body."""
    select = shown.select or (lambda value: value)
    if shown.format == "exchange":
        values = iter((select(parsed("".join(exchange(content, Look(layout=False))))),))
        shown = replace(shown, format="auto")
    else:
        values = map(select, _documents(content, notice))
    if shown.format == "table":
        found = list(values)
        values = iter(found if len(found) == 1 else (found,))
    for number, value in enumerate(values):
        if number and shown.format == "yaml":
            output.write("---\n")
        if isinstance(value, str) and shown.format == "auto":
            output.write((visible(value) if shown.look.safe else value) + "\n")
            continue
        text = one_line(value).encode("utf-8", "backslashreplace")
        for piece in _formatted(Content((text,), "application/json", "utf-8"), shown, notice):
            output.write(piece)
        output.end_line()


def _documents(content: Content, notice: Callable[[str], None]) -> Iterator[Any]:
    """The JSON values of the body: of lines and events each when it is there."""
    if not streams(content.kind):
        text = content.whole()
        try:
            yield parsed(text)
        except ResponseParseException:
            lines = each_line(text)
            if not lines:
                raise
            yield from [parsed(line) for line in lines]
        return
    others = 0
    for text in documents(content.text(), events=content.kind == EVENTS):
        try:
            value = parsed(text)
        except ResponseParseException:
            if content.kind != EVENTS:
                raise
            others += 1  # many end with a word that says so
            continue
        yield value
    if others:
        notice(f"{others} {'event' if others == 1 else 'events'} left out, whose data is not JSON")


def _formatted(content: Content, shown: Shown, notice: Callable[[str], None]) -> Iterator[str]:
    """The text in the format that was asked for, or as it is where it is not suited."""
    if shown.format == "yaml":
        content.pieces = list(content.pieces)  # it is read again where it is not suited
    try:
        yield from FORMATS.load(shown.format)(content, shown.look)
    except NotSuited as exc:
        notice(f"--format {shown.format}: {exc}")
        yield from plain(content.text() if exc.text is None else exc.text, safe=shown.look.safe)


def _show_binary(content: Content, body: Body, shown: Shown, output: Output, notice: Callable[[str], None]) -> None:
    """Bytes that are no text: into a pipe as they are, for a terminal only their number."""
    for piece in content.pieces:
        if not shown.terminal:
            output.raw(piece)
    if shown.terminal:
        size = f"more than {_mib(body.size)}" if body.cut else f"{body.size} bytes"
        notice(f"{size} of {content.kind or 'binary data'} not shown: save them with -o FILE")


def _show_meta(response: StreamedResponse, body: Body, shown: Shown, output: Output) -> None:
    attempts = "1 attempt" if response.attempts == 1 else f"{response.attempts} attempts"
    redirects = "1 redirect" if len(response.history) == 1 else f"{len(response.history)} redirects"
    output.end_line()
    output.write(f"{response.http_version} {response.status_code}, {body.size} bytes, {attempts}, {redirects}\n")
    limit = rate_limit(response.headers)
    for line in (*connection(response.timing), *(() if limit is None else (limit,))):
        output.write(f"{line}\n")
    ended = body.ended if body.ended is not None else time.monotonic()
    for line in waterfall(response.timing, ended, color=shown.look.color, block=output.blocks):
        output.write(f"{line.rstrip()}\n")


def _mib(size: int) -> str:
    return f"{size // 1024 // 1024} MiB"
