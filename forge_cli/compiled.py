"""Regular expressions that are compiled when they are first used: most runs need few of them."""

from __future__ import annotations

import re
from typing import Any, AnyStr


def compiled(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` returns, as far as its methods and attributes go; re.error comes at the first use."""
    later: Any = _Later(pattern, flags)
    known: re.Pattern[AnyStr] = later
    return known


class _Later:
    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        # Kept as an attribute, so that the next look-up does not come here. `re` keeps what it has compiled.
        found = getattr(re.compile(self.pattern, self._flags), name)
        setattr(self, name, found)
        return found
