"""The commands that send a request: one for each common method, and one for any."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from ...client import HttpClient, StreamedResponse
from ...errors import UsageError
from ...login.placeholder import OfflineHook
from ...models import HttpRequest
from ...redact import REDACTOR
from ..client import build_client
from ..context import Context
from ..exit_codes import ExitCode, status_code
from ..options import bundle, export_options, global_options, pass_context, request_options, silent
from ..output.body import copy, output_file, show
from ..output.heads import request_head
from ..output.notices import Notices
from ..output.text import color_wanted, visible
from ..request import RequestOptions, build_request, credential
from .curl import export

_EXAMPLE = """\
\b
  forge {verb} {url}
\b
ITEMs: Header:value  name==query  field=text  field:=json  field@file  @body-file
URL is a path below the profile's base_url, or absolute.
"""

output_options = bundle(
    click.option("-o", "--output", metavar="FILE", help="Write the body to a file, when it is complete."),
    click.option("-v", "--verbose", count=True, help="Show request and response heads on stderr; -vv the login's too."),
    click.option("--no-check-status", is_flag=True, help="Exit 0 also for 3xx, 4xx and 5xx."),
    click.option("--offline", is_flag=True, help="Print the request; open no connection."),
    click.option("--curl", "as_curl", is_flag=True, help="Print the request as a cURL command; send nothing."),
)

_sending = bundle(
    click.argument("items", nargs=-1, metavar="[ITEM]..."),
    request_options,
    output_options,
    export_options,
    silent,
    global_options,
    pass_context,
)


def _send_command(name: str, summary: str, example: str) -> click.Command:
    """The command for one method."""

    @click.command(name, help=f"{summary}\n\n{_EXAMPLE.format(verb=name, url=example)}", short_help=summary)
    @click.argument("url")
    @_sending
    def command(context: Context, /, url: str, items: tuple[str, ...], **settings: Any) -> int:
        return run(context, name.upper(), url, items, settings)

    return command


get = _send_command("get", "Send a GET request.", "/users state==active")
post = _send_command("post", "Send a POST request.", "/users name=Ada admin:=true")
put = _send_command("put", "Send a PUT request.", "/users/1 name=Ada")
patch = _send_command("patch", "Send a PATCH request.", "/users/1 admin:=false")
delete = _send_command("delete", "Send a DELETE request.", "/users/1")
head = _send_command("head", "Send a HEAD request.", "/users")
options = _send_command("options", "Send an OPTIONS request.", "/users")


@click.command(help="Send a request with any method.\n\n" + _EXAMPLE.format(verb="request", url="PROPFIND /files"))
@click.argument("method")
@click.argument("url")
@_sending
def request(context: Context, /, method: str, url: str, items: tuple[str, ...], **settings: Any) -> int:
    """Send a request with any method."""
    return run(context, method, url, items, settings)


def run(context: Context, method: str, url: str, items: tuple[str, ...], settings: dict[str, Any]) -> int:
    """Carry out one send command."""
    chosen = {
        name: settings.pop(name)
        for name in ("output", "verbose", "no_check_status", "offline", "as_curl", "style", "reveal")
    }
    options = request_options_of(settings)
    if chosen["as_curl"]:
        return export(context, method, url, items, options, chosen["style"], reveal=chosen["reveal"])
    if chosen["style"] or chosen["reveal"]:
        raise UsageError("--as and --reveal go with --curl", hint="add --curl, or leave them out")
    color = color_wanted(context.stderr, context.environ)
    listener = Notices(context.notice, context.tell, verbose=chosen["verbose"], color=color)
    hook = (lambda profile: OfflineHook(profile.login)) if chosen["offline"] else None
    with ExitStack() as stack:
        client = stack.enter_context(build_client(context, url, options, listener, hook))
        message = build_request(context, method, url, items, options, client.config.default_headers)
        message = credential(context, message, options)
        if chosen["offline"]:
            return _print(context, client, message)
        file = stack.enter_context(output_file(chosen["output"])) if chosen["output"] else None
        response = client.send(message)
        stack.callback(response.close)
        if file is not None:
            copy(response, file)
        else:
            _write(context, response, verbose=bool(chosen["verbose"]))
    return 0 if chosen["no_check_status"] else _verdict(context, response, listener)


def request_options_of(settings: dict[str, Any]) -> RequestOptions:
    """The options of a request as one value."""
    method = settings.pop("method_option")
    return RequestOptions(method=method, **settings)


def _write(context: Context, response: StreamedResponse, *, verbose: bool) -> None:
    stdout = context.stdout
    if stdout.isatty():
        said = show(response, stdout, color=color_wanted(stdout, context.environ), head=not verbose)
        if said is not None:
            context.notice(said)
    else:
        stdout.flush()
        copy(response, stdout.buffer)


def _verdict(context: Context, response: StreamedResponse, listener: Notices) -> int:
    """The exit code of the final response, and what should be said about anything but success."""
    code = status_code(response.status_code)
    if code == ExitCode.SUCCESS:
        return code
    text = f"{response.status_code} {response.reason}".rstrip()
    location = response.headers.get("Location")
    if code == ExitCode.REDIRECT and location:
        text += f", not followed: {REDACTOR.url(location)}\n  -L follows it"
    elif response.attempts > 1:
        text += f" after {response.attempts} attempts"
    if response.status_code == 401:
        text += f"\n  {_why_refused(response, listener)}"
    context.error(text)
    return code


def _why_refused(response: StreamedResponse, listener: Notices) -> str:
    """What to try after a 401."""
    if listener.stripped_by is not None:
        return "the request was redirected to another origin without credentials: see `origins` in the profile"
    if listener.credential_sent:
        return "the server refuses this credential: `-v` shows the request, `forge token explain` a profile's login"
    return "no credential was sent: --profile, --user and --bearer give one"


def _print(context: Context, client: HttpClient, message: HttpRequest) -> int:
    """The request as it would be sent, on stdout."""
    prepared = client.prepare(message)
    stdout = context.stdout
    stdout.write(request_head(prepared, color_wanted(stdout, context.environ) and stdout.isatty(), REDACTOR))
    body = prepared.body
    if body is not None:
        data = body if isinstance(body, bytes) else b"".join(body.open())
        stdout.write("\n" + REDACTOR.body(visible(data.decode("utf-8", "replace"))) + "\n")
    return 0
