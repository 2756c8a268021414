from __future__ import annotations

from forge_cli.models import TokenData
from forge_cli.tokens.storage.memory import InMemoryTokenStorage


def test_the_object_itself_is_kept() -> None:
    storage, token = InMemoryTokenStorage(), TokenData("user-token-1")
    storage.set("key", token)
    assert storage.get("key") is token


def test_clear_forgets_every_key() -> None:
    storage = InMemoryTokenStorage()
    storage.set("one", TokenData("user-token-1"))
    storage.set("two", TokenData("user-token-2"))
    assert storage.keys() == ["one", "two"]
    storage.clear()
    assert storage.keys() == []
