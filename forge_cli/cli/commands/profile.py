"""List, show, check and write profiles."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ...curl import quote
from ...errors import ProfileError, StorageError, UsageError
from ...profiles import toml
from ...profiles.addition import ProfileFile, plain_url_trouble
from ...profiles.build import token_directory
from ...profiles.document import BrokenFamily, Document, load_document, merged
from ...profiles.draft import SHAPES, Shape, drafted, prefix
from ...profiles.effective import Effective, Leaf, Tree, values
from ...profiles.kinds import unknown
from ...profiles.load import profile as load
from ...profiles.load import refused, select
from ...profiles.schema import ProfileTable
from ...profiles.validate import check, check_family, describe, frame_problems, problems, spelled
from ...redact import REDACTOR
from ..context import Context
from ..exit_codes import ExitCode
from ..options import global_options, pass_context, silent
from ..output import FORMATS
from ..output.text import visible_line

_AUTH_NUMBERS = {str(number): name for number, name in enumerate(SHAPES, 1)}
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(short_help="List, show, check and write profiles.")
def profile() -> None:
    """List, show, check and write profiles.

    \b
      forge profile init                    write a profile, with questions
      forge profile list                    what there is
      forge profile show prod               what a profile comes to, and where each value is from
      forge profile validate                every problem of the file
      ${EDITOR:-vi} "$(forge profile path)"   change it
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
    outside = frame_problems(document, default=True)
    if outside and not rows:
        raise refused(document, str(document.path), outside)
    if as_json:
        return _print_json(context, rows)
    if not rows:
        context.notice(f"{document.path} has no profiles\n  write one with `{context.program} profile init`")
    columns = ("name", "base_url", "auth", "extends", "note", "file")
    table = FORMATS.load("table")
    table(context.stdout, columns, [_cells(row) for row in rows], environ=context.environ)
    if outside or any(row["problems"] for row in rows):
        what = "the file has problems outside its profiles" if outside else "some profiles cannot be used"
        context.notice(f"{what}\n  `{context.program} profile validate` says why")
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
    effective = Effective(document, name, context.variables)
    tree = effective.tree(table, expanded=expanded)
    parent = document.profiles[name].get("extends")
    if as_json:
        origins = {spelled(place): origin for place, origin in effective.seen.items()}
        head = {"name": name, "file": str(document.path), "extends": parent}
        return _print_json(context, {**head, "profile": values(tree), "origins": origins})
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
      ${EDITOR:-vi} "$(forge profile path)"

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
    file = ProfileFile(context.source, context.notice)
    given = _one_name(context, name)
    if auth is not None and (trouble := _auth_trouble(auth)):
        raise UsageError(f"--auth {auth}: {trouble}", hint=f"the types are: {', '.join(SHAPES)}")
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
    shape = SHAPES[auth]
    document = file.add(name, drafted(shape, name, base_url, token_url or ""))
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
        if found:
            raise refused(document, f"profile {name!r}", found)
        return table
    return load(document, name, overrides_vars=context.variables).table


def _toml(tree: Tree, names: list[str], brackets: tuple[str, str] = ("[", "]")) -> Iterator[str]:
    """The lines of a table and of those in it, each value with its origin as a comment."""
    leaves = {key: leaf for key, leaf in tree.items() if isinstance(leaf, Leaf)}
    if leaves or len(names) == 2 or brackets[0] == "[[":
        yield from ("", f"{brackets[0]}{'.'.join(map(toml.key, names))}{brackets[1]}")
    said = {f"{toml.key(key)} = {toml.spelled(leaf.value)}": leaf.origin for key, leaf in leaves.items()}
    width = min(max(map(len, said), default=0), 60)
    yield from (f"{text:<{width}}  # {visible_line(origin)}" for text, origin in said.items())
    for key, inner in tree.items():
        if isinstance(inner, dict):
            yield from _toml(inner, [*names, key])
        elif isinstance(inner, list):
            for item in inner:
                yield from _toml(item, [*names, key], ("[[", "]]"))


def _menu() -> str:
    rows = [f"  {number}  {name:<8}  {SHAPES[name].summary}\n" for number, name in _AUTH_NUMBERS.items()]
    return "How does this API log in?\n" + "".join(rows)


def _auth_trouble(word: str) -> str | None:
    return None if word in SHAPES or word in _AUTH_NUMBERS else f"unknown type {unknown(word, SHAPES)}"


def _token_url_trouble(url: str) -> str | None:
    if url.startswith("/") and url.isprintable():
        return None
    return plain_url_trouble(url) or (
        None if re.match(r"https?://", url) else "must begin with /, or with https:// and a host"
    )


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


def _next(context: Context, document: Document, name: str, shape: Shape) -> str:
    """Where the profile is, and the commands to run now."""
    config = "" if context.config is None else f" --config {quote(context.config)}"
    flags = f"-p {quote(name)}{config}"
    lines = []
    if shape.unfinished:
        lines += [f"${{EDITOR:-vi}} {quote(str(document.path))}    # every FILL IN"]
        lines += [f"{context.program} profile validate{config}"]
    lines += [f"export {prefix(name)}_{word}=…" for word in shape.variables]
    lines += [f"{context.program} token explain {flags}"] if shape.unfinished else []
    lines += [f"{context.program} get / {flags}"]
    where = visible_line(f"{document.path}:{document.line(('profiles', name))}")
    return f"profile {name} is written: {where}\n\nnext:\n" + "".join(f"  {line}\n" for line in lines)
