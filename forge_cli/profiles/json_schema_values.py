"""What the keys of a profile take, as pieces of its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..login.definition import ExtractTable, RequestTable, StepTable, SuccessTable, WhenTable
from ..login.filters import FILTERS
from .schema import BasicAuth, CompositeAuth, PipelineAuth, ProfileTable, ProxyTable, SharedTable

Schema = dict[str, Any]

_NAME = "^[A-Za-z0-9_-]{1,64}$"
HEADER = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$|\$\{"
# Without an end: in some dialects `$` also stands before a last line break.
BREAK = r"[\r\n\u0000]"
_METHOD = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_POINTER = "^(?:/(?:[^~]|~[01])*)?$"
_LONGEST = 3_153_600_000
_LARGEST_COUNT = 1_000_000

_TEXT: Schema = {"type": "string", "not": {"pattern": r"\u0000"}}
_PLAIN_TEXT: Schema = {"type": "string", "pattern": r"^(?:[^$]|\$+(?:[^${]|$))*$"}


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


DEFINITIONS: Mapping[str, Schema] = {
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
    "header": {"type": "string", "not": {"pattern": BREAK}, **_then("template")},
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


LABELS: Mapping[str, Schema] = {
    "template": {"type": "string", **_then("template")},
    "tree": _then("tree"),
    "predicate": _then("test"),
    "status test": _then("status"),
    "header text": {"type": "string", **_then("header")},
    "query name": {"not": {"pattern": BREAK}},
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
UNITS: Mapping[str, str] = {
    "duration": " (seconds, or text such as 90s, 25m, 12h, 30d)",
    "size": " (bytes, or text such as 100 MiB)",
}
SIMPLE: Mapping[Any, Schema] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}
NAMES: Schema = {"propertyNames": {"pattern": _NAME}}
_HEADERS: Schema = {"propertyNames": {"pattern": HEADER}}
_PROXY: Schema = {
    "anyOf": [{"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}, {"not": {"pattern": "^[A-Za-z][A-Za-z0-9+.-]*://"}}]
}
# A host, and perhaps a port.
_URL: Schema = {
    "pattern": r"^(?:\$\{|[Hh][Tt][Tt][Pp][Ss]?://(?:[^\s/\\?#]*@)?(?:\[[0-9A-Fa-f:.%]+\]|(?:\$\{[^}]*\}|[^\s/\\?#@:\[\]])+)"
    r"(?::(?:\$\{[^}]*\}|[0-9]){0,5})?(?:[/\\?#]|$))"
}
NARROWER: Mapping[tuple[type[Any], str], Schema] = {
    (ProfileTable, "base_url"): {**_URL, **_then("address"), "examples": ["https://api.example.com/v1"]},
    (ProfileTable, "origins"): {"items": {"type": "string", **_URL, **_then("template")}},
    (ProfileTable, "headers"): _HEADERS,
    (ProfileTable, "vars"): NAMES,
    (ProfileTable, "secrets"): NAMES,
    (ProfileTable, "correlation_id"): {"pattern": HEADER, "examples": ["X-Correlation-ID"]},
    (ProxyTable, "http"): _PROXY,
    (ProxyTable, "https"): _PROXY,
    (SharedTable, "base_url"): {**_URL, **_then("address")},
    (SharedTable, "vars"): NAMES,
    (SharedTable, "secrets"): NAMES,
    (PipelineAuth, "steps"): NAMES,
    (BasicAuth, "username"): _then("user"),
    (CompositeAuth, "parts"): {"minItems": 1},
    (StepTable, "values"): NAMES,
    (RequestTable, "headers"): _HEADERS,
    (RequestTable, "basic"): {
        "minItems": 2,
        "maxItems": 2,
        "prefixItems": [{"type": "string", **_then("user")}],
        "examples": [["${vars.client_id}", "${secrets.client_secret}"]],
    },
    (SuccessTable, "header"): _HEADERS,
    (WhenTable, "header"): _HEADERS,
    (ExtractTable, "header"): {"pattern": HEADER},
}
"""What a key takes that its type hint does not say."""
