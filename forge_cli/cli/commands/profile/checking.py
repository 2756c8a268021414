"""Say which file is in use, and every problem of it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ....errors import ProfileError, StorageError
from ....profiles.build import token_directory
from ....profiles.document import load_document
from ....profiles.validate import describe, problems
from ....redact import REDACTOR
from ...completers import completed
from ...context import Context
from ...exit_codes import ExitCode
from ...options import global_options, pass_context, silent
from ...output.text import visible_line
from .printing import JSON, count, print_json


@click.command()
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
    path = context.source.path if file is None else Path.cwd() / file
    try:
        document = load_document(path)
    except ProfileError as exc:
        if not os.path.isfile(path):
            raise
        found = [exc.message]
    else:
        found = [describe(document, problem) for problem in problems(document)]
    if found:
        context.stdout.write("".join(f"{visible_line(REDACTOR.text(line))}\n" for line in found))
        context.notice(f"{count(len(found), 'problem')} in {path}\n  correct it there, and run this again")
        return ExitCode.USAGE
    context.stdout.write(f"{count(len(document.profiles), 'profile')}, no problems\n")
    return ExitCode.SUCCESS


@click.command()
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
    reason = "the user's own: neither --config nor FORGE_CONFIG names another"
    lines = [reason if source.named_by == "user" else f"named by {source.named_by}"]
    lines += [] if exists else [f"  it is not there yet: `{context.program} profile init` writes it"]
    lines += [] if folder is None else [f"  settings: {folder}", f"  tokens:   {tokens}"]
    context.notice("\n".join(lines))
    return 0
