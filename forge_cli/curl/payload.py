"""The body of a cURL command: what -d, --json, -F and -T give, put together as curl does it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, unquote
from urllib.parse import quote as percent_encode

from ..errors import UsageError
from .imported import Body, Field, Form, FromFile, Joined, Json, Multipart, Part, Raw
from .lexing import as_bytes

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass
class Data:
    """One piece of a body: text as it is sent, or a file (of a form's field, when there is a name)."""

    text: str = ""
    path: str | None = None
    name: str | None = None
    urlencoded: bool = False
    json: bool = False


class Payload:
    """The body of one request, as its options come.

    `stdin` is what curl reads, as far as it is known; `notes` gets what is said to the person.
    """

    def __init__(self, stdin: str | FromFile | None, notes: list[str]) -> None:
        self.data: list[Data] = []
        self._stdin = stdin
        self._notes = notes
        self._parts: list[Part] = []

    @property
    def json(self) -> bool:
        """Whether a piece of it came by --json."""
        return any(piece.json for piece in self.data)

    def add(self, option: str, text: str) -> None:
        """Take one -d, under any of its names, or one --json."""
        self.data.append(self.urlencoded(text) if option == "data-urlencode" else self._piece(option, text))

    def urlencoded(self, text: str) -> Data:
        """A piece as --data-urlencode and --url-query have it: NAME=VALUE, or NAME@FILE."""
        match = re.search("[=@]", text)
        name, mark, value = (text[: match.start()], match[0], text[match.end() :]) if match else ("", "", text)
        if mark == "@":
            content = self._content(value)
            if isinstance(content, FromFile):
                return Data(path=content.path, name=name, urlencoded=True)
            value = content
        # curl writes a space as forms have it.
        encoded = percent(value).replace("%20", "+")
        return Data((f"{name}=" if name else "") + encoded, urlencoded=True)

    def add_part(self, text: str, *, literal: bool) -> None:
        """Take one -F; a literal one is a --form-string."""
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("a -F is not NAME=VALUE", hint="write -F name=value, or -F name=@file")
        if literal:
            self._parts.append(Part(name, as_bytes(value)))
            return
        if value.startswith("(") or (name == "" and value == ")"):
            raise UsageError("a -F opens a nested multipart body", hint="give it as a file: --data-binary @FILE")
        kind = value[:1] if value[:1] in ("@", "<") else ""
        contents, settings = _form_words(value[len(kind) :], several=kind == "@")
        for content in contents:
            self._parts.append(self._one_part(name, kind, content, settings))

    def upload(self, path: str) -> Body:
        """The body of -T."""
        content = self._content("-" if path == "." else path)
        return content if isinstance(content, FromFile) else Raw(as_bytes(content))

    def joined(self) -> str:
        """All of it as one text, as -G puts it into the URL."""
        text = ""
        for index, piece in enumerate(self.data):
            if piece.path is not None:
                raise UsageError("a file and other data make one body", hint="put all of it into the file")
            text += ("&" if index and not piece.json else "") + piece.text
        return text

    def body(self) -> Body | None:
        """The body; None when no option gave one."""
        if self._parts and self.data:
            raise UsageError("curl's -F and -d both give a body", hint="keep one of them")
        if self._parts:
            return Multipart(tuple(self._parts))
        if not self.data:
            return None
        if len(self.data) == 1 and self.data[0].path is not None and not self.data[0].urlencoded:
            return FromFile(self.data[0].path)
        plain = not any(piece.json or (piece.urlencoded and piece.path is not None) for piece in self.data)
        if plain and any(piece.path is not None for piece in self.data):
            return Joined(
                tuple(Raw(as_bytes(each.text)) if each.path is None else FromFile(each.path) for each in self.data)
            )
        if any(piece.path is not None for piece in self.data):
            return Form(tuple(pair for piece in self.data for pair in self._fields(piece)))
        return Raw(as_bytes(self.joined()))

    def _content(self, path: str, reads_lines: bool = False) -> str | FromFile:
        """What a file has, as far as it is known: standard input can be in the text."""
        if path != "-" or self._stdin is None:
            if reads_lines:
                self._notes.append("curl leaves out the line ends of a file given by -d, forge does not")
            return FromFile(path)
        if isinstance(self._stdin, FromFile):
            return self._stdin
        return re.sub(r"[\r\n\0]", "", self._stdin) if reads_lines else self._stdin

    def _piece(self, option: str, text: str) -> Data:
        if option == "data-raw" or not text.startswith("@"):
            return Data(text, json=option == "json")
        content = self._content(text[1:], option in ("data", "data-ascii"))
        if isinstance(content, FromFile):
            return Data(path=content.path, json=option == "json")
        return Data(content, json=option == "json")

    def _one_part(self, name: str, kind: str, content: str, settings: dict[str, str]) -> Part:
        filename, content_type = settings.get("filename"), settings.get("type")
        for other in settings.keys() - {"filename", "type"}:
            self._notes.append(f"{other}= in a -F is left out")
        if not kind:
            return Part(name, as_bytes(content), filename, content_type)
        if kind == "@" and filename is None:
            filename = os.path.basename(content)
        known = self._content(content)
        if isinstance(known, FromFile):
            return Part(name, b"", filename, content_type, known.path)
        return Part(name, as_bytes(known), filename, content_type)

    def _fields(self, piece: Data) -> list[Field]:
        if piece.path is None:
            return [Field(name, value) for name, value in parse_qsl(piece.text, keep_blank_values=True)]
        if not piece.name:
            raise UsageError("a file and other data make one body", hint="put all of it into the file")
        return [Field(piece.name, path=piece.path)]


def classified(body: Body | None, headers: Sequence[tuple[str, str]]) -> Body | None:
    """A raw body as the form or the JSON that it is, where nothing is lost by it."""
    if not isinstance(body, Raw):
        return body
    kinds = [value.partition(";")[0].strip().lower() for name, value in headers if name.lower() == "content-type"]
    try:
        text = body.content.decode()
    except UnicodeDecodeError:
        return body
    if kinds == [JSON] and _is_json(text):
        return Json(text)
    if kinds == [FORM] and all("=" in pair for pair in text.split("&")) and not _is_json(text):
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict") if _well_encoded(text) else []
        if pairs and "&".join(f"{quote_plus(n)}={quote_plus(v)}" for n, v in pairs) == _normal(text):
            return Form(tuple(Field(name, value) for name, value in pairs))
    return body


def percent(text: str) -> str:
    """The text with everything encoded that may mean something in a URL."""
    return percent_encode(as_bytes(text), safe="")


def _form_words(text: str, *, several: bool) -> tuple[list[str], dict[str, str]]:
    """The values of a `-F` and its settings, as curl cuts them."""
    values: list[str] = []
    settings: dict[str, str] = {}
    value, at = _form_word(text, 0, ",;" if several else ";")
    values.append(value)
    while at < len(text) and text[at] == ",":
        value, at = _form_word(text, at + 1, ",;")
        values.append(value)
    last = ""
    while at < len(text):
        setting, end = _form_word(text, at + 1, ";", start=_after_name(text, at + 1))
        name, equals, value = text[at + 1 : end].strip().partition("=")
        if equals and name in ("type", "filename", "encoder", "headers"):
            settings[name] = setting.strip() if name != "filename" else setting
            last = name
        elif last == "type":
            # A parameter of the type, such as charset.
            settings["type"] += ";" + text[at + 1 : end]
        at = end
    return values, settings


def _after_name(text: str, at: int) -> int:
    match = re.compile(r"\s*[a-z]+=").match(text, at)
    return at if match is None else match.end()


def _form_word(text: str, at: int, ends: str, *, start: int | None = None) -> tuple[str, int]:
    """A word from `start` and where it ends: quoted with backslashes, or up to one of `ends`."""
    begin = at if start is None else start
    match = re.compile(r'\s*"((?:[^"\\]|\\.)*)"[^;,]*', re.DOTALL).match(text, begin)
    if match is not None:
        return re.sub(r'\\([\\"])', r"\1", match[1]), match.end()
    end = begin
    while end < len(text) and text[end] not in ends:
        end += 1
    return text[begin:end], end


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _well_encoded(text: str) -> bool:
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return re.search(r"%(?![0-9A-Fa-f]{2})", text) is None


def _normal(text: str) -> str:
    """A form with each character encoded where forge would encode it, so that two spellings compare equal."""
    text = re.sub("%[0-9a-fA-F]{2}", lambda match: match[0].upper(), re.sub("%20| ", "+", text))
    text = re.sub(r"[^A-Za-z0-9_.~%&=+-]", lambda match: percent_encode(match[0], safe=""), text)
    # "=" in a value; each name ends at the first one.
    pairs = (pair.partition("=") for pair in text.split("&"))
    return "&".join(f"{name}={value.replace('=', '%3D')}" for name, _, value in pairs)
