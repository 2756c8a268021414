"""Where in a profile the template stands that could not be filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import ProfileError
from .template import references


@contextmanager
def blamed(where: str, tree: Any) -> Iterator[None]:
    """Begin the message of a ProfileError with a place: `where`, and the key below it that the template is at."""
    try:
        yield
    except ProfileError as exc:
        if not exc.placed and where.partition(" (")[0] not in exc.message:
            key = None if exc.template is None else place_of(exc.template, tree)
            exc.message = f"{where}{f', `{key}`' if key else ''}: {exc.message}"
        exc.placed = True
        raise


def place_of(text: str, tree: Any, place: str = "") -> str | None:
    """The path of a text in a tree of plain values, as people write it: ``request.form.sig``; None: it is not there."""
    if isinstance(tree, str):
        return place if tree == text else None
    members: Any = ()
    if isinstance(tree, Mapping):
        members = ((f"{place}.{str(name).rstrip('_')}".lstrip("."), inner) for name, inner in tree.items())
    elif isinstance(tree, list | tuple):
        members = ((f"{place}[{index}]", inner) for index, inner in enumerate(tree))
    return next((found for path, inner in members if (found := place_of(text, inner, path)) is not None), None)


def about_key(message: str, template: str) -> str:
    """The message; if it is about a key, with the secrets that the key is taken from."""
    named = [f"secrets.{reference[1]}" for reference in references(template) if reference[0] == "secrets"]
    return f"{message} (it is {' and '.join(named)})" if named and message.startswith("the key ") else message
