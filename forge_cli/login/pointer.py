"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compiled import compiled

_BAD_ESCAPE = compiled(r"~(?![01])")
_INDEX = compiled(r"0|[1-9][0-9]{0,17}")


def pointer(document: Any, text: str) -> Any:
    """What a JSON pointer points to (RFC 6901, section 4). LookupError: nothing is there."""
    if check_pointer(text) is not None:
        raise LookupError(text)
    for part in text.split("/")[1:]:
        if isinstance(document, Mapping):
            document = document[part.replace("~1", "/").replace("~0", "~")]
        elif isinstance(document, list | tuple) and _INDEX.fullmatch(part):
            document = document[int(part)]
        else:
            raise LookupError(text)
    return document


def check_pointer(text: str) -> str | None:
    """What is wrong with a JSON pointer, if anything (RFC 6901, section 3)."""
    if text and not text.startswith("/"):
        return "a JSON pointer starts with '/'"
    if _BAD_ESCAPE.search(text):
        return "in a JSON pointer '~' is written '~0', and '/' in a name '~1'"
    return None
