"""What is to be sent: lines of JSON, bare URLs, or rows of CSV and a template, each as a request or an error."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import quote

from ..compiled import compiled
from ..digits import Written, broken, one_line, whole
from ..encode import ACCEPT_JSON, JSON
from ..errors import ForgeError, UsageError
from ..models import HttpMethod, HttpRequest

_KEYS = frozenset({"method", "url", "headers", "query", "json", "form", "text", "id"})
_BODIES = ("json", "form", "text")
_HINT = 'as in {"method": "POST", "url": "/users", "json": {"name": "Ada"}, "id": 1}, or just a URL'
_NO_URL = "has no url"
_NEITHER = "is neither an object nor a URL"
_ROW = "row"
_CSV_HINT = (
    "a field with a comma, a quote or a line end in it is quoted, a quote in it is doubled, and its end is a quote"
)
# What the csv module says of a field that goes on and on.
_NO_END = "field larger than field limit"
# Bytes of a line: what is longer is hardly a request, and would take many times its length of memory.
LONGEST = 64 * 1024 * 1024
_TOO_LONG = f"is longer than {LONGEST // 1024 // 1024} MiB"
_ENDED = compiled(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# What is JSON and neither an object nor a text, or looks like an array or a comment: no URL that anybody means.
_NO_URLS = compiled(r"[\[#].*|null|true|false|NaN|-?Infinity|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.DOTALL)
_UNWRITTEN = compiled(r"[\s\x00-\x1f\x7f-\x9f]")
_COLUMN = compiled(r"\{([^{}]+)\}")
# Of an object that is JSON: the name of the next member, and all before its value.
_MEMBER = compiled(r'[,{ \t\r]*("(?:[^"\\]|\\.)*")[ \t\r]*:[ \t\r]*')


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number, from 1; its id, which is the number where it has none; a request, or why there is none."""

    number: int
    id: Any
    request: HttpRequest | None
    error: ForgeError | None = None


class _Text(str):
    """A JSON value as it was written: what is sent has its digits, which parsing would round."""


def read_jsonl(file: BinaryIO, stated: Collection[str] = ()) -> Iterator[Line]:
    """The lines of a file of JSON objects and URLs, one a line. Empty ones count, and are left out.

    `stated` are the names of headers that all requests have: they need not be made up for a body.
    """
    for number, raw in enumerate(_raw(file), 1):
        if len(raw) > LONGEST:
            yield _broken(number, _TOO_LONG)
            continue
        if not raw.strip():
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            record = _record(text) if text.startswith(("{", '"')) else _bare(text)
        except UsageError as exc:
            yield _broken(number, exc.message, hint=exc.hint)
        except UnicodeDecodeError:
            yield _broken(number, "is not UTF-8")
        except (ValueError, RecursionError) as exc:
            yield _broken(number, f"is not JSON: {_reason(exc)}")
        else:
            yield line(number, record, stated)


def _raw(file: BinaryIO) -> Iterator[bytes]:
    """The lines with their ends; of one that is too long, its beginning, which is too long as well."""
    for raw in iter(partial(file.readline, LONGEST + 1), b""):
        rest = raw
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        yield raw


def _bare(text: str) -> str:
    """A line that is just a URL. UsageError: nobody means it as one."""
    if _NO_URLS.fullmatch(text) is not None:
        raise UsageError(_NEITHER, hint=_HINT)
    if _UNWRITTEN.search(text) is not None:
        raise UsageError("is no URL: there is a space or a control character in it", hint="write %20 for a space")
    return text


def _record(text: str) -> Any:
    """The value of a line; what an object has under `json` is kept as text. ValueError, RecursionError: it is none."""
    record = _decoder.decode(text)
    if isinstance(record, dict):
        if "json" in record:
            record["json"] = _Text(_as_written(text, "json"))
        one_line(record.get("id"))  # what cannot be written with its result must not be sent
    return record


