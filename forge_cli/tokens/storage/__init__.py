"""Where tokens are kept: the table of storages."""

from __future__ import annotations

from ...registry import Registry

STORAGES = Registry(
    "token storage",
    {
        "memory": "forge_cli.tokens.storage.memory:InMemoryTokenStorage",
        "file": "forge_cli.tokens.storage.file:FileTokenStorage",
        "keyring": "forge_cli.tokens.storage.keyring:KeyringTokenStorage",
        "redis": "forge_cli.tokens.storage.redis:RedisTokenStorage",
        "django": "forge_cli.tokens.storage.django:DjangoCacheTokenStorage",
        "command": "forge_cli.tokens.storage.command:CommandTokenStorage",
    },
    extras={"keyring": "keyring", "redis": "redis", "django": "django"},
    custom=("get", "set", "delete", "exists"),
)
