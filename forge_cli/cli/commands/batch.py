"""`forge batch`: many requests from a file, by one login."""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from ...batch.lines import Line, read_csv, read_jsonl
from ...batch.report import Report
from ...batch.report_junit import JUnit
from ...batch.results import Result, Select, Writer, cause_of, selected
from ...batch.resume import remaining, resumed
from ...batch.run import JOBS, MOST_JOBS, Batch, Check
from ...batch.shard import part, shard
from ...batch.sharing import shared_pace
from ...batch.source import interruptible
from ...batch.summary import Summary
from ...config import HttpClientConfig
from ...errors import ForgeError, StorageError, UsageError
from ...events import Listener
from ...models import HttpRequest, HttpResponse
from ...profiles.build import Profile
from ...registry import Registry
from ..client import build_client
from ..completers import completed
from ..context import Context
from ..exit_codes import ExitCode, exit_code_of, status_code
from ..expect import Expectation, Facts, expectation
from ..failure import Failure
from ..group import Sectioned
from ..options import Count, bundle, global_options, pass_context, request_options, silent
from ..output.content import one_line, parsed
from ..request import RequestOptions, build_request, credential, referred
from ..run import section
from ..tally import Tally
from ..waits import Waits

_HELP = """\
Send many requests, and write a line for each answer.

\b
  forge batch requests.jsonl -p prod > results.jsonl
  forge batch people.csv --template '/users/{id}' --resume results.jsonl
\b
A line of FILE is a URL, or an object:
  {"method", "url", "headers", "query", "json"|"form"|"text", "id"}
A line of the output is
  {"id", "status", "headers", "body"|"body_base64",
   "elapsed_ms", "attempts", "error"}
\b
FILE may be - for standard input.
"""
# The first of these that occurred is the exit code.
_WORST = (143, 130, 9, 7, 11, 8, 28, 10, 5, 4, 12, 6, 3, 2)
_OWN_HELP = {
    "timeout": "A limit for each line: login, retries, body; seconds, 500ms, 1m (default none).",
    "retry": "How often a failed line is repeated, within its host's retry budget: 10 for all, and one more for five"
    " requests (FORGE_RETRY; default 3, or as the profile says).",
}
_ONE_BODY = frozenset({"data", "json", "form", "multipart", "method_option"})
_NO_PROFILE = "https://none.invalid/"
_LATER = Registry(
    "part of a batch",
    {"select": "forge_cli.cli.output.select:compiled"},
    extras={"select": "jmespath"},
)


def _many(function: Any) -> Any:
    """The request options, without those that say what one body is."""
    function = request_options(function)
    chosen = [item for item in function.__click_params__ if item.name not in _ONE_BODY]
    for item in chosen:
        item.help = _OWN_HELP.get(item.name, item.help)
    function.__click_params__ = chosen
    return function


_batch_options = section(
    "Batch",
    click.option("--jobs", type=Count(1), default=JOBS, metavar="N", help=f"How many at a time (default {JOBS})."),
    click.option(
        "--rate", metavar="N/s", help="At most so many a second, evenly spaced; also N/m, N/h (default no limit)."
    ),
    click.option("--unordered", is_flag=True, help="Write results as they end (default: in the order of the input)."),
    click.option(
        "--template",
        metavar="JSON|URL",
        help="FILE is CSV: fill its columns into this, as {name} (default: JSON lines).",
    ),
    click.option("--resume", metavar="FILE", help="Skip what FILE has, and append to it (default: all, to stdout)."),
    click.option("--shard", metavar="I/N", help="Only the I-th of N parts of the lines (default 1/1)."),
    click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FILE",
        help="A report: .html, .xml (JUnit) or .json (default none).",
    ),
    click.option("--select", metavar="EXPR", help="Write this part of each JSON body, by JMESPath (default all)."),
    click.option(
        "--expect",
        multiple=True,
        metavar="EXPR",
        help="Exit 12 unless each answer is so, as in status==200 (default none).",
    ),
    click.option("--no-check-status", is_flag=True, help="Exit 0 also for 3xx, 4xx and 5xx."),
    click.option("-v", "--verbose", is_flag=True, help="Tell of each wait for a retry (default: now and then)."),
)


