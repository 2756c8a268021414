"""Every option that more than one command has, declared once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click

from ..compiled import compiled
from ..models import Deadline
from .completers import completed
from .context import Context
from .output import FORMATS, PRETTY
from .run import Run, bundle, global_options, remembered, section

__all__ = [
    "Count",
    "Seconds",
    "bundle",
    "export_options",
    "global_options",
    "limited",
    "output_options",
    "pass_context",
    "request_options",
    "silent",
]

P = ParamSpec("P")

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "bare": 1.0}
# As profiles write them, and milliseconds.
_SPAN = compiled(
    r"(?P<bare>[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?|[0-9]+\.)"
    "|" + "".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?)\s*{unit}(?![a-z])\s*)?" for unit in _UNITS if unit != "bare")
)

# Ten years; the system's calls take no time that is much longer.
_LONGEST = 10 * 365 * 86400.0


class Seconds(click.FloatRange):
    """A time span."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def _describe_range(self) -> str:
        return ""  # the help would say `[x>0]`

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _SPAN.fullmatch(str(value).strip())
        if match is not None and any(match.groups()):
            seconds = sum(float(amount) * _UNITS[unit] for unit, amount in match.groupdict(default="0").items())
            if 0 < seconds <= _LONGEST:
                return seconds
        self.fail(f"{value!r} is not a number of seconds, such as 3 or 0.5, or a time such as 500ms or 1m", param, ctx)


