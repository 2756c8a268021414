"""List, show, check and write profiles."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from ...curl import quote
from ...errors import ProfileError, StorageError, UsageError
from ...files import private_directory
from ...login.definition import InjectTable
from ...login.step import needs
from ...profiles.build import token_directory
from ...profiles.document import LARGEST, BrokenFamily, Document, Place, load_document, merged
from ...profiles.expand import expand
from ...profiles.kinds import unknown
from ...profiles.load import profile as load
from ...profiles.load import select
from ...profiles.schema import Auth, PipelineAuth, ProfileTable
from ...profiles.validate import check, check_family, describe, problems, spelled
from ...redact import MASK, REDACTOR, sensitive
from ..context import Context
from ..exit_codes import ExitCode
from ..options import global_options, pass_context, silent
from ..output import FORMATS
from ..output.text import visible_line
from .curl import variable

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(short_help="List, show, check and write profiles.")
def profile() -> None:
    """List, show, check and write profiles.

    \b
      forge profile init                    write a profile, with questions
      forge profile list                    what there is
      forge profile show prod               what a profile comes to, and where each value is from
      forge profile validate                every problem of the file
      $EDITOR "$(forge profile path)"       change it
    """


@profile.command("list")
@_JSON
@silent
@global_options
@pass_context
def list_(context: Context, as_json: bool) -> int:
    """List the profiles of the file in use."""
    document = context.document
    rows = [_row(context, document, name) for name in document.profiles]
    if as_json:
        return _print_json(context, rows)
    if not rows:
        context.notice(f"{document.path} has no profiles\n  write one with `{context.program} profile init`")
    columns = ("name", "base_url", "auth", "extends", "note", "file")
    table = FORMATS.load("table")
    table(context.stdout, columns, [_cells(row) for row in rows], environ=context.environ)
    if any(row["problems"] for row in rows):
        context.notice(f"some profiles cannot be used\n  `{context.program} profile validate` says why")
    return 0


@profile.command()
@click.argument("name", required=False)
@click.option("--expand", "expanded", is_flag=True, help="The steps behind a type of auth.")
@_JSON
@silent
@global_options
@pass_context
def show(context: Context, name: str | None, expanded: bool, as_json: bool) -> int:
    """Show what a profile comes to, and where each value is from.

    \b
      forge profile show                    the profile that is used when none is named
      forge profile show prod --expand      with the steps that its type of auth stands for

    The result is TOML: the profile, what it has from its parents, and the defaults. Secrets are ***.
    """
    document = context.document
    name = _chosen(context, document, name)
    table = _checked(context, document, name)
    effective = _Effective(document, name, context.variables)
    tree = effective.tree(table, expanded=expanded)
    parent = document.profiles[name].get("extends")
    if as_json:
        origins = {spelled(place): origin for place, origin in effective.seen.items()}
        head = {"name": name, "file": str(document.path), "extends": parent}
        return _print_json(context, {**head, "profile": _values(tree), "origins": origins})
    words = f"profile {name} of {document.path}" + (f", which extends {parent}" if parent else "")
    lines = [f"# {visible_line(words)}", *_toml(tree, ["profiles", name])]
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


@profile.command()
@click.argument("file", required=False)
@silent
@global_options
@pass_context
def validate(context: Context, file: str | None) -> int:
    """Report every problem of every profile.

    \b
      forge profile validate                the file in use
      forge profile validate ./prod.toml    another one

    Each line has the file, the line and the key. Exit 0 when there is no problem, else 2.
    """
    path = context.source.path if file is None else Path.cwd() / file
    try:
        document = load_document(path)
    except ProfileError as exc:
        if not os.path.isfile(path):
            raise
        found = [exc.message]
    else:
        found = [describe(document, problem) for problem in problems(document)]
    if found:
        context.stdout.write("".join(f"{visible_line(REDACTOR.text(line))}\n" for line in found))
        context.notice(f"{_count(len(found), 'problem')} in {path}\n  correct it there, and run this again")
        return ExitCode.USAGE
    context.stdout.write(f"{_count(len(document.profiles), 'profile')}, no problems\n")
    return ExitCode.SUCCESS


@profile.command()
@_JSON
@silent
@global_options
@pass_context
def path(context: Context, as_json: bool) -> int:
    """Print the path of the profile file in use.

    \b
      $EDITOR "$(forge profile path)"

    Why it is this file, and where tokens are, goes to stderr.
    """
    source = context.source
    exists = os.path.exists(source.path)
    folder = tokens = None
    try:
        folder, tokens = str(context.config_dir), str(token_directory(context.environ))
    except StorageError as exc:
        # A file that was named can be used without a home.
        context.notice(exc.message)
    if as_json:
        found = {"file": str(source.path), "named_by": source.named_by, "exists": exists}
        return _print_json(context, {**found, "config_dir": folder, "tokens": tokens})
    context.stdout.write(f"{source.path}\n")
    reason = "the user's own: neither --config nor FORGE_CONFIG names another"
    lines = [reason if source.named_by == "user" else f"named by {source.named_by}"]
    lines += [] if exists else [f"  it is not there yet: `{context.program} profile init` writes it"]
    lines += [] if folder is None else [f"  settings: {folder}", f"  tokens:   {tokens}"]
    context.notice("\n".join(lines))
    return 0


@profile.command()
@click.argument("name", required=False)
@click.option("--base-url", metavar="URL", help="Where the API is: what paths are relative to.")
@click.option("--auth", metavar="TYPE", help="How to log in: none, bearer, api-key, basic, oauth2 or pipeline.")
@click.option("--token-url", metavar="URL", help="The token endpoint of oauth2 (default: /oauth/token).")
@silent
@global_options
@pass_context
def init(context: Context, name: str | None, base_url: str | None, auth: str | None, token_url: str | None) -> int:
    """Write a new profile, and say what to run next.

    \b
      forge profile init
      forge profile init prod --base-url https://api.example.com --auth oauth2

    On a terminal it asks for what is not given. The profile has comments; what is in the file already stays as it is.
    """
    file = _File(context)
    given = _one_name(context, name)
    if auth is not None and (trouble := _auth_trouble(auth)):
        raise UsageError(f"--auth {auth}: {trouble}", hint=f"the types are: {', '.join(_SHAPES)}")
    name = _answer(context, "NAME", given, "Name of the profile", file.name_trouble, "api")
    base_url = _answer(
        context, "--base-url", base_url, "Base URL, such as https://api.example.com", file.url_trouble(name)
    )
    if auth is None and context.interactive:
        context.stderr.write(_menu())
    auth = _AUTH_NUMBERS.get(word := _answer(context, "--auth", auth, "Login", _auth_trouble), word)
    if token_url is not None and auth != "oauth2":
        raise UsageError(f"--token-url goes with --auth oauth2, not with {auth}", hint="leave it out")
    if auth == "oauth2":
        question = "Token URL, a path below the base URL or absolute"
        token_url = _answer(context, "--token-url", token_url, question, _token_url_trouble, "/oauth/token")
    shape = _SHAPES[auth]
    document = file.add(name, _drafted(shape, name, base_url, token_url or ""))
    context.stdout.write(_next(context, document, name, shape))
    with suppress(ProfileError):
        select(document, None, {})
        return 0
    context.notice(f'no profile is the default\n  begin the file with `default_profile = "{name}"`, or give -p {name}')
    return 0


def _row(context: Context, document: Document, name: str) -> dict[str, Any]:
    """One profile of the list."""
    own = document.profiles[name]
    table: Mapping[str, Any] = own
    with suppress(BrokenFamily):
        table = merged(document, name)[0]
    default = None
    with suppress(ProfileError):
        default = select(document, None, context.environ)
    auth = table.get("auth", {"type": "none"})
    return {
        "name": name,
        "base_url": REDACTOR.url(str(table.get("base_url") or "")),
        "auth": str(auth.get("type", "")) if isinstance(auth, dict) else "",
        "extends": own["extends"] if isinstance(own.get("extends"), str) else None,
        "abstract": own.get("abstract") is True,
        "default": name == default,
        "problems": len(check(document, name)[1]),
        "file": str(document.path),
        "line": document.line(("profiles", name)),
    }


def _cells(row: Mapping[str, Any]) -> list[str]:
    notes = [word for word in ("default", "abstract") if row[word]]
    notes += [_count(row["problems"], "problem")] if row["problems"] else []
    file = f"{Path(row['file']).name}:{row['line']}"
    return [row["name"], row["base_url"], row["auth"], row["extends"] or "", ", ".join(notes), file]


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _print_json(context: Context, value: Any) -> int:
    # In ASCII, so that nothing in a profile can drive the terminal.
    context.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
    return 0


def _one_name(context: Context, name: str | None) -> str | None:
    """The name given as an argument or by --profile."""
    if name is not None and context.profile_name not in (None, name):
        raise UsageError(f"two profiles: {name!r} and --profile {context.profile_name!r}", hint="name one of them")
    return name or context.profile_name


def _chosen(context: Context, document: Document, name: str | None) -> str:
    """The profile to show; by name also an abstract one."""
    name = _one_name(context, name)
    if name is not None and document.profiles.get(name, {}).get("abstract") is True:
        return name
    return select(document, name, context.environ)


def _checked(context: Context, document: Document, name: str) -> ProfileTable | None:
    """The profile's table; None for an abstract one that its children complete. ProfileError with its problems."""
    if document.profiles[name].get("abstract") is True:
        table, found = check_family(document, name)
        if not found:
            return table
    return load(document, name, overrides_vars=context.variables).table


