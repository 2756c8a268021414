"""TOML tables into dataclasses: one reader for all, driven by type hints, that reports every problem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import ProfileError
from ..login.definition import (
    ConditionTable,
    ExpiresTable,
    ExtractTable,
    InjectTable,
    Pointer,
    RequestTable,
    UntilTable,
    WhenTable,
)
from ..login.sign import SIGNERS
from ..login.steps import STEPS
from ..login.template import nearest
from ..registry import Registry
from . import oauth2
from .kinds import (
    ARRAY,
    BOOLEAN,
    BREAK,
    FLOAT,
    INTEGER,
    INVALID,
    LABELS,
    SHAPES,
    TABLE,
    TEXT,
    Kind,
    Problem,
    Reading,
    Use,
    as_it_is,
    number,
    text,
    unknown,
    written,
)
from .positions import Path
from .schema import (
    NEEDED_BY_STORAGE,
    STORAGE_KEYS,
    Auth,
    BasicAuth,
    CompositeAuth,
    OAuth2Auth,
    PaginationTable,
    SavedRequest,
    SharedAuth,
    SharedTable,
    TokensTable,
)

T = TypeVar("T")


def read(cls: type[T], table: Any, path: Path, problems: list[Problem], templates: list[Use] | None = None) -> T | None:
    """The table as an instance of the dataclass, or None with the reasons added to `problems`.

    The templates that refer to something are added to `templates`.
    """
    reading = Reading(problems, [] if templates is None else templates)
    value = _table(cls).apply(table, path, reading)
    return None if value is INVALID else value


def read_shared(
    table: Mapping[str, Any], path: Path, problems: list[Problem], templates: list[Use]
) -> SharedAuth | None:
    """A shared login, whose table holds its surroundings and its auth side by side."""
    reading = Reading(problems, templates)
    around = {name: value for name, value in table.items() if name in _plan(SharedTable)}
    rest = {name: value for name, value in table.items() if name not in around}
    settings = _table(SharedTable).apply(around, path, reading)
    auth = _kind(Auth).apply(rest, path, reading)
    return None if settings is INVALID or auth is INVALID else SharedAuth(settings=settings, auth=auth)


class _Key(NamedTuple):
    attribute: str
    kind: Kind
    required: bool


def _table(cls: Any) -> Kind:
    def read_table(value: Mapping[str, Any], path: Path, reading: Reading) -> Any:
        # The plan is made at the first use, not with the kind: tables may hold themselves.
        plan = _plan(cls)
        arguments: dict[str, Any] = {}
        for name, item in value.items():
            if (known := plan.get(name)) is None:
                arguments[""] = reading.problem((*path, name), f"unknown key {unknown(name, plan)}")
            else:
                arguments[known.attribute] = known.kind.apply(item, (*path, name), reading)
        for name, known in plan.items():
            if known.required and name not in value:
                arguments[""] = reading.problem(path, f"missing key: {name}", missing=True)
        if (rule := RULES.get(cls)) and (trouble := rule(value)):
            arguments[""] = reading.problem(path, trouble, missing=trouble.startswith("missing key"))
        return INVALID if any(argument is INVALID for argument in arguments.values()) else cls(**arguments)

    return Kind((TABLE,), read_table, _WORDS.get(cls))


@cache
def _plan(cls: Any) -> Mapping[str, _Key]:
    hints = hints_of(cls)
    plan = {}
    for item in fields(cls):
        required = item.default is MISSING and item.default_factory is MISSING
        plan[item.metadata.get("name", item.name)] = _Key(item.name, _kind(hints[item.name]), required)
    return plan


def keys(cls: Any) -> Collection[str]:
    """The keys of a table."""
    return _plan(cls).keys()


def hints_of(cls: Any) -> Mapping[str, Any]:
    """What each key of a table takes, by its attribute: the type hints, with the labels of those that have one."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: _HINTS.get((cls, name), hint) for name, hint in hints.items()}


