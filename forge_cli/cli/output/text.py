"""Text for a terminal: what could drive it is shown instead, and colour is used where it is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from ...compiled import compiled

# C0 but tab and newline, DEL and C1 move the cursor or start sequences; the bidi controls (Unicode
# Standard Annex 9) reorder what is read; a lone surrogate cannot be encoded at all.
_INVISIBLE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff"
_UNSAFE = compiled(f"[{_INVISIBLE}]+")
_UNSAFE_IN_LINE = compiled(f"[\n{_INVISIBLE}]+")

RESET = "\x1b[0m"
STYLES: Mapping[str, str] = {
    "key": "\x1b[94m",
    "string": "\x1b[32m",
    "number": "\x1b[36m",
    "literal": "\x1b[35m",
    "name": "\x1b[36m",
    "method": "\x1b[1;32m",
    "good": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "strong": "\x1b[1m",
    "dim": "\x1b[2m",
}
"""Style name -> the sequence that starts it (ECMA-48, SGR); colours of the terminal's own palette."""


class Stream(Protocol):
    """As much of a text stream as the question of colour needs."""

    def isatty(self) -> bool: ...


def unsafe(text: str) -> bool:
    """Whether there is something in it that `visible` would show otherwise."""
    return _UNSAFE.search(text) is not None


def visible(text: str) -> str:
    """The text with control characters, bidi controls and lone surrogates shown as escapes.

    Newlines and tabs stay; a CR before a newline is part of the line end and goes.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """As `visible`, for text that must stay on one line."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


class _Escapes(dict[str, str]):
    """Character -> what is shown for it, made when it is first seen."""

    def __missing__(self, character: str) -> str:
        code = ord(character)
        self[character] = shown = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
        return shown


_ESCAPES = _Escapes({"\n": "\\n", "\r": "\\r"})


def _escape(match: re.Match[str]) -> str:
    return "".join(map(_ESCAPES.__getitem__, match[0]))


def color_wanted(stream: Stream | None, environ: Mapping[str, str]) -> bool:
    """Whether to colour what goes to the stream: NO_COLOR, then FORCE_COLOR, then a terminal that is not dumb."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    try:
        return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"
    except ValueError:  # a closed stream
        return False


def paint(text: str, style: str, color: bool = True) -> str:
    """The text in a style of `STYLES`, or as it is without colour."""
    return f"{STYLES[style]}{text}{RESET}" if color and text else text
