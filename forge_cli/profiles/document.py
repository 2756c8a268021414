"""A profile file in memory: read, parsed, and each profile merged with its parents."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..compiled import compiled
from ..errors import ProfileError, TimeoutException
from ..files import Found, read_named
from ..frozen import immutable
from ..login.template import nearest
from . import parsed, positions

LARGEST = 1024 * 1024
_DEEPEST = 100
# The time tomllib takes for a dotted key grows with the square of its parts.
_LONG_KEY = compiled(rf"""(?<![\w.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{_DEEPEST}}}""")
_FAULT = compiled(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

Place = positions.Path
Table = dict[str, Any]


@immutable
class Document:
    """A parsed profile file."""

    path: Path
    text: str = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    _merged: dict[str, tuple[Table, dict[Place, str]]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def profiles(self) -> Mapping[str, Table]:
        """The profiles by name, as written; entries that are not tables are left out."""
        tables = self.data.get("profiles")
        if not isinstance(tables, dict):
            return {}
        return {name: table for name, table in tables.items() if isinstance(table, dict)}

    @cached_property
    def shared(self) -> Mapping[str, Table]:
        """The shared logins by name, as written; entries that are not tables are left out."""
        tables = self.data.get("auth")
        if not isinstance(tables, dict):
            return {}
        return {name: table for name, table in tables.items() if isinstance(table, dict)}

    @cached_property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        """The names of the profiles by their lower-case form."""
        found: dict[str, list[str]] = {}
        for name in self.profiles:
            found.setdefault(name.lower(), []).append(name)
        return found

    @cached_property
    def lines(self) -> Mapping[Place, int]:
        """The line of each key."""
        return positions.positions(self.text)

    def line(self, place: Place) -> int | None:
        """The line of a key, or of the innermost table around it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def load_document(path: Path, raw: bytes | None = None, *, kept: Path | None = None) -> Document:
    """Read a profile file, or take its bytes. ProfileError with file and line when it is not there or not TOML.

    `kept` is where a large one is kept once it is parsed.
    """
    text = _text(path, read_file(path).content if raw is None else raw)
    if match := _LONG_KEY.search(text):
        raise _fault(path, text.count("\n", 0, match.start()) + 1, f"more than {_DEEPEST} levels of tables")
    try:
        data = parsed.loads(text, kept)
    except tomllib.TOMLDecodeError as exc:
        raise _syntax(path, text, str(exc)) from None
    except RecursionError:
        raise _fault(path, positions.nesting_line(text, _DEEPEST), f"more than {_DEEPEST} levels of brackets") from None
    except ValueError:
        # Python refuses to convert a number of thousands of digits.
        raise _fault(path, _long_number(text), "a number with too many digits") from None
    document = Document(path, text, data)
    if (deep := _too_deep(data)) is not None:
        raise _fault(path, document.line(deep), f"more than {_DEEPEST} levels of tables")
    return document


class BrokenFamily(ProfileError):
    """A profile's parents cannot be followed; `profile` is the one whose `extends` is at fault."""

    def __init__(self, profile: str, message: str) -> None:
        super().__init__(message, hint="name another profile of this file in `extends`")
        self.profile = profile


def lineage(document: Document, name: str) -> list[str]:
    """The profile's ancestors, the eldest first, and itself. BrokenFamily when there is a circle or a gap."""
    names = [name]
    while True:
        parent = document.profiles[names[-1]].get("extends")
        if not isinstance(parent, str):
            return names[::-1]
        if parent not in document.profiles:
            near = nearest(parent, document.profiles)
            raise BrokenFamily(names[-1], f"unknown profile {parent!r}" + (f" (nearest: {near})" if near else ""))
        if parent in names:
            circle = " -> ".join([*names[names.index(parent) :], parent])
            raise BrokenFamily(names[-1], f"profiles extend each other in a circle: {circle}")
        names.append(parent)


def merged(document: Document, name: str) -> tuple[Table, dict[Place, str]]:
    """The profile laid over its parents, and for each key the profile that it comes from."""
    known = document._merged
    if name not in known:
        table: Table = {}
        origins: dict[Place, str] = {}
        for ancestor in lineage(document, name):
            if ancestor not in known:
                origins = dict(origins)
                known[ancestor] = _inherit(table, document.profiles[ancestor], ancestor, origins), origins
            table, origins = known[ancestor]
    return known[name]


