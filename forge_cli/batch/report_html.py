"""A run as one page of HTML: its plots are drawn here, it loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from .summary import Summary, span

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 200, 64, 24
# Above the bars, for numbers.
_ROOM = 24
# How wide a letter of a label may be.
_LETTER = 7
_DOT = 2
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--paper:#fff;--line:#c8d1da;--bar:#2f6fb0;--bad:#b3392b}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--paper:#14191f;--line:#3a4652;--bar:#6aa9e6;--bad:#ef7a6b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:44rem;
margin:2rem auto;padding:0 1rem}
svg{width:100%;height:auto}text{fill:var(--ink);font-size:11px}.axis{stroke:var(--line)}
.bar,.dot{fill:var(--bar)}.bad,.dot.longest{fill:var(--bad)}.curve{fill:none;stroke:var(--bar);stroke-width:1.5}
.curve.longest{stroke:var(--bad);stroke-width:1}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}
"""


def page(summary: Summary, title: str) -> str:
    """The page."""
    percentiles = summary.latencies.percentiles()
    rows = [
        ("Requests", f"{summary.count:,}"),
        ("Failed", f"{summary.failed:,}"),
        ("Retries", f"{summary.retries:,}"),
        ("Time", f"{summary.took:.1f} s"),
        ("Rate", f"{summary.rate:.1f}/s"),
        *((name, span(ms)) for name, ms in percentiles.items() if ms is not None),
        ("Longest", span(summary.latencies.longest)),
    ]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    moments = [f"{index * summary.width:.3g} s" for index in range(len(summary.slices))]
    means = [piece.total_ms / piece.sent if piece.sent else None for piece in summary.slices]
    longest = [piece.longest_ms if piece.sent else None for piece in summary.slices]
    rates = _rates(summary)
    bars = summary.latencies.bars()
    kinds = sorted(summary.statuses.items())
    plots = {
        "Latency over time": _curves(moments, {"longest": longest, "mean": means}, "ms"),
        "Latencies": _bars([span(high) for _, high, _ in bars], [count for _, _, count in bars]),
        "Status codes": _bars([kind for kind, _ in kinds], [count for _, count in kinds], kinds=True),
        "Throughput": _curves(moments[: len(rates)], {"": rates}, "/s"),
    }
    drawn = "".join(
        f'<h2>{name}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">{plot}</svg>'
        for name, plot in plots.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1><table>{table}</table>{drawn}</body></html>\n"
    )


def _rates(summary: Summary) -> list[float]:
    """Requests a second in each part of the time. The last one is shorter, and too short for a rate at times."""
    rates = [piece.count / summary.width for piece in summary.slices]
    last = summary.took - (len(rates) - 1) * summary.width
    if last < summary.width / 2 and len(rates) > 1:
        return rates[:-1]
    return [*rates[:-1], summary.slices[-1].count / last] if rates and last > 0 else rates


def _frame(inner: str, top: float, unit: str = "", *, above: int = 10) -> str:
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<path class="axis" fill="none" d="M{_LEFT} 8V{bottom}H{_WIDTH}"/>'
        f'<text x="{_LEFT - 6}" y="{above + 8}" text-anchor="end">{_number(top)} {unit}</text>'
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>{inner}'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _curves(names: Sequence[str], curves: Mapping[str, Sequence[float | None]], unit: str) -> str:
    """Curves over the same moments, by their names; where there is no value, there is a gap."""
    top = max((value for values in curves.values() for value in values if value is not None), default=None)
    if top is None:
        return f'<text x="{_LEFT}" y="18">nothing</text>'
    drawn = "".join(_curve(name, values, top or 1.0) for name, values in curves.items())
    for place, name in enumerate(reversed([name for name in curves if name])):
        x = _LEFT + 8 + 70 * place
        drawn += f'<rect class="{"bad" if name == "longest" else "bar"}" x="{x}" y="0" width="10" height="8"/>'
        drawn += f'<text x="{x + 14}" y="8">{escape(name)}</text>'
    ends = (
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{escape(names[0])}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{escape(names[-1])}</text>'
    )
    return _frame(drawn + ends, top, unit, above=_ROOM - 8)


def _curve(name: str, values: Sequence[float | None], top: float) -> str:
    """A line through neighbours, and a dot for what has none."""
    step, bottom, kind = (_WIDTH - _LEFT - _DOT) / max(1, len(values) - 1), _HEIGHT - _BOTTOM, name or "only"
    drawn = []
    for there, run in groupby(enumerate(values), lambda pair: pair[1] is not None):
        if not there:
            continue
        points = [(_LEFT + n * step, bottom - (bottom - _ROOM) * value / top) for n, value in run if value is not None]
        if len(points) == 1:
            ((x, y),) = points
            drawn.append(f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}"/>')
        else:
            text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            drawn.append(f'<polyline class="curve {kind}" points="{text}"/>')
    return "".join(drawn)


def _bars(names: Sequence[str], values: Sequence[int], *, kinds: bool = False) -> str:
    if not values:
        return f'<text x="{_LEFT}" y="18">nothing</text>'
    top, step, bottom = max(values), (_WIDTH - _LEFT) / len(values), _HEIGHT - _BOTTOM
    every, free = max(1, len(values) // 8), 0.0
    drawn = []
    for n, (name, value) in enumerate(zip(names, values, strict=True)):
        # One failure among a million is still seen; above the bar there is room for a number.
        height, x = max((bottom - _ROOM) * value / top, 2.0 if value else 0.0), _LEFT + n * step
        bad = kinds and not name.startswith(("1", "2", "3"))
        drawn.append(
            f'<rect class="{"bad" if bad else "bar"}" x="{x + 1:.1f}" y="{bottom - height:.1f}" '
            f'width="{max(1.0, step - 2):.1f}" height="{height:.1f}"><title>{escape(name)}: {value}</title></rect>'
        )
        if kinds and n % every == 0:
            drawn.append(f'<text x="{x + 1:.1f}" y="{bottom - height - 4:.1f}">{value:,}</text>')
        if n % every == 0:
            # No label leaves the picture, or covers the one before it.
            width = _LETTER * len(name)
            place = min(x + 1, _WIDTH - width)
            if place >= free:
                free = place + width
                drawn.append(f'<text x="{place:.1f}" y="{_HEIGHT - 6}">{escape(name)}</text>')
    return _frame("".join(drawn), top, above=_ROOM)
