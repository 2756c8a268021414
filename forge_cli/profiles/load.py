"""Which file, which profile, and that profile ready for use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import ProfileError
from ..files import config_dir
from ..login.template import nearest
from .document import Document, Place, load_document, merged
from .kinds import Problem, unknown
from .schema import ProfileTable, SharedAuth
from .validate import check_family, describe, frame_problems, shared_of

__all__ = ["Document", "ProfileSettings", "Source", "find", "load_document", "merged", "profile", "refused", "select"]

PROJECT_FILE = ".forge.toml"
_READ_ON = "`forge profile validate` checks the whole file; the format is in docs/profiles.md"


@dataclass(frozen=True)
class Source:
    """A profile file and what named it; it need not exist."""

    path: Path
    named_by: Literal["--config", "FORGE_CONFIG", "user"]


@dataclass(frozen=True, kw_only=True)
class ProfileSettings:
    """What the file says about one profile: valid, its parents merged in, `--var` applied.

    `origins` says for each key which profile it was written in, `shared` has the shared logins it names.
    """

    name: str
    table: ProfileTable
    path: Path
    vars: Mapping[str, Any]
    origins: Mapping[Place, str]
    shared: Mapping[str, SharedAuth] = field(default_factory=dict)


def find(config: str | None, environ: Mapping[str, str], cwd: Path, no_project: bool) -> Source:
    """The profile file to use. ProfileError when a project file lies in the way; StorageError without a home."""
    if config:
        return Source(cwd / config, "--config")
    if named := environ.get("FORGE_CONFIG"):
        return Source(cwd / named, "FORGE_CONFIG")
    if not no_project and (project := _project_file(cwd)) is not None:
        shown = os.path.relpath(project, cwd)
        raise ProfileError(
            f"{project} is a project's profile file, and it is not trusted",
            hint=f"read it, then use it with `--config {shown}`; `--no-project` ignores it",
        )
    return Source(config_dir(environ) / "profiles.toml", "user")


def select(document: Document, name: str | None, environ: Mapping[str, str]) -> str:
    """The name of the profile to use: as given, FORGE_PROFILE, `default_profile`, or the only one."""
    usable = _usable(document)
    default = document.data.get("default_profile")
    named = name or environ.get("FORGE_PROFILE")
    chosen = named or (default if isinstance(default, str) else None)
    if chosen is None and len(usable) == 1:
        return usable[0]
    if chosen in usable:
        return chosen
    # The profile may be missing because of a slip such as [profile.dev].
    if found := frame_problems(document, default=not named):
        raise refused(document, str(document.path), found)
    if chosen is None:
        say = f"one of: {', '.join(usable[:20])}" if usable else "write one with `forge profile init`"
        raise ProfileError(f"{document.path}: no profile is chosen", hint=f"choose with --profile NAME; {say}")
    if chosen in document.profiles:
        raise _abstract(document, chosen)
    near = nearest(chosen, usable)
    meant = f" (nearest: {near})" if near is not None else ""
    raise ProfileError(f"{document.path}: no profile {chosen!r}{meant}", hint=_list(usable))


def default(document: Document) -> str | None:
    """The profile that is used when none is named, None when it has to be. ProfileError as for `select`."""
    if found := frame_problems(document, default=True):
        raise refused(document, str(document.path), found)
    usable, named = _usable(document), document.data.get("default_profile")
    return named if isinstance(named, str) else usable[0] if len(usable) == 1 else None


def profile(document: Document, name: str, *, overrides_vars: Mapping[str, str] | None = None) -> ProfileSettings:
    """The profile, checked together with its parents. ProfileError with all their problems."""
    if name not in document.profiles:
        raise ProfileError(f"{document.path}: no profile {name!r} {unknown(name, document.profiles)}")
    if document.profiles[name].get("abstract") is True:
        raise _abstract(document, name)
    table, problems = check_family(document, name)
    if table is None or problems:
        raise refused(document, f"profile {name!r}", problems)
    for var in overrides_vars or ():
        if var not in table.vars:
            raise ProfileError(
                f"profile {name!r} declares no var {var!r} {unknown(var, table.vars)}",
                hint=f"declare it under [profiles.{name}.vars], or correct --var",
            )
    values = {**table.vars, **(overrides_vars or {})}
    return ProfileSettings(
        name=name,
        table=table,
        path=document.path,
        vars=values,
        origins=merged(document, name)[1],
        shared=shared_of(document, table),
    )


def _usable(document: Document) -> list[str]:
    return [known for known, table in document.profiles.items() if table.get("abstract") is not True]


def refused(document: Document, what: str, problems: Sequence[Problem]) -> ProfileError:
    """The error that lists these problems of a profile or of its file."""
    lines = [describe(document, problem) for problem in problems]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ProfileError(f"{what} has {count}", problems=lines, hint=_READ_ON)


def _abstract(document: Document, name: str) -> ProfileError:
    message = f"{document.path}: profile {name!r} is abstract: it may only be extended"
    return ProfileError(message, hint=_list(_usable(document)))


def _project_file(cwd: Path) -> Path | None:
    """The nearest project file, here or in a directory above."""
    candidates = (folder / PROJECT_FILE for folder in (cwd, *cwd.parents))
    return next((path for path in candidates if os.path.isfile(path)), None)


def _list(names: list[str]) -> str:
    more = ", …" if len(names) > 20 else ""
    return f"the profiles are: {', '.join(names[:20])}{more}" if names else "write one with `forge profile init`"
