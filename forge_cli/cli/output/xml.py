"""XML for people: indented and coloured tag by tag, with nothing parsed, no entity expanded and no text changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...compiled import compiled
from .scanning import Unfit, scanned
from .text import paint, unsafe, visible

# Nothing that was taken is given back: a name may be a whole body.
_NAME = r"[^\s<>/\"'=!?]++"
_QUOTED = r"\"[^\"<]*+\"|'[^'<]*+'"
_MARKUP = compiled(
    r"(?P<comment><!--.*?-->)|(?P<data><!\[CDATA\[.*?\]\]>)|(?P<instruction><\?.*?\?>)"
    rf"|(?P<doctype><!DOCTYPE(?:[^\[\"'>]|{_QUOTED})*+(?:\[(?:[^\]\"']|\"[^\"]*+\"|'[^']*+')*+\]\s*+)?+>)"
    rf"|</(?P<closing>{_NAME})\s*+>|<(?P<opening>{_NAME})(?P<attributes>(?:[^\"'<>]|{_QUOTED})*+)>|(?P<text>[^<]++)",
    re.DOTALL,
)
_ATTRIBUTE = compiled(rf"(?<![^\s<>/\"'=!?])({_NAME})(\s*+=\s*+)({_QUOTED})")
_DEEPEST = 32
_MOST_OPEN = 1_000_000


def xml(pieces: Iterable[str], *, color: bool, safe: bool = True) -> Iterator[str]:
    """The XML with each element on a line of its own; what is not well formed follows as it is."""
    return scanned(pieces, Indentation(color=color, safe=safe).scan, safe=safe)


class Indentation:
    """Where in an XML text its layout is; `scan` goes on from there."""

    def __init__(self, *, color: bool, safe: bool = True) -> None:
        self._color = color
        self._safe = safe
        self._open: list[str] = []
        # Elements with text of their own are left as they are: space in them is text too.
        self._mixed_from: int | None = None
        self._after_opening = False
        self._begun = False
        self._rooted = False

    def scan(self, text: str, final: bool) -> tuple[str, int]:
        """The layout of the text, and how much of it was used. Unfit: it is not well formed."""
        out: list[str] = []
        used = 0
        shown = visible if self._safe and unsafe(text) else str
        while used < len(text):
            match = _MARKUP.match(text, used)
            if match is None or (match["text"] is not None and match.end() == len(text) and not final):
                if final or len(self._open) > _MOST_OPEN:
                    raise Unfit("".join(out), used)
                break
            if not self._take(match, shown(match[0]), out):
                raise Unfit("".join(out), used)
            used = match.end()
        if final and self._open:
            raise Unfit("".join(out), used)
        return "".join(out), used

    def _take(self, match: re.Match[str], shown: str, out: list[str]) -> bool:
        """Write one piece of markup or text. False: it does not belong here."""
        kind = match.lastgroup
        if kind == "text":
            return self._text(shown, out)
        if kind == "data":
            return bool(self._open) and self._text(shown, out)
        if kind == "closing":
            if not self._open or self._open.pop() != match["closing"]:
                return False
            if not (self._after_opening or self._mixed_from is not None):
                self._new_line(out)
            if self._mixed_from is not None and len(self._open) < self._mixed_from:
                self._mixed_from = None
            self._after_opening = False
            out.append(paint(shown, "key", self._color))
            return True
        if kind == "attributes" and self._rooted and not self._open:
            return False  # a second document
        self._new_line(out)
        self._after_opening = False
        if kind != "attributes":
            out.append(paint(shown, "dim", self._color))
            return True
        self._rooted = True
        out.append(self._tag(shown))
        if not match["attributes"].endswith("/"):
            self._open.append(match["opening"])
            self._after_opening = True
        return True

    def _text(self, shown: str, out: list[str]) -> bool:
        if self._mixed_from is None:
            if not shown.strip():
                return True
            if not self._open:
                return False
            self._mixed_from = len(self._open)
        out.append(shown)
        return True

    def _new_line(self, out: list[str]) -> None:
        if self._begun and self._mixed_from is None:
            out.append("\n" + "  " * min(len(self._open), _DEEPEST))
        self._begun = True

    def _tag(self, shown: str) -> str:
        if not self._color:
            return shown
        pieces, used = [], 0
        for match in _ATTRIBUTE.finditer(shown):
            pieces += [paint(shown[used : match.start()], "key"), paint(match[1], "name"), match[2]]
            pieces.append(paint(match[3], "string"))
            used = match.end()
        return "".join((*pieces, paint(shown[used:], "key")))
