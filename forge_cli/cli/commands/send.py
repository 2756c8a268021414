"""The commands that send a request: one for each common method, and one for any."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import Any

import click

from ...client import StreamedResponse
from ...errors import ForgeError, UsageError
from ...events import Listener
from ...models import PreparedRequest
from ...pages import PageRule
from ...profiles.build import Profile
from ...redact import REDACTOR
from ...registry import Registry
from ..client import build_client
from ..completers import completed
from ..context import Context
from ..download import STDOUT, DownloadOptions, Saving, checked, named
from ..download_options import download_options, page_options
from ..exit_codes import PASSING_STATUSES, ExitCode, status_code
from ..expect import Expectation, Facts, expectation
from ..failure import Failure
from ..group import Sectioned
from ..items import Items
from ..options import bundle, export_options, global_options, output_options, pass_context, request_options, silent
from ..output.body import Body, Output, print_request, show_request, show_response
from ..output.content import media_type
from ..output.files import output_file
from ..output.har import LARGEST_BODY, Recorder, archived
from ..output.notices import Notices
from ..output.shown import OutputOptions, Shown, decide
from ..output.text import color_wanted
from ..paginate import PageOptions, check_pages, paged
from ..progress import progress
from ..request import RequestOptions, build_request, credential, referred
from ..run import section

_EXAMPLE = """\
\b
  forge {verb} {url}
\b
URL is a path below the profile's base_url, or absolute. ITEM is one of
  Header:value   Header: (unset)   Header; (empty)   name==query
  field=text   field:=json   a[b][]=nested   field;type=TYPE=text (a part)
  field@FILE;type=TYPE;filename=NAME   @FILE or @- (the whole body)
