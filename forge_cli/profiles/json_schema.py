"""The profile format as a JSON Schema, for editors: made from the tables that the reader reads."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..login.definition import (
    ConditionTable,
    ExpiresTable,
    ExtractTable,
    InjectTable,
    RequestTable,
    StepTable,
    SuccessTable,
    UntilTable,
    WhenTable,
)
from ..login.filters import FILTERS
from ..login.sign import SIGNERS
from ..login.steps import STEPS
from ..registry import Registry
from ..retry import RETRIES
from ..tokens.storage import STORAGES
from . import oauth2
from .reader import hints_of
from .schema import (
    NEEDED_BY_STORAGE,
    STORAGE_KEYS,
    ApiKeyAuth,
    Auth,
    BasicAuth,
    CompositeAuth,
    FileTable,
    OAuth2Auth,
    PaginationTable,
    PipelineAuth,
    ProfileTable,
    ProxyTable,
    SavedRequest,
    SharedTable,
    TokensTable,
)

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:forge-http:profiles:1"
_NAME = "^[A-Za-z0-9_-]{1,64}$"
_PROFILE_NAME = "^[A-Za-z0-9._-]{1,64}$"
_OWN_CLASS = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
_HEADER = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$|\$\{"
# Without an end: in some dialects `$` also stands before a last line break.
_BREAK = r"[\r\n\u0000]"
_METHOD = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_POINTER = "^(?:/(?:[^~]|~[01])*)?$"
_LONGEST = 3_153_600_000
_LARGEST_COUNT = 1_000_000

_TEXT: Schema = {"type": "string", "not": {"pattern": r"\u0000"}}
_NEVER: Schema = {"not": {}}
_PLAIN_TEXT: Schema = {"type": "string", "pattern": r"^(?:[^$]|\$+(?:[^${]|$))*$"}


def schema() -> Schema:
    """The whole schema.

    What editors that complete keys can follow, `$ref`, `anyOf` and `properties`, says which keys there are; what
    they only check stands in `if`, `then` and `else`, which also gives an error its exact place.
    """
    return _Schema().made()


def _template(without: str = "") -> str:
    """The grammar of templates as a pattern; `without` are characters that stand nowhere outside ``${…}``."""
    gap, name = r"[ \t\r\n]*", "[A-Za-z0-9_-]+"
    quoted = """(?:"[^"]*"|'[^']*')"""
    reference = rf"{name}(?:\.{name})*"
    offset = r"(?:[ \t\r\n]+[+-][ \t\r\n]+[0-9]{1,12}(?:\.[0-9]{1,6})?)?"
    bare = "|".join(filter for filter, kind in FILTERS.items() if kind.fewest == 0)
    given = "|".join(filter for filter, kind in FILTERS.items() if kind.most > 0)
    called = rf"(?:{given}){gap}\({gap}(?:{quoted}|{reference}){gap}\)"
    branch = rf"{gap}(?:{quoted}|{reference}{offset})(?:{gap}\|{gap}(?:{called}|(?:{bare})))*{gap}"
    text = rf"[^${without}]|\$+(?:[^${{{without}]|$)|\$\$+\{{"
    return rf"^(?:{text}|\$\{{{branch}(?:\?\?{branch})*\}})*$"


def _duration() -> str:
    number = r"[0-9]+(?:\.[0-9]+)?"
    parts = [rf"{number}\s*{unit}\s*" for unit in "dhms"]
    ways = [first + "".join(f"(?:{rest})?" for rest in parts[at + 1 :]) for at, first in enumerate(parts)]
    return rf"^\s*(?:{number}\s*|{'|'.join(ways)})$"


def _then(name: str) -> Schema:
    # Beside a plain `$ref` some editors do not look: the text that explains the key would not be shown.
    return {"if": {}, "then": {"$ref": f"#/$defs/{name}"}}


