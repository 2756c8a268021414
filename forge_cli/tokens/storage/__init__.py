"""Where tokens are kept: the table of storages."""

from __future__ import annotations

from ...registry import Registry

STORAGES = Registry(
    "token storage",
    {
        "memory": "forge_cli.tokens.storage.memory:InMemoryTokenStorage",
        "file": "forge_cli.tokens.storage.file:FileTokenStorage",
    },
)