@click.command("batch", cls=Sectioned, help=_HELP, short_help="Send many requests from a file, by one login.")
@click.argument("file", shell_complete=completed("file"))
@bundle(_batch_options, _many, silent, global_options, pass_context)
def batch(context: Context, /, file: str, **settings: Any) -> int:
    """Send many requests from a file, by one login."""
    settings |= referred(context, settings)
    options = RequestOptions(**{f.name: settings[f.name] for f in fields(RequestOptions) if f.name in settings})
    rate = _rate(settings["rate"])
    if settings["jobs"] > MOST_JOBS:
        raise UsageError(
            f"--jobs {settings['jobs']} is more than {MOST_JOBS}", hint="each is a thread and a connection"
        )
    index, count = (1, 1) if settings["shard"] is None else shard(settings["shard"])
    checks = [expectation(text) for text in settings["expect"]]
    check_status = not settings["no_check_status"]
    select = None if settings["select"] is None else _selection(settings["select"])
    with ExitStack() as stack:
        resume = settings["resume"]
        progress = Tally(context, beside=resume is None)
        waits = Waits(progress.notice, each=settings["verbose"])
        config, profile = _config(context, options, stack, checks, waits)
        if any(check.subject == "status" for check in checks):
            check_status = False
        runs: list[Batch] = []
        opened = stack.enter_context(_opened(context, file))
        source = interruptible(opened, lambda: not (runs and runs[0].stopped))
        common = _common(context, options, config)
        stated = (*config.default_headers, *(common.headers or ()))
        template = settings["template"]
        lines = read_jsonl(source, stated) if template is None else read_csv(source, template, stated)
        if count > 1:
            lines = part(lines, index, count)
        if common.headers or common.params or common.auth:
            lines = _merged(lines, common)
        reports = [Report(name) for name in settings["reports"]]
        _apart(context, opened, resume, settings["reports"])
        if resume is None:
            context.stdout.flush()
            output: BinaryIO = context.stdout.buffer
        else:
            output, finished = stack.enter_context(resumed(Path(resume)))
            lines = remaining(lines, finished)
        writer = Writer(output)
        stack.callback(writer.flush)
        for report in reports:
            report.check()
        outcome = _Outcome(check_status, Summary(time.monotonic()), [r.junit for r in reports if r.junit is not None])

        def idle() -> None:
            writer.flush()
            progress.show()

        run = Batch(
            config,
            jobs=settings["jobs"],
            rate=rate,
            pace=shared_pace(profile, rate),
            ordered=not settings["unordered"],
            check=_check(checks) if checks else None,
            idle=idle,
            listener=waits,
            say=waits.say,
            apart=True,
        )
        runs.append(run)
        progress.held = lambda: run.held
        results = run.results(progress.begin(lines, source, outcome.summary))
        trouble: Exception | None = None
        with _interruptible(context, run) as signals:
            try:
                for result in results:
                    result, text = selected(result, select)
                    outcome.add(result)
                    writer.write(text)
                    progress.show()
                writer.flush()
            except (OSError, ForgeError) as exc:  # what has come is told of all the same
                trouble = exc
                results.close()
            finally:
                progress.end()
        waits.end()
        for report in reports:
            try:
                report.finish(outcome.summary, f"forge batch {os.path.basename(file)}")
            except StorageError as exc:
                trouble = trouble or exc
        for text in outcome.summary.lines():
            context.notice(text)
        if trouble is not None:
            raise trouble
        return outcome.verdict(context, run, signals)


def _config(
    context: Context, options: RequestOptions, stack: ExitStack, checks: list[Expectation], listener: Listener
) -> tuple[HttpClientConfig, Profile | None]:
    """How all of the requests are sent."""
    found: list[Profile] = []
    base = context.profile_if_any(timeout=options.timeout, retries=options.retry)
    url = base.base_url if base is not None and base.base_url else _NO_PROFILE
    # A line has the whole of --timeout: the run as such may take as long as it takes.
    client = stack.enter_context(build_client(context, url, options, listener, at_home=found.append))
    config = client.config
    profile = found[0] if found else None
    if profile is not None:
        place = f"`expect` of profile {profile.name!r}:"
        checks.extend(expectation(text, place) for text in profile.settings.table.expect)
    return config, profile


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    number, _, unit = text.partition("/")
    try:
        rate = float(number) / {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}[unit]
    except (KeyError, ValueError):
        rate = 0.0
    if not 1e-6 < rate <= 1e6:
        raise UsageError(f"--rate {text!r} is no rate", hint="as in 10/s, 0.5/s or 600/m")
    return rate


def _selection(expression: str) -> Select:
    search = _LATER.load("select")(expression)
    return lambda text: one_line(search(parsed(text)))


def _common(context: Context, options: RequestOptions, config: HttpClientConfig) -> HttpRequest:
    """The headers, query and credential of the command."""
    plain = replace(options, method=None)
    return credential(context, build_request(context, "GET", "/", (), plain, config.default_headers), options)


