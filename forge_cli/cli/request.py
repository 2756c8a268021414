"""From the words of a command to a request."""

from __future__ import annotations

import base64
import mimetypes
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, BinaryIO

from ..compiled import compiled
from ..encode import FORM, JSON
from ..errors import NeedsPerson, UsageError
from ..frozen import immutable_by_name
from ..models import HttpRequest
from ..redact import REDACTOR, quoted, sensitive, speaks
from .items import Items, header, parse, plain_header, read_file, unreadable
from .progress import watched
from .run import Run

_types = cache(mimetypes.MimeTypes)
# As much of standard input is read before anything is sent; more is sent while it comes.
_SHORT = 1 << 20
_NEEDED = {
    "host": "HTTP/1.1 needs it; `Host:NAME` says another one",
    "content-length": "the server needs it to find the end of the body; `Transfer-Encoding:chunked` sends it without",
}
_SEEN = "a secret on the command line can be seen by others: use env:NAME, @FILE or -"
_PASSWORD = compiled(r":[^/@]+@")
_LIKE_A_HOST = compiled(r":[0-9]+(/|$)|localhost(/|$)|[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?(/|$)|[\w.-]+:[0-9]+(/|$)")


@immutable_by_name
class RequestOptions:
    """What the options of a request say, as given."""

    headers: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    json: bool = False
    form: bool = False
    multipart: bool = False
    query: tuple[str, ...] = ()
    user: str | None = None
    bearer: str | None = None
    method: str | None = None
    follow: bool | None = None
    max_redirects: int | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    retry: int | None = None
    retry_unsafe: bool = False
    insecure: bool = False
    verify: str | None = None
    cert: str | None = None
    cert_key: str | None = None
    proxy: str | None = None
    no_auth: bool = False


