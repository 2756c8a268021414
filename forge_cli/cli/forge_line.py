"""A request as the forge command that sends it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from ..curl import word
from ..curl.command import argument, multipart
from ..curl.hiding import Members, Number, written
from ..curl.imported import Form, FromFile, Imported, Joined, Json, Multipart, Part, Raw
from ..curl.payload import FORM, JSON
from ..curl.words import printf
from ..errors import UsageError
from .items import MEDIA_TYPE

_VERBS = frozenset("GET POST PUT PATCH DELETE HEAD OPTIONS".split())
# forge writes these itself, from the body and the connection.
_OWN = frozenset({"accept-encoding", "connection", "content-length"})
# A value that begins like a longer separator is taken as it is after a backslash; one that has the backslash
# already cannot be told from it.
_LIKE_A_SEPARATOR = ("@", "=")
_UNSAYABLE = ("\\@", "\\=")


def forge_line(program: str, imported: Imported, extra: Sequence[str] = ()) -> str:
    """The command; `extra` are further words, quoted already. UsageError for what no command line can say."""
    return _Line(program, imported).text(extra)


class _Line:
    def __init__(self, program: str, imported: Imported) -> None:
        self.program = program
        self.imported = imported
        self.options: list[str] = []
        self.items: list[str] = []
        self.feed: bytes | None = None

    def text(self, extra: Sequence[str]) -> str:
        one = self.imported
        self._check()
        kind = next((value for name, value in one.headers if name.lower() == "content-type"), None)
        headers = list(one.headers)
        stated = self._body(kind)
        for name, value in headers:
            if name.lower() == "content-type" and stated is not None and value == stated:
                continue
            self._header(name, value)
        # forge adds a type of its own to a body without one.
        if one.body is not None and kind is None and stated != "":
            self.items.append("Content-Type:")
        self.items += [f"{name}:" for name in one.without]
        if one.cookies:
            self._header("Cookie", "; ".join(f"{name}={value}" if name else value for name, value in one.cookies))
        self._settings()
        verb = one.method.lower() if one.method in _VERBS else f"request {self._quoted(one.method)}"
        words = [self.program, verb]
        url = self._quoted(one.url)
        items = [self._quoted(item) for item in self.items]
        if any(item.startswith("-") for item in (one.url, *self.items)):
            words += [*self.options, *extra, "--", url, *items]
        else:
            words += [url, *items, *self.options, *extra]
        line = " ".join(words)
        return line if self.feed is None else f"{printf(self.feed, one.slots)} | {line}"

    def _check(self) -> None:
        one = self.imported
        for wanted, option in ((one.auth != "basic", f"--{one.auth}"), (one.netrc, "--netrc")):
            if wanted:
                raise UsageError(f"only a profile can do what curl's {option} does", hint="add --as-profile NAME")

    def _quoted(self, text: str) -> str:
        if "\0" in text:
            raise UsageError(
                "a value in it holds NUL, which no argument can", hint="put the body into a file: -d @FILE"
            )
        return word(self.imported.slots.split(text))

    def _option(self, name: str, value: str | None) -> None:
        if value is not None:
            self.options.append(f"{name} {self._quoted(value)}")

    def _header(self, name: str, value: str) -> None:
        if name.lower() in _OWN or (name.lower() == "host" and value == urlsplit(self.imported.url).netloc):
            return
        bearer = self._variable(value.removeprefix("Bearer ")) if name.lower() == "authorization" else None
        if bearer is not None and value.startswith("Bearer "):
            self.options.append(f"--bearer env:{bearer}")
        elif not value:
            self.items.append(f"{name};")
        elif value.startswith((*_LIKE_A_SEPARATOR, "\\")) or "\\" in name:
            self._option("-H", f"{name}: {value}")
        else:
            self.items.append(f"{name}:{value}")

    def _variable(self, text: str) -> str | None:
        """The variable that is all of the text."""
        match self.imported.slots.split(text):
            case [slot] if not isinstance(slot, str) and (found := re.fullmatch(r"\$(\w+)", slot.expression, re.ASCII)):
                return None if found[1][0].isdigit() else found[1]
        return None

    def _settings(self) -> None:
        one = self.imported
        if one.user is not None:
            variable = self._variable(one.user)
            self._option("-u", one.user if variable is None else f"env:{variable}")
        self._option("-o", one.output)
        self.options += ["--print hb"] if one.include else []
        self.options += ["-v"] if one.verbose else []
        self.options += ["-L"] if one.follow else []
        self._option("--max-redirects", None if one.max_redirects is None else str(one.max_redirects))
        self.options += ["-k"] if one.insecure else []
        self._option("--verify", one.ca_bundle)
        self._option("--cert", one.cert)
        self._option("--cert-key", one.key)
        self._option("-x", one.proxy)
        self._option("--timeout", None if one.timeout is None else f"{one.timeout:g}")
        self._option("--connect-timeout", None if one.connect_timeout is None else f"{one.connect_timeout:g}")
        self._option("--retry", None if one.retries is None else str(one.retries))

    def _body(self, kind: str | None) -> str | None:
        """Say the body; the content type that forge then gives it, which is empty when it must not be stated."""
        match self.imported.body:
            case Form() as form if (items := _form_items(form)) is not None:
                self.options.append("--form")
                self.items += items
                return FORM
            case Form():
                raise UsageError("a field of the form cannot be said in a command", hint="put the form into a file")
            case Json(text=text):
                items = _json_items(text)
                if items:
                    self.items += items
                    return JSON
                return self._raw(text.encode(), kind)
            case Raw(content=content):
                return self._raw(content, kind)
            case FromFile(path=path):
                self._option("-d", f"@{path}")
                return self._type_of_data(kind)
            case Joined(pieces=pieces):
                for piece in pieces:
                    self._option("-d", f"@{piece.path}" if isinstance(piece, FromFile) else _piece(piece.content))
                return FORM
            case Multipart(parts=parts):
                return self._multipart(parts)
        return None

    def _type_of_data(self, kind: str | None) -> str:
        if kind == JSON:
            self.options.append("--json")
            return JSON
        return FORM

    def _raw(self, content: bytes, kind: str | None) -> str:
        text = argument(content)
        if text is None or text.startswith("@"):
            self.feed, text = content, "@-"
        self._option("-d", text)
        return self._type_of_data(kind)

    def _multipart(self, parts: Sequence[Part]) -> str:
        items = [item for part in parts for item in _part_items(part)]
        if len(items) == len(parts):
            self.options.append("--multipart")
            self.items += items
            return ""
        if any(part.path is not None for part in parts):
            raise UsageError(
                "a -F has a value that cannot be said in a command, beside a file",
                hint="put the value into a file: -F 'name=@FILE;type=…'",
            )
        boundary, content = multipart(parts)
        self.items.append(f"Content-Type:multipart/form-data; boundary={boundary}")
        self._raw(content, None)
        return ""


def _piece(content: bytes) -> str:
    """A piece of a body as `-d` takes it."""
    text = argument(content)
    if text is None or text.startswith("@"):
        raise UsageError("a piece of the body is no text, or begins with @", hint="put it into a file: -d @FILE")
    return text


def _value(value: str) -> str | None:
    """A value as it stands behind a separator."""
    if value.startswith(_UNSAYABLE):
        return None
    return f"\\{value}" if value.startswith(_LIKE_A_SEPARATOR) else value


def _key(name: str, special: str) -> str:
    return "".join(f"\\{char}" if char in special else char for char in name)


def _form_items(form: Form) -> list[str] | None:
    items = []
    for field in form.fields:
        value = _value(field.value)
        if not field.name or value is None:
            return None
        name = _key(field.name, "\\:=@")
        items.append(f"{name}={value}" if field.path is None else f"{name}=@{field.path}")
    return items


def _json_items(text: str) -> list[str]:
    """The members of an object as items; nothing when items cannot say it."""
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=Members)
        if not isinstance(value, Members) or not all(_unique(value)):
            return []
        items = []
        for name, inner in value:
            if not name:
                return []
            key = _key(name, "\\:=@[]")
            if isinstance(inner, str) and not isinstance(inner, Number):
                said = _value(inner)
                if said is None:
                    return []
                items.append(f"{key}={said}")
            else:
                items.append(f"{key}:={written(inner)}")
    except RecursionError:
        return []
    return items


def _unique(value: object) -> Iterator[bool]:
    """Whether no object in the value has a member twice."""
    if isinstance(value, Members):
        names = [name for name, _ in value]
        yield len(names) == len(set(names))
    for inner in value if isinstance(value, list) else ():
        yield from _unique(inner[1] if isinstance(value, Members) else inner)


def _part_items(part: Part) -> Iterator[str]:
    """The part as an item, if it can be one."""
    name = _key(part.name, "\\:=@")
    if not name:
        return
    if part.path is None:
        text = argument(part.value)
        value = None if text is None else _value(text)
        if value is not None and part.filename is None and (kind := _typed(part)) is not None:
            yield f"{name}{kind}={value}"
    elif part.filename is None:
        if (kind := _typed(part)) is not None:
            yield f"{name}{kind}=@{part.path}"
    else:
        kind = "" if part.content_type is None else f";type={part.content_type}"
        named = "" if part.path.rpartition("/")[2] == part.filename else f";filename={part.filename}"
        yield f"{name}@{part.path}{kind}{named}"


def _typed(part: Part) -> str | None:
    """The type of a part as it stands before a separator; None when it cannot be said there."""
    if part.content_type is None:
        return ""
    return f";type={part.content_type}" if MEDIA_TYPE.fullmatch(part.content_type) else None
