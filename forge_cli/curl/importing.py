"""A cURL command as text, back to what the request is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from ..compiled import compiled
from ..errors import UsageError
from .arguments import arguments
from .imported import FromFile, Imported
from .invocation import Invocation
from .lexing import Command, cmd_commands, escaped, joined, shell_commands
from .words import Slots

_BEFORE_CURL = frozenset("sudo time env command exec nohup if then do else while until ! { $ % > set export".split())
_POWERSHELL = compiled(r"\b(Invoke-(WebRequest|RestMethod)|iwr|irm)\b", re.IGNORECASE)
# In quotes a caret or a backquote means nothing: what counts is the one before any quote that cmd.exe has not.
_FIRST = compiled(r"\bcurl(?:\.exe)?\b", re.IGNORECASE)
_CMD = compiled(r"[^'`\n]*?[ \t]\^(?:\"|\r?\n)")
_BACKQUOTED_LINE = compiled(r"[ \t]`\r?\n")
_CURL = compiled(r"(?:.*[/\\])?curl(?:\.exe)?", re.IGNORECASE | re.DOTALL)
_DEPTH = 3


def parse(text: str) -> list[Imported]:
    """The requests of the curl commands in the text, for sh or cmd.exe. UsageError for what cannot be read.

    Nothing is run and no file is opened. No error quotes a value: it may be a secret.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError("the command is not UTF-8 text", hint="save it as UTF-8 and give it by `--import -`") from None
    return _parse(text, Slots(), 0)


def _parse(text: str, slots: Slots, depth: int) -> list[Imported]:
    commands = _commands(text, slots)
    found: list[Imported] = []
    others: list[str] = []
    for index, command in enumerate(commands):
        at = _place_of_curl(command)
        if at is None:
            others += _noted(commands, index)
            continue
        before = commands[index - 1] if index and commands[index - 1].piped else None
        stdin = _standard_input(command, before)
        notes = ["> FILE is left out: give it to forge too"] if command.written_to else []
        found += _requests(command.words[at + 1 :], stdin, slots, notes)
    if not found and depth < _DEPTH:
        others = []
        for command in commands:
            for piece in (piece for word in command.words for piece in slots.split(word)):
                if not isinstance(piece, str) and piece.expression.startswith("$(") and "curl" in piece.expression:
                    found += _parse(piece.expression[2:-1], slots, depth + 1)
    if not found:
        raise UsageError("there is no curl command in it", hint="it begins with the word curl")
    return [_with_notes(one, others) for one in found]


def _commands(text: str, slots: Slots) -> list[Command]:
    first = _FIRST.search(text)
    if first is not None and _CMD.match(text, first.end()):
        return cmd_commands(text, slots)
    powershell = UsageError("this is a command for PowerShell", hint="choose `Copy as cURL (bash)` in the browser")
    if first is None and _POWERSHELL.search(text):
        raise powershell
    backquoted = _BACKQUOTED_LINE.search(text) is not None
    try:
        commands = shell_commands(text, slots)
    except UsageError:
        if backquoted:
            raise powershell from None
        raise
    # Two lines that end in a backquote are the beginning and the end of a command's output for sh.
    pieces = (piece for command in commands for word in command.words for piece in slots.split(word))
    if backquoted and any(not isinstance(piece, str) and piece.expression.startswith("$(\n") for piece in pieces):
        raise powershell
    return commands


def _with_notes(one: Imported, others: Sequence[str]) -> Imported:
    return replace(one, notes=tuple(dict.fromkeys((*one.notes, *others))))


def _noted(commands: Sequence[Command], index: int) -> list[str]:
    """What is said about a command that is not curl."""
    command = commands[index]
    if command.assigned and len(command.assigned) >= len(command.words) - 1:
        return [f"{name} is set before curl: set it for forge too" for name in command.assigned]
    if command.piped and index + 1 < len(commands) and _place_of_curl(commands[index + 1]) is not None:
        return []
    name = os.path.basename(command.words[0]) if command.words else ""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,30}", name) is None or name in _BEFORE_CURL or name in ("fi", "done", "}"):
        return []
    piped = index > 0 and commands[index - 1].piped
    return [f"| {name} is left out: give it to forge too" if piped else f"the command {name} is left out"]


def _place_of_curl(command: Command) -> int | None:
    for index, word in enumerate(command.words):
        if _CURL.fullmatch(word):
            return index
        if word not in _BEFORE_CURL and not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", word):
            return None
    return None


def _standard_input(command: Command, before: Command | None) -> str | FromFile | None:
    """What curl reads, as far as the text says it."""
    if command.stdin is not None:
        return command.stdin
    if command.read_from is not None:
        return FromFile(command.read_from)
    if before is None:
        return None
    if before.stdin is not None and before.words == ["cat"]:
        return before.stdin
    match before.words:
        case ["cat", path] if not path.startswith("-"):
            return FromFile(path)
        case ["echo", "-n", *texts]:
            return " ".join(texts)
        case ["echo", "-e", *texts]:
            return joined(escaped(" ".join(texts))) + "\n"
        case ["echo", *texts] if not (texts and texts[0].startswith("-")):
            return " ".join(texts) + "\n"
        case ["printf", layout, *values]:
            return _printed(layout, values)
    return None


def _printed(layout: str, values: Sequence[str]) -> str | None:
    rest = iter(values)
    pieces = []
    for piece in re.split(r"(%.?)", layout, flags=re.DOTALL):
        if piece == "%s":
            pieces.append(next(rest, ""))
        elif piece.startswith("%") and piece != "%%":
            return None
        else:
            pieces.append("%" if piece == "%%" else escaped(piece))
    return joined("".join(pieces))


def _requests(words: Sequence[str], stdin: str | FromFile | None, slots: Slots, notes: Sequence[str]) -> list[Imported]:
    found: list[Imported] = []
    request = Invocation(slots, stdin, list(notes))
    for argument in arguments(words):
        if argument.name == "next":
            found += request.imported()
            request = Invocation(slots, stdin, [])
        else:
            request.take(argument)
    return found + request.imported()