_DEFINITIONS: Mapping[str, Schema] = {
    "template": {"type": "string", "pattern": _template()},
    "user": {"type": "string", "pattern": _template(":")},
    "address": {"type": "string", "pattern": _template("?#")},
    "cookie": {"type": "string", "pattern": _template(r";\u0000-\u001f\u007f")},
    "cookieName": {"type": "string", "pattern": _template(r"=;\u0000-\u0020\u007f")},
    "tree": {
        "type": ["string", "number", "boolean", "array", "object"],
        "if": {"type": "string"},
        "then": {"$ref": "#/$defs/template"},
        "items": {"$ref": "#/$defs/tree"},
        "additionalProperties": {"$ref": "#/$defs/tree"},
    },
    "header": {"type": "string", "not": {"pattern": _BREAK}, **_then("template")},
    "value": {
        "type": ["string", "number", "boolean", "array", "object"],
        "items": {"$ref": "#/$defs/value"},
        "additionalProperties": {"$ref": "#/$defs/value"},
    },
    "status": {
        "type": ["integer", "array", "object"],
        "minimum": 100,
        "maximum": 599,
        "items": {"type": "integer", "minimum": 100, "maximum": 599},
        "properties": {
            "matches": {"description": "a regular expression found in it", "type": "string", "format": "regex"},
            "in": {
                "description": "it is one of these",
                "type": "array",
                "items": {"type": "integer", "minimum": 100, "maximum": 599},
            },
            "not": {"description": "this test does not hold", **_then("status")},
            "exists": {"description": "whether there is a value", "type": "boolean"},
        },
        "additionalProperties": False,
        "minProperties": 1,
    },
    "test": {
        "type": ["string", "number", "boolean", "array", "object"],
        "items": {"type": ["string", "number", "boolean"]},
        "properties": {
            "matches": {"description": "a regular expression found in it", "type": "string", "format": "regex"},
            "in": {
                "description": "it is one of these",
                "type": "array",
                "items": {"type": ["string", "number", "boolean"]},
            },
            "not": {"description": "this test does not hold", **_then("test")},
            "exists": {"description": "whether there is a value", "type": "boolean"},
        },
        "additionalProperties": False,
        "minProperties": 1,
    },
}
"""What many keys take."""


