"""Request items: the short forms after the URL that say headers, query, fields, files and body."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Sequence

from ..compiled import compiled
from ..errors import UsageError
from ..frozen import immutable
from ..models import TOKEN
from ..redact import REDACTOR, quoted, sensitive
from .nesting import Raw, document, unescaped

FORMS = (
    "Header:value, Header: (unset), Header; (empty), name==query, field=text, field:=json, a[b][]=text, file@path, "
    "@path (the body); =@ :=@ :@ ==@ read the value from a file; \\ before a separator takes it as it is; "
    "all of them: docs/scripting.md#items"
)

# Fields about the message (RFC 9110), as far as a request has them.
_PLAIN = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "pragma"),
        *("content-encoding", "content-language", "content-length", "content-type", "date", "expect", "host", "origin"),
        *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "prefer", "range"),
        *("referer", "te", "transfer-encoding", "user-agent"),
    }
)
# The leftmost separator wins, and where several start at one place, the longest.
_MEDIA = r"[^\s;=/]+/[^\s;=/]+(?:;\s*[^\s;=/]+=(?:\"[^\"]*\"|[^\s;=\"@]*))*"
# `name;type=text/csv=value`: what is before the separator says the type, and a part of a multipart body is meant.
MEDIA_TYPE = compiled(_MEDIA)
"""A type that can be said before the separator of a part."""
_TYPED = compiled(rf"(?P<key>(?:\\.|[^\\:=@])+);type=(?P<type>{_MEDIA})(?P<mark>=@|=)(?P<value>.*)", re.DOTALL)
_ITEM = compiled(r"(?P<name>(?:\\.|[^\\:=@])*)(?P<mark>:=@|==@|:=|:@|==|=@|:|=|@)(?P<value>.*)", re.DOTALL)


@immutable
class Field:
    """One field of the body. `key` is as written, with its escapes; `value` is text or JSON.

    One with a `content_type` is a part of a multipart body.
    """

    key: str
    value: str | Raw
    content_type: str | None = None

    @property
    def name(self) -> str:
        """The name in a form, where brackets mean nothing."""
        return unescaped(self.key)


@immutable
class FileItem:
    """A file to upload. A `path` of ``-`` is standard input; so many fields are `before` it."""

    name: str
    path: str
    filename: str
    content_type: str | None = None
    before: int = 0


@immutable
class Items:
    """What the items of one command say. A header of None is one to leave out; `body` is a path or ``-``.

    `body_type` is its content type, where the item says one. `content` is a body and its content type, where neither
    fields nor files say one.
    """

    headers: tuple[tuple[str, str | None], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    fields: tuple[Field, ...] = ()
    files: tuple[FileItem, ...] = ()
    body: str | None = None
    body_type: str | None = None
    content: tuple[str, str | None] | None = None

    def form(self) -> list[tuple[str, str]]:
        """The fields as pairs of a form; JSON goes in as its text, except that a JSON string is its value."""
        return [
            (field.name, field.value if isinstance(field.value, str) else _plain(field.value)) for field in self.fields
        ]

    @property
    def multipart(self) -> bool:
        """Whether only a multipart body can hold them."""
        return bool(self.files) or any(field.content_type is not None for field in self.fields)

    def json_text(self) -> str | None:
        """The fields as one JSON document, None without fields. UsageError when two of them do not fit."""
        return document((field.key, field.value) for field in self.fields)


def read_file(path: str) -> bytes:
    """The content of a file, ``~`` expanded. UsageError when it cannot be read."""
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read()
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from None


def unreadable(path: str, exc: OSError | ValueError) -> UsageError:
    """The error to raise for a file that cannot be read."""
    reason = getattr(exc, "strerror", None) or "not a file name"
    # `password=@…` may be a password that begins so.
    shown = repr(path) if re.search(r"[./\\]", path) else quoted(path)
    return UsageError(f"cannot read {shown}: {reason.lower()}", hint="@ takes the path of a file, @- is standard input")


def parse(items: Sequence[str], *, read: Callable[[str], bytes] = read_file) -> Items:
    """The items of a command line. `read` gives the content of a path; UsageError names the item that is wrong."""
    headers: list[tuple[str, str | None]] = []
    query: list[tuple[str, str]] = []
    fields: list[Field] = []
    files: list[FileItem] = []
    bodies: list[tuple[str, str | None]] = []
    for item in items:
        _check_text(item)
        typed = _TYPED.fullmatch(item)
        if typed is not None:
            text = _value(typed["mark"], typed["value"], item, read)
            _hide_field(typed["key"], typed["mark"], text)
            fields.append(Field(typed["key"], text, typed["type"]))
            continue
        match = _ITEM.fullmatch(item)
        if match is None:
            headers.append(_empty_header(item))
            continue
        key, mark, value = match["name"], match["mark"], match["value"]
        if mark in ("=", "=@") and re.search(r"(?<!\\);type$", key):
            raise UsageError(
                f"{quoted(item)} is no part with a type", hint="name;type=text/plain=value, or name\\;type=value"
            )
        if not key and mark == "@":
            bodies.append(_body(value, item))
        elif not key:
            raise UsageError(f"{quoted(item)} has no name before {mark!r}", hint=FORMS)
        elif mark == "@":
            files.append(_file(unescaped(key), value, item, len(fields)))
        elif mark in (":", ":@"):
            text = _value(mark, value, item, read)
            headers.append(_header(key, text))
            if mark == ":@" and not plain_header(headers[-1][0]):
                REDACTOR.add(text.strip())
        elif mark in ("==", "==@"):
            text = _value(mark, value, item, read)
            query.append((unescaped(key), text))
            if mark == "==@":
                REDACTOR.add(text)
        else:
            text = _value(mark, value, item, read)
            _hide_field(key, mark, text)
            fields.append(Field(key, _json(key, text) if mark.startswith(":=") else text))
    _check_bodies([path for path, _ in bodies], fields, files)
    body, body_type = bodies[0] if bodies else (None, None)
    return Items(tuple(headers), tuple(query), tuple(fields), tuple(files), body, body_type)


def plain_header(name: str) -> bool:
    """Whether a header of this name is about the message, and holds no secret wherever its value comes from."""
    return name.lower() in _PLAIN


def _hide_field(key: str, mark: str, text: str) -> None:
    """Hide what a field has from a file, where its name says that it is a secret: other files are data."""
    if mark.endswith("@") and any(sensitive(name) for name in re.split(r"[\[\]]+", unescaped(key)) if name):
        REDACTOR.add(text.strip())
        if mark == ":=@":
            REDACTOR.add(text.strip().strip('"'))


def header(text: str) -> tuple[str, str | None]:
    """A header as ``-H`` takes it: ``Name: value``, ``Name:`` (None: leave it out) or ``Name;`` (empty)."""
    _check_text(text)
    name, colon, value = text.partition(":")
    return _header(name, value) if colon else _empty_header(text)


def _header(name: str, value: str) -> tuple[str, str | None]:
    name, value = unescaped(name).strip(), value.strip()
    if TOKEN.fullmatch(name) is None:
        raise UsageError(f"{quoted(name)} is not a header name", hint="letters, digits and - only")
    if re.search(r"[\r\n\0]", value):
        raise UsageError(f"the value of header {name!r} holds a line break or NUL", hint="give it as one line")
    return name, value or None


def _empty_header(item: str) -> tuple[str, str]:
    name = item.removesuffix(";")
    if name == item or TOKEN.fullmatch(name) is None:
        raise UsageError(f"{quoted(item)} is not a request item", hint=FORMS)
    return name, ""


def _value(mark: str, value: str, item: str, read: Callable[[str], bytes]) -> str:
    if not mark.endswith("@"):
        # A value that begins like a longer separator: `name=\@home` is the text "@home".
        return value[1:] if value.startswith(("\\@", "\\=")) else value
    path = _path(value, item)
    try:
        text = read(path).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path!r} is not UTF-8 text", hint="name@path uploads a file as it is") from None
    # The line end of a file is no part of a header or a query value.
    return text.rstrip("\r\n") if mark in (":@", "==@") else text


def _path(path: str, item: str) -> str:
    if not path:
        raise UsageError(f"{quoted(item)} names no file", hint="a path, or - for standard input")
    return path


def _body(value: str, item: str) -> tuple[str, str | None]:
    path, chosen = _settings(value)
    if "filename" in chosen:
        raise UsageError(f"{'@' + path!r}: a whole body has no file name", hint="name@path;filename=… names a part")
    return _path(path, item), chosen.get("type")


def _settings(value: str) -> tuple[str, dict[str, str]]:
    """The path of a file, and what is said about it behind."""
    path, *settings = re.split(r";(type|filename)=", value)
    return path, dict(zip(settings[::2], settings[1::2], strict=True))


def _file(name: str, value: str, item: str, before: int) -> FileItem:
    path, chosen = _settings(value)
    path = _path(path, item)
    filename = name
    if path != "-":
        path = os.path.expanduser(path)
        filename = os.path.basename(path)
        # It is not opened to find out: a pipe can be opened only once.
        code = _trouble(path)
        if code is not None:
            reason = os.strerror(code).lower() if code else "not a file name"
            raise UsageError(
                f"cannot read {path!r}: {reason}", hint=f"the file to upload as {name!r}; {name}\\@… for other items"
            )
    return FileItem(name, path, chosen.get("filename", filename), chosen.get("type"), before)


def _trouble(path: str) -> int | None:
    """Why a file cannot be read: an errno, 0 for what is no file name; None when it can."""
    if "\0" in path:
        return 0
    if os.path.isdir(path):
        return errno.EISDIR
    if os.access(path, os.R_OK):
        return None
    return errno.EACCES if os.path.exists(path) else errno.ENOENT


def _json(key: str, text: str) -> Raw:
    try:
        # Numbers stay text: only their form is checked, and no limit on digits applies.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}" if "\n" in text else f"character {exc.colno}"
        raise UsageError(
            f"the value of {_member(key)} is not JSON at {where}: {exc.msg.lower()}", hint="NAME=… for text"
        ) from None
    except RecursionError:
        raise UsageError(
            f"the value of {_member(key)} is nested too deeply", hint="@path sends a file as the body"
        ) from None
    except ValueError as exc:
        raise UsageError(f"the value of {_member(key)} is not JSON: {exc}", hint="NAME=… for text") from None
    return Raw(text.strip())


def _member(key: str) -> str:
    """A field of JSON as a message names it."""
    name = re.sub(r"[\[\]]+", "_", key)
    return repr(f"{key}:=") if quoted(name) == repr(name) else quoted(name)


def _no_constant(name: str) -> None:
    raise ValueError(f"it has no {name}")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("an argument is not UTF-8", hint="=@ and @ read any bytes from a file") from None


def _check_bodies(bodies: list[str], fields: list[Field], files: list[FileItem]) -> None:
    if len(bodies) > 1:
        raise UsageError(f"two bodies: @{bodies[0]} and @{bodies[1]}", hint="name@path uploads several files")
    if bodies and (fields or files):
        name = fields[0].name if fields else files[0].name
        raise UsageError(
            f"two bodies: @{bodies[0]} and field {quoted(name)}", hint="name@path adds a file to other fields"
        )
    readers = [file.name for file in files if file.path == "-"]
    if len(readers) > 1:
        raise UsageError(
            f"{readers[0] + '@-'!r} and {readers[1] + '@-'!r} both read standard input",
            hint="give one of the files by its path",
        )


def _plain(value: Raw) -> str:
    return str(json.loads(value.text)) if value.text.startswith('"') else value.text
