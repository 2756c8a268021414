"""From what a caller means to what goes on the wire: URL, headers, body. No network, no credentials."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, cast
from urllib.parse import quote, quote_plus

from . import __version__
from .auth import basic
from .compiled import compiled
from .curl import iter_params
from .errors import RequestBuildException
from .models import TOKEN, Headers, HttpRequest, Part, PreparedRequest
from .transport.redirects import address

USER_AGENT = f"forge/{__version__}"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
ACCEPT_JSON = f"{JSON}, */*;q=0.5"

_SCHEME = compiled(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ABSOLUTE = compiled(r"https?://", re.IGNORECASE)
# All that a path or query may hold unencoded, and "%" that already starts an escape (RFC 3986).
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_STRAY_PERCENT = compiled(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = compiled(r"[\x00-\x1f\x7f]")
_UNRESERVED = compiled(r"[A-Za-z0-9_.~-]*")
_BREAK = compiled(r"[\r\n\0]")
_CHUNK = 65536


@lru_cache(maxsize=128)
def build_url(base_url: str, url: str) -> str:
    """The absolute URL: `url` itself when it is one, else joined to `base_url`.

    Nothing in `url` can change the host of `base_url`. RequestBuildException for what is neither a
    path nor an http(s) URL.
    """
    if _CONTROL.search(url) or url != url.strip():
        raise RequestBuildException("the URL holds control characters or spaces at its ends", hint="quote and trim it")
    if not url.startswith("/"):
        if _ABSOLUTE.match(url):
            return url
        if _SCHEME.match(url):
            raise RequestBuildException(
                f"{url.split(':', 1)[0]}: is neither http:// nor https://",
                hint="give a path such as /users, or a URL that starts with http:// or https://",
            )
    return f"{base_url.rstrip('/')}/{url.lstrip('/')}" if base_url else url


def normal_url(url: str, *params: Any) -> str:
    """The URL percent-encoded, with the parameters added to its query and without its fragment.

    Parameters are a mapping, pairs, or the text of a query, which is encoded already. RequestBuildException
    for anything else.
    """
    place, given = _place_and_query(url)
    query = "&".join(filter(None, (given, *map(_query, params))))
    return f"{place}?{query}" if query else place


def _query(params: Any) -> str:
    if not params:
        return ""
    if isinstance(params, str | bytes):
        return _escape(params if isinstance(params, str) else params.decode("utf-8", "replace")).replace("#", "%23")
    try:
        pairs = list(iter_params(params))
    except (TypeError, ValueError):
        raise RequestBuildException(
            "params are neither a mapping, nor pairs, nor the text of a query",
            hint='params={"name": "value"}, [("name", "value")] or "name=value"',
        ) from None
    return _form(pairs)


def _form(pairs: Iterable[tuple[str, str]]) -> str:
    """The pairs as ``application/x-www-form-urlencoded`` (WHATWG URL, section 5.2)."""
    return "&".join(f"{_plus_quoted(name)}={_plus_quoted(value)}" for name, value in pairs)


def _plus_quoted(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) is not None else quote_plus(text)


@lru_cache(maxsize=128)
def _place_and_query(url: str) -> tuple[str, str]:
    if _ABSOLUTE.match(url) is None:
        raise RequestBuildException(
            "the URL has no host", hint="give an absolute URL, or a profile with a base_url: --profile NAME"
        )
    there = address(url)
    path, _, query = there.rest.partition("#")[0].partition("?")
    return f"{there}{_escape(_without_dots(path)) or '/'}", _escape(query)


def _escape(text: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=_SAFE)


def _without_dots(path: str) -> str:
    """The path without "." and ".." segments (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    slash = "/" if segments[-1] in (".", "..") and kept else ""
    return "/" + "/".join(kept) + slash


def encode(
    request: HttpRequest,
    *,
    base_url: str = "",
    defaults: Mapping[str, Any] | None = None,
    params: Any = None,
    cookies: Mapping[str, str] | None = None,
    timeout: float | None = None,
    credentials: frozenset[str] = frozenset(),
    query_credentials: frozenset[str] = frozenset(),
) -> PreparedRequest:
    """The request as bytes: `defaults` are headers, `params` a query, below the request's own.

    `timeout` in seconds holds where the request has none; the rest is passed on. RequestBuildException
    for a bad URL or header, two bodies, or JSON that is none.
    """
    url, auth = _without_userinfo(build_url(base_url, request.url), request.auth)
    method = str(getattr(request.method, "value", request.method))
    try:
        body, content_type, parts = _body(request)
        fields = _fields(request.headers, defaults, content_type)
        if auth is not None and not _names(request.headers, "authorization"):
            fields["authorization"] = [("Authorization", basic(*auth))]
        if cookies or request.cookies:
            _add_cookies(fields, {**(cookies or {}), **(request.cookies or {})})
        _add_length(fields, method, body)
        url = normal_url(url, params, request.params)
    except UnicodeEncodeError:
        # The original quotes the whole text.
        raise RequestBuildException("the request holds a lone surrogate, which UTF-8 cannot express") from None
    headers = Headers([pair for field in fields.values() for pair in field])
    return PreparedRequest(
        method, url, headers, body, parts, credentials, query_credentials, request.timeout or timeout
    )


def _without_userinfo(url: str, auth: tuple[str, str] | None) -> tuple[str, tuple[str, str] | None]:
    if "@" not in url:
        return url, auth
    head, separator, rest = url.partition("://")
    authority = re.match(r"[^/?#\\]*", rest)
    if not separator or authority is None or "@" not in authority[0]:
        return url, auth
    userinfo, _, host = authority[0].rpartition("@")
    user, _, password = userinfo.partition(":")
    unquoted = (_unquote(user), _unquote(password))
    return f"{head}://{host}{rest[authority.end() :]}", auth or unquoted


def _unquote(text: str) -> str:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode()).decode(
        "utf-8", "replace"
    )


