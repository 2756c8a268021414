"""List and print recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....errors import ProfileError, StorageError
from ....profiles.recipe import AskTable, Recipe, find, recipe, recipes
from ...context import Context
from ...output import LISTINGS
from .printing import count, print_json


def folder(context: Context) -> Path | None:
    """Where a person's own recipes are; None without a home."""
    try:
        return context.config_dir / "recipes"
    except StorageError:
        return None


def found(context: Context, word: str, cwd: Path) -> Recipe:
    """The recipe that is meant, once it is said which of two of a name it is."""
    meant = find(word, folder(context), cwd)
    if meant.hides and "/" not in word and not word.endswith(".toml"):
        context.notice(f"recipe {meant.name}: {meant.path} is used, not the one that comes with forge")
    return meant


def show_recipe(context: Context, word: str, cwd: Path) -> int:
    """Print a recipe as it is in its file."""
    text = found(context, word, cwd).text
    context.stdout.write(text if text.endswith("\n") else f"{text}\n")
    return 0


def list_recipes(context: Context, as_json: bool) -> int:
    """Print every recipe; those that cannot be used are named below."""
    rows, broken = list[Recipe](), list[ProfileError]()
    for name, path, built_in in recipes(folder(context)):
        try:
            rows.append(recipe(name, path, built_in=built_in))
        except ProfileError as exc:
            broken.append(exc)
    if as_json:
        print_json(context, [_described(row) for row in rows])
    else:
        cells = [[row.name, "yes" if row.person else "no", row.head.summary, _origin(row)] for row in rows]
        own = any(cell[-1] for cell in cells)
        columns = ["name", "person", "summary", *(["file"] if own else [])]
        LISTINGS.load("table")(
            context.stdout, columns, [cell if own else cell[:-1] for cell in cells], environ=context.environ
        )
    if broken:
        lines = [line for each in broken for line in (each.message, *(f"  {problem}" for problem in each.problems))]
        context.notice("\n".join([f"{count(len(broken), 'recipe')} cannot be used", *(f"  {line}" for line in lines)]))
    return 0


def _origin(row: Recipe) -> str:
    if row.built_in:
        return ""
    return f"{row.path} (instead of the one that comes with forge)" if row.hides else str(row.path)


def _described(row: Recipe) -> dict[str, Any]:
    head = row.head
    return {
        "name": row.name,
        "title": head.title,
        "summary": head.summary,
        "docs": head.docs,
        "tested": head.tested,
        "person": row.person,
        "asks": [_asked(row, name, ask) for name, ask in head.asks.items()],
        "file": str(row.path),
        "built_in": row.built_in,
        "hides_built_in": row.hides,
    }


def _asked(row: Recipe, name: str, ask: AskTable) -> dict[str, Any]:
    values = row.vars if ask.into == "vars" else row.secrets
    return {"name": name, "text": ask.text, "into": ask.into, "default": values[name]}
