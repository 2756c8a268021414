"""What a server said in its own words, as part of an error: it cannot begin a line of its own."""

from __future__ import annotations


def one_line(text: str, most: int) -> str:
    """The text on one line: what breaks lines, drives a terminal or turns the direction is shown as an escape."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def indented(text: str) -> str:
    """Several lines, each of them set in, so that none looks like one of forge's own."""
    return "\n".join(f"  {line}" for line in text.splitlines())