def limited(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Let the run know of the command's limit: what it is given may be a pipe that never ends."""
    if value is not None:
        ctx.ensure_object(Run).deadline = Deadline(value)
    return value


class Count(click.IntRange):
    """How often, which may be never; `fewest` says otherwise."""

    def __init__(self, fewest: int = 0) -> None:
        super().__init__(min=fewest)
        self._fewest = fewest

    def _describe_range(self) -> str:
        return ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        with suppress(ValueError):
            count = int(value)
            if count >= self._fewest:
                return count
        self.fail(f"{value!r} is not a whole number, such as {self._fewest} or 3", param, ctx)


silent = section(
    "Output",
    remembered("-s", "--silent", to="silent", count=True, help="No notices; -ss no error line either."),
)


def pass_context(command: Callable[Concatenate[Context, P], int]) -> Callable[P, int]:
    """Call the command with its context first."""

    @wraps(command)
    def with_context(*args: P.args, **kwargs: P.kwargs) -> int:
        return command(Context.of(click.get_current_context().ensure_object(Run)), *args, **kwargs)

    return with_context


_RETRY_HELP = "How often a failed request is repeated (FORGE_RETRY; default 3, or as the profile says)."

_VERIFY_HELP = (
    "Whether to verify certificates, or by which CA file"
    " (default yes; REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR)."
)
_VERBOSE_HELP = "Heads on stderr; -vv also the login's, TLS and times."
_PRINT_HELP = (
    "What goes to stdout: request Head and Body, answer's head and body, metadata (default hb on a terminal, else b)."
)
_PRETTY_HELP = (
    "Lay the body out, colour it, both or neither (default auto: both on a terminal; NO_COLOR, FORCE_COLOR, TERM)."
)
_EXPECT_HELP = "Exit 12 unless the answer is so: status==200, header:NAME~=text, body:/id==1, elapsed<2s."

request_options = section(
    "Request",
    click.option(
        "-H",
        "--header",
        "headers",
        multiple=True,
        metavar="'K: V'|@FILE|@-",
        shell_complete=completed("reference"),
        help="A header; `K:` leaves one out. A file has one a line.",
    ),
    click.option(
        "-d",
        "--data",
        multiple=True,
        metavar="TEXT|@FILE|@-",
        shell_complete=completed("reference"),
        help="A raw body, form-encoded unless a header or --json says otherwise; several are joined with &.",
    ),
    click.option("--json", "json", is_flag=True, help="The body is JSON (default for items)."),
    click.option("-f", "--form", is_flag=True, help="The items make a form."),
    click.option("--multipart", is_flag=True, help="The items make a multipart body."),
    click.option(
        "-q",
        "--query",
        multiple=True,
        metavar="K=V|@FILE|@-",
        shell_complete=completed("reference"),
        help="A query parameter. A file has one a line.",
    ),
    click.option(
        "-u",
        "--user",
        metavar="USER[:PASS]",
        shell_complete=completed("reference"),
        help="Basic authentication; also env:NAME, @FILE, -.",
    ),
    click.option(
        "--bearer",
        metavar="TOKEN",
        shell_complete=completed("reference"),
        help="A bearer token; also env:NAME, @FILE, -.",
    ),
    click.option("-X", "method_option", metavar="METHOD", help="Another method (default: as the command is called)."),
    click.option(
        "-L",
        "--follow/--no-follow",
        "follow",
        default=None,
        help="Follow redirects, also those that turn a POST into a GET (default: all but those).",
    ),
    click.option("--max-redirects", type=Count(), metavar="N", help="How many redirects to follow (default 10)."),
    click.option(
        "--timeout",
        type=Seconds(),
        callback=limited,
        metavar="SECONDS",
        help="A limit for everything: login, retries, body; seconds, 500ms, 1m (default none).",
    ),
    click.option(
        "--connect-timeout",
        type=Seconds(),
        metavar="SECONDS",
        help="A limit for connecting (default 10).",
    ),
    click.option("--retry", type=Count(), metavar="N", help=_RETRY_HELP),
    click.option("--retry-unsafe", is_flag=True, help="Repeat POST and PATCH too."),
    click.option("-k", "--insecure", is_flag=True, help="Do not verify certificates."),
    click.option(
        "--verify",
        metavar="yes|no|FILE",
        shell_complete=completed("file"),
        help=_VERIFY_HELP,
    ),
    click.option(
        "--cert", metavar="FILE", shell_complete=completed("file"), help="A client certificate, PEM (default none)."
    ),
    click.option(
        "--cert-key", metavar="FILE", shell_complete=completed("file"), help="Its key (default: in the same file)."
    ),
    click.option(
        "-x",
        "--proxy",
        metavar="URL",
        shell_complete=completed("reference"),
        help="A proxy; also env:NAME, @FILE, - (default none; HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY).",
    ),
    click.option("--no-auth", is_flag=True, help="Send no credential of the profile."),
)
"""What a request is made of and how it is sent; `RequestOptions` holds the values."""

output_options = section(
    "Output",
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        shell_complete=completed("file"),
        help="Write the body to a file, when it is complete; - is stdout (default), byte for byte.",
    ),
    click.option("-v", "--verbose", count=True, help=_VERBOSE_HELP),
    click.option("--print", "parts", metavar="HBhbm", help=_PRINT_HELP),
    click.option("--headers", "headers_only", is_flag=True, help="The answer's head; the same as --print h."),
    click.option("-b", "--body", "body_only", is_flag=True, help="The answer's body; the same as --print b."),
    click.option("--meta", "meta_only", is_flag=True, help="Connection and times; the same as --print m."),
    click.option(
        "--pretty",
        type=click.Choice(PRETTY),
        help=_PRETTY_HELP,
    ),
    click.option("--format", type=click.Choice(list(FORMATS)), help="What the body is turned into (default auto)."),
    click.option("--select", metavar="EXPR", help="Print this part of a JSON body (JMESPath); a text as it is."),
    click.option("--stream", is_flag=True, help="Show each line when it is there, however many come."),
    click.option("--expect", multiple=True, metavar="EXPR", help=_EXPECT_HELP),
    click.option(
        "--har",
        metavar="FILE",
        shell_complete=completed("file"),
        help="Write the exchange as HAR 1.2, secrets masked; no body over 10 MiB.",
    ),
    click.option("--no-check-status", is_flag=True, help="Exit 0 also for 3xx, 4xx and 5xx."),
)
"""What of an exchange goes where, and what it is checked for; `OutputOptions` holds most of the values."""

export_options = section(
    "As a cURL command",
    click.option(
        "--as",
        "style",
        type=click.Choice(["forge", "env", "literal"]),
        help="How tokens appear: by forge (default), as $FORGE_TOKEN, or as they are.",
    ),
    click.option(
        "--shell",
        type=click.Choice(["posix", "powershell"]),
        help="Which shell the command is for (default posix).",
    ),
    click.option("--reveal", is_flag=True, help="The same as --as literal."),
)
