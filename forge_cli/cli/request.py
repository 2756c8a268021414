"""From the words of a command to a request and a client that sends it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from ..client import HttpClient
from ..config import HttpClientConfig
from ..encode import FORM, JSON, build_url
from ..errors import NeedsPerson, ProfileError, UsageError
from ..hooks import Foreign, Listener
from ..interfaces import AuthHookInterface
from ..models import HttpRequest
from ..profiles.build import Profile, retry_strategy
from ..profiles.schema import RetryTable
from ..redact import REDACTOR
from ..transport.redirects import origin
from .context import Context
from .items import Items, header, parse

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_CONNECT, _IDLE, _REDIRECTS = 10.0, 60.0, 10


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


def build_request(
    context: Context,
    method: str,
    url: str,
    words: tuple[str, ...],
    options: RequestOptions,
    defaults: Collection[str] = (),
) -> HttpRequest:
    """The request that the words describe. UsageError names the word that is wrong.

    `defaults` are the names of headers that the client adds by itself.
    """
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
        content_type = JSON if options.json else FORM
        return {"content": _data(context, options.data)}, content_type
    if items.body is not None:
        content_type = FORM if options.form else JSON
        return {"content": _content(context, items.body)}, content_type
    if items.files or options.multipart:
        return {"files": _parts(context, items)}, None
    if options.form:
        return ({"data": items.form()} if items.fields else {}), None
    text = items.json_text()
    return ({} if text is None else {"content": text}), None if text is None else JSON


def _parts(context: Context, items: Items) -> dict[str, list[Any]]:
    """The parts of a multipart body: fields have no file name. A name may be given more than once."""
    parts: dict[str, list[Any]] = {}
    for name, value in items.form():
        parts.setdefault(name, []).append((None, value, None))
    for file in items.files:
        content = _content(context, file.path)
        parts.setdefault(file.name, []).append((file.filename, content, file.content_type))
    return parts


def _data(context: Context, text: str) -> Any:
    if text == "@-":
        return context.read_stdin("--data")
    if text.startswith("@"):
        return _file(context, text[1:])
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("--data is not UTF-8", hint="@FILE sends any bytes") from None


def _content(context: Context, path: str) -> Any:
    return context.read_stdin("@-") if path == "-" else _file(context, path)


def _file(context: Context, path: str) -> BinaryIO:
    """The file, open until the command ends: a retry reads it again."""
    try:
        return context.resources.enter_context(open(os.path.expanduser(path), "rb"))
    except OSError as exc:
        reason = (exc.strerror or "").lower()
        raise UsageError(f"cannot read {path!r}: {reason}", hint="@ takes the path of a file, @- standard input") from None


def secret(context: Context, option: str, text: str) -> str:
    """A secret given as a literal, ``env:NAME``, ``@FILE`` or ``-``. A literal works, and warns."""
    if text.startswith("env:"):
        name = text[4:]
        value = context.environ.get(name, "")
        if not value:
            raise UsageError(f"{option}: the environment variable {name} is not set", hint=f"export {name}=…")
    elif text.startswith("@"):
        value = _line(option, _file(context, text[1:]).read())
    elif text == "-":
        value = _line(option, context.read_stdin(option))
    else:
        context.notice(f"{option}: a secret on the command line can be seen by others: use env:NAME, @FILE or -")
        value = text
    REDACTOR.add(value)
    return value


def _line(option: str, content: bytes) -> str:
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # The exception quotes the bytes.
        raise UsageError(f"{option}: the secret is not UTF-8 text", hint="save it as one line of text") from None


def credential(context: Context, request: HttpRequest, options: RequestOptions) -> HttpRequest:
    """The request with what `-u` or `--bearer` says."""
    if options.bearer is not None:
        return request.with_headers({"Authorization": f"Bearer {secret(context, '--bearer', options.bearer)}"})
    if options.user is not None:
        return replace(request, auth=_user(context, options.user))
    return request


def _user(context: Context, text: str) -> tuple[str, str]:
    if text.startswith(("env:", "@")) or text == "-":
        user, colon, password = secret(context, "--user", text).partition(":")
        if not colon:
            raise UsageError("--user: what it refers to is not USER:PASS", hint="write both, with a colon between")
    else:
        user, colon, password = text.partition(":")
        if colon:
            password = secret(context, "--user", password)
        elif context.interactive:
            password = context.ask(f"Password for {user}")
        else:
            raise NeedsPerson(
                "--user: no password, and nobody can be asked", hint="use --user env:NAME with USER:PASS in it"
            )
    REDACTOR.add(password)
    return user, password


def build_client(
    context: Context,
    url: str,
    options: RequestOptions,
    listener: Listener | None,
    hook: Callable[[Profile], AuthHookInterface] | None = None,
    text: Callable[[Profile], Callable[[str], str]] | None = None,
) -> HttpClient:
    """The client for a request to this URL: by the profile, where there is one, and by the options."""
    if options.user is not None and options.bearer is not None:
        raise UsageError("--user and --bearer cannot go together", hint="choose one")
    profile = _profile(context, url, listener)
    absolute = _ABSOLUTE.match(url) is not None
    explicit = options.no_auth or options.user is not None or options.bearer is not None
    if profile is None:
        retry = RetryTable()
        config = HttpClientConfig(
            default_timeout=None, connect_timeout=_CONNECT, idle_timeout=_IDLE, retry_strategy=retry_strategy(retry)
        )
    else:
        retry = profile.settings.table.retry
        config = profile.config(hook(profile) if hook is not None else None, None if text is None else text(profile))
        if absolute and not _at_home(url, config):
            if listener is not None and config.base_url and not explicit:
                listener(Foreign(url))
            config = _for_strangers(config)
    if explicit:
        config = replace(config, auth_hook=None)
    return HttpClient(replace(config, **_overrides(context, config, retry, options)), listener=listener)


def _profile(context: Context, url: str, listener: Listener | None) -> Profile | None:
    """The profile to send by; an absolute URL needs none."""
    build_url("", url)  # what is neither a path nor a URL is no reason to look for a profile
    if _ABSOLUTE.match(url) is not None:
        return context.profile_if_any(listener=listener)
    if not context.source.path.exists():
        raise ProfileError(
            f"no profile file: {context.source.path}",
            hint="write one with `forge profile init`, or give a whole URL: https://…",
        )
    return context.profile(listener=listener)


def _at_home(url: str, config: HttpClientConfig) -> bool:
    """Whether the URL is of the profile's origins. A profile without a base_url has none."""
    return bool(config.base_url) and origin(url) in {origin(known) for known in (config.base_url, *config.origins)}


