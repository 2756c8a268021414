"""JSON as lines: each item of an array, or each document, on a line of its own, while it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .content import Content, Look, NotSuited
from .json import Layout
from .lines import lines
from .scanning import Unfit, scanned
from .text import paint as paint

_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]|[ \t\r\n]++|[^"\[\]{},\s]++', re.DOTALL)
_CLOSES = {"]": "[", "}": "{"}


def ndjson(content: Content, look: Look) -> Iterator[str]:
    """One item a line. NotSuited when the body does not begin as JSON."""
    compact = _Compact()
    checked = scanned(content.text(), compact.scan, safe=look.safe)
    first = next(checked, "")
    if not first.strip() or compact.broken:
        raise NotSuited("the body is not JSON")
    yield from _coloured(first, checked, look)


def _coloured(first: str, rest: Iterator[str], look: Look) -> Iterator[str]:
    from_here = iter((first,))
    for text in (*from_here,):
        yield text
    yield from rest
