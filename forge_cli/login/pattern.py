"""Regular expressions as a profile writes them, and searches that come to an end.

Python's `re` cannot be stopped while it runs, not even from another thread, and a text that a server makes up can keep
it busy for years. So a search that might take long is left to a process of its own, which can be ended.
"""

from __future__ import annotations

import math
import re
import warnings
from typing import Any, NamedTuple

from ..compiled import compiled
from ..registry import Registry

LIMIT = 2.0
"""Seconds for one search."""
# About what `re` does in half a second, as a power of ten.
_MOST = 7.0
_TOKEN = compiled(
    r"""(?P<again>\\[1-9]|\(\?P=\w+\)) | \\. | \[\^?\]?(?:\\.|[^\]\\])*\]
    | (?P<open>\((?:\?(?:P<\w+>|<?[=!]|[a-zA-Z-]*:|>)?)?) | (?P<close>\)) | (?P<or>\|)
    | (?P<repeat>[*+]|\{[0-9]*,?[0-9]*\}) | (?P<maybe>\?) | .""",
    re.DOTALL | re.VERBOSE,
)
_LATER = Registry("search", {"apart": "forge_cli.login.apart:spans"})
"""What runs programs: loaded when there is a search to be left to one."""


class Found(NamedTuple):
    """What matched, and its groups; None for one that took no part."""

    whole: str
    groups: tuple[str | None, ...]


def searched(pattern: str, text: str, *, limit: float = LIMIT) -> Found | None:
    """The first place where a pattern matches. AuthenticationException when that takes longer than `limit` seconds."""
    if effort(pattern, len(text)) <= _MOST:
        match = re.search(pattern, text)
        return None if match is None else Found(match[0], match.groups())
    spans: list[tuple[int, int]] = _LATER.load("apart")(pattern, text, limit)
    parts = [None if start < 0 else text[start:end] for start, end in spans]
    return Found(parts[0] or "", tuple(parts[1:])) if parts else None


def effort(pattern: str, size: int) -> float:
    """The steps that a search in a text of so many characters takes at most, roughly, as a power of ten.

    Each repetition may end at any character; each alternative and each optional part doubles the ways. A repetition
    of what has several ways itself knows no bound.
    """
    repeats = choices = 0
    # For each group that is open, whether there are several ways through it.
    several = [False]
    after: str | None = None
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        if kind in ("repeat", "maybe") and after in ("repeat", "maybe"):
            kind = None  # how it repeats, not that
        elif kind == "open":
            several.append(False)
        elif kind == "close" and len(several) > 1:
            if several.pop():
                several[-1], kind = True, "close with several"
        elif kind == "repeat":
            if after == "close with several":
                return math.inf
            repeats += 1
            several[-1] = True
        elif kind == "again":
            repeats += 1
        elif kind in ("maybe", "or"):
            choices += 1
            several[-1] = True
        after = kind
    return (1 + repeats) * math.log10(size + 1) + choices * math.log10(2)


def pattern_problem(pattern: Any) -> str | None:
    """What is wrong with a regular expression, if anything, to be said after the name of its key."""
    if not isinstance(pattern, str):
        return "is a regular expression in quotes"
    try:
        # Patterns that will mean something else one day are warned about, on stderr and once.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except re.error as exc:
        return f"is no regular expression: {exc.msg}"
    except (RecursionError, OverflowError):
        return "is too large a regular expression"
    except Warning:
        return "is ambiguous: write `\\[`, `\\&`, `\\~` or `\\|` inside a set"
    return None
