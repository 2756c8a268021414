from __future__ import annotations

import threading
import time

from forge_cli.breaker import CLOSED, Circuit
from forge_cli.breaker.memory import MemoryBreakerState, put


def failed(circuit: Circuit, now: float) -> Circuit:
    return Circuit(CLOSED, circuit.failures + 1, now)


def test_a_change_sees_the_last_one_and_the_clock() -> None:
    times = iter([1.0, 2.0])
    state = MemoryBreakerState(clock=lambda: next(times))
    assert state.update("key", failed) == Circuit(CLOSED, 1, 1.0)
    assert state.update("key", failed) == Circuit(CLOSED, 2, 2.0)


def test_no_change_of_any_thread_is_lost() -> None:
    state = MemoryBreakerState()

    def change(circuit: Circuit, now: float) -> Circuit:
        time.sleep(0)  # lets the other threads go on
        return failed(circuit, now)

    def work() -> None:
        for _ in range(200):
            state.update("key", change)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.update("key", lambda circuit, now: circuit).failures == 1600


def test_the_circuit_that_changed_longest_ago_makes_room_even_when_it_was_looked_at() -> None:
    state = MemoryBreakerState(clock=lambda: 1.0)
    for number in range(10_000):
        state.update(str(number), failed)
    assert state.update("0", lambda circuit, now: circuit).failures == 1
    state.update("another", failed)
    assert [state.update(key, lambda circuit, now: circuit).failures for key in ("0", "1")] == [0, 1]


def test_only_circuits_with_failures_are_kept() -> None:
    circuits = {"key": Circuit(CLOSED, 1)}
    put(circuits, "key", Circuit(), 10)
    put(circuits, "other", Circuit(), 10)
    assert circuits == {}


def test_the_one_that_changed_longest_ago_goes_first() -> None:
    circuits: dict[str, Circuit] = {}
    for key in ("one", "two", "one", "three"):
        put(circuits, key, Circuit(CLOSED, 1), 2)
    assert list(circuits) == ["one", "three"]
