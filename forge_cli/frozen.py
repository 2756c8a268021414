"""What cannot be changed: read-only mappings and lists, header fields, and frozen classes that cost a start little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, Self, TypeVar, dataclass_transform

T = TypeVar("T")


class _Frozen:
    """What a container does instead of changing."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} cannot be changed; make a new one")

    __setitem__ = __delitem__ = clear = pop = _refuse

    def __hash__(self) -> int:
        return hash(hashable(self))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class FrozenDict(_Frozen, dict[str, Any]):  # type: ignore[misc]  # dict has no hash: the point of this class
    """A ``dict`` that cannot be changed: equal to a plain one, hashable, copied as itself."""

    __ior__ = popitem = setdefault = update = _Frozen._refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class FrozenList(_Frozen, list[Any]):  # type: ignore[misc]  # nor has list
    """A ``list`` that cannot be changed: equal to a plain one, hashable, copied as itself."""

    __iadd__ = __imul__ = append = extend = insert = remove = reverse = sort = _Frozen._refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self),)


class Headers(FrozenDict):
    """Header fields: names in any case, repeated fields kept (RFC 9110, section 5.2).

    As a ``dict`` it has each name once, as first spelled, with repeated values joined by ``", "``;
    ``get_all`` and ``pairs`` give the fields as they came.
    """

    __slots__ = ("_index", "pairs")

    pairs: tuple[tuple[str, str], ...]

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if isinstance(fields, Headers):
            fields = fields.pairs
        pairs = tuple(fields.items() if isinstance(fields, Mapping) else fields)
        index: dict[str, str] = {}
        joined: dict[str, str] = {}
        for name, value in pairs:
            first = index.setdefault(name.lower(), name)
            joined[first] = f"{joined[first]}, {value}" if first in joined else value
        super().__init__(joined)
        self._index = index
        self.pairs = pairs

    def __getitem__(self, name: str) -> str:
        value: str = super().__getitem__(self._index.get(name.lower(), name))
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        wanted = name.lower()
        return [value for key, value in self.pairs if key.lower() == wanted]

    def without(self, *names: str) -> Headers:
        """A copy without these fields."""
        unwanted = {name.lower() for name in names}
        return Headers((key, value) for key, value in self.pairs if key.lower() not in unwanted)

    def with_field(self, name: str, value: str) -> Headers:
        """A copy in which this field has this one value, in its old place or at the end."""
        wanted, placed = name.lower(), False
        pairs: list[tuple[str, str]] = []
        for key, old in self.pairs:
            if key.lower() != wanted:
                pairs.append((key, old))
            elif not placed:
                pairs.append((name, value))
                placed = True
        return Headers(pairs if placed else [*pairs, (name, value)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pairs,)


def frozen(value: Any) -> Any:
    """The value with every dict and list inside replaced by a read-only one."""
    if isinstance(value, dict):
        return value if isinstance(value, FrozenDict) else FrozenDict({k: frozen(item) for k, item in value.items()})
    if isinstance(value, list):
        return value if isinstance(value, FrozenList) else FrozenList([frozen(item) for item in value])
    return value


def plain(value: Any) -> Any:
    """The value with every mapping inside replaced by a plain dict, and every list by a plain list."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def hashable(value: Any) -> Any:
    """Something hashable that is equal for equal values."""
    if isinstance(value, Mapping):
        return frozenset((key, hashable(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(hashable(item) for item in value)
    if isinstance(value, bytearray | set):
        return bytes(value) if isinstance(value, bytearray) else frozenset(value)
    try:
        hash(value)
    except TypeError:
        # Whatever it is, an equal request has an equal one: any constant will do.
        return None
    return value


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(cls: type[T]) -> type[T]:
    """A frozen dataclass whose methods are these few, the same for every class.

    `dataclass(frozen=True)` compiles seven methods for each class: for all the classes of a start together that
    takes longer than their work does. Making an instance takes about twice as long, so that what is made for
    each request is better a plain dataclass.
    """
    return _made(cls, kw_only=False)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def immutable_by_name(cls: type[T]) -> type[T]:
    """An `immutable` class whose fields are given by name only."""
    return _made(cls, kw_only=True)


def _made(cls: type[T], *, kw_only: bool) -> type[T]:
    made: Any = dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    known = fields(made)
    made.__value__ = tuple((each.name, each.default, each.default_factory, each.kw_only) for each in known)
    made.__compared__ = tuple(each.name for each in known if each.compare)
    made.__shown__ = tuple(each.name for each in known if each.repr)
    for name, method in _METHODS.items():
        if name not in vars(cls):
            setattr(made, name, method)
    frozen_class: type[T] = made
    return frozen_class


def _init(self: Any, *given: Any, **named: Any) -> None:
    own = vars(self)
    at = 0
    for name, default, factory, by_name in self.__value__:
        if at < len(given) and not by_name:
            own[name] = given[at]
            at += 1
        elif name in named:
            own[name] = named.pop(name)
        elif default is not MISSING:
            own[name] = default
        elif factory is not MISSING:
            own[name] = factory()
        else:
            raise TypeError(f"{type(self).__name__} needs {name!r}")
    if named or at < len(given):
        raise TypeError(f"{type(self).__name__} does not take {', '.join(named) or 'so many values'}")
    prepare = getattr(self, "__post_init__", None)
    if prepare is not None:
        prepare()


def _refuse(self: Any, name: str, *value: Any) -> None:
    raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed")


def _compared(self: Any) -> tuple[Any, ...]:
    own = vars(self)
    return tuple(own[name] for name in self.__compared__)


def _equal(self: Any, other: object) -> Any:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _shown(self: Any) -> str:
    own = vars(self)
    return f"{type(self).__name__}({', '.join(f'{name}={own[name]!r}' for name in self.__shown__)})"


_METHODS: Mapping[str, Any] = {
    "__init__": _init,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _shown,
}
