"""What the shell can complete: names from the profile file, recipes, and files. Nothing here prints or raises."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..compiled import compiled
from ..errors import ForgeError
from ..models import HttpMethod
from ..profiles.document import BrokenFamily, Document, merged
from ..profiles.expand import expand
from ..profiles.load import select
from ..profiles.recipe import recipes as found_recipes
from ..profiles.schema import CompositeAuth
from .context import Context
from .run import Run

Items = list[CompletionItem[str]]

# More than this is no help in a list of candidates.
_MOST = 500
# What may stand before the `@` of an item: a name and one of the separators, or nothing.
_ITEM_FILE = compiled(r"(?:(?:[^\\:=@]|\\.)*(?::=|==|=|:)?)@", re.DOTALL)


def _context(ctx: click.Context) -> Context:
    context = Context.of(ctx.ensure_object(Run))
    # A line in the middle of what a person types helps nobody.
    context.silent = max(context.silent, 1)
    return context


def _begun(names: Iterable[str | tuple[str, str]], incomplete: str) -> Items:
    """Those that begin so; each is a name, or a name and a line about it."""
    pairs = [(name, "") if isinstance(name, str) else name for name in names]
    return [CompletionItem(name, help=about or None) for name, about in pairs if name.startswith(incomplete)][:_MOST]


def _document(ctx: click.Context) -> Document | None:
    """The profile file in use; None when it cannot be used."""
    try:
        return _context(ctx).document
    except (ForgeError, OSError):
        return None


def _chosen(ctx: click.Context) -> Mapping[str, Any]:
    """The table of the chosen profile with its parents', as far as that can be told."""
    context, document = _context(ctx), _document(ctx)
    if document is None:
        return {}
    try:
        return merged(document, select(document, context.profile_name, context.environ))[0]
    except (ForgeError, BrokenFamily):
        return {}


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def methods(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The methods that have a name everywhere."""
    return _begun([each.value for each in HttpMethod], incomplete.upper())


def profiles(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The profiles that can be used."""
    document = _document(ctx)
    if document is None:
        return []
    tables = {name: table for name, table in document.profiles.items() if table.get("abstract") is not True}
    return _begun([(name, _base_url(table)) for name, table in tables.items()], incomplete)


def _base_url(table: Mapping[str, Any]) -> str:
    """Where the profile's API is, without what may be a password."""
    value = table.get("base_url")
    return re.sub(r"//[^/]*@", "//", value).partition("?")[0] if isinstance(value, str) else ""


def steps(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The steps of the chosen profile's login; of several logins, with the login's name."""
    try:
        settings = _context(ctx).settings()
        auth = settings.table.auth
        if isinstance(auth, str):
            names = list(expand(settings.shared[auth].auth).steps)
        elif isinstance(auth, CompositeAuth):
            label = "{0}/{1}" if len(auth.parts) > 1 else "{1}"
            parts = {part: expand(settings.shared[part].auth).steps for part in auth.parts}
            names = [label.format(part, step) for part, inner in parts.items() for step in inner]
        else:
            names = list(expand(auth).steps)
    except (ForgeError, OSError, LookupError):
        return []
    return _begun(names, incomplete)


def variables(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The vars of the chosen profile, as `NAME=`."""
    return _begun([f"{name}=" for name in _table(_chosen(ctx).get("vars"))], incomplete)


def requests(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The requests that the chosen profile saves."""
    saved = _table(_chosen(ctx).get("requests"))
    return _begun([(name, _request_line(_table(table))) for name, table in saved.items()], incomplete)


def _request_line(table: Mapping[str, Any]) -> str:
    return f"{table.get('method', 'GET')} {str(table.get('url', '')).partition('?')[0]}"


def recipes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The recipes by name, one's own too, and files."""
    folder = None
    with suppress(ForgeError):
        folder = _context(ctx).config_dir / "recipes"
    if "/" in incomplete or incomplete.startswith("."):
        return files(ctx, parameter, incomplete)
    return _begun([name for name, _, _ in found_recipes(folder)], incomplete)


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Files and directories."""
    return _files(incomplete)


def items(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The files after the `@` of a request item."""
    match = _ITEM_FILE.match(incomplete)
    return [] if match is None else _files(incomplete[match.end() :], match[0])


def referenced(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """A value that may be `@FILE` or `env:NAME`."""
    if incomplete.startswith("@"):
        return _files(incomplete[1:], "@")
    if incomplete.startswith("env:"):
        return _begun([f"env:{name}" for name in sorted(_context(ctx).environ)], incomplete)
    return []


def _files(incomplete: str, before: str = "") -> Items:
    """What is in the directory, each with what stands before it; a directory ends with a slash."""
    folder, slash, begin = incomplete.rpartition("/")
    with suppress(OSError, RuntimeError, ValueError), os.scandir(Path(folder + slash or ".").expanduser()) as entries:
        found = sorted(
            f"{entry.name}/" if entry.is_dir() else entry.name
            for entry in entries
            if entry.name.startswith(begin) and (begin or not entry.name.startswith("."))
        )
        # A shell reads what is printed line by line.
        return [CompletionItem(f"{before}{folder}{slash}{name}") for name in found if "\n" not in name][:_MOST]
    return []


Completer = Callable[[click.Context, click.Parameter, str], Items]
