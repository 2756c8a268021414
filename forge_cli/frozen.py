"""Read-only mappings and lists: what stands inside the frozen models, and header fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self


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
