"""Credentials in their places in a request: which entries count for it, and what they make of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..auth import basic
from ..curl import iter_params
from ..errors import ProfileError, StepFailed
from ..models import HttpRequest
from ..redact import REDACTOR
from ..transport.redirects import matched_path
from .cookie import trouble as cookie_trouble
from .definition import CertificateTable, InjectTable
from .scope import Scope
from .template import Reference, parse, references
from .work import COLON, COLON_HINT

_WITH_BODY = ("POST", "PUT", "PATCH")


class Placed(NamedTuple):
    """What one entry puts into a request. The value is text, for `json` any value, for `cookies` pairs."""

    entry: InjectTable
    name: str
    value: Any


def placed(entry: InjectTable, scope: Scope, computed: Collection[str] = ()) -> Placed:
    """An entry with its templates filled in. StepFailed: what a step learned would be more than the one cookie.

    `computed` are the steps whose outputs the profile itself makes: there ProfileError says so.
    """
    name = scope.text(entry.name or "")
    if entry.in_ == "json":
        return Placed(entry, name, scope.fill(entry.value))
    if isinstance(entry.value, CertificateTable):
        return Placed(entry, name, certificate(entry.value, scope))
    if entry.in_ == "basic" and ":" in name:
        raise ProfileError(f"the user in `inject` {COLON}", hint=COLON_HINT)
    value = scope.text(entry.value or "")
    if entry.in_ == "cookie":
        _check_cookie(entry, name, value, scope, computed)
    return Placed(entry, name, value)


def _check_cookie(entry: InjectTable, name: str, value: str, scope: Scope, computed: Collection[str]) -> None:
    for text, template, is_name in ((name, entry.name, True), (value, entry.value, False)):
        trouble = cookie_trouble(text, is_name=is_name)
        if trouble is None:
            continue
        for step, output in _learned(references(template), scope):
            if step not in computed:
                raise StepFailed(
                    step,
                    f"output '{output}' {trouble}, so that it would be more than the one cookie it is for",
                    hint="check `extract` in this step; nothing was sent",
                )
        what = "the name of a cookie" if is_name else f"the value of cookie {name!r}"
        raise ProfileError(f"{what} {trouble}", hint="correct what is filled in there, or encode it")


def _learned(found: Iterable[Reference], scope: Scope) -> Iterable[tuple[str, str]]:
    """The outputs of steps among these references, and in the values that they refer to."""
    for reference in found:
        match reference:
            case ("steps", step, output):
                yield step, output
            case ("values", name) if name in scope.values:
                above = {key: scope.values[key] for key in list(scope.values)[: list(scope.values).index(name)]}
                yield from _learned(references(scope.values[name]), dataclasses.replace(scope, values=above))


def certificate(table: CertificateTable, scope: Scope) -> tuple[str, str | None, str | None]:
    """A client certificate, its key and its password: each a path or PEM text, or None."""
    texts = (None if text is None else scope.text(text) for text in (table.cert, table.key, table.password))
    cert, key, password = texts
    for secret in (key, password):
        REDACTOR.add(secret)
    return cert or "", key, password


def counts(entry: InjectTable, request: HttpRequest, url: str) -> bool:
    """Whether an entry is for this request, which goes to `url`, and leaves what the caller states himself."""
    parts = urlsplit(url)
    tests = (
        (entry.methods, str.upper(request.method), str.upper),
        (entry.paths, matched_path(url) or "/", str),
        (entry.hosts, parts.hostname or "", str.lower),
    )
    for patterns, value, spelled in tests:
        if patterns is not None and not any(fnmatchcase(value, spelled(pattern)) for pattern in patterns):
            return False
    return not stated(entry, request)


def stated(entry: InjectTable, request: HttpRequest) -> bool:
    """Whether the caller gave a value for this place himself."""
    name = "authorization" if entry.in_ == "basic" else (parse(entry.name or "").literal or "")
    if entry.in_ in ("header", "basic"):
        return any(key.lower() == name.lower() for key in request.headers or ()) or (
            name.lower() == "authorization" and request.auth is not None
        )
    if entry.in_ == "cookie":
        return name in (request.cookies or {})
    if entry.in_ == "query":
        return any(key == name for key, _ in iter_params(request.params))
    if entry.in_ == "base_url":
        return "://" in request.url
    if entry.in_ in ("json", "form"):
        return str.upper(request.method) not in _WITH_BODY or name in _fields(entry, request)
    return False


def _fields(entry: InjectTable, request: HttpRequest) -> Iterable[Any]:
    if entry.in_ == "json":
        whole = _json_table(request)[1] if _is_json(request) else request.json_data
        return whole if isinstance(whole, Mapping) else ()
    return [key for key, _ in iter_params(request.data)] if isinstance(request.data, Mapping | list | tuple) else ()


def _is_json(request: HttpRequest) -> bool:
    """Whether the body is bytes or text, or is read from a file, and calls itself JSON (RFC 6839, section 3.1)."""
    if request.content is None:
        return False
    kinds = [str(value) for name, value in (request.headers or {}).items() if name.lower() == "content-type"]
    media = kinds[-1].partition(";")[0].strip().lower() if kinds else ""
    return media == "application/json" or media.endswith("+json")


def _json_table(request: HttpRequest) -> tuple[str, Any]:
    """The text of a JSON body, and what it holds; None for what is no JSON object."""
    content: Any = request.content
    if hasattr(content, "read") and hasattr(content, "seekable") and content.seekable():
        # Each attempt, and the request itself, reads it from where it is now.
        start = content.tell()
        content = content.read()
        request.content.seek(start)
    try:
        text = content if isinstance(content, str) else bytes(content).decode("utf-8-sig")
        whole = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return "", None
    return text, whole if isinstance(whole, dict) else None


def injected(request: HttpRequest, entries: Sequence[Placed]) -> HttpRequest:
    """The request with each value in its place; a later one replaces an earlier one.

    ProfileError when a body of another kind is in the way. Client certificates are no part of this.
    """
    headers, cookies = dict(request.headers or {}), dict(request.cookies or {})
    params = list(iter_params(request.params))
    changes: dict[str, Any] = {}
    for entry, name, value in entries:
        match entry.in_:
            case "header":
                headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: value}
            case "basic":
                headers["Authorization"] = basic(name, value)
                REDACTOR.add(headers["Authorization"].partition(" ")[2])
            case "cookie":
                cookies[name] = value
            case "cookies":
                cookies = {**dict(value), **cookies}
            case "query":
                params = [pair for pair in params if pair[0] != name] + [(name, value)]
            case "base_url":
                changes["url"] = f"{value.rstrip('/')}/{request.url.lstrip('/')}"
            case "json" | "form" as kind:
                request = _with_field(request, kind, name, value)
    return dataclasses.replace(
        request, headers=headers or None, cookies=cookies or None, params=params or None, **changes
    )


def _with_field(request: HttpRequest, kind: str, name: str, value: Any) -> HttpRequest:
    """The request with one more field in its JSON or form body, which is made when there is none."""
    if kind == "json" and _is_json(request):
        return _with_member(request, name, value)
    attribute = "json_data" if kind == "json" else "data"
    body = getattr(request, attribute)
    others = [key for key in ("json_data", "data", "content", "files") if key != attribute and getattr(request, key)]
    if others == ["files"] and kind == "form":
        others = []  # a multipart body takes fields too
    if others or not (body is None or isinstance(body, Mapping) or (kind == "form" and isinstance(body, list | tuple))):
        raise ProfileError(
            f"the profile puts {name!r} into a {kind} body, and this request has another one",
            hint=f"send {'a JSON object' if kind == 'json' else 'a form'}, or narrow `inject` with methods or paths",
        )
    if isinstance(body, list | tuple):
        return dataclasses.replace(request, data=[*body, (name, value)])
    whole = {**(body or {}), name: value}
    return dataclasses.replace(request, json_data=whole) if kind == "json" else dataclasses.replace(request, data=whole)


def _with_member(request: HttpRequest, name: str, value: Any) -> HttpRequest:
    """The request with one more member in its JSON body, of which the rest stays as it is written."""
    text, whole = _json_table(request)
    if whole is None:
        raise ProfileError(
            f"the profile puts {name!r} into the JSON body, and the body of this request is no JSON object",
            hint="send an object in UTF-8, or narrow `inject` with methods or paths",
        )
    if name in whole:
        return request
    end = text.rindex("}")
    comma = ", " if whole else ""
    member = f"{comma}{json.dumps(name)}: {json.dumps(value)}"
    return dataclasses.replace(request, content=f"{text[:end].rstrip()}{member}{text[end:]}".encode())
