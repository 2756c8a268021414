"""Searches that might take long, in a process of their own: loaded when there is one."""

from __future__ import annotations

import os
import sys

from ..errors import AuthenticationException
from ..programs import ProgramFailed, TooLate, run

_PROGRAM = """\
import re, sys
given = sys.stdin.buffer.read()
size = int(given[:9])
pattern, text = (part.decode("utf-8", "surrogatepass") for part in (given[9:9 + size], given[9 + size:]))
found = re.search(pattern, text)
print(*(place for span in (found.regs if found else ()) for place in span))
"""


class TooSlow(AuthenticationException):
    """A search was given up: its pattern suits the text too badly."""

    def __init__(self, limit: float) -> None:
        super().__init__(
            f"a regular expression of the profile takes longer than {limit:g} s for this text",
            hint='make it more exact: [^"]* for .*, and no repetition within a repetition',
        )


def spans(pattern: str, text: str, limit: float) -> list[tuple[int, int]]:
    """Where the match and its groups begin and end, -1 for a group that took no part; nothing without a match.

    TooSlow when it takes longer than `limit` seconds.
    """
    octets = pattern.encode("utf-8", "surrogatepass")
    given = b"%9d" % len(octets) + octets + text.encode("utf-8", "surrogatepass")
    # -I and -S: nothing of the environment or of what is installed is loaded.
    python = (sys.executable or "python3", "-I", "-S", "-c", _PROGRAM)
    try:
        ended = run(python, (), os.environ, given=given, limit=limit)
    except TooLate:
        raise TooSlow(limit) from None
    except ProgramFailed as exc:
        raise AuthenticationException(
            f"a regular expression that may take long needs a process of its own: {exc}",
            hint="make it more exact, or shorter",
        ) from exc
    if ended.code != 0:
        raise TooSlow(limit)
    places = [int(place) for place in ended.output.split()]
    return list(zip(places[::2], places[1::2], strict=True))
