"""See forge at work: an API on this machine, a login of three steps, and the commands that matter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

import click

from ...curl import quote
from ...demo.profile import ENVIRON
from ...demo.stage import Stage, stage
from ...demo.tour import Tour
from ..context import Context
from ..exit_codes import ExitCode
from ..group import Sectioned
from ..options import global_options, pass_context
from ..output.text import color_wanted

_HELP = """\
See a three-step login at work, on this machine alone.

Starts a small API on the loopback interface, runs the commands that matter against it and says
what happened. It takes a few seconds, needs no network and leaves nothing behind.

\b
  forge demo
  forge demo --serve      keep the API running, to try things by hand
"""


@click.command(cls=Sectioned, help=_HELP, short_help="See a three-step login at work, on this machine alone.")
@click.option("--serve", is_flag=True, help="Only start the API, and say how to reach it; Ctrl-C ends it.")
@global_options
@pass_context
def demo(context: Context, serve: bool) -> int:
    """See a three-step login at work, on this machine alone."""
    with stage(context.program, context.environ) as running:
        if serve:
            keep(context, running)
        color = color_wanted(context.stdout, context.environ) and context.stdout.isatty()
        return ExitCode.SUCCESS if Tour(running, context.stdout, color=color).run() else ExitCode.BUG


def keep(context: Context, running: Stage, wait: Callable[[float], None] = time.sleep) -> NoReturn:
    """Say how to reach the API, and let it run until Ctrl-C."""
    settings = {"FORGE_CONFIG_DIR": str(running.config_dir), **ENVIRON}
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in settings.items())
    program = running.program
    context.stdout.write(
        f"""\
# The API listens on {running.url} until Ctrl-C. In another terminal:

{exports}
{program} token explain         # the steps of the login, and what would run now
{program} get /users            # logs in, once
{program} get /flaky            # 503 twice, with Retry-After
{program} get /strict -vv       # an app token refused, and the login's requests shown
{program} token show
{program} curl GET /users
cat {quote(str(running.config_dir / "profiles.toml"))}
"""
    )
    context.stdout.flush()
    while True:
        wait(3600)
