"""When tokens end, for everything that servers say and do not say."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.definition import Expires, ExpiresTable
from forge_cli.login.expiry import End, duration, ends, size

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
CENTURY = timedelta(days=36500)
NEVER = End(None, known=True)
UNKNOWN = End(None, known=False)
IN = ExpiresTable(in_="/e")
ABSENT = object()


def at(moment: datetime) -> End:
    return End(moment, known=True)


def after(seconds: float) -> End:
    return at(NOW + timedelta(seconds=seconds))


def end(expires: Expires | None, value: Any = ABSENT) -> End:
    return ends(expires, lambda: {} if value is ABSENT else {"e": value}, NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3600, after(3600)),
        ("3600", after(3600)),
        (" 60 ", after(60)),
        (0.5, after(0.5)),
        ("1.5", after(1.5)),
        (0, after(0)),
        ("0", after(0)),
        (-5, after(-5)),
        (1e12, at(NOW + CENTURY)),
        ("1e12", at(NOW + CENTURY)),
        (10**400, UNKNOWN),
        (-1e300, at(NOW - CENTURY)),
        (float("inf"), at(NOW + CENTURY)),
        (float("nan"), UNKNOWN),
        (None, UNKNOWN),
        (ABSENT, UNKNOWN),
        (True, UNKNOWN),
        ("", UNKNOWN),
        ("soon", UNKNOWN),
        ("1h", UNKNOWN),
        ([], UNKNOWN),
        ({}, UNKNOWN),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_every_expires_in_means_something(value: Any, expected: End) -> None:
    assert end(IN, value) == expected


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", 1906000000, at(datetime.fromtimestamp(1906000000, UTC))),
        ("s", "1906000000", at(datetime.fromtimestamp(1906000000, UTC))),
        ("s", 1906000000.25, at(datetime.fromtimestamp(1906000000.25, UTC))),
        ("ms", 1906000000250, at(datetime.fromtimestamp(1906000000.25, UTC))),
        ("s", 0, at(datetime.fromtimestamp(0, UTC))),
        ("s", 1e300, at(NOW + CENTURY)),
        ("s", float("inf"), at(NOW + CENTURY)),
        ("s", -1e300, at(NOW - CENTURY)),
        ("s", "2030-01-01", UNKNOWN),
        ("s", None, UNKNOWN),
        ("ms", True, UNKNOWN),
        ("iso", "2030-06-01T13:00:00Z", after(3600)),
        ("iso", "2030-06-01t13:00:00z", after(3600)),
        ("iso", "2030-06-01T15:00:00+02:00", after(3600)),
        ("iso", "2030-06-01T15:00:00+0200", after(3600)),
        ("iso", "2030-06-01T13:00:00", after(3600)),
        ("iso", "2030-06-01 13:00:00", after(3600)),
        ("iso", "2030-06-01T12:00:01.5Z", after(1.5)),
        ("iso", "2030-06-01T12:00:00.123456789Z", after(0.123456)),
        ("iso", "2030-06-02", after(43200)),
        ("iso", "0001-01-01T00:00:00Z", at(NOW - CENTURY)),
        ("iso", "0001-01-01T00:00:00+02:00", UNKNOWN),
        ("iso", "9999-12-31T23:59:59Z", at(NOW + CENTURY)),
        ("iso", "2030-13-01T00:00:00Z", UNKNOWN),
        ("iso", "tomorrow", UNKNOWN),
        ("iso", 1906000000, UNKNOWN),
        ("iso", "", UNKNOWN),
        ("http", "Sat, 01 Jun 2030 13:00:00 GMT", after(3600)),
        ("http", " Sat, 01 Jun 2030 12:59:60 GMT ", after(3599)),
        ("http", "Sat, 31 Jun 2030 13:00:00 GMT", UNKNOWN),
        ("http", "Sat, 01 Jun 2030 25:00:00 GMT", UNKNOWN),
        ("http", "Sat, 01 Jun 2030 13:00:00 CET", UNKNOWN),
        ("http", "2030-06-01T13:00:00Z", UNKNOWN),
        ("http", None, UNKNOWN),
    ],
    ids=lambda value: repr(value)[:32],
)
def test_every_expires_at_means_something(unit: Literal["s", "ms", "iso", "http"], value: Any, expected: End) -> None:
    assert end(ExpiresTable(at="/e", unit=unit), value) == expected


@pytest.mark.parametrize(
    ("expires", "value", "expected"),
    [
        (None, 60, UNKNOWN),
        ("never", 60, NEVER),
        (ExpiresTable(ttl=1500), ABSENT, after(1500)),
        (ExpiresTable(ttl=0), ABSENT, after(0)),
        (ExpiresTable(), ABSENT, UNKNOWN),
        (ExpiresTable(in_="/e", zero="never"), 0, NEVER),
        (ExpiresTable(in_="/e", zero="never"), "0", NEVER),
        (ExpiresTable(in_="/e", zero="never"), 60, after(60)),
        (ExpiresTable(in_="/e", zero="never"), None, UNKNOWN),
        (ExpiresTable(in_="/e", zero="never"), False, UNKNOWN),
        (ExpiresTable(at="/e", zero="never"), 0, NEVER),
        (ExpiresTable(in_="/e", default=60), None, after(60)),
        (ExpiresTable(in_="/e", default=60), ABSENT, after(60)),
        (ExpiresTable(in_="/e", default=60), "junk", after(60)),
        (ExpiresTable(in_="/e", default=60), 5, after(5)),
        (ExpiresTable(in_="/e", zero="never", default=60), 0, NEVER),
        (ExpiresTable(at="/e", unit="iso", default=60), "junk", after(60)),
    ],
)
def test_the_table_says_how_to_read_it(expires: Expires | None, value: Any, expected: End) -> None:
    assert end(expires, value) == expected


def test_a_body_that_is_not_json_leaves_the_end_unknown_unless_there_is_a_default() -> None:
    assert ends(IN, lambda: json.loads("<html>"), NOW) == UNKNOWN
    assert ends(ExpiresTable(at="/e", default=60), lambda: json.loads(""), NOW) == after(60)


def test_the_body_is_not_asked_for_when_nothing_in_it_counts() -> None:
    def body() -> Any:
        raise AssertionError

    assert ends("never", body, NOW) == NEVER
    assert ends(ExpiresTable(ttl=60), body, NOW) == after(60)


@given(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    st.sampled_from(["s", "ms", "iso", "http"]),
)
def test_no_value_raises_and_no_end_is_farther_than_a_century(
    value: Any, unit: Literal["s", "ms", "iso", "http"]
) -> None:
    for expires in (IN, ExpiresTable(at="/e", unit=unit)):
        found = end(expires, value)
        assert found.at is None or abs(found.at - NOW) <= CENTURY


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_dates_are_read_as_the_standard_library_writes_them(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert end(ExpiresTable(at="/e", unit="iso"), aware.isoformat()) == at(aware)
    whole = aware.replace(microsecond=0)
    assert end(ExpiresTable(at="/e", unit="http"), format_datetime(whole, usegmt=True)) == at(whole)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("25m", 1500),
        ("12h", 43200),
        ("30d", 2592000),
        ("1h30m", 5400),
        ("1d 2h 3m 4s", 93784),
        ("0.5s", 0.5),
        ("1.5 h", 5400),
        ("90", 90),
        (" 7 ", 7),
        (0, 0),
        (2.5, 2.5),
        ("0s", 0),
        ("36500d", 36500 * 86400),
    ],
)
def test_a_duration_is_seconds(text: str | float, seconds: float) -> None:
    assert duration(text) == seconds
    assert isinstance(duration(text), float)


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "5x", "5ms", "-5s", "30m1h", "1h1h", "1,5h", "٣s", "9" * 5000, "9" * 5000 + "d", "1e3", "inf"],
    ids=lambda value: repr(value)[:12],
)
def test_a_text_that_is_no_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is seconds, or text such as"):
        duration(text)


@pytest.mark.parametrize(
    "value", [-1, True, float("nan"), float("inf"), 1e12, 10**400, "36501d"], ids=lambda v: repr(v)[:8]
)
def test_no_duration_is_negative_or_longer_than_a_century(value: Any) -> None:
    with pytest.raises(ValueError, match="at most 100 years"):
        duration(value)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("100 MiB", 104857600),
        ("10MB", 10_000_000),
        ("1kB", 1000),
        ("1 KiB", 1024),
        ("2gib", 2 * 1024**3),
        ("1TB", 10**12),
        ("1.5 MiB", 1572864),
        ("64 B", 64),
        ("64", 64),
        ("999999999999999999", 999999999999999999),
        (0, 0),
        (123, 123),
    ],
)
def test_a_size_is_bytes(text: str | int, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "1 M", "1 Mi", "1 iB", "1 XB", "1,5 MB", "9" * 5000, -1, True, 1.5, None]
)
def test_what_is_no_size_is_a_value_error(text: Any) -> None:
    with pytest.raises(ValueError, match="a size is bytes, or text such as"):
        size(text)


@given(st.text())
def test_any_other_text_is_a_value_error(text: str) -> None:
    for read in (duration, size):
        with contextlib.suppress(ValueError):
            assert read(text) >= 0
