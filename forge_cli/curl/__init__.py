"""Plain values to cURL text that runs unchanged in sh, bash, dash and zsh."""

from __future__ import annotations

from .command import PartLike, render
from .request import to_curl
from .words import Slot, Slots, quote

__all__ = ["PartLike", "Slot", "Slots", "quote", "render", "to_curl"]
