"""The contract of a token storage; importing it needs pytest."""

from __future__ import annotations

import pytest

# A failed assertion shows its values only in modules that pytest knows before they are loaded.
pytest.register_assert_rewrite("forge_cli.testing.storage.contract")

from .contract import SharedStorageContract, StorageContract  # noqa: E402 - see above

__all__ = ["SharedStorageContract", "StorageContract"]
