"""The certificate authorities that are trusted where nobody names any."""

from __future__ import annotations

import certifi

_FILE = certifi.where()


def usual() -> str:
    """The file of Mozilla's list, which comes with certifi."""
    return _FILE
