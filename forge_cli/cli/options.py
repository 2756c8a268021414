"""Every option that more than one command has, declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .context import Context

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]


def bundle(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several decorators as one, applied so that options are listed in this order."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that puts a global option into the run's context, wherever it was given."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value not in (None, False, ()):
            setattr(ctx.ensure_object(Context), name, value)
        return value

    return callback


def _variables(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", ctx=ctx, param=parameter)
        ctx.ensure_object(Context).variables[name] = text


def _global(*names: str, to: str, **settings: Any) -> Callable[[Any], Any]:
    return click.option(*names, expose_value=False, callback=_remember(to), **settings)


global_options = bundle(
    _global("--profile", "-p", to="profile_name", metavar="NAME", help="The profile to use (FORGE_PROFILE)."),
    _global("--config", to="config", metavar="FILE", help="The profile file to use (FORGE_CONFIG)."),
    _global("--no-project", to="no_project", is_flag=True, help="Ignore a project's .forge.toml."),
    click.option(
        "--var",
        multiple=True,
        expose_value=False,
        callback=_variables,
        metavar="NAME=VALUE",
        help="Override a var of the profile.",
    ),
    _global("--no-input", to="no_input", is_flag=True, help="Never ask; fail instead (FORGE_NO_INPUT, CI)."),
    _global("--debug", to="debug", is_flag=True, help="Show a traceback when something fails."),
)
"""Options that every command takes, and that may also stand before its name."""

silent = click.option(
    "-s",
    "--silent",
    "silent",
    count=True,
    expose_value=False,
    callback=_remember("silent"),
    help="No notices; -ss no error line either.",
)

pass_context = click.make_pass_decorator(Context, ensure=True)

_RETRY_HELP = "How often a failed request is repeated (FORGE_RETRY; default 3, or as the profile says)."

request_options = bundle(
    click.option("-H", "--header", "headers", multiple=True, metavar="'K: V'", help="A header; `K:` leaves one out."),
    click.option(
        "-d",
        "--data",
        metavar="TEXT|@FILE|@-",
        help="A raw body, form-encoded unless a header or --json says otherwise.",
    ),
    click.option("--json", "json", is_flag=True, help="The body is JSON (default for items)."),
    click.option("-f", "--form", is_flag=True, help="The items make a form."),
    click.option("--multipart", is_flag=True, help="The items make a multipart body."),
    click.option("-q", "--query", multiple=True, metavar="K=V", help="A query parameter."),
    click.option("-u", "--user", metavar="USER[:PASS]", help="Basic authentication; also env:NAME, @FILE, -."),
    click.option("--bearer", metavar="TOKEN", help="A bearer token; also env:NAME, @FILE, -."),
    click.option("-X", "method_option", metavar="METHOD", help="Another method."),
    click.option(
        "-L", "--follow/--no-follow", "follow", default=None, help="Follow redirects, also where a POST becomes a GET."
    ),
    click.option(
        "--max-redirects", type=click.IntRange(min=0), metavar="N", help="How many redirects to follow (default 10)."
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="A limit for everything: login, retries, body.",
    ),
    click.option(
        "--connect-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="A limit for connecting (default 10).",
    ),
    click.option("--retry", type=click.IntRange(min=0), metavar="N", help=_RETRY_HELP),
    click.option("--retry-unsafe", is_flag=True, help="Repeat POST and PATCH too."),
    click.option("-k", "--insecure", is_flag=True, help="Do not verify certificates."),
    click.option("--verify", metavar="yes|no|FILE", help="Verify certificates, with this CA file."),
    click.option("--cert", metavar="FILE", help="A client certificate (PEM)."),
    click.option("--cert-key", metavar="FILE", help="Its key."),
    click.option("-x", "--proxy", metavar="URL", help="A proxy for this request."),
    click.option("--no-auth", is_flag=True, help="Send no credential of the profile."),
)
"""What a request is made of and how it is sent; `RequestOptions` holds the values."""

export_options = bundle(
    click.option(
        "--as",
        "style",
        type=click.Choice(["forge", "env", "literal"]),
        help="How tokens appear: by forge (default), as $FORGE_TOKEN, or as they are.",
    ),
    click.option("--reveal", is_flag=True, help="The same as --as literal."),
)
