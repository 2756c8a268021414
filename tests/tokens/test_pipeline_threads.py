"""The engine under many threads: exact counts, and nobody hangs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from forge_cli.errors import ConnectionException, LockTimeout, TimeoutException
from forge_cli.models import Deadline, TokenData
from forge_cli.tokens.pipeline import Pipeline
from forge_cli.tokens.step import identity
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.tokens.made import THREADS, Made, World, side_by_side


def test_any_number_of_threads_log_in_once(world: World) -> None:
    pipeline = world.three()
    world.crowd()
    tokens = side_by_side(lambda: pipeline.obtain(["user"])["user"].access_token)
    assert set(tokens) == {"user-token-1"}
    assert sorted(world.took()) == ["login app", "login device", "login user"]


def test_threads_with_pipelines_of_their_own_log_in_once_too(world: World) -> None:
    world.three()
    world.crowd()
    side_by_side(lambda: world.pipeline().obtain(["user"]))
    assert sorted(world.took()) == ["login app", "login device", "login user"]


def test_a_storm_of_refusals_renews_once(world: World) -> None:
    pipeline = world.three(renews=True)
    used = pipeline.identities(pipeline.obtain(["user"]))
    world.took()
    world.crowd()

    def refused() -> str:
        pipeline.forget(["app"], used)
        return pipeline.obtain(["user"])["user"].access_token

    assert set(side_by_side(refused)) == {"user-token-2"}
    assert sorted(world.took()) == ["login app", "login user"]


def test_threads_that_replace_one_token_renew_it_once(world: World) -> None:
    pipeline = world.three(renews=True)
    used = pipeline.obtain(["user"])["user"]
    world.took()
    world.clock.pass_(seconds=1)
    world.crowd()
    tokens = side_by_side(lambda: pipeline.renew(["user"], stale={"user": used})["user"].access_token)
    assert set(tokens) == {"user-token-2"}
    assert world.took() == ["refresh user"]


def test_those_who_wait_for_a_dead_server_share_one_failure(world: World) -> None:
    world.step("user")
    world.crowd()
    pipeline = world.pipeline()
    world.made["user"].answers = [ConnectionException("connection refused") for _ in range(THREADS)]
    errors = side_by_side(lambda: pipeline.obtain(["user"]))
    assert {type(error) for error in errors} == {ConnectionException}
    assert world.took() == ["login user"]


def test_a_failure_is_not_remembered_for_those_who_come_later(world: World) -> None:
    world.step("user", answers=[ConnectionException("connection refused")])
    pipeline = world.pipeline()
    with pytest.raises(ConnectionException):
        pipeline.obtain(["user"])
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"


def test_invalidation_in_between_ends_with_one_token_for_all(world: World) -> None:
    pipeline = world.three(renews=True)
    order = iter(range(THREADS))

    def mixed() -> str:
        match next(order) % 4:
            case 0:
                pipeline.clear(["user"])
            case 1:
                pipeline.renew(["user"])
            case 2:
                pipeline.forget(["app"])
        return pipeline.obtain(["user"])["user"].access_token

    results = side_by_side(mixed)
    assert all(isinstance(result, str) for result in results)
    last = pipeline.obtain(["user"])["user"]
    assert world.storage.get("key:user") == last


def test_a_parent_that_was_renewed_while_the_lock_was_waited_for_is_taken(world: World) -> None:
    """Else a process would log in with the token that another has just replaced."""
    pipeline = world.three()
    pipeline.obtain(["app"])
    world.took()
    newer = TokenData("app-token-2", expires_at=world.clock.now + timedelta(hours=1), issued_at=world.clock.now)
    with world.storage.lock("key:user"):
        late = threading.Thread(target=lambda: pipeline.obtain(["user"]), daemon=True)
        late.start()
        world.storage.await_crowd("key:user", 1)  # by now its parents are settled
        world.storage.set("key:app", newer)
    late.join(5)
    assert world.storage.get("key:user").meta["parents"]["app"] == identity(newer)


def test_a_step_may_ask_its_own_pipeline_to_forget(world: World) -> None:
    pipeline = world.three()
    world.made["user"].hold = lambda: print(pipeline.clear())
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"


def test_a_lock_is_waited_for_no_longer_than_the_deadline(world: World) -> None:
    pipeline = world.three()
    with world.storage.lock("key:device"), pytest.raises(LockTimeout):
        pipeline.obtain(["user"], Deadline(0.01))


def test_without_any_time_left_a_lock_is_not_waited_for(world: World) -> None:
    timeouts: list[float] = []

    class Recording(InMemoryTokenStorage):
        def lock(self, key: str, timeout: float = 60.0) -> Any:
            timeouts.append(timeout)
            return super().lock(key, timeout)

    world.step("user")
    world.storage = Recording()
    world.pipeline().obtain(["user"], Deadline(0))
    assert timeouts == [0.0]


@pytest.mark.parametrize("renewed", ["user-token-2", "user-token-1"], ids=["another token", "the same token"])
def test_a_refresh_token_that_was_spent_while_the_lock_was_waited_for_is_not_sent(world: World, renewed: str) -> None:
    """Also when what came of it is no good either: sent twice it revokes the whole family."""
    sent: list[str | None] = []
    at_the_lock = threading.Event()

    class Noting(Made):
        def refresh(
            self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
        ) -> TokenData | None:
            sent.append(current.refresh_token)
            return super().refresh(current, given, deadline)

    class Telling(InMemoryTokenStorage):
        def lock(self, key: str, timeout: float = 60.0) -> Any:
            at_the_lock.set()
            return super().lock(key, timeout)

    world.storage = Telling()
    world.made["user"] = Noting("user", world.clock, world.log)
    pipeline = world.pipeline()

    def ended(token: str, number: int) -> TokenData:
        return TokenData(token, expires_at=world.clock.now, refresh_token=f"user-refresh-{number}")

    world.storage.set("key:user", ended("user-token-1", 1))
    with world.storage.lock("key:user"):
        at_the_lock.clear()
        late = threading.Thread(target=lambda: pipeline.obtain(["user"]), daemon=True)
        late.start()
        assert at_the_lock.wait(5)
        world.storage.set("key:user", ended(renewed, 2))
    late.join(5)
    assert sent == ["user-refresh-2"]


def test_who_ran_out_of_time_fails_alone(world: World) -> None:
    """Others may have a later deadline; here all moments are one, so that a shared failure would be met."""
    world.step("user", answers=[TimeoutException("timed out")])
    pipeline = Pipeline(list(world.made.values()), world.storage, now=world.clock, monotonic=lambda: 0.0)
    with pytest.raises(TimeoutException):
        pipeline.obtain(["user"], Deadline(0))
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"


@pytest.mark.parametrize("deadline", [None, Deadline(3600)], ids=["no deadline", "time is left"])
def test_whoever_had_time_shares_the_failure(world: World, deadline: Deadline | None) -> None:
    world.step("user", answers=[ConnectionException("connection refused")])
    pipeline = Pipeline(list(world.made.values()), world.storage, now=world.clock, monotonic=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(ConnectionException):
            pipeline.obtain(["user"], deadline)
    assert world.took() == ["login user"]


def test_a_parent_that_was_deleted_while_the_lock_was_waited_for_is_obtained_anew(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["app"])
    world.took()
    with world.storage.lock("key:user"):
        late = threading.Thread(target=lambda: pipeline.obtain(["user"]), daemon=True)
        late.start()
        world.storage.await_crowd("key:user", 1)  # by now its parents are settled
        world.storage.delete("key:app")
    late.join(5)
    assert world.took() == ["login app", "login user"]
    assert world.storage.get("key:user").meta["parents"]["app"] == identity(world.storage.get("key:app"))
