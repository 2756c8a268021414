"""The filters of templates: what ``| name(argument)`` makes of a value."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from base64 import b64encode, urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from ..compiled import compiled
from ..registry import Registry
from .pattern import pattern_problem, searched
from .pointer import check_pointer, pointer

DIGESTS = ("sha1", "sha256", "sha384", "sha512")
"""What a thumbprint or fingerprint can be computed with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
# Names that no locale changes (RFC 9110, section 5.6.7; RFC 5322, section 3.3).
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = compiled(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_BASE64 = compiled(rb"([A-Za-z0-9+/]*)(={0,2})")
# Characters. What is searched longer than this is no answer that anybody meant.
_LONGEST_SEARCHED = 1024 * 1024


class Moment(int):
    """Whole seconds since 1970, with the fraction kept for who asks: what ``now`` is."""

    exact: float

    def __new__(cls, seconds: float) -> Moment:
        moment = super().__new__(cls, math.floor(seconds))
        moment.exact = seconds
        return moment

    def later(self, seconds: float) -> Moment:
        """The moment so many seconds after this one."""
        return Moment(self.exact + seconds)


class Kind(NamedTuple):
    """One filter.

    The function raises ValueError when a value does not fit, and LookupError when there is nothing where it
    looks. `fewest` and `most` count its arguments; `check` says what is wrong with a quoted argument, if anything.
    """

    function: Callable[..., Any]
    help: str
    fewest: int = 0
    most: int = 0
    check: Callable[[str], str | None] | None = None


def text_of(value: Any) -> str:
    """A scalar as it stands in text: numbers as in JSON, true, false. ValueError: it is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("its bytes are not UTF-8") from None
    raise ValueError(f"it is {kind_of(value)}")


def octets_of(value: Any) -> bytes:
    """Bytes as they are, anything else as UTF-8 text. ValueError: it has no text form."""
    if isinstance(value, bytes):
        return value
    try:
        # An environment variable that is not UTF-8 holds its bytes as such surrogates.
        return text_of(value).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("it holds half a surrogate pair") from None


def kind_of(value: Any) -> str:
    """What a value is, in a reader's words, without showing it."""
    kinds = ((type(None), "null"), (bool, "true or false"), (int | float, "a number"), (str, "text"), (bytes, "bytes"))
    for kind, words in (*kinds, (Mapping, "a table"), (list | tuple, "a list")):
        if isinstance(value, kind):
            return words
    return f"a {type(value).__name__}"


def _b64d(value: Any) -> bytes:
    # Both alphabets, with and without padding, lines of any length (RFC 4648, sections 3.2, 4 and 5).
    packed = b"".join(octets_of(value).split()).translate(bytes.maketrans(b"-_", b"+/"))
    found = _BASE64.fullmatch(packed)
    if found is None:
        raise ValueError("it is not Base64")
    digits, padding = found.groups()
    if len(digits) % 4 == 1 or (padding and len(packed) % 4):
        raise ValueError("it is Base64 of a wrong length")
    return a2b_base64(digits + b"=" * (-len(digits) % 4))


def _hexd(value: Any) -> bytes:
    try:
        return bytes.fromhex(text_of(value))
    except ValueError:
        raise ValueError("it is not hexadecimal") from None


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("it has no JSON form") from None


def _digest(name: str, value: Any) -> bytes:
    return hashlib.new(name, octets_of(value), usedforsecurity=False).digest()


def _hmac(name: str, value: Any, key: Any) -> bytes:
    try:
        octets = octets_of(key)
    except ValueError:
        raise ValueError("its key has no text form") from None
    return hmac.digest(octets, octets_of(value), name)


def _microseconds(value: Any) -> int:
    """A time in microseconds since 1970: of a number of seconds, in text too, or of an RFC 3339 text."""
    if isinstance(value, Moment):
        value = value.exact
    elif isinstance(value, str | bytes):
        value = _read_time(text_of(value).strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"it is {kind_of(value)}, and no time")
    try:
        found = value * _SECOND if isinstance(value, int) else round(value * _SECOND)
        _ = _EPOCH + timedelta(microseconds=found)
    except (OverflowError, ValueError):
        raise ValueError("it is no time before the year 10000") from None
    return found


def _read_time(text: str) -> int | float:
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("it is neither a number of seconds nor a time as in RFC 3339") from None
    if moment.tzinfo is None:
        raise ValueError("it is a time without a zone")
    return (moment - _EPOCH).total_seconds()


def _date(value: Any) -> datetime:
    return _EPOCH + timedelta(microseconds=_microseconds(value))


def _iso(value: Any, unit: Any = "s") -> str:
    moment = _date(value).replace(tzinfo=None)
    if problem := _unit_problem(unit):
        raise ValueError(problem)
    return f"{moment.isoformat(timespec='milliseconds' if unit == 'ms' else 'seconds')}Z"


def _day(value: Any, zone: str) -> str:
    moment = _date(value)
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04}"
    return f"{day} {moment.hour:02}:{moment.minute:02}:{moment.second:02} {zone}"


