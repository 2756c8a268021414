"""From the words of a command to a request and a client that sends it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from ..client import HttpClient
from ..config import HttpClientConfig
from ..errors import UsageError
from ..hooks import Listener
from ..interfaces import AuthHookInterface
from ..models import HttpRequest
from ..profiles.build import Profile, retry_strategy
from ..profiles.schema import RetryTable
from ..redact import REDACTOR
from ..transport.redirects import origin
from .context import Context
from .items import Items, header, parse

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_CONNECT, _IDLE = 10.0, 60.0


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True)
class Given:
    """A secret from the command line: its value, and the shell words that give it without showing it."""

    value: str
    expression: str | None


def build_request(
    context: Context, method: str, url: str, words: tuple[str, ...], options: RequestOptions
) -> HttpRequest:
    """The request that the words describe. UsageError names the word that is wrong."""
    items = parse(words)
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
    body, content_type = _body(context, items, options)
    if content_type is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = content_type
    return HttpRequest(options.method or method, url, headers or None, query or None, **body, auth=None, cookies=None)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--query {text!r} is not NAME=VALUE")
    return name, value


def _body(context: Context, items: Items, options: RequestOptions) -> tuple[dict[str, Any], str | None]:
    """The body as fields of HttpRequest, and its content type."""
    kinds = [
        name
        for name, given in (("--json", options.json), ("--form", options.form), ("--multipart", options.multipart))
        if given
    ]
    if len(kinds) > 1:
        raise UsageError(f"{kinds[0]} and {kinds[1]} cannot go together", hint="choose one kind of body")
    if options.data is not None:
        if items.fields or items.files or items.body:
            raise UsageError("--data and request items both give a body", hint="give it once")
        return {
            "content": _data(context, options.data)
        }, "application/json" if options.json else "application/x-www-form-urlencoded"
    if items.body is not None:
        content = _stdin(context) if items.body == "-" else _file(items.body)
        return {"content": content}, _kind(options, "application/json")
    if items.files or options.multipart:
        return {
            "data": items.form(),
            "files": {
                f.name: (f.filename, _stdin(context) if f.path == "-" else _file(f.path), f.content_type)
                for f in items.files
            },
        }, None
    if options.form:
        return ({"data": items.form()} if items.fields else {}), None
    text = items.json_text()
    return ({} if text is None else {"content": text}), None if text is None else "application/json"


def _kind(options: RequestOptions, default: str) -> str:
    return "application/x-www-form-urlencoded" if options.form else default


def _data(context: Context, text: str) -> Any:
    if text == "@-":
        return _stdin(context)
    return _file(text[1:]) if text.startswith("@") else text


def _stdin(context: Context) -> Any:
    if context.stdin is None:
        raise UsageError("standard input is closed, so `-` gives nothing")
    return getattr(context.stdin, "buffer", context.stdin).read()


def _file(path: str) -> BinaryIO:
    try:
        return open(os.path.expanduser(path), "rb")
    except OSError as exc:
        raise UsageError(f"cannot read {path!r}: {exc.strerror}") from None


def secret(context: Context, option: str, text: str) -> Given:
    """A secret given as a literal, ``env:NAME``, ``@FILE`` or ``-``. A literal works, and warns."""
    if text.startswith("env:"):
        name = text[4:]
        value = context.environ.get(name)
        if not value:
            raise UsageError(f"{option}: the environment variable {name} is not set", hint=f"export {name}=…")
        given = Given(value, f"${{{name}}}" if not name.isidentifier() else f"${name}")
    elif text.startswith("@"):
        with _file(text[1:]) as file:
            given = Given(file.read().decode("utf-8", "replace").rstrip("\r\n"), None)
    elif text == "-":
        given = Given(bytes(_stdin(context)).decode("utf-8", "replace").rstrip("\r\n"), None)
    else:
        context.notice(f"{option}: a secret on the command line can be seen by others: use env:NAME, @FILE or -")
        given = Given(text, None)
    REDACTOR.add(given.value)
    return given


def credential(
    context: Context,
    request: HttpRequest,
    options: RequestOptions,
    wrap: Callable[[Given], str] = lambda given: given.value,
) -> HttpRequest:
    """The request with what `-u` or `--bearer` says. `wrap` chooses how a secret appears."""
    if options.user is not None and options.bearer is not None:
        raise UsageError("--user and --bearer cannot go together", hint="choose one")
    if options.bearer is not None:
        given = secret(context, "--bearer", options.bearer)
        return request.with_headers({"Authorization": f"Bearer {wrap(given)}"})
    if options.user is not None:
        return replace(request, auth=_user(context, options.user))
    return request


def _user(context: Context, text: str) -> tuple[str, str]:
    if text.startswith(("env:", "@")) or text == "-":
        user, colon, password = secret(context, "--user", text).value.partition(":")
        if not colon:
            raise UsageError("--user: what it refers to is not USER:PASS")
        REDACTOR.add(password)
        return user, password
    user, colon, password = text.partition(":")
    if colon:
        secret(context, "--user", password) if password else None
        return user, password
    if not context.interactive:
        raise UsageError(
            "--user: no password, and nobody can be asked", hint="use --user env:NAME with USER:PASS in it"
        )
    password = context.ask(f"Password for {user}")
    REDACTOR.add(password)
    return user, password


def build_client(
    context: Context,
    request: HttpRequest,
    options: RequestOptions,
    listener: Listener | None,
    hook: Callable[[Profile], AuthHookInterface] | None = None,
    text: Callable[[Profile], Callable[[str], str]] | None = None,
) -> HttpClient:
    """The client that sends this request: by the profile, where there is one, and by the options."""
    absolute = _ABSOLUTE.match(request.url) is not None
    profile = context.profile_if_any(listener=listener) if absolute else context.profile(listener=listener)
    explicit = options.no_auth or options.user is not None or options.bearer is not None
    if profile is None:
        config = HttpClientConfig(
            default_timeout=None,
            connect_timeout=_CONNECT,
            idle_timeout=_IDLE,
            retry_strategy=retry_strategy(RetryTable()),
        )
    else:
        config = profile.config(hook(profile) if hook is not None else None, None if text is None else text(profile))
        foreign = absolute and (not config.base_url or origin(request.url) not in _origins(config))
        if foreign:
            if listener is not None and config.base_url and not explicit:
                context.notice("the URL is not of this profile's origins: sent without its headers and credentials")
            config = replace(config, base_url="", origins=(), default_headers={}, default_params={}, auth_hook=None)
    if explicit:
        config = replace(config, auth_hook=None)
    return HttpClient(replace(config, **_overrides(context, config, options)), listener=listener)


def _origins(config: HttpClientConfig) -> set[tuple[str, str, int]]:
    return {origin(url) for url in (config.base_url, *config.origins)}


def _overrides(context: Context, config: HttpClientConfig, options: RequestOptions) -> dict[str, Any]:
    """The fields of the config that the options decide."""
    found: dict[str, Any] = {"post_to_get": bool(options.follow)}
    if options.follow is not None:
        found["allow_redirects"] = options.follow
    if options.max_redirects is not None:
        found |= {"max_redirects": options.max_redirects, "allow_redirects": options.max_redirects > 0}
    if options.timeout is not None:
        found["max_elapsed"] = options.timeout
    if options.connect_timeout is not None:
        found["connect_timeout"] = options.connect_timeout
    retries = options.retry if options.retry is not None else _retries(context)
    if retries is not None:
        found["retry_strategy"] = retry_strategy(
            RetryTable(strategy="exponential" if retries else "none", max_retries=retries)
        )
    if options.retry_unsafe:
        found["retry_unsafe_methods"] = True
    verify = _verify(options)
    if verify is not None:
        found["verify_ssl"] = verify
    if options.proxy is not None:
        found["proxies"] = {"http": options.proxy, "https": options.proxy}
    if options.cert is not None:
        found["client_cert"] = (options.cert, options.cert_key, None)
    if found.get("verify_ssl", config.verify_ssl) is False:
        context.warn("certificates are not verified: anybody in between can read and change this")
    return found


def _retries(context: Context) -> int | None:
    text = context.environ.get("FORGE_RETRY")
    if not text:
        return None
    if not text.isdigit():
        raise UsageError(f"FORGE_RETRY is {text!r}, not a whole number")
    return int(text)


def _verify(options: RequestOptions) -> bool | str | None:
    if options.insecure or options.verify == "no":
        return False
    if options.verify in (None, "yes"):
        return True if options.verify == "yes" else None
    if not os.path.exists(str(options.verify)):
        raise UsageError(f"--verify {options.verify!r}: no such file", hint="yes, no, or a CA file")
    return options.verify
