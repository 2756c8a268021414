"""For the tests of programs built on forge: real servers on loopback, and the contract of a storage.

Only the contract needs pytest; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exchange import Answer, Reply, Seen
    from .server import ScriptedServer
    from .storage import SharedStorageContract, StorageContract
    from .token_endpoint import TokenEndpoint, oauth_error

__all__ = [
    "Answer",
    "Reply",
    "ScriptedServer",
    "Seen",
    "SharedStorageContract",
    "StorageContract",
    "TokenEndpoint",
    "oauth_error",
]

_MODULES = {
    "exchange": "Answer Reply Seen",
    "server": "ScriptedServer",
    "storage": "SharedStorageContract StorageContract",
    "token_endpoint": "TokenEndpoint oauth_error",
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    # From now on the name is found without this function.
    globals()[name] = value
    return value
