"""The values that travel: requests, responses, contexts, tokens. All frozen but the contexts."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from .compiled import compiled
from .errors import (
    AuthenticationException,
    RequestBuildException,
    ResponseParseException,
    status_exception,
)
from .frozen import FrozenDict as FrozenDict
from .frozen import Headers as Headers
from .frozen import frozen, hashable, plain
from .redact import MASK, REDACTOR, repr_mapping
from .registry import Registry

if TYPE_CHECKING:
    from .interfaces import RetryStrategyInterface

_EXPORT = Registry("export", {"curl": "forge_cli.curl:to_curl"})
# RFC 9110, section 5.6.2
TOKEN = compiled(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What tokens are made of: VSCHAR of RFC 6749, appendix A.
_VSCHARS = compiled(r"[\x20-\x7e]+")

# Far more than is shown, and masked before it is cut: what is cut in two is no known secret.
_TEXT_READ = 64 * 1024
# What `is_expired` subtracts for callers of the library; the manager and the pipeline use `fresh`.
_EXPIRY_MARGIN = timedelta(seconds=30)
_LONGEST_SKEW = 30.0
_SKEW_SHARE = 0.1
# A clock may be this far behind the one that stamped a token before the stamp counts as nonsense.
_CLOCK_TOLERANCE = timedelta(minutes=5)
# Later ends than this overflow date arithmetic somewhere; nobody waits for them anyway.
_LONGEST_LIFE = 100 * 365 * 86400.0
_NOTHING: Mapping[str, Any] = FrozenDict()


class HttpMethod(str, Enum):
    """The common request methods (RFC 9110, section 9; PATCH: RFC 5789)."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class HttpRequest:
    """A request as a caller means it: relative URL, values not yet encoded, no credentials.

    `params` values may be lists (repeated) or None (left out). `data` is a form (mapping or pairs),
    or a raw body (text, bytes, file object); `json_data` is encoded as JSON; `files` maps a field to
    a file object, bytes, or ``(filename, content[, content_type])``, or has such pairs in the order of
    the parts; `content` is a raw body of bytes, text or an iterable of bytes. `timeout` is one attempt's
    wall-clock limit in seconds. `auth` is ``(user, password)`` for Basic (RFC 7617).
    RequestBuildException: not a method.
    """

    method: HttpMethod | str
    url: str
    headers: Mapping[str, str] | None = None
    params: Params | None = None
    data: Any = None
    json_data: Any = None
    files: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None
    timeout: float | None = None
    auth: tuple[str, str] | None = None
    cookies: Mapping[str, str] | None = None
    content: Any = None
    retry_strategy: RetryStrategyInterface | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", _method(self.method))
        for name in ("headers", "params", "data", "json_data", "files", "cookies"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen(value))

    def __hash__(self) -> int:
        return hash(tuple(hashable(getattr(self, f.name)) for f in dataclasses.fields(self)))

    def with_headers(self, headers: Mapping[str, str]) -> HttpRequest:
        """A copy with these headers merged in; the argument wins."""
        # Every hook of every request does this; `dataclasses.replace` would check all fields again.
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, headers=FrozenDict({**(self.headers or {}), **headers}))
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Every field by name; mappings as plain dicts, other values as they are."""
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def to_curl(self, *, redact: bool = False) -> str:
        """The request as one line of curl, with its values; `redact` masks those that look secret."""
        to_curl: Callable[..., str] = _EXPORT.load("curl")
        return REDACTOR.text(to_curl(self, mask=True)) if redact else to_curl(self)

    def __repr__(self) -> str:
        shown = [f"method={getattr(self.method, 'value', self.method)}", f"url={REDACTOR.url(self.url)!r}"]
        for name in ("headers", "params", "data", "json_data"):
            value = getattr(self, name)
            if value is not None:
                text = repr_mapping(value) if isinstance(value, Mapping) else REDACTOR.body(repr(value))
                shown.append(f"{name}={text}")
        if self.cookies is not None:
            shown.append(f"cookies={dict.fromkeys(self.cookies, MASK)}")
        if self.files is not None:
            names = self.files if isinstance(self.files, Mapping) else {name for name, _ in self.files}
            shown.append(f"files={sorted(names)}")
        if self.content is not None:
            shown.append("content=…")
        if self.timeout is not None:
            shown.append(f"timeout={self.timeout}")
        if self.auth is not None:
            shown.append(f"auth=({self.auth[0]!r}, {MASK!r})")
        return f"HttpRequest({', '.join(shown)})"


@dataclass(frozen=True)
class Part:
    """One part of a multipart body (RFC 7578): a field, or a file with its bytes or its path."""

    name: str
    value: bytes = b""
    filename: str | None = None
    content_type: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class PreparedRequest:
    """A request as it will be sent: absolute URL, final headers, encoded body.

    `body` is bytes, or an object with ``open() -> bytes | Iterator[bytes]``, ``length`` (int or None)
    and ``replayable`` (whether open() may be called again). `parts` are the parts a multipart body
    was made from. `credentials` names, in lower case, the headers that must not leave the origin;
    `query_credentials` the query parameters. `timeout` is this attempt's limit in seconds.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: Any = None
    parts: tuple[Part, ...] = ()
    credentials: frozenset[str] = frozenset()
    query_credentials: frozenset[str] = frozenset()
    timeout: float | None = None
    client_cert: tuple[str, str | None, str | None] | None = None

    def __repr__(self) -> str:
        headers = dict(REDACTOR.headers(self.headers.pairs))
        return f"PreparedRequest({self.method} {REDACTOR.url(self.url)}, headers={headers})"


