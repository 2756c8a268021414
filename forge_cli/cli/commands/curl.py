"""Print a request as a cURL command: by default without a secret in it, and ready to run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, unquote_plus

import click

from ...client import HttpClient
from ...curl import Slots, powershell, quote, render
from ...encode import FileBody
from ...errors import UsageError
from ...login.placeholder import REDACTED, ExportHook
from ...models import Headers, HttpRequest, Part, PreparedRequest
from ...profiles.build import Profile
from ...redact import MASK, REDACTOR, sensitive
from ...registry import Registry
from ..client import build_client
from ..completers import completed
from ..context import Context
from ..group import Sectioned
from ..items import Items
from ..options import export_options, global_options, pass_context, request_options, silent
from ..output.content import binary
from ..output.heads import placeholders_as_they_are
from ..output.tokens import variable
from ..request import RequestOptions, build_request, check_stated, credential, referred

_HELP = """\
Print a request as a cURL command, and send nothing.

\b
  forge curl GET /users
  forge curl POST /users name=Ada --as literal
  forge curl --import "curl -d a=1 https://api.example.com/users"
  pbpaste | forge curl --import - --as-profile example
\b
The command holds no secret: tokens are `$(forge token show …)`. `--as env`
writes $FORGE_TOKEN for somebody without forge, `--as literal` the values.
\b
--import goes the other way: a command that a browser or the pages of an API
give becomes the forge command, or a profile. Its secrets become variables.
"""

IMPORTS = Registry("reader of commands", {"curl": "forge_cli.cli.commands.curl_import:import_command"})
"""What reads a command is loaded for `--import` alone."""


@click.command(cls=Sectioned, help=_HELP)
@click.argument("method", required=False, shell_complete=completed("method"))
@click.argument("url", required=False)
@click.argument("items", nargs=-1, metavar="[ITEM]...", shell_complete=completed("item"))
@click.option("--import", "imported", metavar="COMMAND|-", help="Print the forge command for a cURL command instead.")
@click.option("--as-profile", metavar="NAME", help="With --import: write a profile of this name.")
@export_options
@request_options
@silent
@global_options
@pass_context
def curl(
    context: Context,
    /,
    method: str | None,
    url: str | None,
    items: tuple[str, ...],
    imported: str | None,
    as_profile: str | None,
    shell: str | None,
    style: str | None,
    reveal: bool,
    **settings: Any,
) -> int:
    """Print a request as a cURL command, and send nothing."""
    if imported is not None:
        if method is not None or style or shell or reveal or any(settings.values()):
            raise UsageError(
                "--import goes with --as-profile and nothing else", hint="quote the command, or give it by `--import -`"
            )
        result: int = IMPORTS.load("curl")(context, imported, as_profile)
        return result
    if as_profile is not None:
        raise UsageError("--as-profile goes with --import", hint="`forge profile init` writes other profiles")
    for name, value in (("METHOD", method), ("URL", url)):
        if value is None:
            raise click.UsageError(f"Missing argument '{name}'.", click.get_current_context())
    settings |= referred(context, settings)
    other = settings.pop("method_option")
    options = RequestOptions(method=other, **settings)
    return export(context, method or "", url or "", items, options, style, reveal=reveal, shell=shell or "posix")


def export(
    context: Context,
    method: str,
    url: str,
    items: tuple[str, ...] | Items,
    options: RequestOptions,
    style: str | None,
    *,
    reveal: bool,
    shell: str = "posix",
) -> int:
    """Print the command for this request."""
    if reveal and style not in (None, "literal"):
        raise UsageError(f"--reveal and --as {style} contradict each other", hint="choose one")
    if reveal or style == "literal":
        client = build_client(context, url, options, None)
        message = build_request(context, method, url, items, options, client.config.default_headers)
        prepared = client.prepare(credential(context, message, options))
        command = _rendered(client, prepared, options, Slots(), None, str, shell)
    else:
        command = _Export(context, style or "forge", shell).command(method, url, items, options)
    context.stdout.write(f"{command}\n")
    if style is None and not reveal and context.stdout.isatty():
        context.notice("--as forge (this), --as env ($FORGE_TOKEN) or --as literal (with the token in it)")
    return 0


@dataclass
class _Export:
    """One command without secrets in it."""

    context: Context
    style: str
    shell: str = "posix"

    def __post_init__(self) -> None:
        self._slots = Slots()
        self._missing: list[str] = []
        self._hook: ExportHook | None = None
        self._name = ""

    def command(self, method: str, url: str, items: tuple[str, ...] | Items, options: RequestOptions) -> str:
        client = build_client(self.context, url, options, None, self._export_hook, self._text)
        message = build_request(self.context, method, url, items, options, client.config.default_headers)
        message, user = self._explicit(message, options)
        command = _rendered(
            client, self._hidden(client.prepare(message)), options, self._slots, user, self._proxy, self.shell
        )
        for place in dict.fromkeys(self._missing):
            self.context.warn(f"{place}: {REDACTED} stands for a value that only --as literal can show")
        return command

    def _export_hook(self, profile: Profile) -> ExportHook:
        self._name = profile.name
        if self._hook is None:
            self._hook = ExportHook(
                profile.login, self._slots, tokens=self._token, header=self._header, warn=self._missing.append
            )
        return self._hook

    def _text(self, profile: Profile) -> Any:
        hook = self._export_hook(profile)
        return lambda template: hook.text(template, "a header of the profile")

    def _token(self, step: str, output: str) -> str | None:
        """The expression for one output of a step."""
        if output != "token":
            return None
        if self.style == "env":
            several = self._hook is not None and len(self._hook.login.targets) > 1
            return f"${variable(step)}" if several else "$FORGE_TOKEN"
        return f"$({self._forge} token show {self._flags} --step {step} --raw)"

    def _header(self, name: str) -> str | None:
        """The expression for a header's whole value."""
        if self.style == "env":
            return None
        return f"$({self._forge} token show {self._flags} --header {self._quote(name)})"

    @property
    def _forge(self) -> str:
        return self.context.program

    @property
    def _flags(self) -> str:
        context = self.context
        words = ["--profile", self._name]
        if context.config is not None:
            words += ["--config", str(context.source.path.absolute())]
        for name, value in context.variables.items():
            words += ["--var", f"{name}={value}"]
        return " ".join(map(self._quote, words))

    def _quote(self, text: str) -> str:
        return powershell.quote(text) if self.shell == "powershell" else quote(text)

    def _explicit(self, message: HttpRequest, options: RequestOptions) -> tuple[HttpRequest, str | None]:
        """What `-u` and `--bearer` say, as shell words."""
        for option, text in (("--bearer", options.bearer), ("--user", options.user)):
            if text is not None:
                check_stated(option, text if option == "--bearer" else text.replace(":", "", 1))
        if options.bearer is not None:
            return message.with_headers({"Authorization": f"Bearer {self._given('--bearer', options.bearer)}"}), None
        if options.user is None:
            return message, None
        if options.user.startswith(("env:", "@")) or options.user == "-":
            return message, self._given("--user", options.user)
        user, colon, _ = options.user.partition(":")
        return message, f"{user}:{self._redacted('--user')}" if colon else user

    def _given(self, option: str, text: str) -> str:
        if text.startswith("env:") and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text[4:]):
            return self._slots.mark(f"${text[4:]}")
        if text.startswith("@"):
            path = os.path.expanduser(text[1:])
            if self.shell == "powershell":
                content = f"(Get-Content -Raw -LiteralPath {self._quote(path)})"
                return self._slots.mark(f"$({content}.TrimEnd())")
            return self._slots.mark(f"$(cat {quote(os.path.join('.', path) if path.startswith('-') else path)})")
        return self._redacted(option)

    def _redacted(self, place: str) -> str:
        self._missing.append(place)
        return REDACTED

    def _hidden(self, prepared: PreparedRequest) -> PreparedRequest:
        """The request without the secrets that were typed in literally, or that forge knows of."""
        place, question, query = prepared.url.partition("?")
        scheme, slashes, rest = place.partition("//")
        host, slash, path = rest.partition("/")
        body = prepared.body
        named = isinstance(body, FileBody) and body.path is not None
        if not (body is None or isinstance(body, bytes) or prepared.parts or named):
            body = b"".join(body.open())
        return replace(
            prepared,
            url="".join((scheme, slashes, host, slash, self._hidden_text(path, "the URL"), question))
            + placeholders_as_they_are("&".join(map(self._hidden_pair, query.split("&")))),
            headers=Headers((name, self._hidden_header(name, value)) for name, value in prepared.headers.pairs),
            body=self._hidden_bytes(body) if isinstance(body, bytes) else body,
            parts=tuple(replace(part, value=self._hidden_part(part)) for part in prepared.parts),
        )

    def _hidden_header(self, name: str, value: str) -> str:
        if self._slots.present(value) or REDACTED in value:
            return value
        if not sensitive(name):
            return self._hidden_text(value, name)
        scheme, space, _ = value.partition(" ")
        hidden = self._redacted(name)
        return f"{scheme} {hidden}" if space and name.lower() == "authorization" else hidden

    def _hidden_pair(self, pair: str) -> str:
        name, _, value = pair.partition("=")
        if not value or self._slots.present(value) or REDACTED in unquote(value):
            return pair
        place = f"the query parameter {unquote_plus(name)}"
        hidden = self._redacted(place) if sensitive(unquote_plus(name)) else self._hidden_text(value, place)
        return f"{name}={hidden}"

    def _hidden_part(self, part: Part) -> bytes:
        if sensitive(part.name) and part.value and not self._spared(part.value.decode("latin-1")):
            return self._redacted("the body").encode()
        return self._hidden_bytes(part.value)

    def _hidden_bytes(self, content: bytes) -> bytes:
        """A body without what `--offline` masks in it. Of one that is no text only known secrets are looked for."""
        try:
            text, coding = content.decode(), "utf-8"
        except UnicodeDecodeError:
            text, coding = content.decode("latin-1"), "latin-1"
        shown = REDACTOR.text(text) if binary(content, "", None) else REDACTOR.content(text, self._spared)
        return content if shown == text else shown.replace(MASK, self._redacted("the body")).encode(coding)

    def _spared(self, value: str) -> bool:
        return self._slots.present(value) or REDACTED in unquote(value)

    def _hidden_text(self, text: str, place: str) -> str:
        shown = REDACTOR.text(text)
        return text if shown == text else shown.replace(MASK, self._redacted(place))

    def _proxy(self, url: str) -> str:
        head, at, host = url.rpartition("@")
        scheme, slashes, userinfo = head.rpartition("//")
        user, colon, _ = userinfo.partition(":")
        return f"{scheme}{slashes}{user}:{self._redacted('the proxy')}{at}{host}" if colon else url


