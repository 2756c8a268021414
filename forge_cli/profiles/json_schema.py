"""The profile format as a JSON Schema, for editors: made from the tables that the reader reads."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..login.definition import StepTable
from ..login.sign import SIGNERS
from ..login.steps import STEPS
from ..registry import Registry
from ..retry import RETRIES
from ..tokens.storage import STORAGES
from .json_schema_rules import RULES, any_of, first_of, meets
from .json_schema_values import DEFINITIONS, LABELS, NAMES, NARROWER, SIMPLE, UNITS, Schema
from .reader import hints_of
from .schema import Auth, CompositeAuth, FileTable, OAuth2Auth, ProfileTable, SharedTable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:forge-http:profiles:1"
_PROFILE_NAME = "^[A-Za-z0-9._-]{1,64}$"
_OWN_CLASS = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
_EXAMPLES: Sequence[Schema] = (
    {
        "default_profile": "prod",
        "profiles": {
            "prod": {
                "base_url": "https://api.example.com/v1",
                "secrets": {"api_token": {"env": "EXAMPLE_TOKEN"}},
                "auth": {"type": "bearer", "token": "${secrets.api_token}"},
            }
        },
    },
)


def schema() -> Schema:
    """The whole schema.

    What editors that complete keys can follow, `$ref`, `anyOf` and `properties`, says which keys there are; what
    they only check stands in `if`, `then` and `else`, which also gives an error its exact place.
    """
    return _Schema().made()


class _Schema:
    """Makes the schema; `whole` is False for a table that others may complete."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = dict(DEFINITIONS)

    def made(self) -> Schema:
        root = self._object(FileTable, True)
        root["properties"]["profiles"] |= {
            "propertyNames": {"pattern": _PROFILE_NAME},
            "additionalProperties": self._profile(),
        }
        root["properties"]["auth"] |= {**NAMES, "additionalProperties": self._shared()}
        return {
            "$schema": DIALECT,
            "$id": ID,
            "title": "forge profiles",
            **root,
            "description": "Where APIs are, how to log in to them, and how to send.",
            "examples": list(_EXAMPLES),
            "$defs": dict(sorted(self.definitions.items())),
        }

    def _profile(self) -> Schema:
        """One profile: whole, or the part that it adds to its parent or leaves to its children."""

        def made() -> Schema:
            family = {"anyOf": [{"required": ["extends"]}, meets("abstract", True)]}
            part, whole = self._table(ProfileTable, False), self._table(ProfileTable, True)
            return {"type": "object", "anyOf": [whole, {}], "if": family, "then": part, "else": whole}

        return self._defined("Profile", made)

    def _shared(self) -> Schema:
        """A shared login: its surroundings and its auth side by side."""

        def made() -> Schema:
            around = self._object(SharedTable, True)["properties"]
            cases = []
            members = [cls for cls in get_args(Auth) if cls is not CompositeAuth]
            for name, cls in _types(members).items():
                table = self._object(cls, True)
                if cls is OAuth2Auth:
                    table["properties"]["client_auth"]["not"] = {"const": "tls"}  # it has no certificate
                cases.append((meets("type", name), {**table, "properties": {**around, **table["properties"]}}))
            union = self._members(members, "type")
            union["properties"] |= around
            return {"description": "A shared login, [auth.NAME].", **union, **first_of(cases)}

        return self._defined("SharedAuth", made)

    def _defined(self, name: str, make: Callable[[], Schema]) -> Schema:
        """A reference to a definition, which is made once; it may refer to itself."""
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _table(self, cls: Any, whole: bool) -> Schema:
        name = cls.__name__ if whole else f"{cls.__name__}Part"
        return self._defined(name, lambda: self._object(cls, whole))

    def _object(self, cls: Any, whole: bool) -> Schema:
        """A table: its keys, and no others."""
        hints = hints_of(cls)
        items = {item.metadata.get("name", item.name): item for item in fields(cls)}
        # What a child says of these replaces what its parent said.
        properties = {
            name: self._key(cls, item, hints[item.name], whole or name in ("extract", "expires"))
            for name, item in items.items()
        }
        required = [name for name, item in items.items() if not _optional(item)] if whole else []
        rule = RULES.get(cls)
        return {
            "description": _first_paragraph(cls),
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **(rule(whole) if rule else {}),
        }

    def _key(self, cls: Any, item: Field[Any], hint: Any, whole: bool) -> Schema:
        made = self._of(hint, whole)
        for table in cls.__mro__:
            made = {**made, **NARROWER.get((table, item.name), {})}
        default = item.default
        said: Schema = {"description": f"{item.metadata.get('help', '')}{_unit(hint)}"}
        if default is not MISSING and default is not None and default != ():
            said["default"] = list(default) if isinstance(default, tuple) else default
        if item.name == "extract" and issubclass(cls, StepTable):
            made = {**made, **NAMES, "required": ["token"], "examples": [{"token": "/access_token"}]}
        return {**said, **made}

    def _of(self, hint: Any, whole: bool) -> Schema:
        """The values of a type hint."""
        if hint in SIMPLE:
            return dict(SIMPLE[hint])
        if is_dataclass(hint):
            return self._table(hint, whole)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._labelled(arguments[0], arguments[1], whole)
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
        if origin is tuple:
            # An array replaces its parent's.
            return {"type": "array", "items": self._of(arguments[0], True)}
        if origin in (Union, UnionType):
            return self._union([member for member in arguments if member is not NoneType], whole)
        keys = {} if arguments[0] is str else {"propertyNames": self._of(arguments[0], whole)}
        return {"type": "object", "additionalProperties": self._of(arguments[1], whole), **keys}

    def _labelled(self, inner: Any, label: str, whole: bool) -> Schema:
        match label:
            case "step":
                return self._step(whole)
            case "signature":
                return self._tagged("Signature", [SIGNERS.load(name) for name in SIGNERS], whole)
            case "secret":
                return self._union(get_args(inner), True)
            case "storage":
                return _row(STORAGES, but=("django",))
            case "retry strategy":
                return _row(RETRIES)
            case "profile":
                return {"type": "object"}
        return dict(LABELS[label])

    def _union(self, members: Sequence[Any], whole: bool) -> Schema:
        tables = [member for member in members if is_dataclass(member)]
        others = [self._of(member, whole) for member in members if not is_dataclass(member)]
        if not tables:
            return others[0] if len(others) == 1 else {"anyOf": others}
        if len(tables) == 1:
            table = self._table(tables[0], whole)
        else:
            table = self._tagged("Auth", tables, whole) if _types(tables) else self._by_first(tables)
        if not others:
            return table
        # The one that always holds: what is wrong is told by `then` and `else`, at its place.
        return {"anyOf": [table, {}], "if": {"type": "object"}, "then": table, "else": _either(others)}

    def _by_first(self, classes: Sequence[Any]) -> Schema:
        """One of several tables, which the first key of each tells apart."""
        names = {fields(cls)[0].name: cls for cls in classes}
        common = [
            name for name, cls in names.items() for other in classes if other is not cls and name in hints_of(other)
        ]
        rows = sorted(names.items(), key=lambda row: row[0] in common)
        cases = [({"required": [name]}, self._table(cls, True)) for name, cls in rows]
        completed = [*(self._table(cls, True) for cls in classes), {}]
        return {"type": "object", "anyOf": completed, **first_of(cases, any_of(*names))}

    def _tagged(self, name: str, classes: Sequence[Any], whole: bool) -> Schema:
        """One of several tables, which `type` tells apart."""

        def made() -> Schema:
            cases = [(meets("type", tag), self._table(cls, whole)) for tag, cls in _types(classes).items()]
            untold = None if whole else self._members(classes, "type", whole, checked=True)
            return {**self._members(classes, "type", whole), **first_of(cases, untold)}

        return self._defined(name if whole else f"{name}Part", made)

    def _step(self, whole: bool) -> Schema:
        """A step. One of a class of the person's own may have any keys."""

        def made() -> Schema:
            classes = {name: STEPS.load(name) for name in STEPS}
            members = self._members(classes.values(), "kind", whole)
            own = {"properties": {"kind": {"pattern": _OWN_CLASS}}, "required": ["kind"]}
            kind = {"description": "the kind of step", "default": "http", **_row(STEPS)}
            cases = [(meets("kind", name), self._table(cls, whole)) for name, cls in classes.items()]
            common = self._object(StepTable, whole)["properties"]
            anything = {"properties": {name: item for name, item in common.items() if name != "kind"}}
            untold = self._table(classes["http"], True)
            if not whole:
                untold = self._members(classes.values(), "kind", whole, checked=True)
            keys = {"type": "object", "properties": {**members["properties"], "kind": kind}}
            return {"description": "A step of a login.", **keys, **first_of([*cases, (own, anything)], untold)}

        return self._defined("Step" if whole else "StepPart", made)

    def _members(self, classes: Iterable[Any], tag: str, whole: bool = True, *, checked: bool = False) -> Schema:
        """All keys that one of several tables may have; what they hold is left to each table unless `checked`."""
        found: dict[str, list[Schema]] = {}
        for cls in classes:
            for name, item in self._object(cls, whole)["properties"].items():
                found.setdefault(name, []).append(item)
        always: list[Schema] = [] if checked else [{}]
        properties = {name: _explained(items, _either([*items, *always])) for name, items in found.items()}
        if tag == "type":
            properties[tag] = {"description": "which of them it is", "enum": list(_types(classes))}
        return {
            "type": "object",
            "properties": properties,
            **({"required": [tag]} if whole else {}),
            "additionalProperties": False,
        }


