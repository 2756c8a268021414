"""A request as a server saw it, and the answer it is to give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `headers` finds names in any case; `get_all` gives repeated ones."""

    method: str
    target: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    client: tuple[str, int] = field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The names and values after the question mark, decoded."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form, decoded. UnicodeDecodeError when the body is no text."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def json(self) -> Any:
        """The body, parsed. ValueError when it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer. `headers` are sent as given, and nothing but the length and type of the body is added.

    A `body` of text, bytes, a JSON value, or an iterator of bytes (sent chunked). `hold` delays the answer
    until the event is set. `raw` is written as it is instead of an answer, and the connection closed.
    """

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    reason: str | None = None
    hold: threading.Event | None = None
    raw: bytes | None = None

    def encoded(self) -> tuple[str | None, bytes | Iterator[bytes]]:
        """The content type that fits the body, and the body."""
        if isinstance(self.body, bytes):
            return None, self.body
        if isinstance(self.body, str):
            return "text/plain; charset=utf-8", self.body.encode()
        if isinstance(self.body, Iterator):
            return None, self.body
        return "application/json", json.dumps(self.body).encode()

    def pairs(self) -> list[tuple[str, str]]:
        """The header fields that were asked for."""
        return list(self.headers.items() if isinstance(self.headers, Mapping) else self.headers)


Answer = Reply | Callable[[Seen], Reply]
"""A fixed answer, or what makes one from the request."""
