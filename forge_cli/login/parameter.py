"""Parameters in the value of a header field (RFC 9110, sections 5.6.6 and 11.2)."""

from __future__ import annotations

import re

from ..compiled import compiled

# The look-behind and the greedy groups keep this to one look at each character. A quote that is not
# closed takes the rest.
_PIECE = compiled(
    r"(?<![!#$%&'*+.^_`|~0-9A-Za-z-])(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*+=[ \t]*+"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"?|(?P<plain>[^\s,;"]*+))'
    r'|"(?:[^"\\]|\\.)*+"?',
    re.DOTALL,
)
_ESCAPED = compiled(r"\\(.)", re.DOTALL)


def parameter(value: str, name: str) -> str | None:
    """The first parameter of this name, in any case, as in ``Bearer realm="x", token=abc``; None when there is none."""
    for piece in _PIECE.finditer(value):
        if piece["name"] is not None and piece["name"].lower() == name.lower():
            return piece["plain"] if piece["quoted"] is None else _ESCAPED.sub(r"\1", piece["quoted"])
    return None