_LABELS: Mapping[str, Schema] = {
    "template": {"type": "string", **_then("template")},
    "tree": _then("tree"),
    "predicate": _then("test"),
    "status test": _then("status"),
    "header text": {"type": "string", **_then("header")},
    "query name": {"not": {"pattern": _BREAK}},
    "method": {"type": "string", "pattern": _METHOD, "examples": ["GET", "POST"]},
    "value": _then("value"),
    "scalar": {"type": ["string", "number", "boolean"]},
    "duration": {
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": _LONGEST,
        "pattern": _duration(),
        "examples": [30, "90s", "25m", "1h30m", "30d"],
    },
    "size": {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"^\s*[0-9]{1,18}(?:\.[0-9]{1,9})?\s*(?:(?:[kmgtKMGT][iI]?)?[bB])?\s*$",
        "examples": [1048576, "10MB", "100 MiB"],
    },
    "pointer": {"type": "string", "pattern": _POINTER, "examples": ["/access_token", "/data/0/token"]},
    "pattern": {"type": "string", "format": "regex", "examples": ['name="csrf" value="([^"]+)"']},
    "argv": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^(?:[^$\u0000]|\$+(?:[^${\u0000]|$))*$"},
        "prefixItems": [{"type": "string", "minLength": 1, "pattern": r"^(?:[^$\u0000]|\$+(?:[^${\u0000]|$))*$"}],
        "minItems": 1,
        "examples": [["op", "read", "op://vault/item"]],
    },
    "variable": {"type": "string", "pattern": r"^[^=$\u0000]+$", "examples": ["API_TOKEN"]},
    "count": {"type": "integer", "minimum": 0, "maximum": _LARGEST_COUNT},
    "positive count": {"type": "integer", "minimum": 1, "maximum": _LARGEST_COUNT},
    "status": {"type": "integer", "minimum": 100, "maximum": 599},
    "factor": {"type": "number", "minimum": 1},
    "plain": {"type": ["string", "number", "boolean"], "pattern": _PLAIN_TEXT["pattern"]},
}
"""The label of an `Annotated` type hint -> what its values are."""
_UNITS: Mapping[str, str] = {
    "duration": " (seconds, or text such as 90s, 25m, 12h, 30d)",
    "size": " (bytes, or text such as 100 MiB)",
}
_SIMPLE: Mapping[Any, Schema] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}
_NAMES: Schema = {"propertyNames": {"pattern": _NAME}}
_HEADERS: Schema = {"propertyNames": {"pattern": _HEADER}}
_PROXY: Schema = {
    "anyOf": [{"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}, {"not": {"pattern": "^[A-Za-z][A-Za-z0-9+.-]*://"}}]
}
# A host, and perhaps a port.
_URL: Schema = {
    "pattern": r"^(?:\$\{|[Hh][Tt][Tt][Pp][Ss]?://(?:[^\s/\\?#]*@)?(?:\[[0-9A-Fa-f:.%]+\]|(?:\$\{[^}]*\}|[^\s/\\?#@:\[\]])+)"
    r"(?::(?:\$\{[^}]*\}|[0-9]){0,5})?(?:[/\\?#]|$))"
}
_NARROWER: Mapping[tuple[type[Any], str], Schema] = {
    (ProfileTable, "base_url"): {**_URL, **_then("address"), "examples": ["https://api.example.com/v1"]},
    (ProfileTable, "origins"): {"items": {"type": "string", **_URL, **_then("template")}},
    (ProfileTable, "headers"): _HEADERS,
    (ProfileTable, "vars"): _NAMES,
    (ProfileTable, "secrets"): _NAMES,
    (ProfileTable, "correlation_id"): {"pattern": _HEADER, "examples": ["X-Correlation-ID"]},
    (ProxyTable, "http"): _PROXY,
    (ProxyTable, "https"): _PROXY,
    (SharedTable, "base_url"): {**_URL, **_then("address")},
    (SharedTable, "vars"): _NAMES,
    (SharedTable, "secrets"): _NAMES,
    (PipelineAuth, "steps"): _NAMES,
    (BasicAuth, "username"): _then("user"),
    (CompositeAuth, "parts"): {"minItems": 1},
    (StepTable, "values"): _NAMES,
    (RequestTable, "headers"): _HEADERS,
    (RequestTable, "basic"): {
        "minItems": 2,
        "maxItems": 2,
        "prefixItems": [{"type": "string", **_then("user")}],
        "examples": [["${vars.client_id}", "${secrets.client_secret}"]],
    },
    (SuccessTable, "header"): _HEADERS,
    (WhenTable, "header"): _HEADERS,
    (ExtractTable, "header"): {"pattern": _HEADER},
}
"""What a key takes that its type hint does not say."""


def _any(*names: str) -> Schema:
    return {"anyOf": [{"required": [name]} for name in names]}


def _one(*names: str) -> Schema:
    return {"oneOf": [{"required": [name]} for name in names]}


def _is(key: str, value: Any) -> Schema:
    return {"properties": {key: {"const": value}}, "required": [key]}


def _cases(cases: Iterable[tuple[Schema, Schema]], otherwise: Schema | None = None) -> Schema:
    """The first case that a table meets decides what else it must be."""
    result = otherwise or {}
    for condition, then in reversed(list(cases)):
        result = {"if": condition, "then": then, **({"else": result} if result else {})}
    return result


def _at_most_one(*names: str) -> Schema:
    pairs = [[one, other] for at, one in enumerate(names) for other in names[at + 1 :]]
    return {"not": {"anyOf": [{"required": pair} for pair in pairs]}}


def _request_rule(whole: bool) -> Schema:
    return _at_most_one("form", "json", "text", "multipart")


def _oauth2_rule(whole: bool) -> Schema:
    grants: list[tuple[Schema, Schema]] = []
    for grant in oauth2.GRANTS:
        wrong = [name for name, right in oauth2.KEYS_OF.items() if grant not in right]
        then: Schema = {"properties": dict.fromkeys(wrong, _NEVER)}
        if whole:
            needed = ("token_url", *oauth2.NEEDED.get(grant, ()))
            here = [name for name in needed if name in oauth2.FROM_METADATA]
            then["required"] = [name for name in needed if name not in oauth2.FROM_METADATA]
            then["anyOf"] = [{"required": here}, {"required": ["issuer"]}]
        if whole and grant == "client-credentials":
            then |= {"if": _any("client_auth"), "else": {"required": ["client_secret"]}}
        grants.append((_is("grant", grant), then))
    if not whole:
        return _cases(grants)
    proofs = [(_is("client_auth", way), {"required": list(names)}) for way, names in oauth2.PROOFS.items()]
    # A secret alone goes into Basic, which has the client's name too.
    secret: Schema = {
        "if": {"required": ["client_auth"]},
        "else": {"dependentRequired": {"client_secret": ["client_id"]}},
    }
    return {**_cases(grants), "dependentSchemas": {"grant": _cases(proofs, secret)}}


def _expires_rule(whole: bool) -> Schema:
    return {
        **_one("in", "at", "output", "jwt", "cookie", "ttl"),
        "dependentRequired": {"from": ["in"]},
        "dependentSchemas": {"unit": _any("at", "output")},
    }


def _until_rule(whole: bool) -> Schema:
    return {**_one("in", "at", "ttl"), "dependentRequired": {"unit": ["at"]}} if whole else {}


def _extract_rule(whole: bool) -> Schema:
    return {
        **_one("pointer", "header", "cookie", "regex", "xml", "body", "value"),
        "dependentRequired": {"where": ["pointer"], "each": ["pointer"], "param": ["header"]},
    }


def _inject_rule(whole: bool) -> Schema:
    text = {"value": {"type": "string"}}
    user = {"name": {"$ref": "#/$defs/user"}}
    pair = ["name", "value"]
    return _cases(
        [
            (_is("in", "base_url"), {"properties": {"name": _NEVER, **text}, "required": ["value"]}),
            (
                _is("in", "client_cert"),
                {"properties": {"name": _NEVER, "value": {"type": "object"}}, "required": ["value"]},
            ),
            (_is("in", "cookies"), {"properties": {"value": _NEVER}, "required": ["name"]}),
            (_is("in", "basic"), {"properties": {**user, **text}, "required": pair}),
            (
                _is("in", "header"),
                {
                    "properties": {
                        "name": {"pattern": _HEADER},
                        "value": {"type": "string", "not": {"pattern": _BREAK}},
                    },
                    "required": pair,
                },
            ),
            (
                _is("in", "cookie"),
                {
                    "properties": {"name": {"$ref": "#/$defs/cookieName"}, "value": {"$ref": "#/$defs/cookie"}},
                    "required": pair,
                },
            ),
            (
                _is("in", "query"),
                {"properties": {"name": {"not": {"pattern": _BREAK}}, **text}, "required": pair},
            ),
        ],
        {"properties": text, "required": pair},
    )


def _api_key_rule(whole: bool) -> Schema:
    cookie = {"name": {"$ref": "#/$defs/cookieName"}, "key": {"$ref": "#/$defs/cookie"}}
    return _cases(
        [(_is("in", "query"), {}), (_is("in", "cookie"), {"properties": cookie})],
        {"properties": {"name": {"pattern": _HEADER}}},
    )


def _condition_rule(whole: bool) -> Schema:
    return _any("equals", "in", "not", "exists", "matches") if whole else {}


def _when_rule(whole: bool) -> Schema:
    return {"minProperties": 1}


def _tokens_rule(whole: bool) -> Schema:
    every = {name for names in STORAGE_KEYS.values() for name in names}
    cases: list[tuple[Schema, Schema]] = []
    for storage, own in STORAGE_KEYS.items():
        # `file` is also what it is without being said; a parent may say otherwise.
        said = _is("storage", storage)
        condition = {"properties": said["properties"]} if whole and storage == "file" else said
        then: Schema = {"properties": dict.fromkeys(sorted(every.difference(own)), _NEVER)}
        if whole and storage in NEEDED_BY_STORAGE:
            then["required"] = list(NEEDED_BY_STORAGE[storage])
        cases.append((condition, then))
    return _cases(cases)


def _pagination_rule(whole: bool) -> Schema:
    link = _is("type", "link")
    condition = {"properties": link["properties"]} if whole else link
    return {
        **_cases(
            [
                (condition, {"properties": {"param": _NEVER, "start": _NEVER}}),
                (
                    _is("type", "cursor"),
                    {"properties": {"start": _NEVER}, **({"required": ["pointer"]} if whole else {})},
                ),
            ],
            {"properties": {"pointer": _NEVER}} if whole else {},
        ),
        **({"dependentRequired": {"size_param": ["size"]}} if whole else {}),
    }


def _saved_rule(whole: bool) -> Schema:
    return _at_most_one("json", "form", "text")


def _profile_rule(whole: bool) -> Schema:
    """Who is known by a certificate has one; a parent or a child may have it."""
    auth = {"auth": {"type": "object", **_is("client_auth", "tls")}}
    known: Schema = {"if": {"properties": auth, "required": ["auth"]}, "then": {"required": ["client_cert"]}}
    return known if whole else {}


RULES: Mapping[type[Any], Callable[[bool], Schema]] = {
    ProfileTable: _profile_rule,
    RequestTable: _request_rule,
    OAuth2Auth: _oauth2_rule,
    ApiKeyAuth: _api_key_rule,
    ConditionTable: _condition_rule,
    ExtractTable: _extract_rule,
    ExpiresTable: _expires_rule,
    UntilTable: _until_rule,
    InjectTable: _inject_rule,
    WhenTable: _when_rule,
    TokensTable: _tokens_rule,
    PaginationTable: _pagination_rule,
    SavedRequest: _saved_rule,
}
"""What the keys of a table must be to each other: of one that is whole, or of a part that is laid over another."""
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


class _Schema:
    """Makes the schema; `whole` is False for a table that others may complete."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = dict(_DEFINITIONS)

    def made(self) -> Schema:
        root = self._object(FileTable, True)
        root["properties"]["profiles"] |= {
            "propertyNames": {"pattern": _PROFILE_NAME},
            "additionalProperties": self._profile(),
        }
        root["properties"]["auth"] |= {**_NAMES, "additionalProperties": self._shared()}
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
            family = {"anyOf": [{"required": ["extends"]}, _is("abstract", True)]}
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
                cases.append((_is("type", name), {**table, "properties": {**around, **table["properties"]}}))
            union = self._members(members, "type")
            union["properties"] |= around
            return {"description": "A shared login, [auth.NAME].", **union, **_cases(cases)}

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
            made = {**made, **_NARROWER.get((table, item.name), {})}
        default = item.default
        said: Schema = {"description": f"{item.metadata.get('help', '')}{_unit(hint)}"}
        if default is not MISSING and default is not None and default != ():
            said["default"] = list(default) if isinstance(default, tuple) else default
        if item.name == "extract" and issubclass(cls, StepTable):
            made = {**made, **_NAMES, "required": ["token"], "examples": [{"token": "/access_token"}]}
        return {**said, **made}

    def _of(self, hint: Any, whole: bool) -> Schema:
        """The values of a type hint."""
        if hint in _SIMPLE:
            return dict(_SIMPLE[hint])
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
        return dict(_LABELS[label])

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
        return {"type": "object", "anyOf": completed, **_cases(cases, _any(*names))}

    def _tagged(self, name: str, classes: Sequence[Any], whole: bool) -> Schema:
        """One of several tables, which `type` tells apart."""

        def made() -> Schema:
            cases = [(_is("type", tag), self._table(cls, whole)) for tag, cls in _types(classes).items()]
            untold = None if whole else self._members(classes, "type", whole, checked=True)
            return {**self._members(classes, "type", whole), **_cases(cases, untold)}

        return self._defined(name if whole else f"{name}Part", made)

    def _step(self, whole: bool) -> Schema:
        """A step. One of a class of the person's own may have any keys."""

        def made() -> Schema:
            classes = {name: STEPS.load(name) for name in STEPS}
            members = self._members(classes.values(), "kind", whole)
            own = {"properties": {"kind": {"pattern": _OWN_CLASS}}, "required": ["kind"]}
            kind = {"description": "the kind of step", "default": "http", **_row(STEPS)}
            cases = [(_is("kind", name), self._table(cls, whole)) for name, cls in classes.items()]
            common = self._object(StepTable, whole)["properties"]
            anything = {"properties": {name: item for name, item in common.items() if name != "kind"}}
            untold = self._table(classes["http"], True)
            if not whole:
                untold = self._members(classes.values(), "kind", whole, checked=True)
            keys = {"type": "object", "properties": {**members["properties"], "kind": kind}}
            return {"description": "A step of a login.", **keys, **_cases([*cases, (own, anything)], untold)}

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
    return next((text for label, text in _UNITS.items() if label in labels), "")


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
