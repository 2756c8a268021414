"""What a cURL command was found to say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .words import Slots


@dataclass(frozen=True, slots=True)
class Raw:
    """A body as it is sent."""

    content: bytes


@dataclass(frozen=True, slots=True)
class FromFile:
    """A body that is read from a file, or from standard input when the path is ``-``."""

    path: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form; with a `path` its value is the content of that file."""

    name: str
    value: str = ""
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form, whose fields are encoded when it is sent."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document, as it was written."""

    text: str

    @property
    def value(self) -> Any:
        """The document, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart body: a value, or the file that has it."""

    name: str
    value: bytes = b""
    filename: str | None = None
    content_type: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart body."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Pieces of a body with ``&`` between them, of which some are files."""

    pieces: tuple[Raw | FromFile, ...]


Body = Raw | FromFile | Form | Json | Multipart | Joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a cURL command sends, and how.

    `headers` has what the command states and what `-d` and `--json` imply, not curl's own defaults; `without` names
    those that are switched off. Where a shell would fill in a variable or a command's output, a text has a mark of
    `slots`. `user` is ``NAME`` or ``NAME:PASSWORD``; `auth` is ``basic``, ``digest`` or ``aws-sigv4``.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    body: Body | None = None
    user: str | None = None
    auth: str = "basic"
    aws: str | None = None
    netrc: bool = False
    cookies: tuple[tuple[str, str], ...] = ()
    follow: bool = False
    max_redirects: int | None = None
    insecure: bool = False
    ca_bundle: str | None = None
    cert: str | None = None
    key: str | None = None
    proxy: str | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    retries: int | None = None
    output: str | None = None
    include: bool = False
    verbose: bool = False
    silent: bool = False
    notes: tuple[str, ...] = ()
    slots: Slots = field(default_factory=Slots, repr=False, compare=False)
