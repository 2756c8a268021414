"""A part of the lines, for several processes or machines that work through the same input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..errors import UsageError
from .lines import Line


def shard(text: str) -> tuple[int, int]:
    """The two numbers of ``i/n``, with i from 1 to n. UsageError when it is not one."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r} is no part of a whole", hint="1/4 is the first of four")
    return int(match[1]), int(match[2])


def part(lines: Iterable[Line], index: int, count: int) -> Iterator[Line]:
    """Every `count`-th line, beginning with the one numbered `index`."""
    return (line for line in lines if line.number % count == index % count)
