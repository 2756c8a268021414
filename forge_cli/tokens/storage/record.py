"""A token written down: a table of plain values that TOML and JSON can both hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...errors import StorageError
from ...models import TokenData, aware, local

# TOML has no null, no integers beyond 64 bits and no lone surrogates; what needs them is kept as JSON text.
_JSON = "$json"
_TEXTS = ("access_token", "token_type", "refresh_token", "scope")
_MOMENTS = ("expires_at", "issued_at")
_TABLES = ("extra", "meta")
# Callers compare what they stored with what they get, and a naive moment equals no aware one.
_NAIVE = "expires_in_local_time"
# Deeper values become JSON text too: a TOML header repeats the whole path at every level.
_DEEPEST = 4


def to_record(token: TokenData) -> dict[str, Any]:
    """The token as a table; what it does not have is left out. StorageError when a value is no JSON value."""
    try:
        values: dict[str, Any] = {name: getattr(token, name) for name in _TEXTS}
        for name in _MOMENTS:
            moment = getattr(token, name)
            values[name] = None if moment is None else aware(moment).isoformat()
        values[_NAIVE] = True if token.expires_at is not None and token.expires_at.tzinfo is None else None
        for name in _TABLES:
            values[name] = {key: _packed(value) for key, value in getattr(token, name).items()} or None
    except (TypeError, ValueError, OverflowError, RecursionError):
        # The original may quote the value.
        raise StorageError("the token holds a value that cannot be stored", hint=_PLAIN) from None
    return {name: value for name, value in values.items() if value is not None}


def to_fields(record: Any) -> dict[str, Any]:
    """The arguments of TokenData in a table; unknown names are ignored. ValueError when it is damaged."""
    if not isinstance(record, Mapping) or not isinstance(record.get("access_token"), str):
        raise ValueError("no access token")
    fields: dict[str, Any] = {}
    for name in _TEXTS:
        if name in record:
            fields[name] = _expected(record[name], str)
    for name in _MOMENTS:
        if name in record:
            fields[name] = _moment(record[name])
    if record.get(_NAIVE) is True and "expires_at" in fields:
        fields["expires_at"] = local(fields["expires_at"])
    for name in _TABLES:
        table = _expected(record.get(name, {}), Mapping)
        fields[name] = {key: _unpacked(value) for key, value in table.items()}
    return fields


_PLAIN = "outputs may hold text, numbers, booleans, null, lists and tables"


def _expected(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError("a value of the wrong type")
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_expected(value, str))
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    try:
        return aware(moment)
    except OverflowError:
        raise ValueError("a moment that UTC does not have") from None


def _packed(value: Any) -> Any:
    return value if _plain(value) else {_JSON: json.dumps(value)}


def _unpacked(value: Any) -> Any:
    if not isinstance(value, Mapping) or list(value) != [_JSON]:
        return value
    try:
        return json.loads(_expected(value[_JSON], str))
    except RecursionError:
        raise ValueError("a value that is nested too deeply") from None


def _plain(value: Any, depth: int = _DEEPEST) -> bool:
    if isinstance(value, Mapping):
        inner = (_plain(key) and isinstance(key, str) and _plain(item, depth - 1) for key, item in value.items())
        return depth > 0 and _JSON not in value and all(inner)
    if isinstance(value, list):
        return depth > 0 and all(_plain(item, depth - 1) for item in value)
    # Exact types: a subclass such as an enum may print as something else.
    if type(value) is str:
        return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return type(value) in {bool, float}
