"""Send a request that the profile has saved."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from ...errors import UsageError
from ...login.scope import Scope
from ...login.template import nearest, references
from ...profiles.schema import SavedRequest
from ...redact import REDACTOR, sensitive, speaks
from ..completers import completed
from ..context import Context
from ..group import Sectioned
from ..items import parse
from ..output import LISTINGS
from ..request import RequestOptions, reader, referred
from ..saved import Fill, combined
from . import send
from .profile.printing import print_json

_HELP = """\
Send a request that the profile has saved.

\b
  forge run --list                 what there is
  forge run new-user name=Ada      that one, with another name
\b
A request is saved as [profiles.NAME.requests.NEW-USER] in the profile file.
ITEMs add to it, or replace what has the same name in it.
"""


@click.command("run", cls=Sectioned, help=_HELP, short_help="Send a request that the profile has saved.")
@click.argument("name", required=False, shell_complete=completed("request"))
@click.option("--list", "listed", is_flag=True, help="List the saved requests; as JSON with --json.")
@send.sending
def run(context: Context, /, name: str | None, listed: bool, items: tuple[str, ...], **settings: Any) -> int:
    """Send a request that the profile has saved."""
    if listed:
        if name is not None:
            raise UsageError(f"--list and the name {name!r} cannot go together", hint="--list lists all of them")
        return _list(context, as_json=settings["json"])
    if name is None:
        raise UsageError("no request is named", hint="`--list` shows which there are")
    saved = _find(context, name)
    profile = context.profile()
    settings |= referred(context, settings)
    options = RequestOptions(
        **{item.name: settings[item.name] for item in fields(RequestOptions) if item.name in settings}
    )
    merged = combined(saved, parse(items, read=reader(context)), options, _filling(profile.scope))
    if saved.form is not None and not (options.json or options.multipart or merged.body or options.data):
        settings["form"] = True
    if not (settings["offline"] or settings["as_curl"]):
        settings["expect"] = (*saved.expect, *settings["expect"])
    return send.run(context, saved.method, _filling(profile.scope)(saved.url), merged, settings)


def _filling(scope: Scope) -> Fill:
    """Fills in a template of a saved request. What a variable with the name of a secret holds is one from then on."""

    def fill(template: str) -> str:
        for head, *_, name in references(template):
            value = scope.environ.get(name, "") if head == "env" and sensitive(name) else ""
            REDACTOR.add(None if speaks(name, value) else value)
        return scope.text(template)

    return fill


def _find(context: Context, name: str) -> SavedRequest:
    settings = context.settings()
    requests = settings.table.requests
    if name in requests:
        return requests[name]
    near = nearest(name, requests)
    meant = f" (nearest: {near})" if near is not None else ""
    known = f"`{context.program} run --list` shows them" if requests else "[profiles.NAME.requests.NAME] saves one"
    raise UsageError(f"profile {settings.name!r} has no saved request {name!r}{meant}", hint=known)


def _list(context: Context, *, as_json: bool) -> int:
    settings = context.settings()
    requests = settings.table.requests
    if as_json:
        return print_json(context, [{"name": name, **_described(request)} for name, request in requests.items()])
    if not requests:
        context.notice(f"profile {settings.name!r} has no saved requests: [profiles.NAME.requests.NAME] saves one")
    rows = [[name, *map(str, _described(request).values())] for name, request in requests.items()]
    LISTINGS.load("table")(context.stdout, ("name", "method", "url", "body"), rows, environ=context.environ)
    return 0


def _described(request: SavedRequest) -> dict[str, str]:
    bodies = {"json": request.json, "form": request.form, "text": request.text}
    body = next((kind for kind, value in bodies.items() if value is not None), "")
    return {"method": request.method, "url": REDACTOR.url(request.url), "body": body}
