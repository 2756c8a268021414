"""Every problem of a profile file at once, each with its place in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..compiled import compiled
from ..login.template import nearest
from . import connection, cookies, header_names, references
from .document import BrokenFamily, Document, Place, lineage, merged
from .kinds import Problem, Use, unknown
from .reader import keys, read, read_shared
from .references import NAME
from .schema import CompositeAuth, FileTable, ProfileTable, SharedAuth

_PROFILE_NAME = compiled(r"[A-Za-z0-9._-]{1,64}")
# A name becomes a file name, and Windows keeps these for devices, with any extension.
_DEVICE = compiled(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_BARE = compiled(r"[A-Za-z0-9_-]+")
# No legal name is longer.
_LONGEST_SHOWN = 64


def problems(document: Document) -> list[Problem]:
    """All problems of the file, of its shared logins and of all its profiles, in the order of their lines."""
    found = [*_frame(document), *_default(document)]
    for name in document.shared:
        found += check_shared(document, name)[1]
    for name in document.profiles:
        found += check(document, name)[1]
        found += _files(document, name)
    return ordered(document, found)


def frame_problems(document: Document, *, default: bool) -> list[Problem]:
    """Problems outside the profiles; with `default`, a `default_profile` that cannot be used is one of them."""
    return ordered(document, [*_frame(document), *(_default(document) if default else ())])


def check(document: Document, name: str) -> tuple[ProfileTable | None, list[Problem]]:
    """One profile merged with its parents, or None, and its problems; their paths begin at the file's root."""
    try:
        profile, origins = merged(document, name)
    except BrokenFamily as exc:
        return None, [Problem(("profiles", exc.profile, "extends"), exc.message)]
    found: list[Problem] = []
    templates: list[Use] = []
    table = read(ProfileTable, profile, (), found, templates)
    if profile.get("abstract") is True:
        # Its children may declare what it refers to, and add what it lacks.
        found = [problem for problem in found if not problem.missing]
    else:
        found += references.problems(profile, templates)
        found += references.shared_problems(profile, document.shared)
        found += connection.problems(profile)
        found += header_names.problems(profile)
        found += cookies.problems(profile)
    placed = [Problem(_at_root(problem.path, name, origins), problem.message) for problem in found]
    return table, [*_names(document, name), *placed]


def check_family(document: Document, name: str) -> tuple[ProfileTable | None, list[Problem]]:
    """One profile as `check` reads it, with the problems of its parents and of the file's own keys too."""
    found = [problem for problem in _frame(document) if problem.path[:1] != ("profiles",)]
    table, own = check(document, name)
    found += own
    with suppress(BrokenFamily):
        for ancestor in lineage(document, name)[:-1]:
            found += check(document, ancestor)[1]
    for used in _shared_by(table):
        if used in document.shared:
            found += check_shared(document, used)[1]
    return table, ordered(document, found)


def shared_of(document: Document, table: ProfileTable) -> dict[str, SharedAuth]:
    """The shared logins that a valid profile names."""
    found = {name: check_shared(document, name)[0] for name in _shared_by(table)}
    return {name: shared for name, shared in found.items() if shared is not None}


def _shared_by(table: ProfileTable | None) -> tuple[str, ...]:
    auth = None if table is None else table.auth
    return (auth,) if isinstance(auth, str) else auth.parts if isinstance(auth, CompositeAuth) else ()


