"""Stored tokens and the steps of a login, in words and columns."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ...models import TokenData, aware
from ...redact import masked
from .text import visible_line

COLUMNS = ("profile", "step", "token", "type", "scope", "issued", "expires", "source", "storage")


def row(
    profile: str, step: str, token: TokenData, *, storage: str, source: str | None = None, reveal: bool = False
) -> dict[str, Any]:
    """One token as a table and JSON have it; where its source is not known, that is left out."""
    return {
        "profile": profile,
        "step": step,
        "token": token.access_token if reveal else masked(token.access_token),
        "type": token.token_type,
        "scope": token.scope,
        "issued": moment(token.issued_at),
        "expires": expiry(token),
        "expires_at": None if token.expires_at is None else int(aware(token.expires_at).timestamp()),
        "expired": not token.fresh(datetime.now(UTC), 0.0) or bool(token.meta.get("forgotten")),
        **({} if source is None else {"source": source}),
        "storage": storage,
    }


def expiry(token: TokenData) -> str:
    """When it ends, in how long and as a moment, or `refused`, `expired`, `never`, `unknown`."""
    if token.meta.get("forgotten"):
        return "refused by the server"
    if token.expires_at is None:
        return "never expires" if token.meta.get("never") else "expiry unknown"
    end = aware(token.expires_at)
    left = (end - datetime.now(UTC)).total_seconds()
    when = f"{moment(end)} ({int(end.timestamp())})"
    return f"expires in {span(left)}, {when}" if left > 0 else f"expired {span(-left)} ago, {when}"


def span(seconds: float) -> str:
    """A time span in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(when: datetime | None) -> str | None:
    """A moment in local time, as ISO 8601 with its zone."""
    if when is None:
        return None
    # The last day of the calendar is how some say "never", and elsewhere it is the day after.
    with contextlib.suppress(OverflowError, ValueError):
        when = aware(when).astimezone()
    return when.isoformat(timespec="seconds")


def claims(text: str) -> Any:
    """The payload of a JWT in compact form (RFC 7519, section 3), not verified; None when it is none."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None


def variable(step: str) -> str:
    """The environment variable that holds a step's token."""
    return f"FORGE_TOKEN_{re.sub('[^A-Z0-9]', '_', step.upper())}"


def tree(rows: Sequence[Mapping[str, Any]], targets: Sequence[str], *, drawn: bool = True) -> list[str]:
    """Each injected step with those it needs below it; a step shown before is only named."""
    last_branch, middle_branch, beside = ("└─ ", "├─ ", "│  ") if drawn else ("`- ", "|- ", "|  ")
    by_name = {row["step"]: row for row in rows}
    lines: list[str] = []
    shown: set[str] = set()

    def add(name: str, branch: str, below: str, edge: str) -> None:
        row = by_name[name]
        text = f"{branch}{visible_line(name)} ({row['kind']}){edge}"
        if name in shown:
            lines.append(f"{text}: see above")
            return
        shown.add(name)
        lines.append(f"{text}: {row['state']} -> {row['would']}")
        for parent in row["needs"]:
            last = parent == row["needs"][-1]
            unbound = ", needed only to obtain it" if parent in row["unbound"] else ""
            add(parent, below + (last_branch if last else middle_branch), below + ("   " if last else beside), unbound)

    for name in (*targets, *by_name):
        if name not in shown:
            add(name, "", "", "")
    return lines
