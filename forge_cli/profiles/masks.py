"""What a profile may hold that is secret, and the profile's values without it."""

from __future__ import annotations

import re
from typing import Any

from ..compiled import compiled
from ..redact import MASK, REDACTOR, sensitive
from .document import Place

_SLOT = compiled(r"(\$\{[\w.\- |?+()]*\})")
# A header of any name that is written as Authorization is.
_CREDENTIAL = compiled(r"(?:bearer|basic|token|apikey) \S", re.IGNORECASE)
_SCHEME = compiled(r"[A-Za-z]+ ")


def shown(value: Any, place: Place) -> Any:
    """The value without what may be secret in it."""
    if isinstance(value, dict):
        return {key: shown(inner, (*place, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner, (*place, index)) for index, inner in enumerate(value)]
    if isinstance(value, bool) or not _hidden(place):
        return _searched(value, place) if isinstance(value, str) else value
    return _without_literals(value) if isinstance(value, str) else MASK


def _searched(text: str, place: Place) -> str:
    """A text that may have a secret in it, by the names in it, or by what stands before it."""
    match place:
        case (*_, "request", "text") | ("tokens", "read" | "write" | "delete", _):
            return REDACTOR.body(text)
        case ("proxy", *_) if "://" not in text:
            return REDACTOR.url(f"//{text}").removeprefix("//")
    if "headers" in place and _CREDENTIAL.match(text):
        return _without_literals(text)
    return REDACTOR.url(text)


def _hidden(place: Place) -> bool:
    """Whether what is written here, and is no reference, may be a secret."""
    match place:
        case ("secrets", _, *inside):
            # Where a secret is; a text in place of that is the secret itself.
            return not inside
        case ("auth", "steps", _, "extract", *inside) | ("auth", "steps", _, "refresh", "extract", *inside):
            return inside[-1] == "default"
        # A profile that is shown is valid: this text is the name of a shared login.
        case ("auth",) | ("auth", "token_url") | (*_, "signature_method"):
            return False
        case ("auth", "key") | ("auth", "steps", _, "value") | ("auth", "inject", _, "value"):
            return True
        case ("auth", "steps", _, "request", *inside) | ("auth", "steps", _, "refresh", "request", *inside):
            return inside == ["basic", 1] or _any_sensitive(inside[1:])
        case ("auth", "params", *free) | ("headers" | "query" | "vars", *free):
            return _any_sensitive(free)
    return _any_sensitive(place[-1:])


def _any_sensitive(names: Any) -> bool:
    return any(isinstance(name, str) and sensitive(name) for name in names)


def _without_literals(text: str) -> str:
    """The references of a template, and the word that names a scheme before the first."""
    if "$${" in text:
        return MASK
    pieces = _SLOT.split(text)
    if len(pieces) == 1:
        return MASK if text else ""
    kept = [piece if index % 2 or not piece else MASK for index, piece in enumerate(pieces)]
    return "".join([pieces[0] if _SCHEME.fullmatch(pieces[0]) else kept[0], *kept[1:]])
