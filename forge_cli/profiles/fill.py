"""A recipe's text as a profile's: its headers renamed, answers written in, comments kept."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..compiled import compiled
from . import toml

_HEADER = compiled(r"\s*\[\[?\s*([A-Za-z0-9_-]+)[^=]*\]\]?\s*(#.*)?$")
_KEY = compiled(r"\s*([A-Za-z0-9_.-]+)\s*=")


@dataclass
class _Block:
    """A table: its header with the comments above it, and its lines."""

    root: str
    header: str
    above: list[str]
    lines: list[str]

    @property
    def table(self) -> str:
        """The dotted name in the header."""
        return re.sub(r"[\s\[\]]|#.*", "", self.header)

    def end(self) -> int:
        """Where a further key goes: after the last one."""
        filled = [index for index, line in enumerate(self.lines) if line.strip() and not line.startswith("#")]
        return filled[-1] + 1 if filled else 0


def filled(
    text: str, name: str, values: Mapping[str, Mapping[str, Any]], comments: Mapping[str, str] | None = None
) -> str:
    """The part of a recipe that is the profile, under `[profiles.NAME]`.

    `values` are entries of its tables, by table; one that is not there yet gets its comment. What cannot be written
    is left as it was: the caller compares.
    """
    blocks = [block for block in _blocks(text) if block.root == "profile"]
    for table, entries in values.items():
        for key, value in entries.items():
            _enter(blocks, table, key, value, (comments or {}).get(key))
    head = f"[profiles.{toml.key(name)}"
    written = []
    for block in blocks:
        header = re.sub(r"^\s*(\[?)\[\s*profile(?=[\s.\]])", lambda match: match[1] + head, block.header)
        written += [*block.above, header, *block.lines]
    return "\n".join(written).strip("\n") + "\n"


def parsed(text: str) -> Any:
    """The text as TOML says it, None where it says nothing."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return None


def _blocks(text: str) -> Iterator[_Block]:
    block, waiting = _Block("", "", [], []), list[str]()
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("#"):
            waiting.append(line)
        elif match := _HEADER.match(line):
            yield block
            block, waiting = _Block(match[1], line, waiting, []), []
        else:
            # A comment that ends in an empty line belongs to what is above it.
            block.lines += [*waiting, line]
            waiting = []
    block.lines += waiting
    yield block


def _enter(blocks: list[_Block], table: str, key: str, value: Any, comment: str | None) -> None:
    """Write one entry: over the one that is there, else beside the others, else into a table of its own."""
    # An entry that is a table of its own is written anew.
    blocks[:] = [block for block in blocks if block.table != f"profile.{table}.{key}" or _says(block, value)]
    if any(block.table == f"profile.{table}.{key}" for block in blocks):
        return
    for block in blocks:
        inner = {"profile": table, f"profile.{table}": ""}.get(block.table)
        if inner is None:
            continue
        for index, line in enumerate(block.lines):
            match = _KEY.match(line)
            if match and match[1] == (f"{table}.{key}" if inner else key):
                block.lines[index] = _with_value(line, value)
                return
            if match and inner and match[1] == table:
                entries = (parsed(line) or {}).get(table)
                if isinstance(entries, dict):
                    block.lines[index] = _with_value(line, {**entries, key: value})
                    return
    line = f"{toml.key(key)} = {toml.spelled(value)}" + (f"  # {comment}" if comment else "")
    own = next((block for block in blocks if block.table == f"profile.{table}"), None)
    if own is not None:
        own.lines.insert(own.end(), line)
        return
    made = _Block("profile", f"[profile.{table}]", [], [line, ""])
    first = next((index for index, block in enumerate(blocks) if block.table == "profile"), None)
    if first is None:
        blocks.insert(0, made)
    else:
        # Above what separates the tables.
        if not blocks[first].lines or blocks[first].lines[-1].strip():
            blocks[first].lines.append("")
        blocks.insert(first + 1, made)


def _says(block: _Block, value: Any) -> bool:
    return bool(parsed("\n".join(block.lines)) == value)


def _with_value(line: str, value: Any) -> str:
    """The line with another value, and with its comment. One that says this already stays as it is."""
    whole = parsed(line)
    if whole is None:
        return line
    start = line.index("=") + 1
    # The value ends where the line begins to say what it says in the end.
    end = next(end for end in range(start + 1, len(line) + 1) if parsed(line[:end]) == whole)
    return line if _value(whole, line[:start]) == value else f"{line[:start]} {toml.spelled(value)}{line[end:]}"


def _value(whole: Any, key: str) -> Any:
    for part in key.rstrip("= \t").strip().split("."):
        whole = whole[part.strip()]
    return whole
