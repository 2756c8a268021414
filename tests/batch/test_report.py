"""The reports about a run."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

from forge_cli.batch.report_html import page
from forge_cli.batch.report_junit import JUnit
from forge_cli.batch.results import Result
from forge_cli.batch.summary import Summary


def summary(*ended: tuple[float, float]) -> Summary:
    """A run of answers at these moments, after so many milliseconds."""
    found = Summary(0.0)
    for at, ms in ended:
        found.add(replace(Result(1, 1, None, ms, 1), ended=at), at, failed=False)
    return found


def plot(name: str, text: str) -> str:
    found = re.search(rf'aria-label="{name}">(.*?)</svg>', text)
    assert found is not None
    return found[1]


def test_where_nothing_ended_the_latency_has_a_gap() -> None:
    drawn = plot("Latency over time", page(summary((0.1, 5), (0.3, 5), (1.1, 5), (1.3, 7), (2.1, 3)), "x"))
    means = re.findall(r'class="curve mean" points="([^"]*)"', drawn)
    assert [len(points.split()) for points in means] == [2, 2]
    assert len(re.findall(r'class="dot mean"', drawn)) == 1
    # The foot of the plot is at 176: nothing took no time.
    assert all(float(point.split(",")[1]) < 176 for points in means for point in points.split())


def test_the_longest_latency_is_drawn_above_the_mean() -> None:
    drawn = plot("Latency over time", page(summary((0.1, 2), (0.1, 8), (0.3, 4)), "x"))
    [mean] = re.findall(r'class="curve mean" points="[^,]*,([^ ]*) ', drawn)
    [longest] = re.findall(r'class="curve longest" points="[^,]*,([^ ]*) ', drawn)
    assert float(longest) < float(mean)
    assert ">longest</text>" in drawn and ">mean</text>" in drawn


def test_the_rate_falls_to_nothing_where_nothing_ended() -> None:
    drawn = plot("Throughput", page(summary((0.1, 5), (0.9, 5)), "x"))
    [points] = re.findall(r'class="curve only" points="([^"]*)"', drawn)
    assert [float(point.split(",")[1]) for point in points.split()][1:3] == [176, 176]


def test_no_label_leaves_the_picture_or_covers_another() -> None:
    for count in range(1, 40):
        drawn = plot("Latencies", page(summary(*((1.0, 2.0**n) for n in range(count))), "x"))
        labels = re.findall(r'<text x="([0-9.]+)" y="194">([^<]*)</text>', drawn)
        edges = [edge for x, label in labels for edge in (float(x), float(x) + 7 * len(label))]
        assert edges == sorted(edges) and edges[0] >= 64 and edges[-1] <= 640


def test_a_run_without_results_is_a_page_as_well() -> None:
    text = page(Summary(0.0), "x")
    assert text.count(">nothing</text>") == 4


def test_the_title_of_a_junit_report_is_what_it_was_called() -> None:
    file = io.StringIO()
    JUnit().write(file, Summary(0.0), 'forge batch a&b<"c\x01')
    assert ElementTree.fromstring(file.getvalue().partition("\n")[2])[0].attrib["name"] == 'forge batch a&b<"c\ufffd'