def _fields(
    own: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None, content_type: str | None
) -> dict[str, list[tuple[str, str]]]:
    """The fields by lower-case name: forge's own, below the defaults, below the request's.

    None leaves a field out, a list repeats it.
    """
    fields = {
        "user-agent": [("User-Agent", USER_AGENT)],
        "accept": [("Accept", ACCEPT_JSON if content_type == JSON else "*/*")],
    }
    if content_type is not None:
        fields["content-type"] = [("Content-Type", content_type)]
    for layer in (defaults, own):
        for name, value in _grouped(layer):
            if isinstance(value, str):
                fields[_key(name)] = [(name, _line(name, value))]
            else:
                values = value if isinstance(value, list | tuple) else (value,)
                fields[_key(name)] = [(name, _line(name, _header_text(item))) for item in values if item is not None]
    return fields


def _grouped(layer: Mapping[str, Any] | None) -> Iterable[tuple[str, Any]]:
    if isinstance(layer, Headers):
        return [(name, layer.get_all(name)) for name in layer]
    return layer.items() if layer else ()


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    """A field's name in lower case. RequestBuildException for what is no name."""
    if TOKEN.fullmatch(name) is None:
        raise RequestBuildException(f"{name!r} is not a header name", hint="letters, digits and - only")
    return name.lower()


def _header_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _names(headers: Mapping[str, Any] | None, wanted: str) -> bool:
    return any(name.lower() == wanted for name in headers or ())


def _add_cookies(fields: dict[str, list[tuple[str, str]]], jar: Mapping[str, str]) -> None:
    for name, value in jar.items():
        if ";" in f"{name}{value}" or "=" in name:
            raise RequestBuildException(f"cookie {name!r} holds a ';' or '=' that would begin another")
    given = [value for _, value in fields.get("cookie", ())]
    text = "; ".join([*given, *(f"{name}={value}" for name, value in jar.items())])
    fields["cookie"] = [("Cookie", _line("Cookie", text))]


def _add_length(fields: dict[str, list[tuple[str, str]]], method: str, body: Any) -> None:
    if fields.get("transfer-encoding"):
        return
    announced = fields.get("content-length")
    if announced:
        _check_length(announced, body)
        return
    length = 0 if body is None and method in ("POST", "PUT", "PATCH") else _length(body)
    if length is not None:
        fields["content-length"] = [("Content-Length", str(length))]
    elif body is not None:
        fields["transfer-encoding"] = [("Transfer-Encoding", "chunked")]


def _check_length(announced: Iterable[tuple[str, str]], body: Any) -> None:
    """RequestBuildException for a length that is not the body's: the server would wait, or misread what follows."""
    length = 0 if body is None else _length(body)
    for _, text in announced:
        if length is not None and text.strip() != str(length):
            raise RequestBuildException(
                f"Content-Length says {text}, and the body has {length} bytes",
                hint="leave it out: it is computed from the body",
            )


def _length(body: Any) -> int | None:
    if body is None:
        return None
    return len(body) if isinstance(body, bytes) else cast("int | None", body.length)


def _line(name: str, value: str) -> str:
    """A field's value. RequestBuildException for what is no line."""
    if _BREAK.search(value) is not None:
        raise RequestBuildException(f"the value of header {name!r} holds a line break or NUL")
    if not value.isascii():
        value.encode()  # UnicodeEncodeError for what no header can hold
    return value


def _body(request: HttpRequest) -> tuple[Any, str | None, tuple[Part, ...]]:
    """The encoded body, the content type that goes with it, and the parts it was made from."""
    if request.data is None and request.json_data is None and request.content is None and not request.files:
        return None, None, ()
    given = [name for name in ("json_data", "content") if getattr(request, name) is not None]
    if request.data is not None or request.files:
        given.append("files" if request.files else "data")
    if len(given) > 1:
        raise RequestBuildException(f"a request has one body: {' and '.join(given)} cannot be sent together")
    form = isinstance(request.data, Mapping) or _is_pairs(request.data)
    if request.files and request.data is not None and not form:
        raise RequestBuildException("beside files, data is a form: a mapping or pairs", hint="add the text as a field")
    if request.json_data is not None:
        return _json(request.json_data), JSON, ()
    if request.files:
        parts, pieces, boundary = _multipart(request.data, request.files)
        return Multipart(pieces), f"multipart/form-data; boundary={boundary}", parts
    if request.content is not None:
        return _raw(request.content), None, ()
    if form:
        return _form(iter_params(request.data)).encode(), FORM, ()
    return (None if request.data is None else _raw(request.data)), None, ()