@dataclass(frozen=True)
class _Leaf:
    """A value as it may be shown, and where it is from."""

    value: Any
    origin: str


_DEFAULT = "default"
_Tree = dict[str, Any]
"""A table: for each key a _Leaf, a _Tree, or a list of _Trees."""


class _Effective:
    """What a profile comes to: its own values, its parents', and the defaults. `seen` has every origin shown."""

    def __init__(self, document: Document, name: str, variables: Mapping[str, str]) -> None:
        self.seen: dict[Place, str] = {}
        self._document = document
        self._name = name
        self._variables = variables
        self._raw, self._origins = merged(document, name)
        self._unsaid: set[Place] = set()
        self._shorthand: str | None = None

    def tree(self, table: ProfileTable | None, *, expanded: bool) -> _Tree:
        """The profile as a tree. Without a table, only what the file says."""
        raw = {key: value for key, value in self._raw.items() if key != "extends"}
        if self._variables and "vars" in raw:
            raw["vars"] = {key: self._variables.get(key, value) for key, value in raw["vars"].items()}
        if table is not None:
            if expanded:
                auth = expand(table.auth)
                raw["auth"] = self._steps(table.auth, auth)
                table = replace(table, auth=auth)
            raw = self._complete(raw, table, ())
        return self._members(raw, ())

    def _steps(self, auth: Auth, pipeline: PipelineAuth) -> dict[str, Any]:
        """The login as a pipeline, with the place of its credential said."""
        self._shorthand = None if auth is pipeline else auth.type
        raw = dict(self._raw["auth"]) if auth is pipeline else _plain(pipeline)
        if pipeline.inject is None:
            raw["inject"] = [_plain(place) for place in _bearer(pipeline)]
            self._unsaid.add(("auth", "inject"))
        return raw

    def _complete(self, raw: Mapping[str, Any], table: Any, place: Place) -> dict[str, Any]:
        """A table with its defaults. Those of deeper tables depend on each other, and are left out."""
        result: dict[str, Any] = {}
        for key, value in _items(table):
            here = (*place, key)
            if key in raw:
                deeper = is_dataclass(value) and isinstance(raw[key], dict) and not place
                result[key] = self._complete(raw[key], value, here) if deeper else raw[key]
            elif is_dataclass(value):
                result[key] = self._complete({}, value, here)
            elif value not in (None, {}, ()) and here not in (("abstract",), ("extends",)):
                result[key] = _plain(value)
                self._unsaid.add(here)
        return result

    def _members(self, raw: Mapping[str, Any], place: Place) -> _Tree:
        return {key: self._node(value, (*place, key)) for key, value in raw.items()}

    def _node(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict) and value and not _inline(place):
            return self._members(value, place)
        if isinstance(value, list) and value and all(isinstance(item, dict) and item for item in value):
            return [self._members(item, (*place, index)) for index, item in enumerate(value)]
        origin = self.seen[place] = self._origin(place)
        return _Leaf(_shown(value, place), origin)

    def _origin(self, place: Place) -> str:
        if place[0] == "vars" and place[-1] in self._variables:
            return "--var"
        if place[0] == "auth" and self._shorthand is not None:
            written = self._written(("auth", "type"))
            return written if written == _DEFAULT else f"{written}, from type {self._shorthand}"
        return self._written(place)

    def _written(self, place: Place) -> str:
        inner = place
        while inner and inner not in self._origins:
            if inner in self._unsaid:
                return _DEFAULT
            inner = inner[:-1]
        if not inner:
            return _DEFAULT
        owner = self._origins[inner]
        where = f"{self._document.path.name}:{self._document.line(('profiles', owner, *place))}"
        return where if owner == self._name else f"{where}, from {owner}"


