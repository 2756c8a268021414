"""A token as one line of JSON text, for storages that keep text."""

from __future__ import annotations

import json

from ...models import TokenData
from .record import to_fields, to_record


def to_text(token: TokenData) -> str:
    """The token as ASCII without line breaks. StorageError when it holds a value that is no JSON value."""
    return json.dumps(to_record(token), separators=(",", ":"))


def from_text(text: str | bytes) -> TokenData:
    """The token that `to_text` wrote. ValueError when the text is damaged."""
    try:
        record = json.loads(text)
    except RecursionError:
        raise ValueError("a text that is nested too deeply") from None
    return TokenData(**to_fields(record))
