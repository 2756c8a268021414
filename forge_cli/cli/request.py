"""From the words of a command to a request."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Collection
from dataclasses import replace
from typing import Any, BinaryIO

from ..encode import FORM, JSON
from ..errors import NeedsPerson, UsageError
from ..frozen import immutable_by_name
from ..models import HttpRequest
from ..redact import REDACTOR
from .items import Items, header, parse, unreadable
from .progress import watched
from .run import Run

_TYPES = mimetypes.MimeTypes()


@immutable_by_name
class RequestOptions:
    """What the options of a request say, as given."""

    headers: tuple[str, ...] = ()
    data: str | None = None
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
    items = words if isinstance(words, Items) else parse(words)
    headers: dict[str, Any] = {}
    for name, value in (*items.headers, *(header(text) for text in options.headers)):
        known = next((key for key in headers if key.lower() == name.lower()), None)
        if value is None or known is None or headers[known] is None:
            headers.pop(known or name, None)
            headers[name] = value
        else:
            old = headers[known]
            headers[known] = [*(old if isinstance(old, list) else [old]), value]
    query = [*(_pair(text) for text in options.query), *items.query]
    body, content_type = _body(run, items, options)
    stated = {name.lower() for name in (*headers, *defaults)}
    fitting = {} if content_type is None else {"Content-Type": content_type}
    if content_type == JSON:
        fitting["Accept"] = f"{JSON}, */*;q=0.5"
    headers |= {name: value for name, value in fitting.items() if name.lower() not in stated}
    return HttpRequest(options.method or method, url, headers or None, query or None, **body)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--query {text!r} is not NAME=VALUE", hint="quote it for the shell: -q 'name=value'")
    return name, value


def _body(run: Run, items: Items, options: RequestOptions) -> tuple[dict[str, Any], str | None]:
    """The body as fields of HttpRequest, and its content type."""
    kinds = [
        name
        for name, given in (("--json", options.json), ("--form", options.form), ("--multipart", options.multipart))
        if given
    ]
    if len(kinds) > 1:
        raise UsageError(f"{kinds[0]} and {kinds[1]} cannot go together", hint="choose one kind of body")
    if options.data is not None:
        item = _body_item(items)
        if item is not None:
            raise UsageError(f"two bodies: --data and {item}", hint="give it once")
        content_type = JSON if options.json else FORM
        return {"content": _data(run, options.data)}, content_type
    if items.body is not None:
        content_type = FORM if options.form else JSON if options.json else _type_of(items.body) or JSON
        return {"content": _content(run, items.body)}, content_type
    if items.content is not None:
        return {"content": items.content[0]}, items.content[1]
    if items.files or options.multipart:
        return {"files": _parts(run, items)}, None
    if options.form:
        return ({"data": items.form()} if items.fields else {}), None
    text = items.json_text()
    return ({} if text is None else {"content": text}), None if text is None else JSON


def _body_item(items: Items) -> str | None:
    """The first item that is of a body."""
    if items.body is not None:
        return f"@{items.body}"
    names = [*(field.name for field in items.fields), *(file.name for file in items.files)]
    return f"field {names[0]!r}" if names else None


def _parts(run: Run, items: Items) -> dict[str, list[Any]]:
    """The parts of a multipart body: fields have no file name. A name may be given more than once."""
    parts: dict[str, list[Any]] = {}
    for name, value in items.form():
        parts.setdefault(name, []).append((None, value, None))
    for file in items.files:
        content = _content(run, file.path)
        content_type = file.content_type or _type_of(file.filename)
        parts.setdefault(file.name, []).append((file.filename, content, content_type))
    return parts


def _type_of(filename: str) -> str | None:
    """The content type that a file's name stands for, on every machine the same."""
    kind, coding = _TYPES.guess_type(filename)
    return kind if coding is None else None


def _data(run: Run, text: str) -> Any:
    if text == "@-":
        return run.read_stdin("--data")
    if text.startswith("@"):
        return watched(run, _file(run, text[1:]))
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("--data is not UTF-8", hint="@FILE sends any bytes") from None


def _content(run: Run, path: str) -> Any:
    return run.read_stdin("@-") if path == "-" else watched(run, _file(run, path))


def _file(run: Run, path: str) -> BinaryIO:
    """The file, open until the command ends: a retry reads it again."""
    try:
        return run.resources.enter_context(open(os.path.expanduser(path), "rb"))
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from None


def secret(run: Run, option: str, text: str) -> str:
    """A secret given as a literal, ``env:NAME``, ``@FILE`` or ``-``. A literal works, and warns."""
    if text.startswith("env:"):
        name = text[4:]
        value = run.environ.get(name, "")
        if name not in run.environ:
            raise UsageError(f"{option}: the environment variable {name} is not set", hint=f"export {name}=…")
    elif text.startswith("@"):
        value = _line(option, _file(run, text[1:]).read())
    elif text == "-":
        value = _line(option, run.read_stdin(option))
    else:
        run.notice(f"{option}: a secret on the command line can be seen by others: use env:NAME, @FILE or -")
        value = text
    check_stated(option, value)
    REDACTOR.add(value)
    return value


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
