"""List the profiles of the file in use.

\b
  forge profile list
  forge profile list --config ./other.toml
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ....errors import ProfileError
from ....profiles.document import BrokenFamily, Document, merged
from ....profiles.load import refused, select
from ....profiles.validate import check, frame_problems
from ....redact import REDACTOR
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output import LISTINGS
from .printing import JSON, count, print_json


@click.command("list", cls=Sectioned)
@JSON
@silent
@global_options
@pass_context
def list_(context: Context, as_json: bool) -> int:
    """List the profiles of the file in use.

    \b
      forge profile list
      forge profile list --config ./other.toml
    """
    document = context.document
    rows = [_row(context, document, name) for name in document.profiles]
    outside = frame_problems(document, default=True)
    if outside and not rows:
        raise refused(document, str(document.path), outside)
    if as_json:
        return print_json(context, rows)
    if not rows:
        context.notice(f"{document.path} has no profiles\n  write one with `{context.program} profile init`")
    columns = ("name", "base_url", "auth", "extends", "note", "file")
    table = LISTINGS.load("table")
    table(context.stdout, columns, [_cells(row) for row in rows], environ=context.environ)
    if outside or any(row["problems"] for row in rows):
        what = "the file has problems outside its profiles" if outside else "some profiles cannot be used"
        context.notice(f"{what}\n  `{context.program} profile validate` says why")
    return 0


def _row(context: Context, document: Document, name: str) -> dict[str, Any]:
    """One profile of the list."""
    own = document.profiles[name]
    table: Mapping[str, Any] = own
    with suppress(BrokenFamily):
        table = merged(document, name)[0]
    default = None
    with suppress(ProfileError):
        default = select(document, None, context.environ)
    auth = table.get("auth", {"type": "none"})
    return {
        "name": name,
        "base_url": REDACTOR.url(str(table.get("base_url") or "")),
        "auth": str(auth.get("type", "")) if isinstance(auth, dict) else "",
        "extends": own["extends"] if isinstance(own.get("extends"), str) else None,
        "abstract": own.get("abstract") is True,
        "default": name == default,
        "problems": len(check(document, name)[1]),
        "file": str(document.path),
        "line": document.line(("profiles", name)),
    }


def _cells(row: Mapping[str, Any]) -> list[str]:
    notes = [word for word in ("default", "abstract") if row[word]]
    notes += [count(row["problems"], "problem")] if row["problems"] else []
    file = f"{Path(row['file']).name}:{row['line']}"
    return [row["name"], row["base_url"], row["auth"], row["extends"] or "", ", ".join(notes), file]