@cache
def _kind(hint: Any) -> Kind:
    if (simple := _SIMPLE.get(hint)) is not None:
        return simple
    if is_dataclass(hint):
        return _table(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _labelled(*arguments)
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple:
        return _array(_kind(arguments[0]))
    if origin in (Union, UnionType):
        return _union([member for member in arguments if member is not NoneType])
    # A name may be anything here: where it may not, that is said of the place.
    names = Kind((TEXT,), as_it_is) if arguments[0] is str else _kind(arguments[0])
    return _mapping(names, _kind(arguments[1]))


def _labelled(inner: Any, label: str) -> Kind:
    if label == "step":
        return Kind((TABLE,), _row_of(STEPS, "kind", "http"))
    if label == "signature":
        return Kind((TABLE,), _row_of(SIGNERS, "type", None))
    if label == "secret":
        return Kind((TABLE, TEXT), _secret(_kind(inner)), "a table such as { env = … }")
    return LABELS[label]


def _literal(choices: Sequence[Any]) -> Kind:
    shape = SHAPES[type(choices[0])]
    wanted = repr(choices[0]) if len(choices) == 1 else f"one of: {', '.join(map(str, choices))}"

    def check(value: Any, path: Path, reading: Reading) -> Any:
        if value in choices:
            return value
        near = _near(value, choices) if isinstance(value, str) else None
        return reading.problem(path, f"must be {wanted}" + (f" (nearest: {near})" if near else ""))

    return Kind((shape,), check, wanted)


def _near(word: str, choices: Sequence[str]) -> str | None:
    """The choice that was meant: the nearest, else the longest that the word begins with (iso8601, seconds)."""
    begun = [choice for choice in choices if word.lower().startswith(choice)]
    return nearest(word, choices) or max(begun, key=len, default=None)


def _array(inner: Kind) -> Kind:
    def read_array(value: Sequence[Any], path: Path, reading: Reading) -> Any:
        items = tuple([inner.apply(item, (*path, index), reading) for index, item in enumerate(value)])
        return INVALID if any(item is INVALID for item in items) else items

    return Kind((ARRAY,), read_array)


def _mapping(name: Kind, inner: Kind) -> Kind:
    def read_mapping(value: Mapping[str, Any], path: Path, reading: Reading) -> Any:
        result = {}
        good = True
        for key, item in value.items():
            here = (*path, key)
            result[key] = inner.apply(item, here, reading)
            good &= name.read(key, here, reading) is not INVALID and result[key] is not INVALID
        return result if good else INVALID

    return Kind((TABLE,), read_mapping)


def _union(members: Sequence[Any]) -> Kind:
    tables: list[Any] = [member for member in members if is_dataclass(member)]
    kinds = [_kind(member) for member in members if not is_dataclass(member)]
    if tables:
        kinds.append(_table(tables[0]) if len(tables) == 1 else Kind((TABLE,), _tagged(tables)))
    by_shape = {shape: kind for kind in reversed(kinds) for shape in kind.shapes}

    def read_member(value: Any, path: Path, reading: Reading) -> Any:
        return by_shape[SHAPES[type(value)]].read(value, path, reading)

    return Kind(tuple(by_shape), read_member, " or ".join(dict.fromkeys(kind.wanted for kind in kinds)))


def _tagged(classes: Sequence[type[Any]]) -> Callable[[Any, Path, Reading], Any]:
    """One of several tables: told apart by the `type` that each has as its default, else by their first keys."""
    firsts: dict[str, Any] = {fields(cls)[0].name: cls for cls in classes}
    types = {str(item.default): cls for cls in classes for item in fields(cls) if item.name == "type"}

    def by_type(value: Mapping[str, Any], path: Path, reading: Reading) -> Any:
        tag = value.get("type")
        if tag is None:
            return reading.problem(path, f"missing key: type (one of: {', '.join(types)})", missing=True)
        if not isinstance(tag, str) or tag not in types:
            return reading.problem((*path, "type"), f"unknown type {unknown(str(tag), types)}")
        return _table(types[tag]).read(value, path, reading)

    def by_first(value: Mapping[str, Any], path: Path, reading: Reading) -> Any:
        named = [name for name in firsts if name in value]
        # `env` is a kind of secret, and a further key of another kind.
        present = [name for name in named if not any(name in _plan(firsts[other]) for other in named if other != name)]
        if len(present) != 1:
            wrong = [name for name in value if nearest(name, firsts)]
            if wrong and not present:
                return reading.problem((*path, wrong[0]), f"unknown key {unknown(wrong[0], firsts)}")
            trouble = f", not {', '.join(present)}" if present else ""
            return reading.problem(path, f"must have exactly one of: {', '.join(firsts)}{trouble}")
        return _table(firsts[present[0]]).read(value, path, reading)

    return by_type if types else by_first


def _row_of(registry: Registry, tag: str, usual: str | None) -> Callable[[Any, Path, Reading], Any]:
    """One of the tables of a registry, which the key `tag` names."""

    def read_row(value: Mapping[str, Any], path: Path, reading: Reading) -> Any:
        name = value.get(tag, usual)
        if name is None:
            return reading.problem(path, f"missing key: {tag} (one of: {', '.join(registry)})", missing=True)
        if not isinstance(name, str) or name not in registry:
            return reading.problem((*path, tag), f"unknown {registry.kind} {unknown(str(name), registry)}")
        try:
            cls = registry.load(name)
        except ProfileError as exc:
            return reading.problem((*path, tag), exc.message)
        if not is_dataclass(cls):
            return reading.problem((*path, tag), f"{name!r} has no keys: it must be a class made with `table`")
        return _table(cls).read(value, path, reading)

    return read_row


def _secret(inner: Kind) -> Callable[[Any, Path, Reading], Any]:
    def read_secret(value: Any, path: Path, reading: Reading) -> Any:
        if isinstance(value, str):
            # The text may be the secret: it is not repeated.
            variable = str(path[-1]).upper().replace("-", "_")
            advice = f'write {{ env = "{variable}" }} and set that variable'
            return reading.problem(path, f"a secret is not written into a profile: {advice}")
        return inner.read(value, path, reading)

    return read_secret


def _exactly_one(*names: str) -> Callable[[Mapping[str, Any]], str | None]:
    legal = ", ".join(names)
    return lambda table: None if sum(name in table for name in names) == 1 else f"must have exactly one of: {legal}"


def _request_rule(table: Mapping[str, Any]) -> str | None:
    bodies = [name for name in ("form", "json", "text", "multipart") if name in table]
    if len(bodies) > 1:
        return f"has more than one body: {', '.join(bodies)}"
    basic = table.get("basic")
    if not isinstance(basic, list):
        return None
    return _user_trouble("the user in `basic`", basic[0]) if len(basic) == 2 else "`basic` is [user, password]"


def _basic_rule(table: Mapping[str, Any]) -> str | None:
    return _user_trouble("`username`", table.get("username"))


def _user_trouble(what: str, user: Any) -> str | None:
    """RFC 7617, section 2: the first colon ends the user name."""
    return f"{what} has a colon, which Basic authentication cannot send" if ":" in written(user) else None


def _expires_rule(table: Mapping[str, Any]) -> str | None:
    if "unit" in table and not {"at", "output"} & table.keys():
        return "`unit` goes with `at` or `output`"
    if "from" in table and "in" not in table:
        return "`from` goes with `in`"
    return _exactly_one("in", "at", "output", "jwt", "cookie", "ttl")(table)


def _until_rule(table: Mapping[str, Any]) -> str | None:
    return "`unit` goes with `at`" if "unit" in table and "at" not in table else _exactly_one("in", "at", "ttl")(table)


def _extract_rule(table: Mapping[str, Any]) -> str | None:
    for name, other in (("where", "pointer"), ("each", "pointer"), ("param", "header")):
        if name in table and other not in table:
            return f"`{name}` goes with `{other}`"
    return _exactly_one("pointer", "header", "cookie", "regex", "xml", "body", "value")(table)


def _inject_rule(table: Mapping[str, Any]) -> str | None:
    place = table.get("in")
    if place in ("base_url", "client_cert"):
        if "name" in table:
            return f"`name` does not go with the place {place!r}"
    elif "name" not in table:
        return "missing key: name"
    if place == "cookies":
        return "`value` does not go with the place 'cookies'" if "value" in table else None
    if "value" not in table:
        return "missing key: value"
    if isinstance(table["value"], dict) is not (place == "client_cert"):
        return "`value` is { cert, key } for the place 'client_cert'" + ("" if place == "client_cert" else " only")
    if place in ("header", "cookie") and isinstance(table["value"], str) and BREAK.search(table["value"]):
        return "`value` holds a line break or a NUL, which no header has"
    if place == "query" and isinstance(table["name"], str) and BREAK.search(table["name"]):
        return "`name` holds a line break or a NUL"
    return _user_trouble("`name`", table["name"]) if place == "basic" else None


def _condition_rule(table: Mapping[str, Any]) -> str | None:
    tests = ("equals", "in", "not", "exists", "matches")
    return None if any(name in table for name in tests) else f"tests nothing: give one of {', '.join(tests)}"


def _composite_rule(table: Mapping[str, Any]) -> str | None:
    return "`parts` names at least one [auth.NAME]" if table.get("parts") == [] else None


def _when_rule(table: Mapping[str, Any]) -> str | None:
    return None if table else "tests nothing: give status, header or body"


def _tokens_rule(table: Mapping[str, Any]) -> str | None:
    storage = table.get("storage", "file")
    every = {name for names in STORAGE_KEYS.values() for name in names}
    own = STORAGE_KEYS.get(storage, every) if isinstance(storage, str) else every
    wrong = [name for name in table if name in every and name not in own]
    if wrong:
        return f"`{wrong[0]}` does not go with the token storage {storage!r}"
    needed = NEEDED_BY_STORAGE.get(storage, ()) if isinstance(storage, str) else ()
    missing = [name for name in needed if name not in table]
    return f"missing key: {missing[0]}" if missing else None


def _saved_rule(table: Mapping[str, Any]) -> str | None:
    bodies = [name for name in ("json", "form", "text") if name in table]
    return f"has more than one body: {', '.join(bodies)}" if len(bodies) > 1 else None


def _pagination_rule(table: Mapping[str, Any]) -> str | None:
    kind = table.get("type", "link")
    if kind == "cursor" and "pointer" not in table:
        return "missing key: pointer"
    foreign = {"link": ("param", "start"), "cursor": ("start",)}.get(str(kind), ("pointer",))
    wrong = [name for name in foreign if name in table]
    if wrong:
        return f"`{wrong[0]}` does not go with the type {kind!r}"
    return "`size_param` goes with `size`" if "size_param" in table and "size" not in table else None


RULES: Mapping[type[Any], Callable[[Mapping[str, Any]], str | None]] = {
    BasicAuth: _basic_rule,
    RequestTable: _request_rule,
    CompositeAuth: _composite_rule,
    OAuth2Auth: oauth2.problem,
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
"""What the keys of a table must be to each other."""
_WORDS: Mapping[type[Any], str] = {ExpiresTable: 'a table such as { ttl = "25m" } or { in = "/expires_in" }'}
"""What to write for a table that is easily taken for a plain value."""
# A type hint cannot name the class that it stands in.
_HINTS: Mapping[tuple[type[Any], str], Any] = {(ExtractTable, "alternatives"): tuple[Pointer | ExtractTable, ...]}
_SIMPLE: Mapping[Any, Kind] = {
    str: Kind((TEXT,), text),
    bool: Kind((BOOLEAN,), as_it_is),
    int: Kind((INTEGER,), as_it_is),
    float: Kind((INTEGER, FLOAT), number, "a number"),
    Any: Kind((), as_it_is),
}
