"""What a profile file can do to whoever uses it, as far as it can be read from it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any

from ..compiled import compiled
from .document import Document, Place
from .trust import programs

_ORIGIN = compiled(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*")
_VARIABLE = compiled(r"\$\{[^}]*?\benv\.([A-Za-z0-9_-]+)")
_FILE_KEYS = frozenset({"file", "cert", "key", "verify", "client_cert"})
_CLASS_KEYS = frozenset({"strategy", "kind", "storage"})


def powers(document: Document) -> dict[str, list[str]]:
    """What it may do -> with what, each once; what it does not do is left out. No text of it is fit for a terminal."""
    values = list(_texts(document.data, ()))
    found: dict[str, list[str]] = {
        "sends requests and credentials to": _once(_origins, values),
        "runs programs": list(
            dict.fromkeys(" ".join(_word(word) for word in words) for _, words in programs(document))
        ),
        "loads Python classes": _once(_classes, values),
        "reads environment variables": _once(_variables, values),
        "reads files": _once(_files, values),
        "reads the keyring": _once(_entries, values),
        "does not check certificates": sorted(_unchecked(document.data)),
    }
    return {what: names for what, names in found.items() if names}


_Value = tuple[Place, str]


def _once(names: Callable[[Place, str], Iterator[str]], values: list[_Value]) -> list[str]:
    return list(dict.fromkeys(name for place, text in values for name in names(place, text)))


def _texts(value: Any, place: Place) -> Iterator[_Value]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*place, index))


def _origins(place: Place, text: str) -> Iterator[str]:
    for origin in _ORIGIN.findall(text):
        scheme, _, authority = origin.partition("://")
        yield f"{scheme}://{authority.rpartition('@')[2]}"
    if place[-1] == "base_url" and text.startswith("${"):
        yield text


def _variables(place: Place, text: str) -> Iterator[str]:
    yield from _VARIABLE.findall(text)
    if place[-1] == "env" and len(place) > 2 and place[-3] == "secrets":
        yield text
    if len(place) > 1 and place[-2] == "env":
        yield text


def _files(place: Place, text: str) -> Iterator[str]:
    key = place[-1]
    inside = place[-2] if len(place) > 1 else None
    secret = key == "file" and len(place) > 2 and place[-3] == "secrets"
    if secret or key in ("verify", "client_cert") or (inside == "client_cert" and key in _FILE_KEYS):
        yield text


def _entries(place: Place, text: str) -> Iterator[str]:
    if len(place) > 1 and place[-2] == "keyring" and place[-1] == "service":
        yield text


def _classes(place: Place, text: str) -> Iterator[str]:
    if place[-1] in _CLASS_KEYS and ":" in text:
        yield text


def _unchecked(value: Any, name: str = "") -> Iterator[str]:
    """Where `verify = false` stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{name}.{key}" if name else str(key)
            if key == "verify" and inner is False:
                yield name
            else:
                yield from _unchecked(inner, here)


def _word(word: Any) -> str:
    return shlex.quote(word) if isinstance(word, str) else "?"
