"""Regular expressions as a profile writes them."""

from __future__ import annotations

import re
import warnings
from typing import Any


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
