"""What is said once a profile is written."""

from __future__ import annotations

from collections.abc import Iterable

from ....profiles.document import Document
from ...output.text import visible_line


def where_it_is(document: Document, name: str, lines: Iterable[str]) -> str:
    """Where the new profile is, and the commands to run now."""
    where = visible_line(f"{document.path}:{document.line(('profiles', name))}")
    return f"profile {name} is written: {where}\n\nnext:\n" + "".join(f"  {line}\n" for line in lines)
