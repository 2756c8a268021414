"""A library request, not yet prepared, as a curl command."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote as percent_encode
from urllib.parse import quote_plus

from ..compiled import compiled
from ..errors import RequestBuildException
from ..redact import MASK, REDACTOR, sensitive
from .command import BREAKS, argument, render
from .parameters import iter_params

FORM = "application/x-www-form-urlencoded"
# All that a path or query may hold unencoded, and "%" that already starts an escape (RFC 3986).
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
_STRAY_PERCENT = compiled(r"%(?![0-9A-Fa-f]{2})")


class _Part(NamedTuple):
    name: str
    value: bytes = b""
    filename: str | None = None
    content_type: str | None = None
    path: str | None = None


def to_curl(request: Any, mask: bool = False) -> str:
    """A library request as one line of curl, with its values; `mask` hides those whose names say secret.

    What is read from a stream is read from standard input, or from the stream's file when it has a name.
    RequestBuildException for what no request can hold, and for two bodies.
    """
    _check_bodies(request)
    headers = _with_cookies(list(_headers(request.headers)), request.cookies)
    form = request.data is not None and _is_form(request.data)
    implied = "application/json" if request.json_data is not None else FORM if form and not request.files else None
    if implied and not any(name.lower() == "content-type" for name in request.headers or ()):
        headers.append(("Content-Type", implied))
    parts = _parts(request.data, request.files) if request.files else []
    body, body_path = (None, None) if parts else _body(request, mask)
    url = _address(request.url, list(iter_params(request.params)))
    user = None if request.auth is None else f"{request.auth[0]}:{MASK if mask else request.auth[1]}"
    if mask:
        headers = REDACTOR.headers(headers)
        parts = [_Part(p.name, MASK.encode(), p.filename, p.content_type) if sensitive(p.name) else p for p in parts]
        url = REDACTOR.url(url)
    return render(
        method=str(getattr(request.method, "value", request.method)),
        url=url,
        headers=headers,
        body=body,
        parts=parts,
        body_path=body_path,
        user=user,
        max_time=request.timeout,
        complete=False,
    )


def _check_bodies(request: Any) -> None:
    given = [name for name in ("data", "json_data", "content") if getattr(request, name) is not None]
    if request.files and given and not (given == ["data"] and _is_form(request.data)):
        given.append("files")
    if len(given) > 1:
        raise RequestBuildException(f"a request has one body, not {' and '.join(given)}", hint="keep one of them")


def _is_form(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return all(isinstance(item, list | tuple) and len(item) == 2 for item in data)
    return isinstance(data, Mapping)


def _headers(headers: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for name, value in (headers or {}).items():
        for item in value if isinstance(value, list | tuple) else (value,):
            if item is not None:
                yield str(name), str(item)


def _with_cookies(headers: list[tuple[str, str]], cookies: Mapping[str, str] | None) -> list[tuple[str, str]]:
    if not cookies:
        return headers
    given = [value for name, value in headers if name.lower() == "cookie"]
    others = [pair for pair in headers if pair[0].lower() != "cookie"]
    return [*others, ("Cookie", "; ".join([*given, *(f"{name}={value}" for name, value in cookies.items())]))]


def _body(request: Any, mask: bool) -> tuple[bytes | None, str | None]:
    """The body's bytes, or the path that they are read from."""
    if request.json_data is not None:
        return _json(_masked(request.json_data) if mask else request.json_data), None
    raw = request.content if request.content is not None else request.data
    if raw is None:
        return None, None
    if raw is request.data and _is_form(raw):
        return _encoded(iter_params(raw), mask).encode(), None
    value, path = _content(raw)
    if mask and value is not None and (text := argument(value)) is not None:
        value = REDACTOR.content(text).encode()
    return value, path


def _json(data: Any) -> bytes:
    try:
        return json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise RequestBuildException(f"json_data is not JSON: {exc}") from None


def _content(value: Any) -> tuple[bytes | None, str | None]:
    if isinstance(value, str):
        return value.encode(), None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), None
    if isinstance(value, list | tuple):
        return b"".join(item.encode() if isinstance(item, str) else bytes(item) for item in value), None
    if hasattr(value, "getvalue"):
        return _content(value.getvalue())
    name = getattr(value, "name", None)
    return None, name if isinstance(name, str) else "-"


def _parts(data: Any, files: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[_Part]:
    parts = [_Part(name, value.encode()) for name, value in iter_params(data)]
    for name, value in files.items() if isinstance(files, Mapping) else files:
        parts.extend(_file_part(str(name), one) for one in (value if isinstance(value, list) else [value]))
    return parts


def _file_part(name: str, value: Any) -> _Part:
    filename, content, content_type = (*value, None)[:3] if isinstance(value, tuple) else (None, value, None)
    data, path = _content(content)
    if filename is None and not isinstance(value, tuple):
        filename = os.path.basename(path) if path not in (None, "-") else name
    return _Part(name, data or b"", filename, content_type, path)


def _address(url: str, params: list[tuple[str, str]]) -> str:
    if BREAKS.search(url):
        raise RequestBuildException("the URL holds a line break or NUL")
    head, hash_, fragment = url.partition("#")
    if params:
        head += "" if head.endswith(("?", "&")) else "&" if "?" in head else "?"
        head += _encoded(params, mask=False)
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*", head)
    authority = match[0] if match else ""
    rest = head[len(authority) :] + hash_ + fragment
    return authority + percent_encode(_STRAY_PERCENT.sub("%25", rest), safe=_URL_SAFE)


def _encoded(pairs: Iterable[tuple[str, str]], mask: bool) -> str:
    return "&".join(f"{quote_plus(n)}={MASK if mask and sensitive(n) else quote_plus(v)}" for n, v in pairs)


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: MASK if _hides(k, item) else _masked(item) for k, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list | tuple) else value


def _hides(name: object, value: Any) -> bool:
    return sensitive(str(name)) and value is not None and not isinstance(value, Mapping | list | tuple | bool)