def _bearer(auth: PipelineAuth) -> Iterator[InjectTable]:
    """Where the credential goes when the profile does not say: the token of the step that no other needs."""
    needed = {parent for step in auth.steps.values() for parent in needs(step)}
    for name in auth.steps:
        if name not in needed:
            yield InjectTable(in_="header", name="Authorization", value=f"Bearer ${{steps.{name}.token}}")


def _items(table: Any) -> Iterator[tuple[str, Any]]:
    """The keys of a table with their values, in the order of the schema."""
    return ((item.metadata.get("name", item.name), getattr(table, item.name)) for item in fields(table))


def _plain(table: Any) -> Any:
    """A dataclass as the TOML values that it could be read from, without what may be left out there."""
    if is_dataclass(table):
        unsaid = {item.metadata.get("name", item.name): _default_of(item) for item in fields(table)}
        return {key: _plain(value) for key, value in _items(table) if value != unsaid[key] or key == "type"}
    if isinstance(table, Mapping):
        return {key: _plain(value) for key, value in table.items()}
    return [_plain(value) for value in table] if isinstance(table, list | tuple) else table


def _default_of(item: Field[Any]) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


def _inline(place: Place) -> bool:
    """Whether a table is replaced whole by a child, and so has one origin and one line."""
    match place:
        case ("secrets", _) | ("auth", "steps", _, "expires") | ("auth", "steps", _, "extract", _):
            return True
        case ("auth", "steps", _, "refresh", "expires") | ("auth", "steps", _, "refresh", "extract", _):
            return True
    return False


