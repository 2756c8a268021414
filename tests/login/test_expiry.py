"""When tokens end, for everything that servers say and do not say."""

from __future__ import annotations

import contextlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.definition import ClockTable, Expires, ExpiresTable, UntilTable
from forge_cli.login.expiry import End, ahead, claims_of, duration, ends, size, until
from forge_cli.login.jar import Cookie

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
CENTURY = timedelta(days=36500)
NEVER = End(None, known=True)
UNKNOWN = End(None, known=False)
IN = ExpiresTable(in_="/e")
ABSENT = object()


@dataclass
class Answer:
    """An answer whose body is what this function gives."""

    body: Callable[[], Any]
    cookies: Mapping[str, Cookie] = field(default_factory=dict)

    def json(self) -> Any:
        return self.body()


def at(moment: datetime) -> End:
    return End(moment, known=True)


def after(seconds: float) -> End:
    return at(NOW + timedelta(seconds=seconds))


def end(expires: Expires | None, value: Any = ABSENT, found: Mapping[str, Any] | None = None) -> End:
    return ends(expires, Answer(lambda: {} if value is ABSENT else {"e": value}), found or {}, NOW)


def in_body(expires: Expires, **body: Any) -> End:
    return ends(expires, Answer(lambda: body), {}, NOW)


def jwt(claims: Any) -> str:
    """A token with these claims and a signature that nobody made."""
    return f"eyJhbGciOiJub25lIn0.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


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
    assert ends(IN, Answer(lambda: json.loads("<html>")), {}, NOW) == UNKNOWN
    assert ends(ExpiresTable(at="/e", default=60), Answer(lambda: json.loads("")), {}, NOW) == after(60)


def test_the_body_is_not_asked_for_when_nothing_in_it_counts() -> None:
    def body() -> Any:
        raise AssertionError

    assert ends("never", Answer(body), {}, NOW) == NEVER
    assert ends(ExpiresTable(ttl=60), Answer(body), {}, NOW) == after(60)
    assert ends(ExpiresTable(jwt="token"), Answer(body), {"token": jwt({"exp": 1906000000})}, NOW).known
    assert ends(ExpiresTable(cookie="sid"), Answer(body), {}, NOW) == UNKNOWN


@pytest.mark.parametrize(
    ("expires", "found", "expected"),
    [
        (ExpiresTable(output="end", unit="iso"), {"end": "2030-06-01T13:00:00Z"}, after(3600)),
        (ExpiresTable(output="end", unit="ms"), {"end": "1906549200000"}, after(3600)),
        (ExpiresTable(output="end"), {}, UNKNOWN),
        (ExpiresTable(output="end", default=60), {"end": "junk"}, after(60)),
        (ExpiresTable(output="end", zero="never"), {"end": "0"}, NEVER),
        (ExpiresTable(jwt="token"), {"token": jwt({"exp": 1906549200})}, after(3600)),
        (ExpiresTable(jwt="id"), {"token": jwt({"exp": 1}), "id": jwt({"exp": "1906549200"})}, after(3600)),
        (ExpiresTable(jwt="token"), {"token": jwt({"exp": 1e300})}, at(NOW + CENTURY)),
        (ExpiresTable(jwt="token"), {"token": jwt({"iat": 1})}, UNKNOWN),
        (ExpiresTable(jwt="token"), {"token": jwt({"exp": None})}, UNKNOWN),
        (ExpiresTable(jwt="token"), {"token": jwt({"exp": True})}, UNKNOWN),
        (ExpiresTable(jwt="token"), {"token": jwt([1])}, UNKNOWN),
        (ExpiresTable(jwt="token", default=60), {"token": "opaque-token-1"}, after(60)),
        (ExpiresTable(jwt="token"), {"token": "a.b.c"}, UNKNOWN),
        (ExpiresTable(jwt="token"), {"token": "a.é.c"}, UNKNOWN),
        (ExpiresTable(jwt="token"), {"token": 5}, UNKNOWN),
        (ExpiresTable(jwt="token"), {}, UNKNOWN),
        (ExpiresTable(in_="", zero="never"), {}, UNKNOWN),
    ],
)
def test_an_output_or_a_jwt_can_say_the_end(expires: Expires, found: Mapping[str, Any], expected: End) -> None:
    assert end(expires, found=found) == expected


def test_claims_may_be_nested_as_deeply_as_somebody_likes() -> None:
    deep = urlsafe_b64encode(b"[" * 100_000).decode()
    assert claims_of(f"a.{deep}.c") == {}


@pytest.mark.parametrize(
    ("ends_at", "default", "expected"),
    [
        (NOW.timestamp() + 60, None, after(60)),
        (None, None, UNKNOWN),
        (None, 30.0, after(30)),
        (1e300, None, at(NOW + CENTURY)),
    ],
)
def test_a_cookie_can_say_the_end(ends_at: float | None, default: float | None, expected: End) -> None:
    answer = Answer(dict, {"sid": Cookie("sid", "session-1", "a.example", "/", ends_at)})
    assert ends(ExpiresTable(cookie="sid", default=default), answer, {}, NOW) == expected
    assert ends(ExpiresTable(cookie="other"), answer, {}, NOW) == UNKNOWN


