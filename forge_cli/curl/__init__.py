"""Plain values to cURL text that runs unchanged in sh, bash, dash and zsh."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .command import PartLike, render
    from .parameters import iter_params
    from .request import to_curl
    from .words import Slot, Slots, quote, word

__all__ = ["PartLike", "Slot", "Slots", "iter_params", "quote", "render", "to_curl", "word"]

_MODULES = {
    "PartLike": "command",
    "render": "command",
    "iter_params": "parameters",
    "to_curl": "request",
    "Slot": "words",
    "Slots": "words",
    "quote": "words",
    "word": "words",
}


def __getattr__(name: str) -> Any:
    # Most commands need one of them or none.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
