from __future__ import annotations

import threading

import pytest

from forge_cli.errors import LockTimeout, StorageError
from forge_cli.tokens.storage.lease import Leases
from tests.clock import Clock

PATIENCE = 20.0


class ScriptedMark:
    """Taken at the nth try; renewing answers from a list whose last entry stays."""

    label = "the lock 'key' in a test"

    def __init__(self, *renewals: bool | StorageError, tries: int = 1) -> None:
        self._renewals = list(renewals) or [True]
        self._tries = tries
        self.renewed = threading.Semaphore(0)
        self.released = False

    def take(self, life: float) -> bool:
        self._tries -= 1
        return self._tries <= 0

    def renew(self, life: float) -> bool:
        self.renewed.release()
        answer = self._renewals.pop(0) if len(self._renewals) > 1 else self._renewals[0]
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def release(self) -> None:
        self.released = True
        raise StorageError("the server is gone")


def test_a_mark_is_held_for_its_thread_and_released_whatever_the_server_says() -> None:
    leases, mark, seen = Leases(), ScriptedMark(), []
    with leases.hold("key", mark, 0):
        assert leases.held("key") is mark
        other = threading.Thread(target=lambda: seen.append(leases.held("key")))
        other.start()
        other.join()
    assert seen == [None]
    assert leases.held("key") is None
    assert mark.released


def test_a_mark_is_renewed_while_it_is_held_also_after_a_failure() -> None:
    ended = threading.Event()
    mark = ScriptedMark(True, StorageError("away"), True)
    with Leases(0.03, on_end=ended.set).hold("key", mark, 0):
        for _ in range(4):
            assert mark.renewed.acquire(timeout=PATIENCE)
    assert ended.wait(PATIENCE)


def test_a_lost_mark_is_not_renewed_again() -> None:
    ended = threading.Event()
    mark = ScriptedMark(True, False)
    with Leases(0.03, on_end=ended.set).hold("key", mark, 0):
        assert ended.wait(PATIENCE)
    assert [mark.renewed.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_a_lost_mark_is_an_error_where_it_matters() -> None:
    leases = Leases()
    leases.check("key")
    with leases.hold("key", ScriptedMark(True, False), 0):
        leases.check("key")
        with pytest.raises(StorageError, match="the lock 'key' in a test was lost") as caught:
            leases.check("key")
    assert caught.value.hint


def test_waiting_is_told_once_and_ends_with_an_error_that_names_the_lock() -> None:
    clock, told = Clock(), list[float]()
    leases = Leases(on_wait=told.append, clock=clock, sleep=clock.sleep)
    with (
        pytest.raises(LockTimeout, match="the lock 'key' in a test for 5 s"),
        leases.hold("key", ScriptedMark(tries=10_000), 4.875),
    ):
        pass
    assert sum(clock.slept) == pytest.approx(4.875)
    assert len(told) == 1
    assert 2 <= told[0] < 2.3


def test_a_mark_that_gets_free_is_taken_soon() -> None:
    clock = Clock()
    with Leases(clock=clock, sleep=clock.sleep).hold("key", ScriptedMark(tries=4), 5):
        assert clock.slept == pytest.approx([0.01, 0.02, 0.04])
