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
from forge_cli.login.filters import FILTERS, KEY_FILTERS, Moment
from forge_cli.login.sign import SIGNERS
from forge_cli.login.steps import STEPS
from forge_cli.login.template import Reference, parse
from forge_cli.profiles import recipe, schema
from forge_cli.profiles.document import load_document

DOCS = Path(__file__).parent
_REGION = re.compile(r"(<!-- (?P<name>[\w-]+): written by docs/reference\.py -->\n).*?(<!-- end -->)", re.DOTALL)

_WORDS = {
    "template": "text, `${…}`",
    "tree": "any value, `${…}` in its texts",
    "duration": "duration",
    "size": "size",
    "pointer": "JSON pointer",
    "predicate": "test",
    "status test": "test",
    "header text": "text, `${…}`",
    "query name": "text",
    "method": "text",
    "value": "any value",
    "scalar": "text, a number, true or false",
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
_VALUES: Mapping[Reference, Any] = {
    ("now",): Moment(1445412480.25),
    ("vars", "user"): "Ada",
    ("vars", "app"): "\u00e9-1",
    ("vars", "id"): 7,
    ("secrets", "key"): "key-1",
    ("steps", "login", "token"): '{"id": 7, "name": "Ada"}',
}
"""What the references of the examples stand for."""
_EXAMPLES = {
    "b64": "${vars.app | b64}",
    "b64url": "${vars.app | b64url}",
    "b64d": "${'w6ktMQ' | b64d | text}",
    "hex": "${vars.app | hex}",
    "hexd": "${'416461' | hexd | text}",
    "upper": "${vars.user | upper}",
    "lower": "${vars.user | lower}",
    "trim": "${' Ada ' | trim}",
    "split": "${'read write' | split | json}",
    "urlencode": "${vars.app | urlencode}",
    "json": "${vars.user | json}",
    "sha1": "${vars.user | sha1 | hex}",
    "sha256": "${vars.user | sha256 | b64}",
    "sha384": "${vars.user | sha384 | b64}",
    "sha512": "${vars.user | sha512 | b64url}",
    "md5": "${vars.user | md5 | hex}",
    "hmac_sha1": "${vars.user | hmac_sha1(secrets.key) | b64}",
    "hmac_sha256": "${vars.user | hmac_sha256(secrets.key) | b64}",
    "hmac_sha512": "${vars.user | hmac_sha512('key-1') | b64url}",
    "sign_rs256": "${vars.user | sign_rs256(secrets.key) | b64}",
    "sign_es256": "${vars.user | sign_es256(secrets.key) | b64url}",
    "sign_ed25519": "${vars.user | sign_ed25519(secrets.key) | b64}",
    "der": "${vars.user | sign_es256(secrets.key) | der | b64}",
    "unix": "${now + 60 | unix}",
    "unix_ms": "${now | unix_ms}",
    "iso": "${now - 60 | iso}",
    "rfc2822": "${now | rfc2822}",
    "http_date": "${now | http_date}",
    "cert_thumbprint": "${secrets.certificate | cert_thumbprint('sha256') | hex}",
    "pem_fingerprint": "${secrets.key | pem_fingerprint('sha256') | b64}",
    "pointer": "${steps.login.token | pointer('/id')}",
    "regex": '${steps.login.token | regex(\'"name": "([^"]+)\')}',
    "bytes": "${vars.id | bytes | hex}",
    "text": "${'QWRh' | b64d | text}",
}
"""One template for each filter; what it comes to is reckoned by the filter itself."""
_SIMPLE = {str: "text", bool: "true or false", int: "whole number", float: "number", Any: "any value"}


def pages() -> dict[Path, str]:
    """Every page that is written here, wholly or in part, as it should be."""
    found = {DOCS / "cli.md": command_line()}
    parts = regions()
    for name in ("profiles.md", "logins.md", "scripting.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        found[DOCS / name] = _REGION.sub(lambda match: f"{match[1]}\n{parts[match['name']]}\n\n{match[3]}", text)
    return found


def regions() -> dict[str, str]:
    """What stands between markers, by their names."""
    heads = {cls.__name__: cls for cls in (recipe.RecipeTable, recipe.AskTable)}
    return {name: _table_of(cls) for name, cls in (tables() | heads).items()} | {
        "exit-codes": _grid(("code", "meaning"), [(str(code.value), text) for code, text in MEANINGS.items()]),
        "filters": _grid(("filter", "what it makes", "example", "result"), map(_filter_row, FILTERS)),
        "recipes": _grid(("recipe", "for", "login", "shows", "test"), map(_recipe_row, recipes())),
        "storages": ", ".join(f"`{name}`" for name in schema.STORAGE_KEYS),
    }


def _filter_row(name: str) -> tuple[str, str, str, str]:
    example = _EXAMPLES[name]
    # What depends on a key is different for everybody.
    keyed = any(f"| {filter}" in example for filter in KEY_FILTERS)
    result = "" if keyed else f"`{result_of(example)}`"
    return _filter(name), FILTERS[name].help, f"`{example}`", result


def result_of(template: str) -> str:
    """What an example comes to."""
    return parse(template).text(_VALUES.__getitem__)


def recipes() -> list[Path]:
    """The recipes that come with forge."""
    return sorted(recipe.BUILT_IN.glob("*.toml"))


_SHOWN = {
    "issuer": "discovery",
    "par_url": "pushed request",
    "pushed": "pushed request",
    "client_cert": "client certificate",
    "cookies": "cookie jar",
    "regex": "text by regular expression",
    "xml": "XML",
    "param": "header parameter",
    "where": "one of a list",
    "success": "success by status, body or cookie",
    "clock": "the server's clock",
    "unbound": "outlives what bought it",
    "side_effect": "never run again unasked",
    "refresh": "refresh",
    "private_key": "a signed assertion",
    "renew": "renewed while it lives",
    "revoke": "revocation",
    "invalidate": "its own sign of an ended token",
    "sign": "signed requests",
    "verify": "an ID token that is verified",
    "methods": "only for some methods",
    "zero": "0 means never",
}
"""Key -> what a recipe that has it shows."""
_WAYS = {
    "client-credentials": "a client's own token",
    "authorization-code": "the browser, with PKCE",
    "browser": "the browser, with PKCE",
    "device-code": "a code on another device",
    "device": "a code on another device",
    "password": "a user's password",
    "jwt-bearer": "a signed assertion",
    "jwt": "a signed assertion",
    "prompt": "a code that is typed",
    "command": "a program that prints the credential",
    "bearer": "a token from a file",
    "digest": "a challenge, and a password that is never sent",
    "oauth1": "signed requests",
}
"""Grant, type or kind of step -> what a recipe that has it shows."""


def _recipe_row(path: Path) -> tuple[str, str, str, str, str]:
    head = recipe.recipe(path.stem, path, built_in=True).head
    profile = load_document(path).data["profile"]
    auth = profile.get("auth", {})
    kinds = [f"{name} ({step.get('kind', 'http')})" for name, step in auth.get("steps", {}).items()]
    login = ", ".join(kinds) or " ".join(filter(None, (auth["type"], auth.get("grant")))).replace("pipeline", "no step")
    keys = list(dict.fromkeys(_keys(auth)))
    kinds_used = [step.get("kind", "http") for step in auth.get("steps", {}).values()]
    ways = [auth.get("grant", auth["type"]), *kinds_used]
    shows = list(dict.fromkeys([_WAYS[way] for way in ways if way in _WAYS] + [_SHOWN[k] for k in keys if k in _SHOWN]))
    shows += ["a challenge of the server"] if "${challenge." in str(auth) else []
    if any("when" in step for step in auth.get("steps", {}).values()):
        shows.append("a step that is not always run")
    shows = shows or ["one request" if len(kinds_used) == 1 else "no request"]
    return f"`{path.stem}`", head.title, login, ", ".join(shows), f"`{_test_of(path.stem)}`"


def _keys(node: Any) -> Iterator[str]:
    """The keys of a tree of tables."""
    if isinstance(node, Mapping):
        for name, inner in node.items():
            yield name
            yield from _keys(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _keys(inner)


def _test_of(name: str) -> str:
    """The test that plays the vendor of a recipe."""
    folder = DOCS.parent / "tests" / "recipes"
    own = folder / f"test_{name.replace('-', '_')}.py"
    speak = [path for path in sorted(folder.glob("test_*.py")) if re.search(rf"[\"'/]{name}[\"'.]", _text(path))]
    return next((path.name for path in (own, *speak) if path.is_file()), "")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _filter(name: str) -> str:
    """A filter as it is written."""
    kind = FILTERS[name]
    return f"`{name}(…)`" if kind.fewest else f"`{name}`, `{name}(…)`" if kind.most else f"`{name}`"


def tables() -> dict[str, type[Any]]:
    """Every table of the profile format, by the name of its class."""
    rows = [registry.load(name) for registry in (STEPS, SIGNERS) for name in registry]
    classes = [value for module in (schema, definition) for value in vars(module).values()]
    return {cls.__name__: cls for cls in [*classes, *rows] if dataclasses.is_dataclass(cls) and isinstance(cls, type)}


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
