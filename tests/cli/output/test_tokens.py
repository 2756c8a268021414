"""Tokens and steps in words."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forge_cli.cli.output.tokens import expiry, moment, row, span, tree, variable
from forge_cli.models import TokenData


def token(seconds: float | None = None, **meta: Any) -> TokenData:
    end = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
    return TokenData("user-token-1", expires_at=end, meta=meta)


@pytest.mark.parametrize(
    ("seconds", "meta", "pattern"),
    [
        (725, {}, r"expires in 12 min, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \(\d+\)"),
        (-7300, {}, r"expired 2 h ago, .*"),
        (None, {}, "expiry unknown"),
        (None, {"never": True}, "never expires"),
        (725, {"forgotten": True}, "refused by the server"),
    ],
    ids=["expires", "expired", "unknown", "never", "refused"],
)
def test_when_a_token_ends(seconds: float | None, meta: dict[str, Any], pattern: str) -> None:
    assert re.fullmatch(pattern, expiry(token(seconds, **meta)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (5400, "2 h"), (86400, "1 d"), (1e6, "12 d")],
    ids=str,
)
def test_a_span_is_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_has_its_zone() -> None:
    when = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert datetime.fromisoformat(moment(when) or "") == when
    assert moment(None) is None


@pytest.mark.parametrize(
    ("step", "name"), [("user", "FORGE_TOKEN_USER"), ("step-2_x", "FORGE_TOKEN_STEP_2_X")], ids=["plain", "marks"]
)
def test_a_variable_is_upper_case(step: str, name: str) -> None:
    assert variable(step) == name


@pytest.mark.parametrize(("seconds", "expired"), [(60, False), (-1, True), (None, False)], ids=str)
def test_a_row_says_whether_it_has_ended(seconds: float | None, expired: bool) -> None:
    found = row("api", "user", token(seconds), source="", storage="memory")
    assert (found["expired"], found["token"]) == (expired, "***")


def step(name: str, *needs: str, unbound: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"step": name, "kind": "http", "needs": list(needs), "unbound": list(unbound), "state": "S", "would": "W"}


def test_a_tree_shows_each_step_once_and_what_it_needs_below() -> None:
    rows = [step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c", unbound=("c",)), step("e")]
    assert tree(rows, ["d"]) == [
        "d (http): S -> W",
        "├─ b (http): S -> W",
        "│  └─ a (http): S -> W",
        "└─ c (http), needed only to obtain it: S -> W",
        "   └─ a (http): see above",
        "e (http): S -> W",
    ]


def test_the_end_of_the_calendar_is_a_moment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert str(moment(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))).startswith("9999-12-31T23:59:59")
    finally:
        monkeypatch.undo()
        time.tzset()