def _shown(value: Any, place: Place) -> Any:
    """The value without what may be secret in it."""
    if isinstance(value, dict):
        return {key: _shown(inner, (*place, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner, (*place, index)) for index, inner in enumerate(value)]
    if isinstance(value, bool) or not _hidden(place):
        return _searched(value, place) if isinstance(value, str) else value
    return _without_literals(value) if isinstance(value, str) else MASK


def _searched(text: str, place: Place) -> str:
    """A text that may have a secret in it, by the names in it."""
    return REDACTOR.body(text) if place[-2:] == ("request", "text") else REDACTOR.url(text)


def _hidden(place: Place) -> bool:
    """Whether what is written here, and is no reference, may be a secret."""
    match place:
        case ("secrets", _, *inside):
            # Where a secret is; a text in place of that is the secret itself.
            return not inside
        case ("auth", "steps", _, "extract", *inside) | ("auth", "steps", _, "refresh", "extract", *inside):
            return inside[-1] == "default"
        case ("auth", "token_url"):
            return False
        case ("auth", "key") | ("auth", "steps", _, "value") | ("auth", "inject", _, "value"):
            return True
        case ("auth", "steps", _, "request", *inside) | ("auth", "steps", _, "refresh", "request", *inside):
            return inside == ["basic", 1] or _any_sensitive(inside[1:])
        case ("auth", "params", *free) | ("headers" | "query" | "vars", *free):
            return _any_sensitive(free)
    return _any_sensitive(place[-1:])


def _any_sensitive(names: Any) -> bool:
    return any(isinstance(name, str) and sensitive(name) for name in names)


_SLOT = re.compile(r"(\$\{[\w.\- |?+()]*\})")
_SCHEME = re.compile(r"[A-Za-z]+ ")


def _without_literals(text: str) -> str:
    """The references of a template, and the word that names a scheme before the first."""
    if "$${" in text:
        return MASK
    pieces = _SLOT.split(text)
    if len(pieces) == 1:
        return MASK if text else ""
    kept = [piece if index % 2 or not piece else MASK for index, piece in enumerate(pieces)]
    return "".join([pieces[0] if _SCHEME.fullmatch(pieces[0]) else kept[0], *kept[1:]])


def _values(node: Any) -> Any:
    """The tree without its origins."""
    if isinstance(node, dict):
        return {key: _values(inner) for key, inner in node.items()}
    return [_values(inner) for inner in node] if isinstance(node, list) else node.value


def _toml(tree: _Tree, names: list[str], brackets: tuple[str, str] = ("[", "]")) -> Iterator[str]:
    """The lines of a table and of those in it, each value with its origin as a comment."""
    leaves = {key: leaf for key, leaf in tree.items() if isinstance(leaf, _Leaf)}
    if leaves or len(names) == 2 or brackets[0] == "[[":
        yield from ("", f"{brackets[0]}{'.'.join(map(_toml_key, names))}{brackets[1]}")
    said = {f"{_toml_key(key)} = {_toml_value(leaf.value)}": leaf.origin for key, leaf in leaves.items()}
    width = min(max(map(len, said), default=0), 60)
    yield from (f"{text:<{width}}  # {visible_line(origin)}" for text, origin in said.items())
    for key, inner in tree.items():
        if isinstance(inner, dict):
            yield from _toml(inner, [*names, key])
        elif isinstance(inner, list):
            for item in inner:
                yield from _toml(item, [*names, key], ("[[", "]]"))


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml_text(name)


def _toml_value(value: Any) -> str:
    match value:
        case str():
            return _toml_text(value)
        case bool():
            return "true" if value else "false"
        case dict():
            pairs = ", ".join(f"{_toml_key(key)} = {_toml_value(inner)}" for key, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return f"[{', '.join(map(_toml_value, value))}]"
    return str(value)


def _toml_text(text: str) -> str:
    """A basic string. What could drive a terminal is escaped, which means the same in TOML."""
    spelled = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in spelled)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _Shape(NamedTuple):
    """A way to log in that `init` can write. `@NAME@`, `@PREFIX@` and `@TOKEN_URL@` are filled in."""

    summary: str
    text: str
    variables: tuple[str, ...] = ()
    unfinished: bool = False


_HEAD = """\
[profiles.@NAME@]
base_url = @BASE_URL@
# headers = { Accept = "application/json" }  # sent with every request
# timeout = 30                               # seconds for everything: login, retries, body

"""
_BEARER = """\
# Where the token is, never the token itself. Other places:
# { file = "~/.keys/token" }, { prompt = "Token" }
[profiles.@NAME@.secrets]
token = { env = "@PREFIX@_TOKEN" }

[profiles.@NAME@.auth]
type = "bearer"
token = "${secrets.token}"
"""
_API_KEY = """\
# Where the key is, never the key itself. Other places:
# { file = "~/.keys/key" }, { prompt = "Key" }
[profiles.@NAME@.secrets]
key = { env = "@PREFIX@_KEY" }

[profiles.@NAME@.auth]
type = "api-key"
in = "header"       # or query, cookie
name = "X-API-Key"  # as the API's documentation calls it
key = "${secrets.key}"
"""
_BASIC = """\
# Where the password is, never the password itself. Other places:
# { file = "~/.keys/password" }, { prompt = "Password" }
[profiles.@NAME@.secrets]
password = { env = "@PREFIX@_PASSWORD" }

[profiles.@NAME@.auth]
type = "basic"
username = "${env.@PREFIX@_USERNAME}"  # or the name itself
password = "${secrets.password}"
"""
_OAUTH2 = """\
# Where the secret is, never the secret itself. Other places:
# { file = "~/.keys/client.json", pointer = "/client_secret" }, { prompt = "Client secret" }
[profiles.@NAME@.secrets]
client_secret = { env = "@PREFIX@_CLIENT_SECRET" }

[profiles.@NAME@.auth]
type = "oauth2"
grant = "client-credentials"
token_url = @TOKEN_URL@  # a path below base_url, or absolute
client_id = "${env.@PREFIX@_CLIENT_ID}"  # or the id itself
client_secret = "${secrets.client_secret}"
# client_auth = "post"                   # when the server refuses Basic authentication
# scope = "read write"
# audience = "https://api.example.com"
"""
_PIPELINE = """\
# Where the secrets are, never the secrets themselves. Other places:
# { file = "~/.keys/client.json", pointer = "/secret" }, { prompt = "Password" }
[profiles.@NAME@.secrets]
client_secret = { env = "@PREFIX@_CLIENT_SECRET" }
password = { env = "@PREFIX@_PASSWORD" }

# Three steps, each with a token of its own. Every line that says FILL IN is to become as the API's
# documentation says it. Steps may be renamed, removed and added: the references ${steps.…} between
# them give their order.
[profiles.@NAME@.auth]
type = "pipeline"

# The first step: it needs no token.
[profiles.@NAME@.auth.steps.device]
request = { method = "POST", url = "/device/token", json = { id = "my-device" } }  # FILL IN: path and body
extract = { token = "/device_token" }  # FILL IN: where the token is in the JSON answer
expires = { ttl = "30d" }              # FILL IN: how long it is good, when the answer does not say

# The second step sends the first one's token.
[profiles.@NAME@.auth.steps.app.request]
method = "POST"
url = "/app/token"                                        # FILL IN: the path
headers = { X-Device-Token = "${steps.device.token}" }    # FILL IN: the header that carries the first token
json = { secret = "${secrets.client_secret}" }            # FILL IN: the body; `form = { … }` for a form

[profiles.@NAME@.auth.steps.app]
extract = { token = "/app_token" }     # FILL IN: where the token is
expires = { in = "/expires_in" }       # FILL IN: where the answer says how many seconds it is good

# The third step gives the token that requests carry.
[profiles.@NAME@.auth.steps.user.request]
method = "POST"
url = "/user/login"                                       # FILL IN: the path
headers = { X-App-Token = "${steps.app.token}" }          # FILL IN: the header that carries the second token
form = { user = "${env.@PREFIX@_USERNAME}", password = "${secrets.password}" }  # FILL IN: the fields

[profiles.@NAME@.auth.steps.user]
extract = { token = "/user_token" }    # FILL IN: where the token is
expires = { in = "/expires_in" }       # FILL IN: `at = "/expires_at", unit = "ms"` for a moment

# FILL IN: where the last token goes.
[[profiles.@NAME@.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${steps.user.token}"
"""
_SHAPES: Mapping[str, _Shape] = {
    "none": _Shape("no login", '[profiles.@NAME@.auth]\ntype = "none"\n'),
    "bearer": _Shape("a token that you have already", _BEARER, ("TOKEN",)),
    "api-key": _Shape("an API key in a header", _API_KEY, ("KEY",)),
    "basic": _Shape("user name and password", _BASIC, ("USERNAME", "PASSWORD")),
    "oauth2": _Shape("an OAuth client, by its id and secret", _OAUTH2, ("CLIENT_ID", "CLIENT_SECRET")),
    "pipeline": _Shape("several steps", _PIPELINE, ("CLIENT_SECRET", "USERNAME", "PASSWORD"), unfinished=True),
}
_AUTH_NUMBERS = {str(number): name for number, name in enumerate(_SHAPES, 1)}


def _menu() -> str:
    rows = [f"  {number}  {name:<8}  {_SHAPES[name].summary}\n" for number, name in _AUTH_NUMBERS.items()]
    return "How does this API log in?\n" + "".join(rows)


def _auth_trouble(word: str) -> str | None:
    return None if word in _SHAPES or word in _AUTH_NUMBERS else f"unknown type {unknown(word, _SHAPES)}"


def _token_url_trouble(url: str) -> str | None:
    if url.startswith("/") and url.isprintable():
        return None
    return _url_trouble(url) or (
        None if re.match(r"https?://", url) else "must begin with /, or with https:// and a host"
    )


def _url_trouble(url: str) -> str | None:
    if not url.isprintable():
        return "holds a character that no URL has"
    try:
        user = urlsplit(url).username
    except ValueError:
        return "is no URL"
    return None if user is None else "holds a user name: leave it out, and log in by basic"


def _answer(
    context: Context,
    option: str,
    given: str | None,
    question: str,
    trouble: Callable[[str], str | None],
    default: str | None = None,
) -> str:
    """What was given, else what a person says, else the default. UsageError names the option to give."""
    if given is not None:
        if said := trouble(given):
            raise UsageError(f"{option} {REDACTOR.url(given)}: {said}", hint=f"give another {option}")
        return given
    if not context.interactive:
        if default is None:
            raise UsageError(f"{option} is missing, and nobody can be asked", hint=f"give {option}, or use a terminal")
        return default
    while True:
        answer = _read_line(context, option, f"{question}{f' [{default}]' if default else ''}: ") or default or ""
        if not (said := trouble(answer)):
            return answer
        context.stderr.write(f"  {visible_line(said)}\n")


def _read_line(context: Context, option: str, question: str) -> str:
    context.stderr.write(question)
    context.stderr.flush()
    line = context.stdin.readline() if context.stdin is not None else ""
    if not line:
        context.stderr.write("\n")
        raise UsageError(f"{option} is missing, and the input has ended", hint=f"answer, or give {option}")
    return line.strip()


class _File:
    """The profile file as it is, and with one more profile."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._path = context.source.path
        self._is_new = not os.path.exists(self._path)
        self._document = Document(self._path, "", {}) if self._is_new else load_document(self._path)

    def name_trouble(self, name: str) -> str | None:
        """Why a new profile cannot have this name."""
        if name in self._document.profiles:
            line = self._document.line(("profiles", name))
            return f"there is such a profile already, at {self._path}:{line}"
        return self._first_problem(name, {})

    def url_trouble(self, name: str) -> Callable[[str], str | None]:
        """A check of the base URL of a new profile."""
        return lambda url: _url_trouble(url) or self._first_problem(name, {"base_url": url})

    def add(self, name: str, text: str) -> Document:
        """Append the profile, after a look at what the file then says. ProfileError leaves it as it was."""
        old = b"version = 1\n" if self._is_new else self._path.read_bytes()
        gap = b"\n" if old.endswith(b"\n") else b"\n\n" if old else b""
        new = old + gap + text.encode()
        if b"\r\n" in old:
            new = old + new[len(old) :].replace(b"\n", b"\r\n")
        if len(new) > LARGEST:
            raise ProfileError(f"{self._path} would become larger than 1 MiB", hint="name another file with --config")
        after = new.decode("utf-8-sig")
        try:
            document = Document(self._path, after, tomllib.loads(after))
        except tomllib.TOMLDecodeError:
            document = Document(self._path, after, {})
        if set(document.profiles) != {*self._document.profiles, name}:
            raise ProfileError(
                f"{self._path}: `profiles` is not written as tables, so none can be added below",
                hint="write each as a table of its own, [profiles.NAME]",
            )
        if found := check(document, name)[1]:
            raise ProfileError(f"{self._path}: not written", problems=[describe(document, each) for each in found])
        if self._context.source.named_by == "user":
            private_directory(self._path.parent, notice=self._context.notice)
        _replace(self._path, new)
        return document

    def _first_problem(self, name: str, table: Mapping[str, Any]) -> str | None:
        probe = Document(self._path, "", {"profiles": {**self._document.profiles, name: table}})
        found = check(probe, name)[1]
        return found[0].message if found else None


def _drafted(shape: _Shape, name: str, base_url: str, token_url: str) -> str:
    """A new profile as text."""
    words = {"NAME": _toml_key(name), "PREFIX": _prefix(name)}
    words |= {"BASE_URL": _toml_text(base_url), "TOKEN_URL": _toml_text(token_url)}
    return re.sub("@([A-Z_]+)@", lambda match: words[match[1]], _HEAD + shape.text)


def _prefix(name: str) -> str:
    """What the names of a profile's environment variables begin with."""
    word = variable(name)
    return f"_{word}" if word[0].isdigit() else word


def _next(context: Context, document: Document, name: str, shape: _Shape) -> str:
    """Where the profile is, and the commands to run now."""
    config = "" if context.config is None else f" --config {quote(context.config)}"
    flags = f"-p {quote(name)}{config}"
    lines = []
    if shape.unfinished:
        lines += [f"${{EDITOR:-vi}} {quote(str(document.path))}    # every FILL IN"]
        lines += [f"{context.program} profile validate{config}"]
    lines += [f"export {_prefix(name)}_{word}=…" for word in shape.variables]
    lines += [f"{context.program} token explain {flags}"] if shape.unfinished else []
    lines += [f"{context.program} get / {flags}"]
    where = visible_line(f"{document.path}:{document.line(('profiles', name))}")
    return f"profile {name} is written: {where}\n\nnext:\n" + "".join(f"  {line}\n" for line in lines)


def _replace(path: Path, data: bytes) -> None:
    """Replace a file whole; its mode stays, and a link stays a link. StorageError leaves the old content."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as exc:
        raise StorageError(
            f"{path} cannot be written: {(exc.strerror or 'failed').lower()}",
            hint="make it writable, or name another with --config",
        ) from exc
    finally:
        with suppress(OSError):
            temporary.unlink()
