"""JSON as lines: each item of an array, or each document, on a line of its own, while it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .auto import beginning
from .content import Content, Look, NotSuited
from .json import Layout
from .lines import lines
from .scanning import scanned

_DOCUMENTS = ("",), ("",)
_ITEMS = ("", "\n", ""), ("\n", "", "")


def ndjson(content: Content, look: Look) -> Iterator[str]:
    """One item or document a line. NotSuited when the body does not begin as JSON does."""
    first, text = beginning(content.text())
    if first and first not in '[{"-0123456789tfnNI':
        raise NotSuited("the body is not JSON", text)
    layout = Layout(*(_ITEMS if first == "[" else _DOCUMENTS), color=look.color, safe=look.safe, colon=":")
    shown = scanned(text, layout.scan, safe=look.safe)
    return _items(shown) if first == "[" else shown


def _items(shown: Iterable[str]) -> Iterator[str]:
    """An array that was laid out with one item a line, without what makes it an array."""
    inside = False
    for line in lines(shown):
        text = line.rstrip("\n")
        if not inside and text in ("[", "[]"):
            inside = text == "["
        elif inside and text == "]":
            inside = False
        else:
            yield text.removesuffix(",") + "\n"
