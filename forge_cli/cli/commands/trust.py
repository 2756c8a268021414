"""`forge trust`: allow the profile file of a project, pinned by its content."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click

from ...errors import ProfileError, UsageError
from ...files import on_windows
from ...profiles.document import Document
from ...profiles.load import Source, current_directory, opened
from ...profiles.powers import LOADS, powers
from ...profiles.trust import PROJECT_FILE, Trust, content, digest_of, project_file
from ...profiles.validate import describe, problems
from ..completers import completed
from ..context import Context
from ..group import Sectioned
from ..options import global_options, pass_context, silent
from ..output.text import visible_line

_READ_IT = "read it, then allow it with --yes; or name it on purpose: --config"


@click.command(cls=Sectioned)
@click.argument("file", required=False, shell_complete=completed("file"))
@click.option("--yes", "-y", is_flag=True, help="Allow it without a question.")
@click.option("--revoke", is_flag=True, help="Allow it no longer, in none of its versions.")
@click.option("--list", "show", is_flag=True, help="List what is allowed.")
@silent
@global_options
@pass_context
def trust(context: Context, file: str | None, yes: bool, revoke: bool, show: bool) -> int:
    """Allow a project's profile file.

    \b
      forge trust                        the .forge.toml of this project
      forge trust --list
      forge trust --revoke

    A profile says where credentials go and which programs run, so the .forge.toml of a project is used only once
    you have allowed it. What counts is its content (SHA-256): an edit asks again. For one run, as in a
    build, set FORGE_TRUST to the hash, or name the file: --config .forge.toml.
    """
    if show and (revoke or file or yes):
        raise UsageError("--list goes with nothing else", hint="leave the rest out")
    allowed = Trust(context.environ, notice=context.notice)
    if show:
        lines = (f"{digest}  {entry.since}  {entry.path}" for digest, entry in allowed.entries().items())
        context.stdout.write("".join(f"{visible_line(line)}\n" for line in lines))
        return 0
    path = _meant(file)
    return _revoke(context, allowed, path) if revoke else _allow(context, allowed, path, yes)


def _meant(file: str | None) -> Path:
    """The file as an absolute path, links and all."""
    cwd = current_directory()
    if file is not None:
        return Path(os.path.abspath(cwd / file))
    found = project_file(cwd)
    if found is None:
        raise UsageError(f"no {PROJECT_FILE} here or in a directory above", hint="name the FILE")
    return found


def _allow(context: Context, allowed: Trust, path: Path, yes: bool) -> int:
    # Read once: what is shown, hashed and allowed are the same bytes.
    raw = content(path)
    digest = digest_of(raw)
    document = opened(Source(path, "project", raw))
    if digest in allowed.entries():
        context.notice(f"{path} is allowed already")
    else:
        context.tell("".join(f"{visible_line(line)}\n" for line in _about(path, document, digest)))
        if not yes:
            _ask(context, path)
        allowed.add(digest, path)
    context.stdout.write(f"{digest}  {visible_line(str(path))}\n")
    return 0


def _revoke(context: Context, allowed: Trust, path: Path) -> int:
    digest = digest_of(content(path)) if os.path.lexists(path) else None
    gone = allowed.remove(digest, path)
    if not gone:
        raise UsageError(f"{path} is not allowed", hint=f"`{context.program} trust --list` shows what is")
    context.stdout.write("".join(f"{each}  {visible_line(str(path))}\n" for each in gone))
    return 0


def _about(path: Path, document: Document, digest: str) -> list[str]:
    """What a person has to know before they allow it."""
    lines = [str(path), *(f"  {line}" for line in _oddities(path)), f"  SHA-256 {digest}"]
    names = ", ".join(document.profiles) or "none"
    lines.append(f"  profiles: {names}")
    may = powers(document)
    for what, with_what in may.items():
        lines += [f"  {what}:", *(f"    {each}" for each in with_what)]
    # To check the keys of a class is to load it, and nothing of the file is run before it was allowed.
    if LOADS not in may and (found := problems(document)):
        lines.append(f"  it has problems, the first: {describe(document, found[0])}")
    return lines


def _oddities(path: Path) -> list[str]:
    """What is unusual about where it lies: its content counts, and files that it names may lie there too."""
    found = [f"a link to {path.resolve()}"] if path.is_symlink() else []
    if on_windows():
        return found
    for each, called in ((path, "it"), (path.parent, "its directory")):
        info = each.stat()
        if info.st_uid not in (os.geteuid(), 0):
            found.append(f"{called} belongs to another user")
        if info.st_mode & stat.S_IWOTH:
            found.append(f"other users can write to {called}")
    return found


def _ask(context: Context, path: Path) -> None:
    if not context.interactive:
        raise UsageError(f"{path} is not allowed, and nobody can be asked", hint=_READ_IT)
    context.tell("Allow this file to do that, until it changes? [y/N] ")
    said = context.stdin.readline() if context.stdin is not None else ""
    if not said:
        context.end_line()
    if said.strip().lower() not in ("y", "yes"):
        raise ProfileError(f"{path} is still not allowed", hint="`--no-project` ignores it")
