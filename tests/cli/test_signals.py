"""What signals do to a run within a process that goes on; `promises/test_f3_signals.py` has those that end."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from forge_cli.cli.signals import Terminated, handled

NUMBERS = [signal.SIGINT, signal.SIGTERM]
KINDS: dict[int, type[BaseException]] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


def test_the_handlers_are_as_before_when_the_run_has_ended() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with handled(for_good=False) as signals:
        assert [signal.getsignal(number) for number in NUMBERS] == [signals.handle] * 2
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_another_thread_has_no_handlers() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    found: list[bool] = []

    def run() -> None:
        with handled(for_good=False):
            found.append([signal.getsignal(number) for number in NUMBERS] == before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [True]


def received(number: int) -> None:
    """Send it to this process, and let the handler run."""
    os.kill(os.getpid(), number)
    time.sleep(0)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_nothing_held_it_is_an_exception_at_once(number: int) -> None:
    with handled(for_good=False), pytest.raises(KINDS[number]):
        received(number)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_what_is_held_is_ended_when_it_is_free(number: int) -> None:
    with handled(for_good=False) as signals:
        signals.hold("renewal")
        signals.hold("another")
        received(number)
        signals.free("another")
        with pytest.raises(KINDS[number]):
            signals.free("renewal")


def test_while_the_end_is_put_off_nothing_new_begins() -> None:
    with handled(for_good=False) as signals:
        signals.hold("renewal")
        received(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.hold("the next")
        signals.free("renewal")


def test_what_another_thread_holds_is_waited_for_and_it_begins_nothing_new() -> None:
    log: list[str] = []
    begin, end = threading.Event(), threading.Event()

    with handled(for_good=False) as signals:

        def work() -> None:
            signals.hold("renewal")
            begin.set()
            end.wait(10)
            log.append("kept")
            signals.free("renewal")
            signals.hold("the next")
            log.append("the run is over")
            signals.free("the next")

        worker = threading.Thread(target=work)
        worker.start()
        assert begin.wait(10)
        received(signal.SIGTERM)
        end.set()
        with pytest.raises(Terminated):
            threading.Event().wait(10)
        assert log == ["kept"]
    worker.join(10)
    assert log == ["kept", "the run is over"]


def test_a_run_does_not_end_as_if_nothing_had_come() -> None:
    with handled(for_good=False) as signals:
        signals.due()
        signals.hold("renewal of another thread")
        received(signal.SIGTERM)
        with pytest.raises(Terminated):
            signals.due()


def test_what_is_held_for_too_long_is_broken_off() -> None:
    began = time.monotonic()
    with handled(for_good=False) as signals:
        signals.hold("renewal")
        received(signal.SIGTERM)
        with pytest.raises(Terminated):
            threading.Event().wait(10)
        signals.free("renewal")
    assert 1 < time.monotonic() - began < 2


def test_terminated_ends_a_process_with_its_code_where_nobody_catches_it() -> None:
    assert Terminated().code == 143
