"""What the keys of a table must be to each other, as the JSON Schema says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..login.definition import (
    ConditionTable,
    ExpiresTable,
    ExtractTable,
    InjectTable,
    RequestTable,
    UntilTable,
    WhenTable,
)
from . import oauth2
from .json_schema_values import BREAK, HEADER, Schema
from .schema import (
    NEEDED_BY_STORAGE,
    STORAGE_KEYS,
    ApiKeyAuth,
    OAuth2Auth,
    PaginationTable,
    ProfileTable,
    SavedRequest,
    TokensTable,
)

_NEVER: Schema = {"not": {}}


def any_of(*names: str) -> Schema:
    """At least one of these keys is there."""
    return {"anyOf": [{"required": [name]} for name in names]}


def _one(*names: str) -> Schema:
    return {"oneOf": [{"required": [name]} for name in names]}


def meets(key: str, value: Any) -> Schema:
    """The key is there, and has this value."""
    return {"properties": {key: {"const": value}}, "required": [key]}


def first_of(cases: Iterable[tuple[Schema, Schema]], otherwise: Schema | None = None) -> Schema:
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
            then |= {"if": any_of("client_auth"), "else": {"required": ["client_secret"]}}
        grants.append((meets("grant", grant), then))
    if not whole:
        return first_of(grants)
    proofs = [(meets("client_auth", way), {"required": list(names)}) for way, names in oauth2.PROOFS.items()]
    # A secret alone goes into Basic, which has the client's name too.
    secret: Schema = {
        "if": {"required": ["client_auth"]},
        "else": {"dependentRequired": {"client_secret": ["client_id"]}},
    }
    return {**first_of(grants), "dependentSchemas": {"grant": first_of(proofs, secret)}}


def _expires_rule(whole: bool) -> Schema:
    return {
        **_one("in", "at", "output", "jwt", "cookie", "ttl"),
        "dependentRequired": {"from": ["in"]},
        "dependentSchemas": {"unit": any_of("at", "output")},
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
    return first_of(
        [
            (meets("in", "base_url"), {"properties": {"name": _NEVER, **text}, "required": ["value"]}),
            (
                meets("in", "client_cert"),
                {"properties": {"name": _NEVER, "value": {"type": "object"}}, "required": ["value"]},
            ),
            (meets("in", "cookies"), {"properties": {"value": _NEVER}, "required": ["name"]}),
            (meets("in", "basic"), {"properties": {**user, **text}, "required": pair}),
            (
                meets("in", "header"),
                {
                    "properties": {
                        "name": {"pattern": HEADER},
                        "value": {"type": "string", "not": {"pattern": BREAK}},
                    },
                    "required": pair,
                },
            ),
            (
                meets("in", "cookie"),
                {
                    "properties": {"name": {"$ref": "#/$defs/cookieName"}, "value": {"$ref": "#/$defs/cookie"}},
                    "required": pair,
                },
            ),
            (
                meets("in", "query"),
                {"properties": {"name": {"not": {"pattern": BREAK}}, **text}, "required": pair},
            ),
        ],
        {"properties": text, "required": pair},
    )


def _api_key_rule(whole: bool) -> Schema:
    cookie = {"name": {"$ref": "#/$defs/cookieName"}, "key": {"$ref": "#/$defs/cookie"}}
    return first_of(
        [(meets("in", "query"), {}), (meets("in", "cookie"), {"properties": cookie})],
        {"properties": {"name": {"pattern": HEADER}}},
    )


def _condition_rule(whole: bool) -> Schema:
    return any_of("equals", "in", "not", "exists", "matches") if whole else {}


def _when_rule(whole: bool) -> Schema:
    return {"minProperties": 1}


def _tokens_rule(whole: bool) -> Schema:
    every = {name for names in STORAGE_KEYS.values() for name in names}
    cases: list[tuple[Schema, Schema]] = []
    for storage, own in STORAGE_KEYS.items():
        # `file` is also what it is without being said; a parent may say otherwise.
        said = meets("storage", storage)
        condition = {"properties": said["properties"]} if whole and storage == "file" else said
        then: Schema = {"properties": dict.fromkeys(sorted(every.difference(own)), _NEVER)}
        if whole and storage in NEEDED_BY_STORAGE:
            then["required"] = list(NEEDED_BY_STORAGE[storage])
        cases.append((condition, then))
    return first_of(cases)


def _pagination_rule(whole: bool) -> Schema:
    link = meets("type", "link")
    condition = {"properties": link["properties"]} if whole else link
    return {
        **first_of(
            [
                (condition, {"properties": {"param": _NEVER, "start": _NEVER}}),
                (
                    meets("type", "cursor"),
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
    auth = {"auth": {"type": "object", **meets("client_auth", "tls")}}
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