def check_shared(document: Document, name: str) -> tuple[SharedAuth | None, list[Problem]]:
    """A shared login, or None, and its problems."""
    found: list[Problem] = []
    templates: list[Use] = []
    table = document.shared[name]
    shared = read_shared(table, (), found, templates)
    around: dict[str, Any] = {key: table[key] for key in ("base_url", "vars", "secrets") if key in table}
    auth = {key: value for key, value in table.items() if key not in around}
    # As in a profile, whose auth stands below `auth`.
    inner = [Use(("auth", *use.path), use.template) if use.path[0] not in around else use for use in templates]
    whole = {**around, "auth": auth}
    for problem in (
        *references.problems(whole, inner),
        *connection.problems(whole),
        *header_names.problems(whole),
        *cookies.problems(whole),
    ):
        path = problem.path[1:] if problem.path[:1] == ("auth",) else problem.path
        found.append(Problem(path, problem.message))
    if table.get("type") == "composite":
        found.append(Problem(("type",), "a shared login is no composite: name its parts in `auth` of the profile"))
    if NAME.fullmatch(name) is None:
        found.append(Problem((), "a name is 1 to 64 letters, digits, `_` and `-`"))
    return shared, [Problem(("auth", name, *problem.path), problem.message) for problem in found]


def ordered(document: Document, found: Iterable[Problem]) -> list[Problem]:
    """Each problem once, in the order of their lines."""
    once = list(dict.fromkeys(found))
    return sorted(once, key=lambda problem: document.line(problem.path) or 0) if once else once


def describe(document: Document, problem: Problem) -> str:
    """One line for people: file, line, key, and what is wrong."""
    line = document.line(problem.path)
    where = f"{document.path}:{line}" if line else f"{document.path}"
    return ": ".join(part for part in (where, spelled(problem.path), problem.message) if part)


def spelled(path: Place) -> str:
    """A path as people write it: ``profiles.dev.auth.inject[0].value``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if len(part) <= _LONGEST_SHOWN else f"{part[:_LONGEST_SHOWN]}…"
            text += ("." if text else "") + (name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False))
    return text


def _frame(document: Document) -> list[Problem]:
    found: list[Problem] = []
    read(FileTable, document.data, (), found)
    return [_at_home(document, problem) for problem in found]


def _at_home(document: Document, problem: Problem) -> Problem:
    """A problem of the file itself, with the place where an unknown key belongs."""
    if len(problem.path) != 1 or not problem.message.startswith("unknown key (one of"):
        return problem
    key = problem.path[0]
    if key in (names := keys(ProfileTable)) or nearest(str(key), names):
        return Problem(problem.path, "unknown key: it belongs below a profile, [profiles.NAME]")
    if isinstance(document.data[str(key)], dict):
        return Problem(problem.path, "unknown key: a profile is written [profiles.NAME]")
    return problem


def _files(document: Document, name: str) -> Iterator[Problem]:
    """Files that a profile names and that are not there: looked for only when the file is to be checked."""
    with suppress(BrokenFamily):
        profile, origins = merged(document, name)
        for problem in connection.missing_files(profile, document.path.parent):
            yield Problem(_at_root(problem.path, name, origins), problem.message)


def _at_root(path: Place, name: str, origins: Mapping[Place, str]) -> Place:
    """The path within the file: in the parent that the value comes from."""
    inner = path
    while inner and inner not in origins:
        inner = inner[:-1]
    return ("profiles", origins.get(inner, name), *path)


def _default(document: Document) -> Iterator[Problem]:
    name = document.data.get("default_profile")
    if not isinstance(name, str):
        return
    if name not in document.profiles:
        yield Problem(("default_profile",), f"unknown profile {name!r} {unknown(name, document.profiles)}")
    elif document.profiles[name].get("abstract") is True:
        yield Problem(("default_profile",), f"profile {name!r} is abstract: it may only be extended")


def _names(document: Document, name: str) -> Iterator[Problem]:
    path = ("profiles", name)
    if _PROFILE_NAME.fullmatch(name) is None or name in (".", ".."):
        yield Problem(path, "a profile name is 1 to 64 letters, digits, `.`, `_` and `-`")
    elif _DEVICE.fullmatch(name):
        yield Problem(path, "a profile name that Windows reserves")
    twins = [other for other in document.spellings[name.lower()] if other != name]
    if twins:
        yield Problem(path, f"differs from {', '.join(map(repr, twins))} only in case")