@dataclass(frozen=True)
class HttpResponse:
    """An answer, read to its end. `elapsed_ms` is from sending to the last byte of the body."""

    status_code: int
    headers: Headers
    content: bytes
    elapsed_ms: float
    url: str
    request: HttpRequest
    encoding: str | None = None
    reason: str = ""
    history: tuple[HttpResponse, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.headers, Headers):
            object.__setattr__(self, "headers", Headers(self.headers))

    @property
    def text(self) -> str:
        """The body as text: the declared charset, else UTF-8, else as `decode_text` does."""
        return decode_text(self.content, self.encoding)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code <= 299

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status_code <= 499

    @property
    def is_server_error(self) -> bool:
        return 500 <= self.status_code <= 599

    def json(self) -> Any:
        """The body as JSON (RFC 8259). ResponseParseException when it is not."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as exc:
            preview = REDACTOR.body(self.text[:_TEXT_READ])[:500]
            raise ResponseParseException(
                f"Failed to parse JSON response: {exc}", exc, {"content_preview": preview}
            ) from exc

    def json_or_none(self) -> Any:
        """The body as JSON, or None when it is not."""
        try:
            return self.json()
        except Exception:  # whatever a caller's own content does: this member never raises
            return None

    def raise_for_status(self) -> HttpResponse:
        """Return the response, or raise the status class that fits 400 and above."""
        if self.status_code >= 400:
            body = REDACTOR.content(self.text[:4000])[:500]
            raise status_exception(self.status_code, body, {"request": self.request})
        return self

    def __repr__(self) -> str:
        return f"HttpResponse({self.status_code}, {REDACTOR.url(self.url)!r}, {len(self.content)} bytes)"


def decode_text(content: bytes, charset: str | None = None) -> str:
    """Bytes to text: by charset if it is known, else UTF-8; a byte-order mark is dropped."""
    if charset:
        try:
            return content.decode(charset, "replace").removeprefix("\ufeff")
        except (LookupError, ValueError):
            pass  # an unknown charset: as without one
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(name, "replace")
    return content.decode("utf-8", "replace")


class Deadline:
    """A moment on a monotonic clock by which something must be over."""

    __slots__ = ("_clock", "at", "seconds")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self.at = clock() + seconds

    def remaining(self) -> float:
        """Seconds left; zero or less when it has passed."""
        return self.at - self._clock()

    @staticmethod
    def earliest(*deadlines: Deadline | None) -> Deadline | None:
        """The one that comes first, None when there is none."""
        first: Deadline | None = None
        for deadline in deadlines:
            if deadline is not None and (first is None or deadline.remaining() < first.remaining()):
                first = deadline
        return first


@dataclass
class RequestContext:
    """One request on its way: which attempt it is, and what hooks tell each other."""

    request: HttpRequest
    attempt: int = 0
    max_retries: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    deadline: Deadline | None = None

    def increment_attempt(self) -> None:
        """Count one more attempt."""
        self.attempt += 1

    @property
    def is_retry(self) -> bool:
        return self.attempt > 0


@dataclass(frozen=True)
class TokenData:
    """A token and what was learned with it. Immutable, and compared by its six fields.

    `expires_at` may be naive (local time) or aware, or ISO 8601 text of either; None means unknown. `extra`
    holds a step's other outputs. ValueError when the text is no moment.

    `issued_at` and `meta` are bookkeeping of the manager and the pipeline (identity, parents, fingerprint).
    They are no fields: comparison and ``dataclasses.asdict`` leave them out; copies, pickles and
    ``dataclasses.replace`` keep them.
    """

    access_token: str
    token_type: str = "Bearer"
    expires_at: datetime | None = None
    refresh_token: str | None = None
    scope: str | None = None
    extra: Mapping[str, Any] = field(default_factory=FrozenDict)
    if TYPE_CHECKING:  # checkers do not know that such a variable can be an attribute too
        issued_at: datetime | None = None
        meta: Mapping[str, Any] = _NOTHING
    else:
        # Callers write a token's fields down by ``asdict`` and make it again from them. Of a variable with
        # a default, ``replace`` takes the attribute that `__post_init__` sets.
        issued_at: InitVar[datetime | None] = None
        meta: InitVar[Mapping[str, Any]] = _NOTHING

    # The defaults are for the checkers, which see no such variables.
    def __post_init__(
        self,
        issued_at: datetime | None = None,  # noqa: RUF033  # as said above
        meta: Mapping[str, Any] = _NOTHING,  # noqa: RUF033  # as said above
    ) -> None:
        for name, moment in (("expires_at", self.expires_at), ("issued_at", issued_at)):
            object.__setattr__(self, name, _moment(name, moment))
        for name, value in (("extra", self.extra), ("meta", meta)):
            object.__setattr__(self, name, value if isinstance(value, FrozenDict) else frozen(dict(value or {})))
        REDACTOR.add(self.access_token)
        REDACTOR.add(self.refresh_token)

    def __hash__(self) -> int:
        return hash((self.access_token, self.token_type, self.refresh_token, self.scope))

    @property
    def is_expired(self) -> bool:
        """Whether it ends within 30 seconds. False when the end is unknown."""
        return self.expires_at is not None and datetime.now(UTC) + _EXPIRY_MARGIN >= _end(self.expires_at)

    def fresh(self, now: datetime, skew: float | None = None) -> bool:
        """Whether it can be used at `now`, `skew` seconds before its end.

        The default skew is the smaller of 30 s and 10 % of the life. A token stamped in the future
        (the clock was set back) is not fresh, so that no clock makes it live for ever.
        """
        if self.issued_at is not None and aware(self.issued_at) > now + _CLOCK_TOLERANCE:
            return False
        until = self.usable_until(skew)
        return until is None or now < until

    def usable_until(self, skew: float | None = None) -> datetime | None:
        """The moment `skew` seconds before its end, as for `fresh`; None when the end is unknown."""
        if self.expires_at is None:
            return None
        end = _end(self.expires_at)
        if skew is None:
            # Without a stamp the life is unknown; 30 s is what such callers have always had.
            life = (
                (end - aware(self.issued_at)).total_seconds()
                if self.issued_at is not None
                else _LONGEST_SKEW / _SKEW_SHARE
            )
            skew = min(_LONGEST_SKEW, max(0.0, life) * _SKEW_SHARE)
        try:
            return end - timedelta(seconds=skew)
        except OverflowError:
            return end

    @property
    def authorization_header(self) -> str:
        """``type token``, or the token alone when it has no type."""
        return f"{self.token_type} {self.access_token}" if self.token_type else self.access_token

    @classmethod
    def from_response(
        cls,
        data: Mapping[str, Any],
        expires_in_key: str = "expires_in",
        access_token_key: str = "access_token",
        refresh_token_key: str = "refresh_token",
        token_type_key: str = "token_type",
    ) -> TokenData:
        """The token in a token endpoint's answer (RFC 6749, section 5.1).

        AuthenticationException when it has none, or one that is not printable ASCII. `expires_in` may be a number
        or numeric text; anything else is an unknown end.
        """
        token = data.get(access_token_key)
        if not isinstance(token, str) or not token:
            raise AuthenticationException(f"Token field '{access_token_key}' not found in response")
        refresh = _text_or_none(data.get(refresh_token_key))
        for name, text in ((access_token_key, token), (refresh_token_key, refresh)):
            if text and _VSCHARS.fullmatch(text) is None:
                REDACTOR.add(text)  # it may be a good credential all the same
                raise AuthenticationException(
                    f"Token field '{name}' holds a character that no token has",
                    hint="printable ASCII only; an answer that is no UTF-8 is read wrongly",
                )
        now = datetime.now(UTC)
        end = expires_after(data.get(expires_in_key), now)
        known = {access_token_key, refresh_token_key, token_type_key, expires_in_key, "scope"}
        return cls(
            access_token=token,
            token_type=_text_or_none(data.get(token_type_key)) or "Bearer",
            expires_at=None if end is None else local(end),
            refresh_token=refresh,
            scope=_text_or_none(data.get("scope")),
            extra={key: value for key, value in data.items() if key not in known},
            issued_at=now,
        )

    def __repr__(self) -> str:
        refresh = repr(MASK) if self.refresh_token else None
        return (
            f"TokenData(access_token={MASK!r}, token_type={self.token_type!r}, expires_at={self.expires_at!r}, "
            f"refresh_token={refresh}, scope={self.scope!r}, extra={sorted(self.extra)})"
        )


def _moment(name: str, value: Any) -> Any:
    """A moment, also from the text that JSON made of it."""
    if not isinstance(value, str | int | float):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"{name} is neither a datetime nor ISO 8601 text of one") from None


def aware(moment: datetime) -> datetime:
    """The moment in UTC; a naive one is local time. OverflowError or ValueError at the ends of the calendar."""
    return moment.astimezone(UTC)


def _end(moment: datetime) -> datetime:
    """The moment in UTC, kept within the calendar: `datetime.max` is how some say "never"."""
    try:
        return aware(moment)
    except (OverflowError, ValueError):
        return (datetime.max if moment.year > 1970 else datetime.min).replace(tzinfo=UTC)


def local(moment: datetime) -> datetime:
    """The moment as naive local time, which callers of the library subtract ``datetime.now()`` from.

    ``fold`` tells the two equal hours of a clock change apart, so that `aware` gives the moment back.
    """
    return datetime.fromtimestamp(moment.timestamp())


def expires_after(seconds: Any, now: datetime) -> datetime | None:
    """The end of a lifetime in seconds, given as a number or numeric text; None when it is neither."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        life = float(seconds)
    except (ValueError, OverflowError):
        return None
    if life != life:  # NaN
        return None
    return now + timedelta(seconds=min(max(life, -_LONGEST_LIFE), _LONGEST_LIFE))