def _inherit(parent: Table, own: Table, name: str, origins: dict[Place, str]) -> Table:
    """A child's table. What a profile is to others is not handed down."""
    for key in ("abstract", "extends"):
        origins.pop((key,), None)
    inherited = {key: value for key, value in parent.items() if key not in ("abstract", "extends")}
    return _lay(inherited, own, (), name, origins)


def _lay(under: Table, over: Table, place: Place, name: str, origins: dict[Place, str]) -> Table:
    result = dict(under)
    for key, value in over.items():
        here = (*place, key)
        below = under.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and not _replaces(here, below, value):
            origins[here] = name
            result[key] = _lay(below, value, here, name, origins)
            continue
        if isinstance(below, dict | list):
            for stale in [known for known in origins if known[: len(here)] == here]:
                del origins[stale]
        origins.update((inner, name) for inner, _ in _walk(value, here))
        result[key] = value
    return result


def _replaces(place: Place, below: Table, value: Table) -> bool:
    """Whether a child's table stands instead of the parent's, rather than over it."""
    match place:
        case ("auth",):
            return "type" in value and value["type"] != below.get("type")
        case ("secrets", _):
            return True
        case ("auth", "steps", _):
            return "kind" in value and value["kind"] != below.get("kind", "http")
        case ("auth", "steps", _, "expires") | ("auth", "steps", _, "refresh", "expires"):
            return True
        case ("auth", "steps", _, "extract" | "start", _) | ("auth", "steps", _, "refresh", "extract", _):
            return True
    return False


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Every value of a tree with its path, the root first."""
    pending: list[tuple[Place, Any]] = [(place, value)]
    while pending:
        here, item = pending.pop()
        yield here, item
        if isinstance(item, dict):
            pending.extend(((*here, key), inner) for key, inner in item.items())
        elif isinstance(item, list):
            pending.extend(((*here, index), inner) for index, inner in enumerate(item))


def _too_deep(data: Mapping[str, Any]) -> Place | None:
    """The path of a value that is nested deeper than what follows could bear. Paths are built only for it."""
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return None
    return next(place for place, _ in _walk(data, ()) if len(place) > _DEEPEST - 1)


def read_file(path: Path, seconds: float | None = None) -> Found:
    """The bytes of a profile file, read once. ProfileError when they cannot be had, TimeoutException."""
    try:
        return read_named(path, LARGEST + 1, seconds)
    except FileNotFoundError:
        raise ProfileError(f"no profile file: {path}", hint="write one with `forge profile init`") from None
    except TimeoutError as exc:
        raise TimeoutException(f"{path} cannot be read: {exc.strerror}") from None
    except OSError as exc:
        raise ProfileError(f"{path} cannot be read: {exc.strerror}", hint="name another with --config") from exc


def _text(path: Path, raw: bytes) -> str:
    if len(raw) > LARGEST:
        raise ProfileError(f"{path} is larger than 1 MiB", hint="a profile file holds profiles only")
    before, nul, _ = raw.partition(b"\0")
    if nul:
        raise _fault(path, before.count(b"\n") + 1, "a NUL byte", hint="save the file as UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        # The exception quotes the bytes, and they may be a password.
        raise _fault(path, line, "not UTF-8", hint="save the file as UTF-8 text") from None


def _syntax(path: Path, text: str, message: str) -> ProfileError:
    match = _FAULT.fullmatch(message)
    if match is None:
        return _fault(path, None, "not TOML")
    line = int(match[2]) if match[2] else text.count("\n") + 1
    column = f", column {match[3]}" if match[3] else ", at the end of the file"
    # What tomllib says of a key or table that is there twice.
    twice = re.match("Cannot (overwrite|declare)", match[1]) is not None
    said = "this is there already, further up" if twice else f"{match[1][:1].lower()}{match[1][1:]}"
    return _fault(path, line, f"not TOML{column}: {said}")


def _long_number(text: str) -> int | None:
    match = re.search(r"[0-9_]{4000,}", text)
    return text.count("\n", 0, match.start()) + 1 if match else None


def _fault(path: Path, line: int | None, message: str, *, hint: str | None = None) -> ProfileError:
    where = f"{path}:{line}" if line else f"{path}"
    return ProfileError(f"{where}: {message}", hint=hint or "correct this line; `forge profile validate` checks it")
