"""TOML as forge writes it for people: keys, texts and values."""

from __future__ import annotations

import json
import re
from typing import Any


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else text(name)


def spelled(value: Any) -> str:
    """A value on one line."""
    match value:
        case str():
            return text(value)
        case bool():
            return "true" if value else "false"
        case dict():
            pairs = ", ".join(f"{key(name)} = {spelled(inner)}" for name, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return f"[{', '.join(map(spelled, value))}]"
    return str(value)


def text(value: str) -> str:
    """A basic string. What could drive a terminal is escaped, which means the same in TOML."""
    escaped = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in escaped)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
