"""Words for PowerShell on Windows, from Windows PowerShell 5.1 on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..compiled import compiled
from ..errors import RequestBuildException
from .words import UNSEEN, VARIABLE, Slot

# Plain words, and numbers without a unit: 1kb is a number to PowerShell, and `,` `@` `;` `{` are operators.
_SAFE = compiled(r"-{0,2}[A-Za-z][A-Za-z0-9_-]*|[0-9]{1,9}")
# PowerShell takes curly quotes for straight ones.
_SINGLE = compiled("['\u2018\u2019\u201a\u201b]")
_DOUBLE = compiled('[`$"\u201c\u201d\u201e]')
# CreateProcess takes 32767 characters.
_LONGEST_COMMAND = 32_000
_PROGRAM = "curl.exe"
"""`curl` alone is another command in Windows PowerShell."""


def command(groups: Sequence[Sequence[str | Sequence[str | Slot]]]) -> str:
    """A command line from words and from values that are quoted, each group an option or an operand.

    Until version 7.2, PowerShell hands a `"` in an argument over as it is, and the program takes it for a quote; from
    7.3 on it escapes it. Where that matters the command asks for the older way, and escapes what has to be.
    """
    older = any(not isinstance(each, str) and _needs_own_quotes(each) for group in groups for each in group)
    words = [each if isinstance(each, str) else word(each) for group in groups for each in group]
    line = " ".join([_PROGRAM, *words])
    if len(line) > _LONGEST_COMMAND:
        raise RequestBuildException("the command is too long for Windows", hint="put the body into a file: -d @FILE")
    return f"& {{ $PSNativeCommandArgumentPassing = 'Legacy'; {line} }}" if older else line


def word(pieces: Sequence[str | Slot]) -> str:
    """One argument that a program gets as it is; what a slot expands to must hold no `"`."""
    if _needs_own_quotes(pieces):
        pieces = ['"', *_escaped_for_the_program(pieces), '"']
    visible = [part for piece in pieces for part in ([piece] if isinstance(piece, Slot) else _without_unseen(piece))]
    if any(isinstance(piece, Slot) for piece in visible):
        texts = (_expression(each) if isinstance(each, Slot) else _DOUBLE.sub(r"`\g<0>", each) for each in visible)
        return f'"{"".join(texts)}"'
    return quote("".join(piece for piece in visible if isinstance(piece, str)))


def quote(text: str) -> str:
    """A text as PowerShell itself reads it; safe words stay as they are."""
    return text if _SAFE.fullmatch(text) else "'" + _SINGLE.sub(r"\g<0>\g<0>", text) + "'"


def _needs_own_quotes(pieces: Sequence[str | Slot]) -> bool:
    """Whether the older way would change the argument: a quote in it, nothing at all, or `\\` before its end quote."""
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    ends = isinstance(pieces[-1], str) and literal.endswith("\\") if pieces else False
    return not pieces or pieces == [""] or '"' in literal or (ends and re.search(r"\s", literal) is not None)


def _escaped_for_the_program(pieces: Sequence[str | Slot]) -> list[str | Slot]:
    """The argument as the C runtime reads it between quotes: backslashes count only before a quote."""
    escaped: list[str | Slot] = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, Slot):
            escaped.append(piece)
            continue
        text = re.sub(r'(\\*)"', r'\1\1\\"', piece)
        escaped.append(re.sub(r"(\\+)$", r"\1\1", text) if index == len(pieces) - 1 else text)
    return escaped


def _without_unseen(text: str) -> Iterable[str | Slot]:
    for index, piece in enumerate(UNSEEN.split(text)):
        if index % 2:
            yield Slot("".join(f"$([char]{ord(char)})" for char in piece))
        elif piece:
            yield piece


def _expression(slot: Slot) -> str:
    variable = VARIABLE.fullmatch(slot.expression)
    return f"$($env:{variable[1]})" if variable else slot.expression
