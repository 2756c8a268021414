"""The man page, from what `--help` says: `python docs/manual.py` writes docs/forge.1."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from forge_cli.cli.app import COMMANDS, forge
from forge_cli.cli.exit_codes import MEANINGS
from forge_cli.cli.group import Entry, LazyGroup
from forge_cli.cli.variables import VARIABLES

PAGE = Path(__file__).with_name("forge.1")

FILES = {
    "~/.config/forge/profiles.toml": "The profiles.",
    "~/.config/forge/tokens/": "The tokens, one file for each profile; for the user alone.",
    "~/.config/forge/state/": "Locks, circuits and counters that processes share; what a start need not work out anew.",
    "~/.config/forge/recipes/": "Recipes of one's own, for forge profile add.",
    "~/.config/forge/trust.toml": "The project files that are allowed: for each the SHA-256 of its content.",
    ".forge.toml": "A project's profiles, used once forge trust has allowed them.",
}


def page() -> str:
    """The whole page."""
    lines = [
        '.\\" written by docs/manual.py from what --help says',
        '.TH FORGE 1 "" "forge" "User Commands"',
        ".SH NAME",
        r"forge \- the HTTP command line for APIs whose login takes more than one step",
        ".SH SYNOPSIS",
        r".B forge",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *_prose(forge.help or ""),
        ".SH OPTIONS",
        "Every command takes these, before or after its name.",
        *_options(forge, set()),
        ".SH COMMANDS",
    ]
    everywhere = {option.name or "" for option in forge.params}
    for path, command in _commands("forge", COMMANDS):
        lines += [f".SS {_plain(path)}", *_usage(path, command), *_prose(command.help or "")]
        lines += _options(command, everywhere)
    lines += [".SH EXIT STATUS", *_pairs({str(code.value): text for code, text in MEANINGS.items()})]
    lines += [".SH ENVIRONMENT", *_pairs(VARIABLES), ".SH FILES", *_pairs(FILES)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR curl (1)"]) + "\n"


def _commands(path: str, entries: Mapping[str, Entry]) -> Iterator[tuple[str, click.Command]]:
    """Every command by what is typed, a group before its members."""
    for name, entry in entries.items():
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        yield f"{path} {name}", command
        if isinstance(command, LazyGroup):
            yield from _commands(f"{path} {name}", command.entries)


def _usage(path: str, command: click.Command) -> Iterator[str]:
    with click.Context(command, info_name=path) as ctx:
        pieces = " ".join(command.collect_usage_pieces(ctx))
    yield f"\\fB{_plain(path)}\\fR {_plain(pieces)}"
    yield ".PP"


def _options(command: click.Command, without: set[str]) -> Iterator[str]:
    """The options that are not in the set of names, each with its help."""
    with click.Context(command) as ctx:
        for item in command.params:
            if isinstance(item, click.Option) and item.name not in without:
                record = item.get_help_record(ctx)
                if record is not None:
                    yield from (".TP", f"\\fB{_plain(record[0])}\\fR", _line(record[1]))


def _prose(text: str) -> Iterator[str]:
    """Help as paragraphs: what is laid out with spaces stays so."""
    for block in inspect.cleandoc(text).split("\n\n"):
        for piece in block.split("\b\n"):
            if "  " in piece:
                yield from (".PP", ".nf", *map(_line, piece.rstrip().splitlines()), ".fi")
            elif piece.strip():
                yield from (".PP", *map(_line, piece.strip().splitlines()))


def _pairs(rows: Mapping[str, str]) -> Iterator[str]:
    for term, text in rows.items():
        yield from (".TP", f"\\fB{_plain(term)}\\fR", _line(text))


def _plain(text: str) -> str:
    """Text of which nothing is a command of roff."""
    plain = text.replace("\\", r"\e").replace("-", r"\-")
    return "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in plain)


def _line(text: str) -> str:
    """A line of its own, which must not begin as a request does."""
    plain = _plain(text)
    return rf"\&{plain}" if plain[:1] in (".", "'") else plain


if __name__ == "__main__":
    # A checkout that cannot be written to has the page of its commit.
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        PAGE.write_text(page(), encoding="utf-8")
