"""When a token ends; and the texts that mean a duration, a size or a moment."""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ..compiled import compiled
from ..frozen import immutable
from ..models import expires_after
from .definition import ClockTable, Expires, ExpiresTable, UntilTable
from .pointer import pointer

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = compiled("".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?)\s*{unit}\s*)?" for unit in _UNITS))
_PLAIN = compiled(r"[0-9]+(?:\.[0-9]+)?")
_SIZE = compiled(
    r"(?P<amount>[0-9]{1,18}(?:\.[0-9]{1,9})?)\s*(?:(?P<prefix>[kmgt])(?P<binary>i)?b|b)?", re.IGNORECASE | re.ASCII
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = compiled(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ("
    + "|".join(_MONTHS)
    + r") ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
# Later moments overflow date arithmetic somewhere; nobody waits for them anyway.
_FARTHEST = timedelta(days=36500)
_LONGEST = _FARTHEST.total_seconds()
# As seconds, such a number is far beyond that; servers that say "issued at" so count in milliseconds.
_MILLISECONDS = 1e11


@immutable
class End:
    """When a token ends. Known and without `at`: never. Unknown is not "never".

    `odd` is the place in the answer where something stands that says no end.
    """

    at: datetime | None
    known: bool
    odd: str | None = field(default=None, compare=False)


_NEVER = End(None, known=True)
_UNKNOWN = End(None, known=False)


class Source(Protocol):
    """An answer as expiries read it."""

    @property
    def cookies(self) -> Mapping[str, Any]:
        """The cookies it sets, by name; each has `expires`, in seconds since 1970 or None."""
        ...

    def json(self) -> Any:
        """The body as JSON. ValueError: it is none."""
        ...


def ends(expires: Expires | None, answer: Source, found: Mapping[str, Any], now: datetime) -> End:
    """When a token obtained at `now` (aware) ends, from what the profile, the answer and its outputs say.

    The body is parsed only for `in`, `at` and `from`. What is absent, null or not a number or date
    leaves the end unknown, unless there is a default.
    """
    if expires is None:
        return _UNKNOWN
    if not isinstance(expires, ExpiresTable):
        return _NEVER
    if expires.ttl is not None:
        return _after(duration(expires.ttl), now)
    end = _announced(expires, answer, found, now)
    if not end.known and expires.default is not None:
        return _after(duration(expires.default), _start(expires, answer, now))
    place = expires.output or expires.at or expires.in_
    if not end.known and place is not None and _said(expires, answer, found) is not None:
        return End(None, known=False, odd=place)
    return end


def until(table: UntilTable, answer: Source, now: datetime) -> datetime | None:
    """When a refresh token ends, None when nothing says so."""
    whole = ExpiresTable(in_=table.in_, at=table.at, unit=table.unit, ttl=table.ttl, zero=table.zero)
    return ends(whole, answer, {}, now).at


def ahead(table: ClockTable, answer: Source, now: datetime) -> float | None:
    """Seconds that the server's clock is ahead of ours, None when the answer does not say."""
    at = _moment(_value(table.at, answer), table.unit, now)
    return None if at is None else (at - now).total_seconds()


def _announced(expires: ExpiresTable, answer: Source, found: Mapping[str, Any], now: datetime) -> End:
    if expires.cookie is not None:
        cookie = answer.cookies.get(expires.cookie)
        return _UNKNOWN if cookie is None or cookie.expires is None else _until(cookie.expires, "s", now)
    if expires.jwt is not None:
        return _until(claims_of(found.get(expires.jwt)).get("exp"), "s", now)
    value = _said(expires, answer, found)
    if expires.zero == "never" and _number(value) == 0:
        return _NEVER
    if expires.in_ is not None:
        return _after(value, _start(expires, answer, now))
    return _until(value, expires.unit, now)


def _said(expires: ExpiresTable, answer: Source, found: Mapping[str, Any]) -> Any:
    if expires.output is not None:
        return found.get(expires.output)
    place = expires.at if expires.in_ is None else expires.in_
    return None if place is None else _value(place, answer)


def _start(expires: ExpiresTable, answer: Source, now: datetime) -> datetime:
    """The moment that a lifetime counts from: never after `now`, for a server's clock may be ahead."""
    if expires.from_ is None:
        return now
    value = _value(expires.from_, answer)
    number = _number(value)
    unit = "iso" if number is None else "ms" if abs(number) >= _MILLISECONDS else "s"
    return min(_moment(value, unit, now) or now, now)


def _value(place: str, answer: Source) -> Any:
    try:
        return pointer(answer.json(), place)
    except (ValueError, LookupError):
        return None


def claims_of(token: Any) -> Mapping[str, Any]:
    """The claims of a JWT (RFC 7519), which is not verified; none when it is no JWT."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _until(value: Any, unit: str, now: datetime) -> End:
    at = _moment(value, unit, now)
    return _UNKNOWN if at is None else End(at, known=True)


def _after(seconds: Any, now: datetime) -> End:
    at = expires_after(seconds, now)
    return _UNKNOWN if at is None else End(at, known=True)


def _moment(value: Any, unit: str, now: datetime) -> datetime | None:
    """The moment in UTC that a value means; None when it means none. At most 100 years from `now`.

    `unit` is s or ms since 1970 (number or numeric text), iso (ISO 8601; UTC unless it says
    otherwise) or http (IMF-fixdate, RFC 9110, section 5.6.7).
    """
    if unit in ("s", "ms"):
        seconds = _number(value)
        return None if seconds is None else _from_epoch(seconds / (1000 if unit == "ms" else 1), now)
    if not isinstance(value, str):
        return None
    try:
        at = _from_iso(value.strip()) if unit == "iso" else http_date(value.strip())
    except (ValueError, OverflowError):
        return None
    return at if at is None else min(max(at, now - _FARTHEST), now + _FARTHEST)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _from_epoch(seconds: float, now: datetime) -> datetime:
    if seconds >= (now + _FARTHEST).timestamp():
        return now + _FARTHEST
    if seconds <= (now - _FARTHEST).timestamp():
        return now - _FARTHEST
    return datetime.fromtimestamp(seconds, UTC)


def _from_iso(text: str) -> datetime:
    at = datetime.fromisoformat(text.upper())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def http_date(text: str) -> datetime | None:
    """The moment that an IMF-fixdate means (RFC 9110, section 5.6.7), None when it is none."""
    # `email.utils` and `time.strptime` know this format too, but cost more to load than all of this.
    found = _HTTP_DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second = found.groups()
    # A leap second is the last one of its minute.
    clock = int(hour), int(minute), min(int(second), 59) if second == "60" else int(second)
    return datetime(int(year), _MONTHS.index(month) + 1, int(day), *clock, tzinfo=UTC)


def duration(text: str | int | float) -> float:
    """Seconds, from a number or from text such as ``"90s"`` or ``"1h30m"``. ValueError: it is neither."""
    seconds = -1.0
    if isinstance(text, str):
        plain = text.strip()
        found = _DURATION.fullmatch(plain)
        if _PLAIN.fullmatch(plain):
            seconds = float(plain)
        elif plain and found is not None:
            seconds = sum(float(amount) * _UNITS[unit] for unit, amount in found.groupdict(default="0").items())
    elif not isinstance(text, bool) and 0 <= text <= _LONGEST:
        seconds = float(text)
    # Longer ones do not fit into what the operating system counts timeouts with.
    if not 0 <= seconds <= _LONGEST:
        raise ValueError("a duration is seconds, or text such as '90s', '25m', '1h30m' or '30d', at most 100 years")
    return seconds


def size(text: str | int) -> int:
    """Bytes, from a whole number or from text such as ``"100 MiB"``. ValueError: it is neither."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a size is bytes, or text such as '10MB' or '100 MiB'")
    prefix = (found["prefix"] or "").lower()
    unit = (1024 if found["binary"] else 1000) ** ("kmgt".index(prefix) + 1 if prefix else 0)
    return int(found["amount"]) * unit if found["amount"].isdigit() else int(float(found["amount"]) * unit)
