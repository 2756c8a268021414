"""What a run was like, in constant memory: counts, latencies in buckets, and how it went over time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .results import Result

# Sixteen buckets for each doubling: a percentile is right to some 4 %. From a microsecond to more than a day.
_PER_DOUBLING = 16
_BUCKETS = _PER_DOUBLING * 37
_MOST_SLICES = 240
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class Latencies:
    """Milliseconds, by size."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self._buckets = [0] * _BUCKETS

    def add(self, ms: float) -> None:
        self.count += 1
        self.longest = max(self.longest, ms)
        self._buckets[_bucket(ms)] += 1

    def at(self, share: float) -> float | None:
        """What this share of them did not exceed; None when there are none."""
        if not self.count:
            return None
        left = math.ceil(share * self.count)
        for index, count in enumerate(self._buckets):
            left -= count
            if left <= 0:
                return min(_upper(index), self.longest)
        return self.longest

    def bars(self) -> list[tuple[float, float, int]]:
        """From, to, how many: two bars for each doubling, from the shortest to the longest."""
        width = _PER_DOUBLING // 2
        sums = [sum(self._buckets[start : start + width]) for start in range(0, _BUCKETS, width)]
        there = [index for index, count in enumerate(sums) if count]
        if not there:
            return []
        span = range(there[0], there[-1] + 1)
        return [(_upper(n * width - 1), _upper((n + 1) * width - 1), sums[n]) for n in span]

    def percentiles(self) -> dict[str, float | None]:
        found = {name: self.at(share) for name, share in _SHARES.items()}
        return {name: None if ms is None else round(ms, 3) for name, ms in found.items()}


def _bucket(ms: float) -> int:
    return min(_BUCKETS - 1, max(0, math.ceil(math.log2(max(ms, 1e-3) * 1000) * _PER_DOUBLING)))


def _upper(index: int) -> float:
    return float(2 ** (index / _PER_DOUBLING) / 1000)


@dataclass
class Slice:
    """A part of the time: how many ended in it, how many of them failed; of those that were sent, how many there are,
    and the latencies' sum and longest."""

    count: int = 0
    failed: int = 0
    sent: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0

    def merge(self, other: Slice) -> None:
        self.count += other.count
        self.failed += other.failed
        self.sent += other.sent
        self.total_ms += other.total_ms
        self.longest_ms = max(self.longest_ms, other.longest_ms)


class Summary:
    """Counts results as they come. `started` is the moment that the run began."""

    def __init__(self, started: float) -> None:
        self.count = self.failed = self.retries = 0
        self.statuses: Counter[str] = Counter()
        self.latencies = Latencies()
        self.width = 0.25
        self.slices: list[Slice] = []
        self.took = 0.0
        self._started = started

    def add(self, result: Result, now: float, *, failed: bool) -> None:
        """One more result; it ended `now`, or when it says."""
        if result.ended is not None:
            now = result.ended
        self.count += 1
        self.failed += failed
        self.retries += max(0, result.attempts - 1)
        self.statuses["error" if result.status is None else str(result.status)] += 1
        self.took = max(self.took, now - self._started)
        if result.attempts:
            self.latencies.add(result.elapsed_ms)
        at = max(0.0, now - self._started)
        while at >= _MOST_SLICES * self.width:
            self._halve()
        index = int(at / self.width)
        while len(self.slices) <= index:
            self.slices.append(Slice())
        sent = int(result.attempts > 0)
        self.slices[index].merge(Slice(1, int(failed), sent, result.elapsed_ms * sent, result.elapsed_ms * sent))

    def _halve(self) -> None:
        """Make each slice twice as long."""
        old, self.slices, self.width = self.slices, [], self.width * 2
        for index, piece in enumerate(old):
            if index % 2:
                self.slices[-1].merge(piece)
            else:
                self.slices.append(piece)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.took if self.took > 0 else 0.0

    def rate_at(self, now: float) -> float:
        """Requests a second until now, while the run goes on."""
        return self.count / (now - self._started) if now > self._started else 0.0

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "count": self.count,
            "failed": self.failed,
            "retries": self.retries,
            "seconds": round(self.took, 3),
            "rate": round(self.rate, 3),
            "statuses": dict(sorted(self.statuses.items())),
            "latency_ms": {**self.latencies.percentiles(), "max": round(self.latencies.longest, 3)},
            "histogram": [
                {"from_ms": round(low, 3), "to_ms": round(high, 3), "count": count}
                for low, high, count in self.latencies.bars()
            ],
        }

    def lines(self) -> Iterator[str]:
        """For a person: what came, how fast, and a histogram."""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(self.statuses.items()))
        retries = f", {self.retries} retries" if self.retries else ""
        yield f"{self.count} requests in {self.took:.1f} s ({self.rate:.1f}/s), {self.failed} failed{retries}"
        if kinds:
            yield kinds
        if self.latencies.count:
            parts = (f"{name} {span(ms)}" for name, ms in self.latencies.percentiles().items() if ms is not None)
            yield f"latency {', '.join(parts)}, max {span(self.latencies.longest)}"
            bars = self.latencies.bars()
            most = max(count for _, _, count in bars)
            for _, high, count in bars:
                yield f"  <= {span(high):>8} {'#' * math.ceil(40 * count / most)} {count}".rstrip()


def span(ms: float) -> str:
    """Milliseconds for a person."""
    if ms >= 10_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2g} ms"