@dataclass
class FetchContext:
    """The tokens that the steps of one pipeline run have so far."""

    tokens: dict[str, TokenData] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def get_token(self, name: str) -> TokenData | None:
        return self.tokens.get(name)

    def get_token_value(self, name: str) -> str | None:
        token = self.tokens.get(name)
        return None if token is None else token.access_token

    def add_token(self, name: str, token: TokenData) -> None:
        self.tokens[name] = token

    def has_token(self, name: str) -> bool:
        return name in self.tokens

    def has_valid_token(self, name: str) -> bool:
        """Present and not expired."""
        token = self.tokens.get(name)
        return token is not None and not token.is_expired


def _text_or_none(value: Any) -> str | None:
    """What should be text in an answer: a list of scopes becomes one text, other things are not there."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return value if isinstance(value, str) else None


def _method(method: HttpMethod | str) -> HttpMethod | str:
    if isinstance(method, HttpMethod):
        return method
    if not isinstance(method, str) or TOKEN.fullmatch(method) is None:
        raise RequestBuildException(f"{method!r} is not a method", hint="letters, digits and !#$%&'*+.^_`|~- only")
    return HttpMethod.__members__.get(method.upper(), method)


def random_uuid() -> str:
    """A random UUID (RFC 9562, version 4). Importing `uuid` would cost each start several milliseconds."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
