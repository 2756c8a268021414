"""Write a new profile from a draft."""

from __future__ import annotations

import re
from contextlib import suppress

import click

from ....curl import quote
from ....errors import ProfileError, UsageError
from ....profiles.addition import ProfileFile, plain_url_trouble
from ....profiles.document import Document
from ....profiles.draft import SHAPES, Shape, drafted, prefix
from ....profiles.kinds import unknown
from ....profiles.load import select
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from .printing import one_name
from .questions import answer
from .writing import where_it_is

_AUTH_NUMBERS = {str(number): name for number, name in enumerate(SHAPES, 1)}


@click.command(cls=Sectioned)
@click.argument("name", required=False)
@click.option("--base-url", metavar="URL", help="Where the API is: what paths are relative to (default: asked).")
@click.option("--auth", metavar="TYPE", help="Type: none, bearer, api-key, basic, oauth2 or pipeline (default: asked).")
@click.option("--token-url", metavar="URL", help="The token endpoint of oauth2 (default: /oauth/token).")
@silent
@global_options
@pass_context
def init(context: Context, name: str | None, base_url: str | None, auth: str | None, token_url: str | None) -> int:
    """Write a new profile, and say what to run next.

    \b
      forge profile init
      forge profile init prod --base-url https://api.example.com --auth oauth2

    On a terminal it asks for what is not given. The profile has comments; what is in the file already stays as it is.
    """
    file = ProfileFile(context.source, context.notice)
    given = one_name(context, name)
    if auth is not None and (trouble := _auth_trouble(auth)):
        raise UsageError(f"--auth {auth}: {trouble}", hint=f"the types are: {', '.join(SHAPES)}")
    name = answer(context, "NAME", given, "Name of the profile", file.name_trouble, "api")
    base_url = answer(
        context, "--base-url", base_url, "Base URL, such as https://api.example.com", file.url_trouble(name)
    )
    if auth is None and context.interactive:
        context.stderr.write(_menu())
    auth = _AUTH_NUMBERS.get(word := answer(context, "--auth", auth, "Login", _auth_trouble), word)
    if token_url is not None and auth != "oauth2":
        raise UsageError(f"--token-url goes with --auth oauth2, not with {auth}", hint="leave it out")
    if auth == "oauth2":
        question = "Token URL, a path below the base URL or absolute"
        token_url = answer(context, "--token-url", token_url, question, _token_url_trouble, "/oauth/token")
    shape = SHAPES[auth]
    document = file.add(name, drafted(shape, name, base_url, token_url or ""))
    context.stdout.write(_next(context, document, name, shape))
    with suppress(ProfileError):
        select(document, None, {})
        return 0
    context.notice(f'no profile is the default\n  begin the file with `default_profile = "{name}"`, or give -p {name}')
    return 0


def _menu() -> str:
    rows = [f"  {number}  {name:<8}  {SHAPES[name].summary}\n" for number, name in _AUTH_NUMBERS.items()]
    return "How does this API log in?\n" + "".join(rows)


def _auth_trouble(word: str) -> str | None:
    return None if word in SHAPES or word in _AUTH_NUMBERS else f"unknown type {unknown(word, SHAPES)}"


def _token_url_trouble(url: str) -> str | None:
    if url.startswith("/") and url.isprintable():
        return None
    return plain_url_trouble(url) or (
        None if re.match(r"https?://", url) else "must begin with /, or with https:// and a host"
    )


def _next(context: Context, document: Document, name: str, shape: Shape) -> str:
    """Where the profile is, and the commands to run now."""
    config = "" if context.config is None else f" --config {quote(context.config)}"
    flags = f"-p {quote(name)}{config}"
    lines = []
    if shape.unfinished:
        lines += [f"${{EDITOR:-vi}} {quote(str(document.path))}    # every FILL IN"]
        lines += [f"{context.program} profile validate{config}"]
    lines += [f"export {prefix(name)}_{word}=…" for word in shape.variables]
    lines += [f"{context.program} token explain {flags}"] if shape.unfinished else []
    lines += [f"{context.program} get / {flags}"]
    return where_it_is(document, name, lines)
