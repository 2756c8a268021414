"""A profile as it is in effect: its values, its parents' and the defaults, each with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from typing import Any

from ..login.definition import InjectTable
from ..login.step import needs
from .document import Document, Place, merged
from .expand import expand
from .masks import shown
from .schema import Auth, CompositeAuth, PipelineAuth, ProfileTable, SharedAuth, SharedTable


@dataclass(frozen=True)
class Leaf:
    """A value as it may be shown, and where it is from."""

    value: Any
    origin: str


_DEFAULT = "default"
Tree = dict[str, Any]
"""A table: for each key a Leaf, a Tree, or a list of Trees."""


class Effective:
    """What a profile comes to: its own values, its parents', and the defaults. `seen` has every origin shown."""

    def __init__(self, document: Document, name: str, variables: Mapping[str, str]) -> None:
        self.seen: dict[Place, str] = {}
        self._document = document
        self._name = name
        self._variables = variables
        self._raw, self._origins = merged(document, name)
        self._unsaid: set[Place] = set()
        self._shorthand: str | None = None

    def tree(self, table: ProfileTable | None, *, expanded: bool) -> Tree:
        """The profile as a tree. Without a table, only what the file says."""
        raw = {key: value for key, value in self._raw.items() if key != "extends"}
        if self._variables and "vars" in raw:
            raw["vars"] = {key: self._variables.get(key, value) for key, value in raw["vars"].items()}
        if table is not None:
            if expanded and not isinstance(table.auth, str | CompositeAuth):
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

    def _members(self, raw: Mapping[str, Any], place: Place) -> Tree:
        return {key: self._node(value, (*place, key)) for key, value in raw.items()}

    def _node(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict) and value and not _inline(place):
            return self._members(value, place)
        if isinstance(value, list) and value and all(isinstance(item, dict) and item for item in value):
            return [self._members(item, (*place, index)) for index, item in enumerate(value)]
        origin = self.seen[place] = self._origin(place)
        return Leaf(shown(value, place), origin)

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
        where = f"{self._document.path.name}:{self._document.line(self.at_root(owner, place))}"
        return where if owner == self._name else f"{where}, from {owner}"

    def at_root(self, owner: str, place: Place) -> Place:
        """A place within the file."""
        return ("profiles", owner, *place)


class EffectiveShared(Effective):
    """What a shared login comes to, as steps and places."""

    def __init__(self, document: Document, name: str) -> None:
        self.seen = {}
        self._document = document
        self._name = name
        self._variables = {}
        self._unsaid = set()
        self._shorthand = None
        table = document.shared[name]
        around = {item.name for item in fields(SharedTable)}
        self._raw = {key: value for key, value in table.items() if key in around}
        self._raw["auth"] = {key: value for key, value in table.items() if key not in around}
        self._origins = {(key,): name for key in self._raw}

    def expanded(self, shared: SharedAuth) -> Tree:
        """The login as a tree, its surroundings and its auth side by side."""
        auth = expand(shared.auth)
        raw = {**self._raw, "auth": self._complete(self._steps(shared.auth, auth), auth, ("auth",))}
        tree = self._members(raw, ())
        return {**tree.pop("auth"), **tree}

    def at_root(self, owner: str, place: Place) -> Place:
        return ("auth", owner, *(place[1:] if place[0] == "auth" else place))


def _bearer(auth: PipelineAuth) -> Iterator[InjectTable]:
    """Where the credential goes when the profile does not say: the token of the step that no other needs."""
    needed = {parent for step in auth.steps.values() for parent in needs(step)}
    for name in auth.steps:
        if name not in needed:
            yield InjectTable(in_="header", name="Authorization", value=f"Bearer ${{steps.{name}.token}}")


def _items(table: Any) -> Iterator[tuple[str, Any]]:
    """The keys of a table with their values, in the order of the schema."""
    return (
        (item.metadata.get("name", item.name), getattr(table, item.name))
        for item in fields(table)
        if "internal" not in item.metadata
    )


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


def values(node: Any) -> Any:
    """The tree without its origins."""
    if isinstance(node, dict):
        return {key: values(inner) for key, inner in node.items()}
    return [values(inner) for inner in node] if isinstance(node, list) else node.value