def _unit_problem(unit: Any) -> str | None:
    return None if unit in ("s", "ms") else 'its unit is "s" or "ms"'


def _pointer(value: Any, where: Any) -> Any:
    place = text_of(where)
    if problem := check_pointer(place):
        raise ValueError(problem)
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
    return pointer(value, place)


def _regex(value: Any, pattern: Any) -> str:
    if problem := pattern_problem(pattern):
        raise ValueError(f"its pattern {problem}")
    text = text_of(value)
    if len(text) > _LONGEST_SEARCHED:
        raise ValueError("it is too long to be searched")
    found = searched(pattern, text)
    group = None if found is None else (found.groups or (found.whole,))[0]
    if group is None:
        raise LookupError("nothing matches")
    return group


def _split(value: Any, mark: Any = None) -> list[str]:
    separator = None if mark is None else text_of(mark)
    if separator == "":
        raise ValueError("it is to be split at nothing")
    return text_of(value).split(separator)


def _mark_problem(mark: str) -> str | None:
    return None if mark else "what it splits at is empty"


def _pattern_problem(pattern: str) -> str | None:
    problem = pattern_problem(pattern)
    return None if problem is None else f"the pattern {problem}"


def digest_problem(name: Any) -> str | None:
    """What is wrong with the name of a digest, if anything."""
    return None if name in DIGESTS else f"the digest is one of {', '.join(DIGESTS)}"


def _der(value: Any) -> bytes:
    # SEQUENCE { r INTEGER, s INTEGER } (RFC 3279, section 2.2.3). At most 72 octets: every length is one octet.
    raw = octets_of(value)
    if len(raw) != 64:
        raise ValueError("it is no signature of 64 bytes")
    numbers = b""
    for half in (raw[:32], raw[32:]):
        digits = half.lstrip(b"\0")
        if not digits or digits[0] & 0x80:
            digits = b"\0" + digits
        numbers += bytes((2, len(digits))) + digits
    return bytes((0x30, len(numbers))) + numbers


KEY_FILTERS = Registry(
    "filter",
    {
        "sign_rs256": "forge_cli.login.keys:sign_rs256",
        "sign_es256": "forge_cli.login.keys:sign_es256",
        "sign_ed25519": "forge_cli.login.keys:sign_ed25519",
        "cert_thumbprint": "forge_cli.login.keys:cert_thumbprint",
        "pem_fingerprint": "forge_cli.login.keys:pem_fingerprint",
    },
    extras={
        "sign_rs256": "jwt",
        "sign_es256": "jwt",
        "sign_ed25519": "jwt",
        "cert_thumbprint": "jwt",
        "pem_fingerprint": "jwt",
    },
)
"""The filters that know keys: loaded when one of them is first used."""


def _with_keys(name: str) -> Callable[..., Any]:
    return lambda value, argument: KEY_FILTERS.load(name)(value, argument)