def _as_written(text: str, wanted: str) -> str:
    """The text of a member of an object, which is JSON and has it; the last one of that name."""
    at, found = 0, ""
    while (member := _MEMBER.match(text, at)) is not None:
        _, at = _decoder.raw_decode(text, member.end())
        if json.loads(member[1]) == wanted:
            found = text[member.end() : at]
    return found


def read_csv(file: BinaryIO, template: str, stated: Collection[str] = ()) -> Iterator[Line]:
    """The rows of a CSV file with a head, each filled into the template. UsageError when the two do not fit.

    `stated` as for `read_jsonl`. The limit for a field, which the csv module has for the whole process, is raised.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    try:
        reader = csv.reader(_decoded(file), strict=True)
        columns = next(reader, [])
    except csv.Error as exc:
        raise UsageError(f"the CSV file has no head: {exc}", hint="its first row names the columns") from None
    wanted = _template(template, columns)
    return _rows(reader, columns, wanted, stated)


def _decoded(file: BinaryIO) -> Iterator[str]:
    """The lines with their ends. Unlike `io.TextIOWrapper` it leaves the file open: it may be standard input.

    csv.Error for one that is too long.
    """
    for number, raw in enumerate(_raw(file)):
        if len(raw) > LONGEST:
            raise csv.Error(f"a line of it {_TOO_LONG}")
        yield from _ENDED.findall(raw.decode("utf-8" if number else "utf-8-sig", "surrogateescape"))


def requests_of(
    requests: Iterable[HttpRequest | Mapping[str, Any] | str], stated: Collection[str] = ()
) -> Iterator[Line]:
    """Requests of a program's own: values, or what a line says. `stated` as for `read_jsonl`."""
    for number, request in enumerate(requests, 1):
        if isinstance(request, HttpRequest):
            yield Line(number, number, request)
        else:
            yield line(number, request, stated)


def line(number: int, record: Any, stated: Collection[str] = (), kind: str = "line") -> Line:
    """The line that a JSON value is. `kind` is what errors call it."""
    if isinstance(record, str):
        return Line(number, number, HttpRequest(HttpMethod.GET, record)) if record else _broken(number, _NO_URL)
    if not isinstance(record, Mapping):
        return _broken(number, _NEITHER)
    name = record.get("id")
    if name is None:
        name = number
    try:
        return Line(number, name, _request(record, stated))
    except ForgeError as exc:
        return _broken(number, exc.message, name, exc.hint, kind)


def _request(record: Mapping[str, Any], stated: Collection[str]) -> HttpRequest:
    if not record.keys() <= _KEYS:
        unknown = sorted(record.keys() - _KEYS)
        raise UsageError(f"has an unknown key {unknown[0]!r}", hint=f"known are {', '.join(sorted(_KEYS))}")
    url, method = record.get("url"), record.get("method")
    if not isinstance(url, str) or not url:
        raise UsageError(_NO_URL, hint=_HINT)
    bodies = [name for name in _BODIES if name in record]
    if len(bodies) > 1:
        raise UsageError(f"has two bodies, {bodies[0]} and {bodies[1]}", hint="give one")
    if method is None:
        method = "POST" if bodies else "GET"
    if not isinstance(method, str):
        raise UsageError("has a method that is no text", hint=_HINT)
    headers = _mapping(record, "headers")
    body, fitting = _body(bodies[0], record) if bodies else ({}, {})
    if fitting:
        named = {name.lower() for name in (*headers, *stated)}
        headers |= {name: value for name, value in fitting.items() if name.lower() not in named}
    return HttpRequest(method, url, headers or None, _mapping(record, "query") or None, **body)


