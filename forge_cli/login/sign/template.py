"""The signer that a profile spells out itself, with templates over the encoded request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from ...encode import FORM, JSON
from ...errors import ProfileError, RequestBuildException
from ...models import PreparedRequest
from ..definition import InjectTable, TemplateText, key, table
from ..filters import text_of
from ..inject import placed
from ..scope import Scope
from ..template import Reference, parse
from . import Signer, encoded

_NAMES = ("method", "host", "path", "query", "target", "sorted_query", "sorted_target", "body", "sorted_params")
_WITH_BODY = ("POST", "PUT", "PATCH")


@table
class TemplateSign(Signer):
    """Put what templates make of the encoded request into it.

    All templates see the request as it was before: what one entry puts in is no part of what another
    computes. Query parameters and fields of a body replace those of the same name, and go to the end.
    """

    type: Literal["template"] = key("sign by a signature of your own, from templates")
    values: Mapping[str, TemplateText] = key("named intermediate values, in order", default_factory=dict)
    inject: tuple[InjectTable, ...] = key("where the signature and what belongs to it go")

    @staticmethod
    def problem(table: Mapping[str, Any]) -> str | None:
        """What its keys, as written, must be to each other and are not."""
        entries = table.get("inject")
        tables = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        wrong = [entry["in"] for entry in tables if entry.get("in") in ("basic", "base_url", "client_cert", "cookies")]
        return f"a signature cannot go in {wrong[0]!r} (one of: header, query, cookie, form, json)" if wrong else None

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """As `Signer.sign` says. UndefinedReference, ProfileError: a template has no value."""
        entries = [entry for entry in self.inject if _counts(entry, request)]
        for entry in entries:
            request = _cleared(request, entry)
        seen = replace(scope, request=request_values(request), values={**scope.values, **self.values})
        for entry in entries:
            request = _injected(request, entry, seen)
        return request


def request_values(request: PreparedRequest) -> Mapping[Reference, Any]:
    """An encoded request as `request.…` reads it; each value is computed when it is asked for.

    `target` is the path, and ``?query`` if there is one; the `sorted_…` are encoded as RFC 3986 says and
    sorted by encoded name, then value; `sorted_params` joins query and form.
    """
    return _RequestValues(request)


class _RequestValues(Mapping[Reference, Any]):
    def __init__(self, request: PreparedRequest) -> None:
        self._request = request
        self._found: dict[Reference, Any] = {}

    def __getitem__(self, reference: Reference) -> Any:
        if reference not in self._found:
            self._found[reference] = self._value(reference)
        return self._found[reference]

    def __iter__(self) -> Iterator[Reference]:
        yield from ((name,) for name in _NAMES)
        yield from (("headers", name.lower()) for name in self._request.headers)

    def __len__(self) -> int:
        return len(_NAMES) + len(self._request.headers)

    def _value(self, reference: Reference) -> Any:
        request = self._request
        path, query = encoded.path_and_query(request)
        match reference:
            case ("method",):
                return request.method
            case ("host",):
                return encoded.host(request)
            case ("path",):
                return path
            case ("query",):
                return query
            case ("target",):
                return f"{path}?{query}" if query else path
            case ("sorted_query",):
                return encoded.joined(sorted(encoded.encoded_pairs(query)))
            case ("sorted_target",):
                ordered = self["sorted_query",]
                return f"{path}?{ordered}" if ordered else path
            case ("sorted_params",):
                pairs = encoded.encoded_pairs(query) + encoded.encoded_pairs(encoded.form_text(request))
                return encoded.joined(sorted(pairs))
            case ("body",):
                return b"".join(encoded.octets(request))
            case ("headers", name) if name.lower() == "host":
                return encoded.host(request)
            case ("headers", name):
                return request.headers[name]
        raise KeyError(reference)


def _counts(entry: InjectTable, request: PreparedRequest) -> bool:
    """Whether an entry is for this request."""
    parts = urlsplit(request.url)
    tests: Sequence[tuple[Sequence[str] | None, str]] = (
        (entry.methods and [method.upper() for method in entry.methods], request.method.upper()),
        (entry.paths, parts.path or "/"),
        (entry.hosts and [name.lower() for name in entry.hosts], parts.hostname or ""),
    )
    return all(patterns is None or any(fnmatchcase(value, p) for p in patterns) for patterns, value in tests)


def _cleared(request: PreparedRequest, entry: InjectTable) -> PreparedRequest:
    """The request without what an entry will put into it: an earlier hop of a redirect may have been signed."""
    name = parse(entry.name or "").literal
    if name is None:
        return request
    match entry.in_:
        case "query":
            return encoded.without_parameter(request, name)
        case "form" if encoded.is_form(request):
            return encoded.without_field(request, name)
        case "json" if isinstance(members := _members(request), dict) and name in members:
            del members[name]
            return encoded.with_body(request, json.dumps(members).encode(), JSON)
    return request


def _members(request: PreparedRequest) -> Any:
    """The value of a JSON body, None when it is none."""
    try:
        return json.loads(request.body) if encoded.is_json(request) else None
    except (ValueError, RecursionError):
        return None


def _injected(request: PreparedRequest, entry: InjectTable, scope: Scope) -> PreparedRequest:
    _, name, value = placed(entry, scope)
    match entry.in_:
        case "header":
            return encoded.with_header(request, name, value)
        case "query":
            return encoded.with_parameter(request, name, value)
        case "cookie":
            return encoded.with_cookie(request, name, value)
        case "form":
            return _with_field(request, name, value)
        case "json":
            return _with_member(request, name, value)
    raise ProfileError(f"a signature cannot go into {entry.in_!r}", hint="one of: header, query, cookie, form, json")


def _with_field(request: PreparedRequest, name: str, value: str) -> PreparedRequest:
    """The request with one more field at the end of its form, which is made when there is no body."""
    if request.body is None and request.method not in _WITH_BODY:
        return request
    if request.body and not encoded.is_form(request):
        raise _other_body(name, "form")
    field = f"{quote(name, safe='')}={quote(value, safe='')}".encode()
    return encoded.with_body(request, b"&".join(filter(None, (request.body, field))), FORM)


def _with_member(request: PreparedRequest, name: str, value: Any) -> PreparedRequest:
    """The request with one more member at the end of its JSON object, the rest of which stays as it is."""
    if request.body is None and request.method not in _WITH_BODY:
        return request
    body = request.body or b"{}"
    members = {} if request.body is None else _members(request)
    if not isinstance(members, dict):
        raise _other_body(name, "JSON")
    plain = text_of(value) if isinstance(value, bytes) else value
    member = f"{json.dumps(name)}: {json.dumps(plain)}".encode()
    start = body.rstrip()[:-1].rstrip()
    return encoded.with_body(request, start + (b", " if members else b"") + member + b"}", JSON)


def _other_body(name: str, kind: str) -> RequestBuildException:
    wanted = "a form" if kind == "form" else "a JSON object"
    return RequestBuildException(
        f"the signature {name!r} goes into a {kind} body, and this request has another one",
        hint=f"send {wanted}, or narrow the signer's `inject` with methods or paths",
    )