FILTERS: Mapping[str, Kind] = {
    "b64": Kind(lambda value: b64encode(octets_of(value)).decode("ascii"), "Base64 of text or bytes"),
    "b64url": Kind(
        lambda value: urlsafe_b64encode(octets_of(value)).decode("ascii").rstrip("="), "base64url, without padding"
    ),
    "b64d": Kind(_b64d, "the bytes of a Base64 or base64url text, padded or not"),
    "hex": Kind(lambda value: octets_of(value).hex(), "lower-case hexadecimal"),
    "hexd": Kind(_hexd, "the bytes of a hexadecimal text"),
    "upper": Kind(lambda value: text_of(value).upper(), "upper case"),
    "lower": Kind(lambda value: text_of(value).lower(), "lower case"),
    "trim": Kind(lambda value: text_of(value).strip(), "without white space at the ends"),
    "urlencode": Kind(lambda value: quote(octets_of(value), safe=""), "percent-encoded, all but `A-Z a-z 0-9 - . _ ~`"),
    "json": Kind(_json, "compact JSON of any value but bytes"),
    "sha1": Kind(partial(_digest, "sha1"), "the digest, as bytes"),
    "sha256": Kind(partial(_digest, "sha256"), "the digest, as bytes"),
    "sha384": Kind(partial(_digest, "sha384"), "the digest, as bytes"),
    "sha512": Kind(partial(_digest, "sha512"), "the digest, as bytes"),
    "md5": Kind(partial(_digest, "md5"), "the digest, as bytes"),
    "hmac_sha1": Kind(partial(_hmac, "sha1"), "the HMAC with this key, as bytes", 1, 1),
    "hmac_sha256": Kind(partial(_hmac, "sha256"), "the HMAC with this key, as bytes", 1, 1),
    "hmac_sha512": Kind(partial(_hmac, "sha512"), "the HMAC with this key, as bytes", 1, 1),
    "sign_rs256": Kind(
        _with_keys("sign_rs256"), "the RSASSA-PKCS1-v1_5 signature with SHA-256 and this PEM key, as bytes", 1, 1
    ),
    "sign_es256": Kind(
        _with_keys("sign_es256"),
        "the ECDSA signature with P-256, SHA-256 and this PEM key: 64 bytes, r and s, as in a JWT",
        1,
        1,
    ),
    "sign_ed25519": Kind(_with_keys("sign_ed25519"), "the Ed25519 signature with this PEM key, as bytes", 1, 1),
    "der": Kind(_der, "the bytes of a `sign_es256` signature in DER, as `openssl dgst` writes it"),
    "unix": Kind(lambda value: _microseconds(value) // _SECOND, "a time as whole seconds since 1970"),
    "unix_ms": Kind(lambda value: _microseconds(value) // 1000, "a time as whole milliseconds since 1970"),
    "iso": Kind(
        _iso, 'a time as `2015-10-21T07:28:00Z`; with `("ms")`, `2015-10-21T07:28:00.000Z`', 0, 1, _unit_problem
    ),
    "rfc2822": Kind(lambda value: _day(value, "+0000"), "a time as `Wed, 21 Oct 2015 07:28:00 +0000`"),
    "http_date": Kind(lambda value: _day(value, "GMT"), "a time as `Wed, 21 Oct 2015 07:28:00 GMT`"),
    "cert_thumbprint": Kind(
        _with_keys("cert_thumbprint"), "the digest over the DER of a PEM certificate, as bytes", 1, 1, digest_problem
    ),
    "pem_fingerprint": Kind(
        _with_keys("pem_fingerprint"),
        "the digest over the public key (SubjectPublicKeyInfo, DER) of a PEM key, private or public, as bytes",
        1,
        1,
        digest_problem,
    ),
    "pointer": Kind(_pointer, "what a JSON pointer finds in a value, or in JSON text", 1, 1, check_pointer),
    "regex": Kind(_regex, "the first group of the first match, or the whole match", 1, 1, _pattern_problem),
    "split": Kind(_split, "a list: the words of a text, or the parts between this", 0, 1, _mark_problem),
    "bytes": Kind(octets_of, "the bytes of a text, in UTF-8"),
    "text": Kind(text_of, "the text of UTF-8 bytes, of a number, of true or false"),
}
"""The filters by name."""
