"""What can be put into one cookie (RFC 6265, section 4.1.1)."""

from __future__ import annotations

from ..compiled import compiled

# What ends a cookie, and what no header carries. Other characters that RFC 6265 leaves out are in cookies everywhere.
_ENDS_COOKIE = compiled(r"[;\x00-\x1f\x7f]")
_ENDS_NAME = compiled(r"[=;\x00-\x20\x7f]")


def trouble(text: str, *, is_name: bool = False) -> str | None:
    """What a text holds that would end the cookie and begin another, if anything."""
    found = (_ENDS_NAME if is_name else _ENDS_COOKIE).search(text)
    if found is None:
        return None
    return f"holds {found[0]!r}" if found[0] in ";=" else "holds a line break, a blank or a control character"
