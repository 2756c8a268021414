"""How an exchange went: its connection, its certificate, and where the time was spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ...events import Timing
from ...models import Headers
from .text import paint, visible_line

_WIDTH = 40
_REMAINING = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_LIMIT = ("RateLimit-Limit", "X-RateLimit-Limit", "X-Rate-Limit-Limit")


class Phase(NamedTuple):
    """A part of an exchange, in seconds from its beginning."""

    name: str
    start: float
    end: float

    @property
    def took(self) -> str:
        return milliseconds(self.end - self.start)


def phases(timing: Timing, ended: float | None) -> list[Phase]:
    """What took how long; on a connection that was open already there is no DNS, connect and TLS."""
    points = (
        ("DNS", timing.resolved),
        ("connect", timing.connected),
        ("TLS", timing.secured),
        ("first byte", timing.answered),
        ("transfer", ended),
    )
    found, at = [], timing.started
    for name, point in points:
        if point is not None:
            found.append(Phase(name, at - timing.started, max(at, point) - timing.started))
            at = max(at, point)
    return found


def waterfall(timing: Timing, ended: float, *, color: bool, block: str = "█") -> Iterator[str]:
    """One line for each phase, its bar where it was, and the total."""
    parts = phases(timing, ended)
    total = max(ended - timing.started, 1e-9)
    for phase in parts:
        left = int(phase.start / total * _WIDTH)
        width = max(1, round((phase.end - phase.start) / total * _WIDTH))
        bar = " " * min(left, _WIDTH - 1) + paint(block * min(width, _WIDTH - min(left, _WIDTH - 1)), "name", color)
        yield f"{phase.name:<11}{phase.took:>10}  {bar}"
    yield f"{'total':<11}{milliseconds(total):>10}"


def milliseconds(seconds: float) -> str:
    """A short time in words."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def connection(timing: Timing) -> list[str]:
    """Where it was connected to, by which protocol, and whose certificate it was, a line each."""
    if timing.peer is None:
        return ["connection used again"]
    found = [f"connected to {timing.peer}"]
    if timing.tls is not None:
        found.append(timing.tls)
        found.append(_certificate(timing.certificate or {}))
    return found


def rate_limit(headers: Headers) -> str | None:
    """How many requests the server says are left; None when it does not say."""
    left = next((headers[name] for name in _REMAINING if name in headers), None)
    most = next((headers[name] for name in _LIMIT if name in headers), None)
    if left is None:
        return None
    return visible_line(f"rate limit: {left} left" + (f" of {most}" if most is not None else ""))


def _certificate(certificate: dict[str, Any]) -> str:
    if not certificate:
        return "certificate not verified"
    subject = _name(certificate.get("subject", ())) or ", ".join(
        value for _, value in certificate.get("subjectAltName", ())
    )
    issuer = _name(certificate.get("issuer", ()))
    return visible_line(
        f"certificate of {subject}, from {issuer}, until {certificate.get('notAfter', 'an unknown date')}"
    )


def _name(parts: Iterable[Sequence[Sequence[str]]]) -> str:
    """The common name, or else the organisation."""
    known = {key: value for part in parts for key, value in part}
    return known.get("commonName") or known.get("organizationName") or ""
