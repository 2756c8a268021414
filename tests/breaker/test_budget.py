from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.breaker import RetryBudget

HOST = "https://api.example.com"


def retries(budget: RetryBudget, requests: int, each: int = 3, key: str = HOST) -> int:
    """How many retries so many requests get that fail for good and want `each` of them."""
    spent = 0
    for _ in range(requests):
        budget.request(key)
        for _ in range(each):
            if not budget.spend(key):
                break
            spent += 1
    return spent


def test_200_failing_requests_cost_40_retries_and_the_first_10() -> None:
    assert retries(RetryBudget(), 200) == 50


def test_a_single_request_has_its_retries() -> None:
    assert retries(RetryBudget(), 1) == 3


def test_hosts_have_budgets_of_their_own() -> None:
    budget = RetryBudget()
    retries(budget, 200)
    assert not budget.spend(HOST)
    assert retries(budget, 1, key="https://other.example.com") == 3


def test_a_host_without_a_request_has_the_minimum() -> None:
    budget = RetryBudget(minimum=2)
    assert [budget.spend(HOST) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("budget", "most"), [(RetryBudget(), 100), (RetryBudget(most=30), 30)], ids=["by default", "as is said"]
)
def test_a_quiet_time_does_not_pay_for_a_storm(budget: RetryBudget, most: int) -> None:
    for _ in range(1000):
        budget.request(HOST)
    assert retries(budget, 1, each=1000) == most


def test_nothing_means_nothing() -> None:
    assert retries(RetryBudget(0, 0), 100) == 0


@given(
    st.sampled_from([0.0, 0.1, 0.2, 0.29, 0.333, 0.5, 1.0, 2.0]),
    st.integers(0, 20),
    st.integers(0, 100),
    st.lists(st.booleans(), max_size=300),
)
def test_the_bound_holds_whatever_happens_in_which_order(
    ratio: float, minimum: int, most: int, is_retry: list[bool]
) -> None:
    budget = RetryBudget(ratio, minimum, most=most)
    requests = spent = 0
    for retry in is_retry:
        if retry:
            spent += budget.spend(HOST)
        else:
            budget.request(HOST)
            requests += 1
        assert spent <= minimum + ratio * requests + 1e-9


@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.29, 0.7])
def test_no_retry_is_lost_or_won_by_rounding(ratio: float) -> None:
    assert retries(RetryBudget(ratio, 0), 1000) == round(ratio * 1000)


class Slow(str):
    """A key that lets the other threads go on whenever it is looked up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(0)
        return super().__hash__()


@pytest.fixture
def eager_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_together_get_exactly_what_one_would(eager_threads: None) -> None:
    budget, spent = RetryBudget(), list[int]()
    threads = [threading.Thread(target=lambda: spent.append(retries(budget, 25, key=Slow(HOST)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(spent) == 50


def test_no_request_of_any_thread_is_lost(eager_threads: None) -> None:
    budget = RetryBudget(1.0, 0, most=1000)

    def ask() -> None:
        for _ in range(50):
            budget.request(Slow(HOST))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(budget.spend(HOST) for _ in range(500)) == 400


def test_a_million_hosts_do_not_fill_the_memory() -> None:
    budget = RetryBudget()
    for number in range(10_001):
        budget.request(f"https://{number}.example.com")
    assert len(budget._left) == 10_000


@pytest.mark.parametrize(("ratio", "minimum", "most"), [(-0.1, 10, 100), (0.2, -1, 100), (0.2, 10, -1)])
def test_negative_numbers_are_refused(ratio: float, minimum: int, most: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        RetryBudget(ratio, minimum, most=most)
