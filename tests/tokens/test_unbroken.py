"""What must not be broken off: from a request until its token is kept, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from forge_cli.errors import StepFailed
from forge_cli.models import TokenData
from forge_cli.tokens.pipeline import Pipeline
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from forge_cli.tokens.unbroken import idle, requested, unbroken
from tests.tokens.made import World


class Log(InMemoryTokenStorage):
    """A storage, and whoever may end the process, that note what they are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.due = False
        self._held: set[object] = set()

    @property
    def held(self) -> bool:
        return bool(self._held)

    def hold(self, what: object) -> None:
        self.lines.append("hold")
        self._held.add(what)

    def free(self, what: object) -> None:
        if what in self._held:
            self.lines.append("free")
        self._held.discard(what)
        if self.due:
            raise KeyboardInterrupt

    def set(self, key: str, token: TokenData) -> None:
        self.lines.append("set")
        super().set(key, token)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def pipeline(world: World, log: Log) -> Callable[..., Pipeline]:
    def make(**options: Any) -> Pipeline:
        world.step("user", life=60.0, renews=True, hold=requested, **options)
        return Pipeline(list(world.made.values()), log, notice=world.told.append, now=world.clock, ending=log)

    return make


def test_a_login_is_held_from_its_request_until_the_token_is_kept(pipeline: Callable[..., Pipeline], log: Log) -> None:
    pipeline().obtain(["user"])
    assert (log.lines, log.held) == (["hold", "set", "free"], False)


def test_so_is_a_renewal(pipeline: Callable[..., Pipeline], world: World, log: Log) -> None:
    made = pipeline()
    made.obtain(["user"])
    world.clock.pass_(seconds=70)
    log.lines.clear()
    made.obtain(["user"])
    assert world.log[-1] == "refresh user"
    assert (log.lines, log.held) == (["hold", "set", "free"], False)


def test_so_is_a_login_that_waits_for_a_person_while_no_lock_is_held(
    pipeline: Callable[..., Pipeline], log: Log
) -> None:
    pipeline(interactive=True).obtain(["user"])
    assert (log.lines, log.held) == (["hold", "set", "free"], False)


def test_so_is_what_other_steps_over_the_same_storage_do(pipeline: Callable[..., Pipeline], log: Log) -> None:
    made = pipeline()
    made.of(list(made.steps.values())).obtain(["user"])
    assert log.lines == ["hold", "set", "free"]


def test_nothing_is_held_after_a_failure(pipeline: Callable[..., Pipeline], log: Log) -> None:
    made = pipeline(answers=[StepFailed("user", "refused")])
    with pytest.raises(StepFailed):
        made.obtain(["user"])
    assert (log.lines, log.held) == (["hold", "free"], False)


def test_an_end_that_was_put_off_comes_when_the_token_is_kept_and_the_lock_is_free_then(
    pipeline: Callable[..., Pipeline], log: Log
) -> None:
    made = pipeline()
    log.due = True
    with pytest.raises(KeyboardInterrupt):
        made.obtain(["user"])
    assert log.lines == ["hold", "set", "free"]
    log.due = False
    key = made.steps["user"].key
    with log.lock(key, 0.1):
        assert log.get(key) is not None


def test_who_only_waits_is_not_held(log: Log) -> None:
    with unbroken(log):
        with idle():
            assert log.lines == []
        requested()
        with idle():
            assert not log.held
        assert log.held
    assert not log.held
    requested()
    assert not log.held


def test_one_within_another_has_its_own_end(log: Log) -> None:
    with unbroken(log):
        requested()
        with unbroken(log):
            requested()
        assert log.held
    assert not log.held