def _for_strangers(config: HttpClientConfig) -> HttpClientConfig:
    """The profile's retry, timeouts and proxy, and nothing that is meant for its own API."""
    return replace(
        config,
        base_url="",
        origins=(),
        default_headers={},
        default_params={},
        auth_hook=None,
        request_hooks=(),
        client_cert=None,
        verify_ssl=True,
    )


def _overrides(
    context: Context, config: HttpClientConfig, retry: RetryTable, options: RequestOptions
) -> dict[str, Any]:
    """The fields of the config that the options decide."""
    found: dict[str, Any] = {"post_to_get": bool(options.follow)}
    if options.follow is not None:
        found |= {"allow_redirects": options.follow, "max_redirects": config.max_redirects or _REDIRECTS}
    if options.max_redirects is not None:
        found |= {"allow_redirects": options.max_redirects > 0, "max_redirects": options.max_redirects}
    if options.timeout is not None:
        found["max_elapsed"] = options.timeout
    if options.connect_timeout is not None:
        found["connect_timeout"] = options.connect_timeout
    retries = options.retry if options.retry is not None else _retries(context)
    if retries is not None:
        strategy = "exponential" if retry.strategy == "none" else retry.strategy
        found["retry_strategy"] = retry_strategy(replace(retry, strategy=strategy, max_retries=retries))
    if options.retry_unsafe:
        found["retry_unsafe_methods"] = True
    verify = _verify(options)
    if verify is not None:
        found["verify_ssl"] = verify
    if options.proxy is not None:
        found["proxies"] = {"http": options.proxy, "https": options.proxy}
    if options.cert_key is not None and options.cert is None:
        raise UsageError("--cert-key is the key of a certificate, and none is given", hint="name it with --cert")
    if options.cert is not None:
        found["client_cert"] = (options.cert, options.cert_key, None)
    if found.get("verify_ssl", config.verify_ssl) is False:
        context.warn("certificates are not verified: anybody in between can read and change this")
    return found


def _retries(context: Context) -> int | None:
    text = context.environ.get("FORGE_RETRY")
    if not text:
        return None
    if re.fullmatch("[0-9]{1,6}", text) is None:
        raise UsageError(f"FORGE_RETRY is {text!r}, not a whole number", hint="FORGE_RETRY=0 turns retries off")
    return int(text)


def _verify(options: RequestOptions) -> bool | str | None:
    if options.insecure or options.verify == "no":
        return False
    if options.verify in (None, "yes"):
        return True if options.verify == "yes" else None
    if not os.path.exists(str(options.verify)):
        raise UsageError(f"--verify {options.verify!r}: no such file", hint="yes, no, or a CA file")
    return options.verify
