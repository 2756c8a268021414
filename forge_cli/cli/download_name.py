"""The name of a downloaded file: what a server proposes is never a path, and never a surprise."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..compiled import compiled

_PARAMETER = compiled(r";\s*([^\s=;]+)\s*=\s*(\"(?:\\.|[^\"\\])*\"|[^;]*)")
# RFC 8187, section 3.2
_EXTENDED = compiled(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
# Names of devices on Windows, whatever follows the first dot.
_RESERVED = compiled(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = compiled(r'[<>:"|?*]')
# Control, format (which has the bidirectional ones), surrogates; line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# File systems allow 255 bytes; ` (1)` and `.part` have to fit.
_LONGEST = 240
_LONGEST_SUFFIX = 20
_NAMELESS = "download"


def proposed(disposition: str) -> str | None:
    """The file name of a Content-Disposition (RFC 6266), as the server wrote it; None when it says none."""
    found: dict[str, str] = {}
    for name, value in _PARAMETER.findall(disposition):
        text = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if value.startswith('"') else value.strip()
        found.setdefault(name.lower(), text)
    extended = _EXTENDED.fullmatch(found.get("filename*", ""))
    if extended is not None:
        try:
            return unquote_to_bytes(extended[2]).decode(extended[1])
        except UnicodeError:
            pass  # the plain one is there for those who cannot read the other
    return found.get("filename")


def from_url(url: str) -> str:
    """A name for what is at a URL: the last part of its path."""
    return safe(unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]))


def safe(text: str) -> str:
    """A name that can be given to a file in the current directory, on every system."""
    text = re.split(r"[/\\]", text)[-1]
    text = "".join(char for char in text if unicodedata.category(char) not in _HIDDEN)
    text = _short(_trimmed(_FORBIDDEN.sub("_", text)))
    if not text:
        return _NAMELESS
    return f"_{text}" if _RESERVED.fullmatch(text) else text


def _trimmed(text: str) -> str:
    return text.lstrip(".-").strip().lstrip(".- ").rstrip(". ")


def _short(text: str) -> str:
    data = text.encode()
    if len(data) <= _LONGEST:
        return text
    stem, dot, suffix = text.rpartition(".")
    end = f".{suffix}" if dot and len(suffix.encode()) <= _LONGEST_SUFFIX else ""
    kept = (stem if end else text).encode()[: _LONGEST - len(end.encode())]
    return _trimmed(kept.decode("utf-8", "ignore") + end)