def _merged(lines: Iterator[Line], common: HttpRequest) -> Iterator[Line]:
    """The lines with what is common to all; what a line says itself wins."""
    return (line if line.request is None else replace(line, request=_with(line.request, common)) for line in lines)


def _with(request: HttpRequest, common: HttpRequest) -> HttpRequest:
    own = {name.lower() for name in request.headers or {}}
    added = {name: value for name, value in (common.headers or {}).items() if name.lower() not in own}
    params = dict(request.params or {})
    for pair in common.params or ():
        params.setdefault(pair[0], pair[1])
    headers = {**added, **(request.headers or {})}
    auth = None if "authorization" in own else common.auth
    return replace(request, headers=headers or None, params=params or None, auth=auth)


def _check(checks: Sequence[Expectation]) -> Check:
    def unmet(response: HttpResponse, elapsed: float) -> tuple[str, ...]:
        facts = Facts(response.status_code, response.headers, response.content, response.encoding, elapsed)
        return tuple(failure for check in checks if (failure := check.failure(facts)) is not None)

    return unmet


@contextmanager
def _opened(context: Context, name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if context.stdin is None:
            raise UsageError("standard input is closed", hint="name a file")
        context.deadline = None  # --timeout is for each line, not for all the input
        yield context.open_stdin("FILE")
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 - only the opening is a usage error
    except OSError as exc:
        raise UsageError(f"{name}: {(exc.strerror or '').lower()}", hint="name a file of lines, or -") from None
    with file:
        yield file


def _apart(context: Context, source: BinaryIO, resume: str | None, reports: Sequence[str]) -> None:
    """UsageError when a file would be read and written, or written twice."""
    output = (context.stdout, "standard output") if resume is None else (resume, f"--resume {resume}")
    places: dict[object, str] = {}
    for file, name in ((source, "FILE"), output, *((report, f"--report {report}") for report in reports)):
        place = _place(file)
        if place in places:
            raise UsageError(f"{places[place]} and {name} are the same file", hint="give each a file of its own")
        if place is not None:
            places[place] = name


def _place(file: Any) -> object:
    """What tells a file from any other; None for what may be read and written at once, such as a terminal."""
    try:
        found = os.stat(file if isinstance(file, str) else file.fileno())
    except FileNotFoundError:
        return Path(file).resolve()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


@dataclass
class _Outcome:
    """What came, and with it the exit code."""

    check_status: bool
    summary: Summary
    junit: list[JUnit]

    def __post_init__(self) -> None:
        self._codes: set[int] = set()

    def add(self, result: Result) -> None:
        code, why = self._judged(result)
        if code:
            self._codes.add(code)
        self.summary.add(result, time.monotonic(), failed=bool(code))
        for report in self.junit:
            report.add(result, why)

    def _judged(self, result: Result) -> tuple[int, str | None]:
        status = status_code(result.status or 0) if self.check_status else ExitCode.SUCCESS
        if status != ExitCode.SUCCESS:
            return status, str(result.status)
        if result.failure is not None:
            return exit_code_of(cause_of(result.failure)), result.error
        return (ExitCode.UNEXPECTED, result.error) if result.unmet else (0, None)

    def verdict(self, context: Context, run: Batch, signals: set[int]) -> int:
        refusal = None if run.refusal is None else cause_of(run.refusal)
        codes = self._codes | signals | (set() if refusal is None else {exit_code_of(refusal)})
        if not codes:
            return ExitCode.SUCCESS
        code = next((code for code in _WORST if code in codes), ExitCode.BUG)
        if refusal is not None and code == exit_code_of(refusal):
            message, hint = f"stopped, because {refusal.message}", refusal.hint
        else:
            message, hint = f"{self.summary.failed} of {self.summary.count} requests failed", None
        if code not in signals:
            context.fail(Failure(exit=code, kind="batch", message=message, hint=hint))
        return code


@contextmanager
def _interruptible(context: Context, run: Batch) -> Iterator[set[int]]:
    """The first Ctrl-C ends the run with what is under way, the second one with what has ended, a third one at once.

    SIGTERM ends it with what has ended. Yields the exit codes of the signals that came.
    """
    codes: set[int] = set()
    stage = 0
    before: dict[int, Any] = {}

    def interrupt(number: int, frame: Any) -> None:
        nonlocal stage
        codes.add(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED)
        stage = max(stage + 1, 2 if number == signal.SIGTERM else 1)
        if stage > 2:
            before[number](number, frame)
        if stage == 2:
            run.abandon()
            return
        run.stop()
        with suppress(RuntimeError):  # it came while something else was being said
            context.notice("interrupted: what is under way is finished; Ctrl-C again stops at once")

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # What the shell has had ignored stays so.
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, interrupt)
    try:
        yield codes
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
