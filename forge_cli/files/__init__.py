"""Private files: 0600 from the first byte, replaced whole, locked between processes, on every platform."""

from __future__ import annotations

from .locks import lock
from .places import config_dir, private_directory, too_open, unwritable
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

__all__ = [
    "LIMIT",
    "PendingWrite",
    "PrivateFile",
    "Stamp",
    "TooLarge",
    "config_dir",
    "lock",
    "opened",
    "private_directory",
    "read_private",
    "reserve",
    "set_aside",
    "too_open",
    "unwritable",
    "write_private",
]