def _body(kind: str, record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The body as a field of HttpRequest, and the headers that go with it where nobody says otherwise."""
    value = record[kind]
    if kind == "form":
        return {"data": _mapping(record, "form")}, {}
    if kind == "text":
        if not isinstance(value, str):
            raise UsageError("has a text that is none", hint='"json" sends any value')
        return {"content": value.encode("utf-8", "surrogatepass")}, {"Content-Type": "text/plain; charset=utf-8"}
    if value is not None and not isinstance(value, _Text):
        return {"json_data": value}, {}
    text = "null" if value is None else str(value)
    return {"content": text}, {"Content-Type": JSON, "Accept": ACCEPT_JSON}


def _mapping(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or any(isinstance(item, Mapping) for item in value.values()):
        raise UsageError(f"has {key} that are no object of texts", hint=_HINT)
    return {name: _texts(item) for name, item in value.items()}


def _texts(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_texts(item) for item in value]
    if value is None or isinstance(value, str):
        return value
    return value.text if isinstance(value, Written) else json.dumps(value)


def _template(text: str, columns: list[str]) -> dict[str, Any]:
    """The template as a record. A bare URL is one."""
    try:
        record = _decoder.decode(text) if text.lstrip().startswith("{") and '"' in text else {"url": text}
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"the template is not JSON: {_reason(exc)}", hint=_HINT) from None
    for name in _COLUMN.findall("\n".join(_strings(record))):
        if name not in columns:
            known = ", ".join(columns) or "none"
            raise UsageError(f"the template names {{{name}}}, and the columns are {known}", hint="name one of them")
    return dict(record)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _rows(reader: Any, columns: list[str], template: dict[str, Any], stated: Collection[str]) -> Iterator[Line]:
    url = template.get("url")
    # Where the URL is a column, its path is the row's own.
    gaps = _gaps(_COLUMN.sub("x", url)) if isinstance(url, str) and _COLUMN.fullmatch(url) is None else None
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield _broken(number, f"is not CSV: {exc}", hint=_CSV_HINT, kind=_ROW)
            if _NO_END in str(exc):
                return  # nobody knows where the next row begins
            continue
        if not row:
            continue
        if len(row) != len(columns):
            yield _broken(number, f"has {len(row)} fields, and the head has {len(columns)}", kind=_ROW)
            continue
        values = dict(zip(columns, row, strict=True))
        if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
            yield _broken(number, "is not UTF-8", kind=_ROW)
            continue
        record = {key: _filled(item, values, in_url=key == "url") for key, item in template.items()}
        if "json" in record:
            record["json"] = _Text(one_line(record["json"]))
        if gaps is not None and _gaps(record["url"]) != gaps:
            yield _broken(
                number, "leaves the template's path: a column in it is empty, . or ..", record.get("id"), kind=_ROW
            )
            continue
        yield line(number, record, stated, _ROW)


def _gaps(url: str) -> int:
    """How many segments of the path are empty or lead elsewhere (RFC 3986, section 5.2.4)."""
    path = re.split("[?#]", url, maxsplit=1)[0]
    return sum(segment.lower().replace("%2e", ".") in ("", ".", "..") for segment in path.split("/"))


def _filled(value: Any, values: Mapping[str, str], *, in_url: bool = False) -> Any:
    """The template's value with the columns filled in; within a URL they are data, and no part of its form."""
    if isinstance(value, str):
        if in_url and (whole := _COLUMN.fullmatch(value)) is not None:
            return values[whole[1]]
        return _COLUMN.sub(lambda match: quote(values[match[1]], safe="") if in_url else values[match[1]], value)
    if isinstance(value, dict):
        return {_filled(name, values): _filled(item, values) for name, item in value.items()}
    return [_filled(item, values) for item in value] if isinstance(value, list) else value


def _broken(number: int, what: str, name: Any = None, hint: str | None = None, kind: str = "line") -> Line:
    error = UsageError(f"{kind} {number} {what}", hint=hint or _HINT)
    return Line(number, number if name is None else name, None, error)


def _reason(exc: BaseException) -> str:
    """Why a text is no JSON; the exception's own text quotes none of it."""
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg} at character {exc.pos + 1}"
    return "nested too deeply" if isinstance(exc, RecursionError) else str(exc)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not one of its values")


_decoder = json.JSONDecoder(parse_int=whole, parse_float=broken, parse_constant=_refuse)