def _explained(items: Sequence[Schema], made: Schema) -> Schema:
    """A key of several tables with what each of them says of it: editors show what stands beside `anyOf`."""
    texts = dict.fromkeys(item["description"] for item in items if item.get("description"))
    return {"description": "; or: ".join(texts), **made} if texts else made


def _unit(hint: Any) -> str:
    """What a number here counts, where the hint's label says it."""
    labels = {argument for argument in get_args(hint) if isinstance(argument, str)}
    labels |= {label for member in get_args(hint) for label in get_args(member) if isinstance(label, str)}
    return next((text for label, text in UNITS.items() if label in labels), "")


def _either(items: Sequence[Schema]) -> Schema:
    different = [item for at, item in enumerate(items) if item not in items[:at]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _types(classes: Iterable[Any]) -> dict[str, Any]:
    """The tables by the `type` that each of them is."""
    return {get_args(hints_of(cls)["type"])[0]: cls for cls in classes for item in fields(cls) if item.name == "type"}


def _row(registry: Registry, *, but: Sequence[str] = ()) -> Schema:
    """A row of a table, or a class of the person's own where that may be named."""
    rows: Schema = {"enum": [name for name in registry if name not in but]}
    return {"anyOf": [rows, {"type": "string", "pattern": _OWN_CLASS}]} if "package.module:Class" in registry else rows


def _optional(item: Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING


def _first_paragraph(cls: Any) -> str:
    return re.sub(r"\s+", " ", (inspect.getdoc(cls) or "").split("\n\n")[0])