def referred(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a request that refer to what they say elsewhere, as what is said there.

    ``-H @FILE`` and ``-q @FILE`` have one a line, ``--proxy`` takes what `secret` does.
    """
    found: dict[str, Any] = {}
    for name, option in (("headers", "--header"), ("query", "--query")):
        texts = settings.get(name, ())
        if any(map(_is_file, texts)):
            found[name] = tuple(line for text in texts for line in _lines(run, option, text))
    proxy = settings.get("proxy")
    if proxy and (value := _elsewhere(run, "--proxy", proxy)) is not None:
        check_stated("--proxy", value)
        found["proxy"] = value
    elif proxy and _PASSWORD.search(proxy):
        run.notice(f"--proxy: {_SEEN}")
    return found


def _is_file(text: str) -> bool:
    # No header begins so; a query parameter may, and has a value.
    return text.startswith("@") and "=" not in text


def _lines(run: Run, option: str, text: str) -> Iterator[str]:
    """A text, or those of the file that it names."""
    if not _is_file(text):
        yield text
        return
    content = run.read_stdin(option) if text == "@-" else read_file(text[1:])
    for line in filter(str.strip, _line(option, content).splitlines()):
        name, _, value = line.partition(":" if option == "--header" else "=")
        # In a list of many, what says something says it: page=2, X-Region: eu-west-1.
        if not (option == "--header" and plain_header(name.strip())) and not speaks(name.strip(), value.strip()):
            REDACTOR.add(value.strip())
        yield line


def build_request(
    run: Run,
    method: str,
    url: str,
    words: tuple[str, ...] | Items,
    options: RequestOptions,
    defaults: Collection[str] = (),
) -> HttpRequest:
    """The request that the words describe. UsageError names the word that is wrong.

    `defaults` are the names of headers that the client adds by itself.
    """
    items = words if isinstance(words, Items) else parse(words, read=reader(run))
    _check_place(run, url)
    headers: dict[str, Any] = {}
    given = (*items.headers, *(header(text) for text in options.headers))
    _check_credentials(given, options)
    for name, value in given:
        _hide(name, value)
        if value is None and name.lower() in _NEEDED:
            raise UsageError(f"the header {name} cannot be left out", hint=_NEEDED[name.lower()])
        known = next((key for key in headers if key.lower() == name.lower()), None)
        if value is None or known is None or headers[known] is None:
            headers.pop(known or name, None)
            headers[name] = value
        else:
            old = headers[known]
            headers[known] = [*(old if isinstance(old, list) else [old]), value]
    query = [*(_pair(text) for text in options.query), *items.query]
    at_once = any(name.lower() == "transfer-encoding" for name in headers)
    body, content_type = _body(run, items, options, at_once=at_once)
    stated = {name.lower() for name in (*headers, *defaults)}
    fitting = {} if content_type is None else {"Content-Type": content_type}
    if content_type == JSON:
        fitting["Accept"] = f"{JSON}, */*;q=0.5"
    headers |= {name: value for name, value in fitting.items() if name.lower() not in stated}
    return HttpRequest(options.method or method, url, headers or None, query or None, **body)


def _check_place(run: Run, url: str) -> None:
    """Say that what looks like a server is a path."""
    match = _LIKE_A_HOST.match(url)
    if match is not None:
        there = f"localhost{url}" if url.startswith(":") else url
        shown, whole = REDACTOR.url(url), REDACTOR.url(f"http://{there}")
        run.notice(f"{shown!r} is taken as a path of the profile's API; the server would be {whole}")


def _check_credentials(headers: Iterable[tuple[str, str | None]], options: RequestOptions) -> None:
    """UsageError for two credentials of which only one could be sent."""
    option = "--bearer" if options.bearer is not None else "--user" if options.user is not None else None
    if option is None:
        return
    for name, value in headers:
        if name.lower() == "authorization" and value is not None:
            raise UsageError(f"{option} and the header {name} both say who asks", hint="give one of them")


def _hide(name: str, value: str | None) -> None:
    """Have the redactor hide what a header of such a name carries, also where an answer repeats it."""
    if not value or not sensitive(name):
        return
    if name.lower() == "cookie":
        for pair in value.split(";"):
            cookie, _, text = pair.strip().partition("=")
            if not speaks(cookie, text):
                REDACTOR.add(text)
        return
    scheme, _, rest = value.strip().partition(" ")
    secret = rest.strip() if scheme.isalnum() and name.lower().endswith("authorization") else ""
    REDACTOR.add(secret or value.strip())
    if scheme.lower() == "basic":
        with suppress(ValueError):
            REDACTOR.add(base64.b64decode(secret, validate=True).partition(b":")[2])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--query {quoted(text)} is not NAME=VALUE", hint="quote it for the shell: -q 'name=value'")
    return name, value


def _body(run: Run, items: Items, options: RequestOptions, *, at_once: bool) -> tuple[dict[str, Any], str | None]:
    """The body as fields of HttpRequest, and its content type."""
    kinds = [
        name
        for name, given in (("--json", options.json), ("--form", options.form), ("--multipart", options.multipart))
        if given
    ]
    if len(kinds) > 1:
        raise UsageError(f"{kinds[0]} and {kinds[1]} cannot go together", hint="choose one kind of body")
    if options.data:
        item = _body_item(items)
        if item is not None:
            raise UsageError(f"two bodies: --data and {item}", hint="give it once")
        if options.json and len(options.data) > 1:
            raise UsageError("several --data make a form, and --json says it is none", hint="give one --data")
        content_type = JSON if options.json else FORM
        return {"content": _data(run, options.data, at_once=at_once)}, content_type
    if items.body is not None:
        content_type = FORM if options.form else JSON if options.json else _type_of(items.body) or JSON
        content = _piped(run, "@-", at_once=at_once) if items.body == "-" else watched(run, _file(run, items.body))
        return {"content": content}, items.body_type or content_type
    if items.content is not None:
        return {"content": items.content[0]}, items.content[1]
    if items.multipart or options.multipart:
        return {"files": _parts(run, items, at_once=at_once)}, None
    if options.form:
        return ({"data": items.form()} if items.fields else {}), None
    text = items.json_text()
    return ({} if text is None else {"content": text}), None if text is None else JSON


def _body_item(items: Items) -> str | None:
    """The first item that is of a body."""
    if items.body is not None:
        return f"@{items.body}"
    names = [*(field.name for field in items.fields), *(file.name for file in items.files)]
    return f"field {quoted(names[0])}" if names else None


def _parts(run: Run, items: Items, *, at_once: bool) -> list[tuple[str, Any]]:
    """The parts of a multipart body in the order they are given: fields have no file name."""
    fields = zip(items.fields, items.form(), strict=True)
    parts: list[tuple[str, Any]] = [(name, (None, value, field.content_type)) for field, (name, value) in fields]
    for place, file in enumerate(items.files):
        content = _piped(run, f"{file.name}@-", at_once=at_once) if file.path == "-" else _upload(run, file.path)
        content_type = file.content_type or _type_of(file.filename)
        parts.insert(file.before + place, (file.name, (file.filename, content, content_type)))
    return parts


def _upload(run: Run, path: str) -> Any:
    return watched(run, _file(run, path))


def _type_of(filename: str) -> str | None:
    """The content type that a file's name stands for, on every machine the same."""
    kind, coding = _types().guess_type(filename)
    return kind if coding is None else None


def _data(run: Run, texts: tuple[str, ...], *, at_once: bool) -> Any:
    """The body that `--data` says; several are joined as the fields of a form."""
    if len(texts) > 1:
        return b"&".join(_piece(run, text) for text in texts)
    if texts[0] == "@-":
        return _piped(run, "--data", at_once=at_once)
    return _upload(run, texts[0][1:]) if texts[0].startswith("@") else _piece(run, texts[0])


def _piece(run: Run, text: str) -> bytes:
    if text == "@-":
        return run.read_stdin("--data")
    if text.startswith("@"):
        return read_file(text[1:])
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("--data is not UTF-8", hint="@FILE sends any bytes") from None


def reader(run: Run) -> Callable[[str], bytes]:
    """Gives what `=@` and its like name: the content of a file, or of standard input for ``-``."""
    return lambda path: run.read_stdin("@-") if path == "-" else read_file(path)


class Piped:
    """What comes through a pipe, after the part that was read already. It can be read once."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int) -> bytes:
        """What is there, so many bytes at most; nothing at the end."""
        found, self._start = self._start[:size], self._start[size:]
        return found or self._rest.read1(size)  # type: ignore[attr-defined]  # the streams of a process have it

    def seekable(self) -> bool:
        return False


def _piped(run: Run, name: str, *, at_once: bool) -> Any:
    """Standard input as a body: what is short as bytes, which can be sent again, and a redirected file as a file."""
    stream = run.open_stdin(name)
    with suppress(OSError, ValueError):
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return run.resources.enter_context(os.fdopen(os.dup(stream.fileno()), "rb"))
    start = b"" if at_once else stream.read(_SHORT)
    return start if len(start) < _SHORT and not at_once else Piped(start, stream)


def _file(run: Run, path: str) -> BinaryIO:
    """The file, open until the command ends: a retry reads it again."""
    try:
        return run.resources.enter_context(open(os.path.expanduser(path), "rb"))
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from None


def secret(run: Run, option: str, text: str) -> str:
    """A secret given as a literal, ``env:NAME``, ``@FILE`` or ``-``. A literal works, and warns."""
    value = _elsewhere(run, option, text)
    if value is None:
        run.notice(f"{option}: {_SEEN}")
        value = text
    check_stated(option, value)
    REDACTOR.add(value)
    return value


def _elsewhere(run: Run, option: str, text: str) -> str | None:
    """What ``env:NAME``, ``@FILE`` or ``-`` refer to; None for any other text."""
    if text.startswith("env:"):
        name = text[4:]
        if name not in run.environ:
            raise UsageError(f"{option}: the environment variable {name} is not set", hint=f"export {name}=…")
        return run.environ[name]
    if text.startswith("@"):
        return _line(option, _file(run, text[1:]).read())
    return _line(option, run.read_stdin(option)) if text == "-" else None


def check_stated(option: str, value: str) -> None:
    """UsageError for a credential that says nothing: a request with it would go out as if it had none."""
    if not value.strip():
        raise UsageError(f"{option}: the credential is empty", hint="is a variable unset, or a file empty?")


def _line(option: str, content: bytes) -> str:
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # The exception quotes the bytes.
        raise UsageError(f"{option}: the secret is not UTF-8 text", hint="save it as one line of text") from None


def credential(run: Run, request: HttpRequest, options: RequestOptions) -> HttpRequest:
    """The request with what `-u` or `--bearer` says."""
    if options.bearer is not None:
        return request.with_headers({"Authorization": f"Bearer {secret(run, '--bearer', options.bearer)}"})
    if options.user is not None:
        return replace(request, auth=_user(run, options.user))
    return request


def _user(run: Run, text: str) -> tuple[str, str]:
    referred = text.startswith(("env:", "@")) or text == "-"
    user, colon, password = (secret(run, "--user", text) if referred else text).partition(":")
    check_stated("--user", user + password)
    if referred and not colon:
        raise UsageError("--user: what it refers to is not USER:PASS", hint="write both, with a colon between")
    if not colon:
        password = _asked(run, user)
    elif password and not referred:
        password = secret(run, "--user", password)
    REDACTOR.add(password)
    return user, password


def _asked(run: Run, user: str) -> str:
    if not run.interactive:
        raise NeedsPerson(
            "--user: no password, and nobody can be asked", hint="use --user env:NAME with USER:PASS in it"
        )
    return run.ask(f"Password for {user}")
