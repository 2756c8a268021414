"""Private files: 0600 from the first byte, replaced whole, locked between processes, on every platform."""

from __future__ import annotations

from .links import followed, open_to_write
from .locks import lock, locked
from .places import config_dir, on_windows, private_directory, too_open, unwritable
from .private import (
    LIMIT,
    PendingWrite,
    PrivateFile,
    Stamp,
    TooLarge,
    opened,
    read_private,
    reserve,
    set_aside,
    write_private,
)
from .reading import Found, read_named

__all__ = [
    "LIMIT",
    "Found",
    "PendingWrite",
    "PrivateFile",
    "Stamp",
    "TooLarge",
    "config_dir",
    "followed",
    "lock",
    "locked",
    "on_windows",
    "open_to_write",
    "opened",
    "private_directory",
    "read_named",
    "read_private",
    "reserve",
    "set_aside",
    "too_open",
    "unwritable",
    "write_private",
]