def _rendered(
    client: HttpClient,
    prepared: PreparedRequest,
    options: RequestOptions,
    slots: Slots,
    user: str | None,
    shown_proxy: Callable[[str], str],
    shell: str,
) -> str:
    config, body = client.config, prepared.body
    path = body.path if isinstance(body, FileBody) else None
    if body is not None and not isinstance(body, bytes) and not prepared.parts and path is None:
        body = b"".join(body.open())
    # A POST that a redirect would turn into a GET is not followed, and curl has no such rule.
    follow = config.allow_redirects and (config.post_to_get or prepared.method != "POST")
    certificate = config.client_cert or (None, None, None)
    proxy = options.proxy
    if proxy is None:
        proxy = (config.proxies or {}).get(prepared.url.partition(":")[0])
    return render(
        method=prepared.method,
        url=prepared.url,
        headers=prepared.headers.pairs,
        body=body if isinstance(body, bytes) and not prepared.parts else None,
        parts=prepared.parts,
        body_path=path,
        slots=slots,
        user=user,
        follow=follow,
        max_redirects=config.max_redirects,
        insecure=config.verify_ssl is False,
        ca_bundle=config.verify_ssl if isinstance(config.verify_ssl, str) else None,
        cert=certificate[0],
        key=certificate[1],
        proxy=None if proxy is None else shown_proxy(proxy),
        max_time=config.max_elapsed,
        shell=shell,
    )