def _json(data: Any) -> bytes:
    try:
        return json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise RequestBuildException(f"json_data is not JSON: {exc}") from None


def _is_pairs(data: Any) -> bool:
    return isinstance(data, list | tuple) and all(isinstance(item, list | tuple) and len(item) == 2 for item in data)


def _raw(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if hasattr(data, "read"):
        return FileBody(data)
    if isinstance(data, Iterable):
        return OneShot(data)
    raise RequestBuildException(
        f"a body cannot be a {type(data).__name__}", hint="text, bytes, a file, or an iterable of bytes"
    )


class FileBody:
    """A body read from a file object, from where it stands; sent again only if it can be rewound."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start: int | None = None
        try:
            self._start = file.tell() if file.seekable() else None
        except (AttributeError, OSError, ValueError):
            self._start = None

    @property
    def path(self) -> str | None:
        """Where the file is, None when it has no place."""
        name = getattr(self._file, "name", None)
        return name if isinstance(name, str) else None

    @property
    def replayable(self) -> bool:
        return self._start is not None

    @property
    def length(self) -> int | None:
        """Bytes to send, None when it cannot be known before reading (a pipe, a text file)."""
        if self._start is None or isinstance(self._file.read(0), str):
            return None
        end: int = self._file.seek(0, os.SEEK_END)
        self._file.seek(self._start)
        return end - self._start

    def rewind(self) -> None:
        """Go back to where reading starts; the request is encoded anew for each attempt."""
        if self._start is not None:
            self._file.seek(self._start)

    def open(self) -> Iterator[bytes]:
        self.rewind()
        while chunk := self._file.read(_CHUNK):
            yield chunk.encode() if isinstance(chunk, str) else chunk


class OneShot:
    """A body from an iterable, which can be sent once."""

    replayable = False
    length = None

    def __init__(self, chunks: Iterable[Any]) -> None:
        self._chunks = chunks

    def open(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield chunk.encode() if isinstance(chunk, str) else bytes(chunk)


@dataclass(frozen=True)
class Multipart:
    """A multipart body: bytes and files one after the other (RFC 7578)."""

    pieces: tuple[bytes | FileBody, ...]

    @property
    def replayable(self) -> bool:
        return all(isinstance(piece, bytes) or piece.replayable for piece in self.pieces)

    @property
    def length(self) -> int | None:
        lengths = [_length(piece) for piece in self.pieces]
        return None if None in lengths else sum(cast("list[int]", lengths))

    def rewind(self) -> None:
        """Go back to where reading each file starts."""
        for piece in self.pieces:
            if isinstance(piece, FileBody):
                piece.rewind()

    def open(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.open()


def _multipart(
    data: Any, files: Mapping[str, Any] | Iterable[tuple[str, Any]]
) -> tuple[tuple[Part, ...], tuple[bytes | FileBody, ...], str]:
    boundary = os.urandom(16).hex()
    fields = [(Part(name, value.encode()), value.encode()) for name, value in iter_params(data)]
    entries: list[tuple[Part, bytes | FileBody]] = [*fields]
    for name, spec in files.items() if isinstance(files, Mapping) else files:
        entries.extend(_file_part(name, one) for one in (spec if isinstance(spec, list) else [spec]))
    pieces: list[bytes | FileBody] = []
    for part, content in entries:
        pieces += [_part_head(boundary, part), content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return tuple(part for part, _ in entries), tuple(pieces), boundary


def _file_part(name: str, spec: Any) -> tuple[Part, bytes | FileBody]:
    filename, content, content_type = None, spec, None
    if isinstance(spec, tuple):
        filename, content, content_type = (*spec, None)[:3]
    path = getattr(content, "name", None)
    path = path if isinstance(path, str) else None
    if filename is None and not isinstance(spec, tuple):
        filename = os.path.basename(path) if path else name
    if hasattr(content, "read"):
        return Part(name, b"", filename, content_type, path), FileBody(cast(BinaryIO, content))
    value = content.encode() if isinstance(content, str) else bytes(content)
    return Part(name, value, filename, content_type), value


def _part_head(boundary: str, part: Part) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_disposition(part.name)}"'
    if part.filename is not None:
        head += f'; filename="{_disposition(part.filename)}"'
    if part.content_type is not None or part.filename is not None:
        head += f"\r\nContent-Type: {part.content_type or 'application/octet-stream'}"
    return f"{head}\r\n\r\n".encode()


def _disposition(text: str) -> str:
    """A name inside quotes, escaped as browsers do (WHATWG HTML, "multipart/form-data encoding")."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