with =@ :=@ :@ ==@ the value is in a FILE (- is stdin); \\ escapes. More:
docs/scripting.md#items
"""

_INSTEAD = Registry(
    "option",
    {"--curl": "forge_cli.cli.commands.curl:export", "--offline": "forge_cli.login.placeholder:OfflineHook"},
)
_instead = section(
    "Instead of sending",
    click.option("--offline", is_flag=True, help="Print the request; open no connection."),
    click.option("--curl", "as_curl", is_flag=True, help="Print the request as a cURL command; send nothing."),
)

sending = bundle(
    click.argument("items", nargs=-1, metavar="[ITEM]...", shell_complete=completed("item")),
    request_options,
    output_options,
    download_options,
    page_options,
    _instead,
    export_options,
    silent,
    global_options,
    pass_context,
)
"""What every command that sends a request takes."""


def _send_command(name: str, summary: str, example: str) -> click.Command:
    """The command for one method."""

    text = f"{summary}\n\n{_EXAMPLE.format(verb=name, url=example)}"

    @click.command(name, cls=Sectioned, help=text, short_help=summary)
    @click.argument("url")
    @sending
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


@click.command(
    cls=Sectioned, help="Send a request with any method.\n\n" + _EXAMPLE.format(verb="request", url="PROPFIND /files")
)
@click.argument("method", shell_complete=completed("method"))
@click.argument("url")
@sending
def request(context: Context, /, method: str, url: str, items: tuple[str, ...], **settings: Any) -> int:
    """Send a request with any method."""
    return run(context, method, url, items, settings)


def run(context: Context, method: str, url: str, items: tuple[str, ...] | Items, settings: dict[str, Any]) -> int:
    """Carry out one send command."""
    settings |= referred(context, settings)
    offline, as_curl = settings.pop("offline"), settings.pop("as_curl")
    style, reveal, shell = settings.pop("style"), settings.pop("reveal"), settings.pop("shell")
    rules: list[PageRule] = []
    expects = settings.pop("expect")
    checks = [expectation(text) for text in expects]
    har, no_check_status = settings.pop("har"), settings.pop("no_check_status")
    chosen = OutputOptions(**{item.name: settings.pop(item.name) for item in fields(OutputOptions)})
    downloading = DownloadOptions(**{item.name: settings.pop(item.name) for item in fields(DownloadOptions)})
    paging = PageOptions(**{item.name: settings.pop(item.name) for item in fields(PageOptions)})
    options = request_options_of(settings)
    if as_curl and offline:
        raise UsageError("--curl and --offline both print the request", hint="choose one")
    if as_curl or offline:
        _check_unsent("--curl" if as_curl else "--offline", chosen, downloading, paging, expects=expects, har=har)
    if as_curl:
        export: Callable[..., int] = _INSTEAD.load("--curl")
        return export(context, method, url, items, options, style, reveal=reveal, shell=shell or "posix")
    for name, given in (("--as", style), ("--reveal", reveal), ("--shell", shell)):
        if given:
            raise UsageError(f"{name} goes with --curl", hint="add --curl, or leave it out")
    if har == STDOUT:
        raise UsageError("--har writes a file, and - is none", hint="--format exchange prints the exchange")
    checked(downloading, chosen, options.method or method)
    check_pages(paging, chosen, downloading, har, options.method or method)
    shown = decide(named(chosen, downloading), context.stdout, context.environ, shutil.get_terminal_size().columns)
    color = color_wanted(context.stderr, context.environ)
    notices = Notices(context.notice, context.tell, verbose=chosen.verbose, color=color)
    recorder = Recorder()
    hook = (lambda profile: _INSTEAD.load("--offline")(profile.login)) if offline else None
    with ExitStack() as stack:
        client = stack.enter_context(
            build_client(context, url, options, _both(recorder, notices), hook, at_home=_told(checks, rules))
        )
        message = build_request(context, method, url, items, options, client.config.default_headers)
        message = credential(context, message, options)
        if offline:
            return _print(context, client.prepare(message), shown, None if chosen.output == STDOUT else chosen.output)
        if har is not None:
            stack.enter_context(archived(har, recorder))
        saving = _saving(context, url, chosen, downloading, stack)
        output = _output(context, saving, as_it_is=chosen.output == STDOUT)
        try:
            asked = message if saving is None else saving.asking(message)
            if paging.paginate:
                response = paged(client, asked, rules[0] if rules else PageRule(), paging, client.config.max_elapsed)
            else:
                response = client.send(asked)
            if saving is not None and saving.refused(response):
                response.discard()
                response = client.send(saving.from_beginning(message))
        except ForgeError:
            _show_request(recorder, shown, output)
            raise
        stack.callback(response.close)
        _show_request(recorder, shown, output)
        tested = any(check.reads_body for check in checks)
        needed = har is not None or tested
        most = client.config.max_body
        whole = shown.whole(media_type(response.headers.get("Content-Type")))
        kept = most if tested else LARGEST_BODY if needed else None
        body = Body(response, limit=shown.limit, keep=kept, most=most if whole else None)
        if saving is None or saving.begin(response, check_status=not no_check_status):
            if saving is not None:
                saving.progress = progress(context, None if paging.paginate else saving.total(response), saving.size)
            show_response(response, body, recorder.prepared, shown, output, context.notice)
        elif saving.complete:
            return ExitCode.SUCCESS
        if needed or chosen.verbose > 1 or any(check.subject == "elapsed" for check in checks):
            body.rest()
            notices.ended(response.timing, body.ended or time.monotonic())
        if recorder.last is not None:
            recorder.last.body, recorder.last.size, recorder.last.ended = body.content, body.size, body.ended
        return _verdict(context, response, notices, body, checks, check_status=not no_check_status)


def _both(*listeners: Listener) -> Listener:
    def tell(event: Any) -> None:
        for listener in listeners:
            listener(event)

    return tell


def _told(checks: list[Expectation], rules: list[PageRule]) -> Callable[[Profile], None]:
    """Adds what a profile expects of every answer to the checks, and how its API gives pages to the rules."""

    def add(profile: Profile) -> None:
        place = f"`expect` of profile {profile.name!r}:"
        table = profile.settings.table
        checks.extend(expectation(text, place) for text in table.expect)
        if table.pagination is not None:
            rules.append(PageRule(**{item.name: getattr(table.pagination, item.name) for item in fields(PageRule)}))

    return add


def _saving(
    context: Context, url: str, chosen: OutputOptions, downloading: DownloadOptions, stack: ExitStack
) -> Saving | None:
    """The file that the body goes to, made before anything is sent; None: it goes to stdout."""
    if chosen.output in (None, STDOUT) and not downloading.download:
        return None
    return stack.enter_context(Saving(chosen.output, url, resume=downloading.resume, say=context.notice))


def _output(context: Context, saving: Saving | None, *, as_it_is: bool) -> Output:
    """Where the answer goes."""
    if saving is not None:
        return Output(None, saving)
    if context.stdout.isatty() and not as_it_is:
        return Output(context.stdout, None)
    context.stdout.flush()
    return Output(None, context.stdout.buffer)


def _show_request(recorder: Recorder, shown: Shown, output: Output) -> None:
    if recorder.prepared is not None:
        show_request(recorder.prepared, shown, output)


def request_options_of(settings: dict[str, Any]) -> RequestOptions:
    """The options of a request as one value."""
    method = settings.pop("method_option")
    return RequestOptions(method=method, **settings)


def _verdict(
    context: Context,
    response: StreamedResponse,
    notices: Notices,
    body: Body,
    checks: Sequence[Expectation],
    *,
    check_status: bool,
) -> int:
    """The exit code of the final response, and what should be said about anything but success."""
    facts = Facts(
        response.status_code,
        response.headers,
        body.content,
        response.encoding,
        (body.ended or time.monotonic()) - response.timing.started,
    )
    found = tuple(failure for check in checks if (failure := check.failure(facts)) is not None)
    checked = check_status and not any(check.subject == "status" for check in checks)
    code = status_code(response.status_code) if checked else ExitCode.SUCCESS
    if code != ExitCode.SUCCESS:
        context.fail(_refusal(code, response, notices, found))
        return code
    if not found:
        return ExitCode.SUCCESS
    *before, last = found
    context.fail(Failure(exit=ExitCode.UNEXPECTED, kind="expect", message=last, before=tuple(before)))
    return ExitCode.UNEXPECTED


def _refusal(code: ExitCode, response: StreamedResponse, notices: Notices, before: tuple[str, ...]) -> Failure:
    """What is to be said about a status that is no success."""
    text, hint = f"{response.status_code} {response.reason}".rstrip(), None
    location = response.headers.get("Location")
    if code == ExitCode.REDIRECT and location:
        text, hint = f"{text}, not followed: {REDACTOR.url(location)}", "-L follows it"
    elif response.attempts > 1:
        text += f" after {response.attempts} attempts"
    if response.status_code == 401:
        hint = _why_refused(response, notices)
    passing = response.status_code in PASSING_STATUSES
    return Failure(exit=code, kind="status", message=text, hint=hint, retryable=passing, before=before)


def _why_refused(response: StreamedResponse, listener: Notices) -> str:
    """What to try after a 401."""
    if listener.stripped_by is not None:
        return "the request was redirected to another origin without credentials: see `origins` in the profile"
    if listener.credential_sent:
        return "the server refuses this credential: `-v` shows the request, `forge token explain` a profile's login"
    return "no credential was sent: --profile, --user and --bearer give one"


def _check_unsent(
    option: str,
    chosen: OutputOptions,
    downloading: DownloadOptions,
    paging: PageOptions,
    *,
    expects: Sequence[str],
    har: str | None,
) -> None:
    """UsageError for what is about an answer, where nothing is sent."""
    request_only = option == "--offline" and not set(chosen.parts or "") - set("HB")
    others = {
        "--expect": expects,
        "--har": har is not None,
        "--output": chosen.output is not None and option == "--curl",
        "--download": downloading.download,
        "--continue": downloading.resume,
        "--paginate": paging.paginate,
        "--select": chosen.select is not None,
        "--format": chosen.format is not None,
        "--meta": chosen.meta_only,
        "--headers": chosen.headers_only,
        "--body": chosen.body_only,
        "--stream": chosen.stream,
        "--print": chosen.parts is not None and not request_only,
    }
    for name, given in others.items():
        if given:
            hint = "--print H, B or HB prints these parts of a request" if name == "--print" else "nothing is sent"
            raise UsageError(f"{option} and {name} cannot go together", hint=f"leave one out: {hint}")


def _print(context: Context, prepared: PreparedRequest, shown: Shown, path: str | None) -> int:
    """The request as it would be sent, on stdout or in a file."""
    parts = "".join(part for part in shown.parts if part in "HB") or "HB"
    with ExitStack() as stack:
        file = None if path is None else stack.enter_context(output_file(path))
        print_request(prepared, replace(shown, parts=parts), Output(context.stdout if file is None else None, file))
    return 0
