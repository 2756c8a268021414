"""The tables of a login as TOML says them: frozen dataclasses whose fields are the keys.

Values are as written: strings that may hold templates are not parsed here. Validation, the docs
and `profile show` read the fields, their types and their ``help``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

T = TypeVar("T")

TemplateText = Annotated[str, "template"]
"""A string in which ``${…}`` is filled in."""
Tree = Annotated[Any, "tree"]
"""Any TOML value; every string inside may hold ``${…}``."""
Duration = Annotated[float, "duration"]
"""Seconds: a number, or text such as ``"90s"``, ``"25m"``, ``"12h"``, ``"30d"``."""
Size = Annotated[int, "size"]
"""Bytes: a whole number, or text such as ``"100 MiB"``."""
Pointer = Annotated[str, "pointer"]
"""A JSON pointer (RFC 6901), ``"/data/token"``."""
Predicate = Annotated[Any, "predicate"]
"""What a value is tested with: a plain value, a list (any of), or a table of matches, in, not, exists."""


def key(help: str, **options: Any) -> Any:
    """A TOML key: a dataclass field with the text that explains it."""
    return field(metadata={"help": help}, **options)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(key, field))
def table(cls: type[T]) -> type[T]:
    """A frozen dataclass of keyword fields.

    `dataclass(frozen=True)` compiles seven methods for each class, which for all the tables together takes
    longer than everything else a start does; these few serve every table.
    """
    made = dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
    for name, method in _METHODS.items():
        setattr(made, name, method)
    return made


def _init(self: Any, **values: Any) -> None:
    for each in fields(self):
        if each.name in values:
            value = values.pop(each.name)
        elif each.default is not MISSING:
            value = each.default
        elif each.default_factory is not MISSING:
            value = each.default_factory()
        else:
            raise TypeError(f"{type(self).__name__} needs {each.name!r}")
        self.__dict__[each.name] = value
    if values:
        raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")


def _refuse(self: Any, name: str, *value: Any) -> None:
    raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed")


def _equal(self: Any, other: object) -> Any:
    return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented


def _shown(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


_METHODS = {
    "__init__": _init,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__eq__": _equal,
    "__hash__": None,
    "__repr__": _shown,
}


@table
class RequestTable:
    """The request of a step: what it is sent with, and nothing from the profile but transport settings."""

    method: str = key("the method", default="GET")
    url: TemplateText = key("absolute, or relative to the profile's base_url")
    headers: Mapping[str, TemplateText] = key("header fields", default_factory=dict)
    query: Mapping[str, Tree] = key("query parameters; a list repeats one", default_factory=dict)
    form: Mapping[str, Tree] | None = key("a form body", default=None)
    json: Tree = key("a JSON body", default=None)
    text: TemplateText | None = key("a body as it is", default=None)
    basic: tuple[TemplateText, ...] | None = key("[user, password] for Basic authentication", default=None)
    redirects: int = key("how many redirects to follow", default=0)
    timeout: Duration | None = key("seconds for one attempt", default=None)


@table
class SuccessTable:
    """What an answer must be to count as a success."""

    status: Predicate = key("the status", default=None)
    body: Mapping[Pointer, Predicate] = key("JSON pointer -> test", default_factory=dict)
    header: Mapping[str, Predicate] = key("header name -> test", default_factory=dict)


@table
class ExtractTable:
    """Where one output is in the answer: exactly one of `pointer` and `header`."""

    pointer: Pointer | None = key("a place in a JSON body", default=None)
    header: str | None = key("a header field", default=None)
    alternatives: tuple[Any, ...] = field(default=(), metadata={"help": "other places, tried in order", "name": "or"})
    optional: bool = key("may be absent", default=False)
    default: Any = key("what it is when it is absent", default=None)


@table
class ExpiresTable:
    """When the token ends: exactly one of `in`, `at` and `ttl`."""

    in_: Pointer | None = field(default=None, metadata={"help": "seconds from now, in the body", "name": "in"})
    at: Pointer | None = key("a moment, in the body", default=None)
    unit: Literal["s", "ms", "iso", "http"] = key("what `at` is counted in", default="s")
    ttl: Duration | None = key("a fixed lifetime", default=None)
    zero: Literal["never"] | None = key("0 means: never", default=None)
    default: Duration | None = key("the lifetime when the answer says none", default=None)


Expires = Literal["never"] | ExpiresTable
Extract = Mapping[str, Pointer | ExtractTable]


@table
class RefreshTable:
    """How a token is renewed without logging in again. What is left out is the step's own."""

    request: RequestTable = key("the request")
    extract: Extract | None = key("outputs; those that the answer lacks are kept", default=None)
    expires: Expires | None = key("when the new token ends", default=None)
    success: SuccessTable | None = key("what counts as success", default=None)
    on_failure: Literal["login", "error"] = key("what a refusal leads to", default="login")


@table
class StepTable:
    """What every kind of step has."""

    kind: str = key("the kind of step", default="http")
    needs: tuple[str, ...] = key("steps that come first, beside those referred to", default=())
    unbound: tuple[str, ...] = key("steps needed only to obtain this one", default=())
    skew: Duration | None = key("renew this long before the end", default=None)
    expires: Expires | None = key("when the token ends", default=None)


@table
class InjectTable:
    """Where a credential goes in a request."""

    in_: Literal["header", "query", "cookie", "basic"] = field(metadata={"help": "the place", "name": "in"})
    name: TemplateText | None = key("the header, parameter or cookie; for basic the user", default=None)
    value: TemplateText = key("the credential")


@table
class WhenTable:
    """Tests on an answer; all must hold."""

    status: Predicate = key("the status", default=None)
    header: Mapping[str, Predicate] = key("header name -> test", default_factory=dict)
    body: Mapping[Pointer, Predicate] = key("JSON pointer -> test", default_factory=dict)


@table
class InvalidateTable:
    """Which answers mean that a step's token is no longer good."""

    when: WhenTable = key("the tests")
    steps: tuple[str, ...] = key("the steps to forget, and with them what is bound to them")