REGISTRY = ExpiresTable(in_="/expires_in", default=60, from_="/issued_at")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"expires_in": 300}, after(300)),
        ({"expires_in": 300, "issued_at": "2030-06-01T11:59:00Z"}, after(240)),
        ({"expires_in": 300, "issued_at": "2030-06-01T13:59:00.5+02:00"}, after(240.5)),
        ({"issued_at": "2030-06-01T11:59:30Z"}, after(30)),
        ({}, after(60)),
        ({"expires_in": 300, "issued_at": NOW.timestamp() - 60}, after(240)),
        ({"expires_in": 300, "issued_at": str(int(NOW.timestamp()) - 60)}, after(240)),
        ({"expires_in": 300, "issued_at": str(int(NOW.timestamp() - 60) * 1000)}, after(240)),
        ({"expires_in": 300, "issued_at": "2030-06-01T12:10:00Z"}, after(300)),
        ({"expires_in": 300, "issued_at": "junk"}, after(300)),
        ({"expires_in": 300, "issued_at": None}, after(300)),
        ({"expires_in": 300, "issued_at": True}, after(300)),
    ],
    ids=str,
)
def test_a_lifetime_counts_from_when_the_token_was_issued(body: dict[str, Any], expected: End) -> None:
    assert in_body(REGISTRY, **body) == expected


def test_the_end_of_a_refresh_token_is_read_like_that_of_a_token() -> None:
    answer = Answer(lambda: {"r": 60, "z": 0, "a": 1906549200000})
    assert until(UntilTable(in_="/r"), answer, NOW) == NOW + timedelta(seconds=60)
    assert until(UntilTable(at="/a", unit="ms"), answer, NOW) == NOW + timedelta(hours=1)
    assert until(UntilTable(ttl=5), answer, NOW) == NOW + timedelta(seconds=5)
    assert until(UntilTable(in_="/z", zero="never"), answer, NOW) is None
    assert until(UntilTable(in_="/none"), answer, NOW) is None


@pytest.mark.parametrize(
    ("clock", "value", "seconds"),
    [
        (ClockTable(at="/t", unit="ms"), NOW.timestamp() * 1000 + 1500, 1.5),
        (ClockTable(at="/t"), NOW.timestamp() - 30, -30.0),
        (ClockTable(at="/t", unit="iso"), "2030-06-01T12:00:02Z", 2.0),
        (ClockTable(at="/t", unit="http"), "Sat, 01 Jun 2030 12:01:00 GMT", 60.0),
        (ClockTable(at="/t"), "junk", None),
        (ClockTable(at="/none"), 1, None),
    ],
)
def test_how_far_a_clock_is_ahead(clock: ClockTable, value: Any, seconds: float | None) -> None:
    assert ahead(clock, Answer(lambda: {"t": value}), NOW) == seconds


@pytest.mark.parametrize(
    ("expires", "body", "expected"),
    [
        (ExpiresTable(in_="/auth/lease_duration", zero="never"), {"auth": {"lease_duration": 0}}, NEVER),
        (ExpiresTable(in_="/auth/lease_duration", zero="never"), {"auth": {"lease_duration": 2764800}}, after(2764800)),
        (ExpiresTable(at="/status/expirationTimestamp", unit="iso"), {"status": {}}, UNKNOWN),
        (
            ExpiresTable(at="/status/expirationTimestamp", unit="iso"),
            {"status": {"expirationTimestamp": "2030-06-01T13:00:00Z"}},
            after(3600),
        ),
        (ExpiresTable(at="/expiration", unit="ms"), {"expiration": 1906549200000}, after(3600)),
        (ExpiresTable(in_="/body/expires_in"), {"status": 0, "body": {"expires_in": 10800}}, after(10800)),
    ],
    ids=["vault never", "vault", "kubernetes without", "kubernetes", "elasticsearch", "withings"],
)
def test_ends_of_real_apis(expires: Expires, body: dict[str, Any], expected: End) -> None:
    assert in_body(expires, **body) == expected


@given(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    st.sampled_from(["s", "ms", "iso", "http"]),
)
def test_no_value_raises_and_no_end_is_farther_than_a_century(
    value: Any, unit: Literal["s", "ms", "iso", "http"]
) -> None:
    tables = (IN, ExpiresTable(at="/e", unit=unit), ExpiresTable(output="token", unit=unit), ExpiresTable(jwt="token"))
    for expires in (*tables, ExpiresTable(in_="/none", default=60, from_="/e")):
        found = end(expires, value, {"token": value})
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
