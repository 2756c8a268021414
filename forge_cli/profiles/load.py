"""Which file, which profile, and that profile ready for use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import ProfileError
from ..files import config_dir
from ..frozen import immutable, immutable_by_name
from ..login.template import nearest
from . import ownership
from .document import Document, Place, load_document, merged, read_file
from .kinds import Problem, unknown
from .schema import ProfileTable, RetryTable, SharedAuth
from .trust import PROJECT_FILE, Trust, content, digest_of, project_file, relative_programs
from .validate import check_family, describe, frame_problems, shared_of

__all__ = [
    "PROJECT_FILE",
    "Document",
    "ProfileSettings",
    "Source",
    "content_of",
    "find",
    "load_document",
    "merged",
    "opened",
    "profile",
    "refused",
    "select",
]

_READ_ON = "`forge profile validate` checks the whole file; the format is in docs/profiles.md"


@immutable
class Source:
    """A profile file and what named it; it need not exist.

    `data` are the bytes of a project's file: those that are trusted, whatever the file holds by now. `kept` is where
    a large one is kept once it is parsed, None for nowhere.
    """

    path: Path
    named_by: Literal["--config", "FORGE_CONFIG", "project", "user"]
    data: bytes | None = field(default=None, repr=False)
    kept: Path | None = None

    @property
    def reason(self) -> str:
        """Why it is this file."""
        reasons = {"user": "the user's own", "project": "a trusted project's"}
        return reasons.get(self.named_by) or f"named by {self.named_by}"


@immutable_by_name
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
    retry: RetryTable | None = None

    def retried(self, retries: int | None) -> ProfileSettings:
        """These with so many retries, for all their requests and also those of their logins; None: as they are.

        `retry` is then what holds for shared logins.
        """
        if retries is None:
            return self
        return replace(
            self,
            table=replace(self.table, retry=self.table.retry.with_retries(retries)),
            retry=RetryTable().with_retries(retries),
        )


def current_directory() -> Path:
    """Where the command runs. Where that folder was deleted, a path in which nothing is found."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def find(config: str | None, environ: Mapping[str, str], cwd: Path, no_project: bool) -> Source:
    """The profile file to use. ProfileError when an untrusted project file is there; StorageError without a home."""
    if config:
        return Source(cwd / config, "--config")
    if named := environ.get("FORGE_CONFIG"):
        return Source(cwd / named, "FORGE_CONFIG")
    if not no_project and (project := project_file(cwd)) is not None:
        raw = content(project)
        if Trust(environ).holds(digest_of(raw)):
            return Source(project, "project", raw)
        shown = os.path.relpath(project, cwd)
        other = " (FORGE_TRUST is the hash of another content)" if environ.get("FORGE_TRUST") else ""
        raise ProfileError(
            f"{project} is a project's profile file, and it is not trusted{other}",
            hint="read it, then allow it with `forge trust`; `--no-project` ignores it, "
            f"`--config {shown}` uses it this once",
        )
    folder = config_dir(environ)
    return Source(folder / "profiles.toml", "user", kept=folder / "state" / "profiles.json")


def opened(
    source: Source, *, notice: Callable[[str], None] = lambda text: None, seconds: float | None = None
) -> Document:
    """The file, parsed. ProfileError when it is not there or not TOML, or a project's file names a relative program.

    StorageError when it should be the user's own and is another user's. Of one that was named on purpose `notice` is
    told so, and of each that others can write to. `seconds` is how long it is waited for, where it is a pipe.
    """
    document = load_document(source.path, content_of(source, notice=notice, seconds=seconds), kept=source.kept)
    if source.data is not None and (found := relative_programs(document)):
        raise refused(
            document,
            str(document.path),
            found,
            hint="write the full path of the program, or its name alone to look for it in PATH",
        )
    return document


def content_of(
    source: Source, *, notice: Callable[[str], None] = lambda text: None, seconds: float | None = None
) -> bytes:
    """The bytes of the file, as `opened` takes them."""
    if source.data is not None:
        return source.data
    found = read_file(source.path, seconds)
    if ownership.applies():
        check = ownership.check_own if source.named_by == "user" else ownership.tell_odd
        check(source.path, found.info, notice)
    return found.content


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


def refused(document: Document, what: str, problems: Sequence[Problem], *, hint: str = _READ_ON) -> ProfileError:
    """The error that lists these problems of a profile or of its file."""
    lines = [describe(document, problem) for problem in problems]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ProfileError(f"{what} has {count}", problems=lines, hint=hint)


def _abstract(document: Document, name: str) -> ProfileError:
    message = f"{document.path}: profile {name!r} is abstract: it may only be extended"
    return ProfileError(message, hint=_list(_usable(document)))


def _list(names: list[str]) -> str:
    more = ", …" if len(names) > 20 else ""
    return f"the profiles are: {', '.join(names[:20])}{more}" if names else "write one with `forge profile init`"
