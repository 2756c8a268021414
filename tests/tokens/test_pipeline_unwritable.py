"""The engine over a storage that can be read and not written."""

from __future__ import annotations

import pytest

from forge_cli.errors import StorageError
from forge_cli.tokens.pipeline import Pipeline
from tests.tokens.made import Broken, World


def test_the_token_is_used_and_one_warning_given(world: World) -> None:
    world.storage = Broken()
    pipeline = world.three(renews=True)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == ["login device", "login app", "login user"]
    assert world.told == [
        "cannot write tokens.toml: no space left on device: the new token is used now and lost when this process ends"
    ]


def test_it_is_no_error_unless_one_asks_for_that(world: World) -> None:
    step = world.step("user")
    assert Pipeline([step], Broken(), now=world.clock).obtain(["user"])["user"].access_token == "user-token-1"


def test_it_is_an_error_where_saving_is_the_purpose(world: World) -> None:
    world.storage = Broken()
    world.three()
    with pytest.raises(StorageError):
        world.pipeline(strict=True).obtain(["user"])
    assert world.took() == ["login device"]


def test_no_refresh_token_is_spent_while_the_access_token_is_good(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    world.clock.pass_(seconds=3575)
    for _ in range(2):
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == []
    assert len(world.told) == 1
    with pytest.raises(StorageError):
        world.pipeline(strict=True).obtain(["user"])
    assert world.took() == []


def test_a_spent_refresh_token_that_is_lost_is_named(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    world.clock.pass_(hours=1)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
    assert world.took() == ["refresh user"]
    assert [text.partition("device: ")[2] for text in world.told] == [
        "the new token and its refresh token are used now and lost when this process ends"
    ]


def test_no_room_is_reserved_where_no_refresh_token_is_spent(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    world.three().obtain(["user"])
    assert world.storage.reserved == 0


def test_forgetting_and_clearing_work_for_this_process(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    pipeline.forget(["app"])
    pipeline.obtain(["user"])
    assert world.took() == ["login app", "login user"]
    assert pipeline.clear(["user"]) == ["user"]
    assert pipeline.stored("user") is None
    world.storage.full = False
    pipeline.obtain(["user"])
    assert world.storage.get("key:user").access_token == "user-token-3"
