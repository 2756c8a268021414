"""Shell words: text quoted for sh, bash, dash and zsh, with slots for what the shell fills in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from ..compiled import compiled
from ..frozen import immutable

# A word may not start with "=": zsh replaces `=name` by the path of the program.
_SAFE = compiled(r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*")
# What means the same inside double quotes as outside; "!" is history in interactive shells.
_PLAIN = compiled(r'[^"$`\\!]*')
# What a terminal would obey or swallow when the command is printed or pasted:
# C0 but tab and newline, DEL, C1, bidi controls.
UNSEEN = compiled("([\x01-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+)")
VARIABLE = compiled(r"\$([A-Za-z_][A-Za-z0-9_]*)")


@immutable
class Slot:
    """A value known only when the command runs: ``$(command)`` or ``$NAME``, as inside double quotes."""

    expression: str


class Slots:
    """Stands for such values in text that is still to be prepared, and finds them again in the result.

    Marks are lower-case letters and digits, so that no header check, percent-encoding or JSON encoding
    changes them; a random part keeps other text from being taken for one. Base64 does hide them.
    """

    def __init__(self) -> None:
        self._expressions: list[str] = []
        self._prefix = f"slot{os.urandom(8).hex()}n"
        self._pattern = re.compile(f"{self._prefix}([0-9]+)e", re.IGNORECASE)

    def mark(self, expression: str) -> str:
        """A text that stands for the expression."""
        self._expressions.append(expression)
        return f"{self._prefix}{len(self._expressions) - 1}e"

    def present(self, text: str) -> bool:
        """Whether a mark is in the text."""
        return self._pattern.search(text) is not None

    def split(self, text: str) -> list[str | Slot]:
        """The text cut into literal pieces and slots; no literal is empty."""
        pieces: list[str | Slot] = []
        for index, piece in enumerate(self._pattern.split(text)):
            if index % 2:
                pieces.append(Slot(self._expressions[int(piece)]))
            elif piece:
                pieces.append(piece)
        return pieces


def quote(text: str) -> str:
    """One shell word that stands for the text; safe words stay as they are."""
    return word([text])


def word(pieces: Sequence[str | Slot]) -> str:
    visible: list[str | Slot] = []
    for piece in pieces:
        visible.extend([piece] if isinstance(piece, Slot) else _without_unseen(piece))
    if not any(isinstance(piece, Slot) for piece in visible):
        return _literal("".join(piece for piece in visible if isinstance(piece, str)))
    if all(isinstance(piece, Slot) or _PLAIN.fullmatch(piece) for piece in visible):
        last = len(visible) - 1
        return '"' + "".join(p if isinstance(p, str) else _expression(p, i < last) for i, p in enumerate(visible)) + '"'
    return "".join(_literal(p) if isinstance(p, str) else f'"{_expression(p, False)}"' for p in visible)


def _literal(text: str) -> str:
    if _SAFE.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _expression(slot: Slot, followed: bool) -> str:
    # Without braces the shell would read on: "$NAMEx", and in zsh also "$NAME:h" and "$NAME[1]".
    variable = VARIABLE.fullmatch(slot.expression) if followed else None
    return f"${{{variable[1]}}}" if variable else slot.expression


def _without_unseen(text: str) -> Iterator[str | Slot]:
    for index, piece in enumerate(UNSEEN.split(text)):
        if index % 2:
            octal = "".join(f"\\{byte:03o}" for byte in piece.encode())
            yield Slot(f"$(printf '{octal}')")
        elif piece:
            yield piece


def printf(data: bytes, slots: Slots) -> str:
    pieces = slots.split(data.decode("latin-1"))
    layout = "".join("%s" if isinstance(piece, Slot) else re.sub(r"[^ -~]|['%\\]", _escaped, piece) for piece in pieces)
    if layout.startswith("-"):
        layout = "\\055" + layout[1:]
    values = [f' "{piece.expression}"' for piece in pieces if isinstance(piece, Slot)]
    return f"printf '{layout}'" + "".join(values)


def _escaped(match: re.Match[str]) -> str:
    return {"%": "%%", "\\": "\\\\", "\n": "\\n"}.get(match[0]) or f"\\{ord(match[0]):03o}"
