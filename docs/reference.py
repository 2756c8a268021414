"""What the docs say by the code itself: `python docs/reference.py` writes docs/cli.md and the marked tables."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from forge_cli.cli.app import COMMANDS, forge
from forge_cli.cli.exit_codes import MEANINGS
from forge_cli.login import definition
from forge_cli.login.filters import FILTERS
from forge_cli.login.steps import STEPS
from forge_cli.profiles import schema

DOCS = Path(__file__).parent
_REGION = re.compile(r"(<!-- (?P<name>[\w-]+): written by docs/reference\.py -->\n).*?(<!-- end -->)", re.DOTALL)

_WORDS = {
    "template": "text, `${…}`",
    "tree": "any value, `${…}` in its texts",
    "duration": "duration",
    "size": "size",
    "pointer": "JSON pointer",
    "predicate": "test",
    "pattern": "regular expression",
    "signature": "table",
    "variable": "text",
    "argv": "list of words",
    "count": "whole number",
    "factor": "number, 1 or more",
    "status": "status",
    "plain": "text, a number, true or false",
    "storage": "name",
    "retry strategy": "name",
    "positive count": "whole number",
    "profile": "table",
    "step": "step",
}
"""The label of an `Annotated` type hint -> what a reader of the page is told."""
_SIMPLE = {str: "text", bool: "true or false", int: "whole number", float: "number", Any: "any value"}


def pages() -> dict[Path, str]:
    """Every page that is written here, wholly or in part, as it should be."""
    found = {DOCS / "cli.md": command_line()}
    parts = regions()
    for name in ("profiles.md", "scripting.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        found[DOCS / name] = _REGION.sub(lambda match: f"{match[1]}\n{parts[match['name']]}\n\n{match[3]}", text)
    return found


def regions() -> dict[str, str]:
    """What stands between markers, by their names."""
    return {name: _table_of(cls) for name, cls in tables().items()} | {
        "exit-codes": _grid(("code", "meaning"), [(str(code.value), text) for code, text in MEANINGS.items()]),
        "filters": _grid(("filter", "what it makes"), [(_filter(name), kind.help) for name, kind in FILTERS.items()]),
        "storages": ", ".join(f"`{name}`" for name in schema.STORAGE_KEYS),
    }


def _filter(name: str) -> str:
    """A filter as it is written."""
    kind = FILTERS[name]
    return f"`{name}(…)`" if kind.fewest else f"`{name}`, `{name}(…)`" if kind.most else f"`{name}`"


def tables() -> dict[str, type[Any]]:
    """Every table of the profile format, by the name of its class."""
    steps = [STEPS.load(name) for name in STEPS]
    classes = [value for module in (schema, definition) for value in vars(module).values()]
    return {cls.__name__: cls for cls in [*classes, *steps] if dataclasses.is_dataclass(cls) and isinstance(cls, type)}


def _table_of(cls: type[Any]) -> str:
    """The keys of a table, without those that every table of its family has."""
    parents = [base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)]
    inherited = {item.name for base in parents for item in dataclasses.fields(base)}
    hints = get_type_hints(cls, include_extras=True)
    rows = [
        (f"`{item.metadata.get('name', item.name)}`", _words(hints[item.name]), item.metadata["help"], _default(item))
        for item in dataclasses.fields(cls)
        if item.name not in inherited
    ]
    return _grid(("key", "value", "meaning", "default"), rows)


def _words(hint: Any) -> str:
    """The values that a key takes, in a reader's words."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if dataclasses.is_dataclass(hint):
        return "table"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _words(arguments[0]) if arguments[1] == "secret" else _WORDS[arguments[1]]
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return _many("list", _words(arguments[0]))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_words(member) for member in arguments if member is not NoneType))
    return _many("table", _words(arguments[1]))


def _many(what: str, words: str) -> str:
    return f"{what} of {words}s" if words in ("table", "step") else f"{what} of: {words}"


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
        return "required"
    if item.default is dataclasses.MISSING or item.default in (None, ()):
        return ""
    return f"`{_toml(item.default)}`"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return f'"{value}"'
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def command_line() -> str:
    """The page of all commands."""
    everywhere = [row for row in _options(forge) if not row[0].startswith(("`-h", "`--version"))]
    lines = [
        "# Command line",
        "",
        "<!-- written by docs/reference.py from what `--help` says -->",
        "",
        "Every command also takes the options of `forge` itself, before or after its name, and `--help`. What the",
        "exit codes mean is in [scripting](scripting.md#exit-codes).",
        "",
        *_section("forge", forge, {}),
    ]
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    for path, command in _commands():
        own = [row for row in _options(command) if row not in everywhere]
        lines += _section(path, command, seen, own)
    return "\n".join(lines).rstrip() + "\n"


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by what is typed, a group before its members."""
    for name in COMMANDS:
        module, _, attribute = COMMANDS[name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        yield f"forge {name}", command
        if isinstance(command, click.Group):
            for inner, member in command.commands.items():
                yield f"forge {name} {inner}", member


def _section(
    path: str,
    command: click.Command,
    seen: dict[tuple[tuple[str, str], ...], str],
    options: list[tuple[str, str]] | None = None,
) -> list[str]:
    rows = _options(command) if options is None else options
    usage = [path, *(["[OPTIONS]"] if rows else []), *_arguments(command)]
    lines = [f"## {path}", "", f"`{' '.join(usage)}`", "", *_prose(command.help or "")]
    same = seen.get(tuple(rows))
    if same is not None:
        return [*lines, f"Options: as [`{same}`](#{same.replace(' ', '-')}).", ""]
    if rows:
        seen[tuple(rows)] = path
        lines += [_grid(("option", "meaning"), rows), ""]
    return lines


def _arguments(command: click.Command) -> list[str]:
    if isinstance(command, click.Group):
        return ["COMMAND", "…"]
    found = [item for item in command.params if isinstance(item, click.Argument)]
    names = [item.metavar or (item.name or "").upper() for item in found]
    return [name if item.required or item.metavar else f"[{name}]" for item, name in zip(found, names, strict=True)]


def _options(command: click.Command) -> list[tuple[str, str]]:
    """Each option as it is written, and its help."""
    found = []
    for item in command.params:
        if isinstance(item, click.Option) and not item.hidden:
            names = ", ".join(item.opts) + "".join(f", {name}" for name in item.secondary_opts)
            found.append((f"`{f'{names} {_metavar(item)}'.rstrip()}`", _escaped(item.help or "")))
    return found


def _metavar(option: click.Option) -> str:
    if option.count or (option.is_flag and option.metavar is None):
        return ""
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def _prose(text: str) -> Iterator[str]:
    """Help as Markdown: what is laid out with spaces stays so."""
    for block in inspect.cleandoc(text).split("\n\n"):
        for piece in block.split("\b\n"):
            if "  " in piece:
                yield f"```text\n{textwrap.dedent(piece).rstrip()}\n```\n"
            elif piece.strip():
                yield f"{_escaped(piece.strip())}\n"


def _escaped(text: str) -> str:
    return text.replace("<", "\\<")


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def write(texts: Mapping[Path, str]) -> None:
    """Write the pages."""
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(pages())
