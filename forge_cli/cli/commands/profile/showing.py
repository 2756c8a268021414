"""Show what a profile comes to, and where each value is from."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ....profiles import toml
from ....profiles.document import Document
from ....profiles.effective import Effective, EffectiveShared, Leaf, Tree, values
from ....profiles.load import profile as load
from ....profiles.load import refused, select
from ....profiles.schema import ProfileTable
from ....profiles.validate import check_family, shared_of, spelled
from ...completers import completed
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.text import visible_line
from .printing import JSON, one_name, print_json


@click.command(cls=Sectioned)
@click.argument("name", required=False, shell_complete=completed("profile"))
@click.option("--expand", "expanded", is_flag=True, help="The steps behind a type of auth.")
@JSON
@silent
@global_options
@pass_context
def show(context: Context, name: str | None, expanded: bool, as_json: bool) -> int:
    """Show what a profile comes to, and where each value is from.

    \b
      forge profile show                    the one in use when none is named
      forge profile show prod --expand      with the steps behind its type of auth

    The result is TOML: the profile, what it has from its parents, and the defaults. Secrets are ***.
    """
    document = context.document
    name = _chosen(context, document, name)
    table = _checked(context, document, name)
    effective = Effective(document, name, context.variables)
    tree = effective.tree(table, expanded=expanded)
    used = shared_of(document, table) if expanded and table is not None else {}
    shared = {part: EffectiveShared(document, part) for part in used}
    parts = {part: each.expanded(used[part]) for part, each in shared.items()}
    parent = document.profiles[name].get("extends")
    if as_json:
        origins = {spelled(place): origin for place, origin in effective.seen.items()}
        head = {"name": name, "file": str(document.path), "extends": parent}
        more = {
            "shared": {part: values(inner) for part, inner in parts.items()},
            "shared_origins": {
                spelled(each.at_root(part, place)): origin
                for part, each in shared.items()
                for place, origin in each.seen.items()
            },
        }
        return print_json(context, {**head, "profile": values(tree), "origins": origins, **(more if parts else {})})
    words = f"profile {name} of {document.path}" + (f", which extends {parent}" if parent else "")
    lines = [f"# {visible_line(words)}", *_toml(tree, ["profiles", name])]
    for part, inner in parts.items():
        lines += _toml(inner, ["auth", part])
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _chosen(context: Context, document: Document, name: str | None) -> str:
    """The profile to show; by name also an abstract one."""
    name = one_name(context, name)
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
