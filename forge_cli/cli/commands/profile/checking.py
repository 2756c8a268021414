"""Say which file is in use, and every problem of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import click

from ....compiled import compiled
from ....errors import ProfileError, StorageError, UsageError
from ....profiles.build import token_directory
from ....profiles.document import Document, Place, load_document
from ....profiles.kinds import Problem
from ....profiles.load import PROJECT_FILE, Source, content_of, current_directory
from ....profiles.trust import relative_programs
from ....profiles.validate import describe, ordered, problems
from ....redact import REDACTOR
from ...completers import completed
from ...context import Context
from ...exit_codes import ExitCode
from ...expect import expectation
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.text import visible_line
from .printing import JSON, count, print_json


@click.command(cls=Sectioned)
@click.argument("file", required=False, shell_complete=completed("file"))
@silent
@global_options
@pass_context
def validate(context: Context, file: str | None) -> int:
    """Report every problem of every profile.

    \b
      forge profile validate                the file in use
      forge profile validate ./prod.toml    another one

    Each line has the file, the line and the key. Exit 0 when there is no problem, else 2.
    """
    source = context.source if file is None else Source(current_directory() / file, "--config")
    path = source.path
    try:
        document = load_document(path, content_of(source, notice=context.notice))
    except ProfileError as exc:
        if not os.path.isfile(path):
            raise
        found = [exc.message]
    else:
        of_project = source.named_by == "project" or (file is not None and path.name == PROJECT_FILE)
        refused = relative_programs(document) if of_project else []
        every = ordered(document, [*problems(document), *_expectations(document), *refused])
        found = [describe(document, problem) for problem in every]
    if found:
        context.stdout.write("".join(f"{visible_line(REDACTOR.text(line))}\n" for line in found))
        context.notice(f"{count(len(found), 'problem')} in {path}\n  correct it there, and run this again")
        return ExitCode.USAGE
    context.stdout.write(f"{count(len(document.profiles), 'profile')}, no problems\n")
    return ExitCode.SUCCESS


def _expectations(document: Document) -> Iterator[Problem]:
    """What no expectation is in `expect` of the profiles, and of their saved requests."""
    for name, profile in document.profiles.items():
        requests = profile.get("requests")
        places: list[tuple[Place, Any]] = [(("profiles", name), profile)]
        places += [
            (("profiles", name, "requests", request), table)
            for request, table in (requests.items() if isinstance(requests, dict) else ())
        ]
        for place, table in places:
            texts = table.get("expect") if isinstance(table, dict) else None
            for index, text in enumerate(texts if isinstance(texts, list) else ()):
                if isinstance(text, str) and (trouble := _trouble(text)):
                    yield Problem((*place, "expect", index), trouble)


# The text, or its beginning, as the error begins with it.
_SHOWN = compiled(r"^\s*(['\"]).*?\1(?=:| has no)", re.DOTALL)


def _trouble(text: str) -> str | None:
    """Why a text is no expectation; the text itself is not repeated."""
    try:
        expectation(text, "")
    except UsageError as exc:
        return f"{_SHOWN.sub('', exc.message, count=1).lstrip(': ')} ({exc.hint})"
    return None


@click.command(cls=Sectioned)
@JSON
@silent
@global_options
@pass_context
def path(context: Context, as_json: bool) -> int:
    """Print the path of the profile file in use.

    \b
      ${EDITOR:-vi} "$(forge profile path)"

    Why it is this file, and where tokens are, goes to stderr.
    """
    source = context.source
    exists = os.path.exists(source.path)
    folder = tokens = None
    try:
        folder, tokens = str(context.config_dir), str(token_directory(context.environ))
    except StorageError as exc:
        # A file that was named can be used without a home.
        context.notice(exc.message)
    if as_json:
        found = {"file": str(source.path), "named_by": source.named_by, "exists": exists}
        return print_json(context, {**found, "config_dir": folder, "tokens": tokens})
    context.stdout.write(f"{source.path}\n")
    own = source.named_by == "user"
    lines = [source.reason + (": neither --config nor FORGE_CONFIG names another" if own else "")]
    lines += [] if exists else [f"  it is not there yet: `{context.program} profile init` writes it"]
    lines += [] if folder is None else [f"  settings: {folder}", f"  tokens:   {tokens}"]
    context.notice("\n".join(lines))
    return 0
