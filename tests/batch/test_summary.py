"""What a run was like."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.batch.results import Result
from forge_cli.batch.summary import Latencies, Summary, span
from forge_cli.errors import ConnectionException


def result(ms: float, *, attempts: int = 1, failed: bool = False) -> Result:
    return Result(1, 1, None, ms, attempts, ConnectionException("refused") if failed else None)


@given(st.lists(st.floats(0.001, 80_000_000), min_size=1))
def test_a_percentile_is_right_to_some_4_percent(values: list[float]) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    for share in (0.01, 0.5, 0.9, 0.95, 0.99, 1.0):
        exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
        found = latencies.at(share)
        assert found is not None and exact * 0.999 <= found <= exact * 1.05


def test_without_requests_there_are_no_percentiles() -> None:
    assert Latencies().percentiles() == {"p50": None, "p90": None, "p95": None, "p99": None}
    summary = Summary(0.0)
    assert list(summary.lines()) == ["0 requests in 0.0 s (0.0/s), 0 failed"]
    assert summary.document()["histogram"] == []


def test_the_histogram_counts_each_latency_once() -> None:
    summary, chance = Summary(0.0), random.Random(1)
    for n in range(1000):
        summary.add(result(chance.expovariate(0.1)), n / 100, failed=False)
    bars = summary.document()["histogram"]
    assert sum(bar["count"] for bar in bars) == 1000
    assert all(later["from_ms"] == bar["to_ms"] for bar, later in itertools.pairwise(bars))
    drawn = [line for line in summary.lines() if "<=" in line]
    assert len(drawn) == len(bars) and max(line.count("#") for line in drawn) == 40


def test_what_was_not_sent_has_no_latency_and_retries_are_counted() -> None:
    summary = Summary(0.0)
    summary.add(result(5.0, attempts=3), 1.0, failed=False)
    summary.add(result(0.0, attempts=0, failed=True), 2.0, failed=True)
    assert (summary.count, summary.failed, summary.retries, summary.latencies.count) == (2, 1, 2, 1)
    assert next(summary.lines()) == "2 requests in 2.0 s (1.0/s), 1 failed, 2 retries"


def test_a_long_run_takes_no_more_memory_and_loses_nothing() -> None:
    summary = Summary(0.0)
    for second in range(10_000):
        summary.add(result(1.0), float(second), failed=second % 10 == 0)
    assert len(summary.slices) <= 240
    assert sum(piece.count for piece in summary.slices) == 10_000
    assert sum(piece.failed for piece in summary.slices) == 1000


def test_a_result_counts_when_it_ended_and_not_when_it_is_written() -> None:
    summary = Summary(100.0)
    for ended in (100.1, 100.1, 100.6):
        summary.add(replace(result(1.0), ended=ended), 109.0, failed=False)
    assert [piece.count for piece in summary.slices] == [2, 0, 1]
    assert summary.took == pytest.approx(0.6)
    summary.add(replace(result(1.0), ended=100.2), 109.0, failed=False)
    assert summary.slices[0].count == 3 and summary.took == pytest.approx(0.6)


@pytest.mark.parametrize(("ms", "text"), [(0.5, "0.5 ms"), (9.94, "9.9 ms"), (123.4, "123 ms"), (12_345, "12.3 s")])
def test_a_span_is_as_exact_as_a_person_reads_it(ms: float, text: str) -> None:
    assert span(ms) == text
