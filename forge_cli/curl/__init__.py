"""Plain values to cURL text that runs unchanged in sh, bash, dash and zsh."""

from __future__ import annotations

from .command import PartLike, render
from .request import iter_params, to_curl
from .words import Slot, Slots, quote, word

__all__ = ["PartLike", "Slot", "Slots", "iter_params", "quote", "render", "to_curl", "word"]
