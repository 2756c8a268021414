"""Secret values, and the one redactor that every text for people passes through."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"

# A redactor lives as long as the process; a server that renews tokens all day must not grow it.
_MOST_VALUES = 1000
# Shorter values occur in ordinary text; masking every "dev" would hide more than it protects.
_SHORTEST = 4
# No header holds a longer one; such a value is not worth ten copies in memory.
_LONGEST_ENCODED = 64 * 1024

_SENSITIVE_NAME = re.compile(
    r"^(proxy-)?authorization$|^(set-)?cookie2?$|token|secret|passw|api[-_]?key|signature|credential"
    r"|^x-amz-security|session[-_]?id|^(x-)?auth$|assertion|private[-_]?key"
    r"|^(code|key|jwt|sid|otp|pin|pwd|pw)$",
    re.IGNORECASE,
)
# An authorization code is a secret and random; the code of an error is words, and what a reader needs most.
_ERROR_CODE = re.compile(r"[0-9]{1,5}|[A-Za-z]{2,}(?:[_. -][A-Za-z]+)*")
# What looks like a token, under whatever name: a JWT (RFC 7519), or a long run of letters and digits.
_TOKEN_LIKE = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<![\w+/~.-])(?=[\w+/~.-]*[0-9])(?=[\w+/~.-]*[A-Za-z])[\w+/~.-]{32,}={0,2}(?![\w+/~.-])"
)
# What stands for a value that is not there hides nothing.
_PLACEHOLDER = re.compile(r"<(token:[A-Za-z0-9_-]+|redacted)>")
# Standard names that hold one of the words above and no secret.
_HARMLESS = frozenset({"token_type", "token-type", "x-csrf-token-required", "token_endpoint", "subject_token_type"})
_KEY = re.compile(r"""(?P<quote>["']?)(?P<name>[A-Za-z0-9_.-]{2,64})(?P=quote)(?P<sign>\s*[:=]\s*)""")
_VALUE = re.compile(
    r"""(?P<edge>["'])(?:(?!(?P=edge))[^\\]|\\.)*(?P=edge)|(?P<escaped>\\")(?:[^"\\]|\\[^"])*\\"|["']?[^\s,;&"'}\]]+"""
)


class Secret:
    """A text that prints as ``***``; ``reveal()`` is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        REDACTOR.add(value)

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)


class Redactor:
    """Hides known secret values, in the spellings they travel in, from any text."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[str, ...] | None] = OrderedDict()
        self._spellings: tuple[str, ...] | None = ()
        self._lock = threading.Lock()

    def add(self, value: str | bytes | Secret | None) -> None:
        """Hide this value from now on. Empty and very short values are ignored."""
        if isinstance(value, Secret):
            value = value.reveal()
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if value is None or len(value) < _SHORTEST:
            return
        with self._lock:
            if value in self._values:
                self._values.move_to_end(value)
                return
            self._values[value] = None
            while len(self._values) > _MOST_VALUES:
                self._values.popitem(last=False)
            self._spellings = None

    def clear(self) -> None:
        """Forget every value: what is shown from now on is as if none had been known."""
        with self._lock:
            self._values.clear()
            self._spellings = ()

    def text(self, text: str) -> str:
        """The text with every known secret replaced by ``***``."""
        # One search for each spelling: a single pattern of them all costs more to compile than all
        # the searches of a run, and hundreds of megabytes when a process has seen many tokens.
        for spelling in self._longest_first():
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def body(self, text: str) -> str:
        """The text of a body: known secrets, values of token-like fields, and what looks like a token replaced."""
        return _TOKEN_LIKE.sub(MASK, _mask_fields(self.text(text)))

    def header(self, name: str, value: str) -> str:
        """One header's value: masked by name, else by known values. A scheme word stays."""
        if not sensitive(name):
            return self.text(value)
        scheme, _, rest = value.partition(" ")
        if _PLACEHOLDER.fullmatch(rest or value):
            return value
        return f"{scheme} {MASK}" if rest and scheme.isalnum() and "authorization" in name.lower() else MASK

    def headers(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Header pairs, each value masked as ``header`` does."""
        return [(name, self.header(name, value)) for name, value in pairs]

    def url(self, url: str) -> str:
        """A URL without its password, with sensitive query values and known secrets masked."""
        url = re.sub(r"(?<=//)([^/@:?#]*):[^/@?#]*@", rf"\1:{MASK}@", url)
        url = re.sub(r"(?<=[?&])([^=&#]+)=([^&#]*)", _mask_pair, url)
        return self.text(url)

    def _longest_first(self) -> tuple[str, ...]:
        with self._lock:
            if self._spellings is None:
                for value, known in self._values.items():
                    if known is None:
                        self._values[value] = tuple(_spellings(value))
                found = {spelling for known in self._values.values() for spelling in known or ()}
                self._spellings = tuple(sorted(found, key=len, reverse=True))
            return self._spellings


def sensitive(name: str) -> bool:
    """Whether a header, query or body field of this name usually carries a secret."""
    return name.lower() not in _HARMLESS and _SENSITIVE_NAME.search(name) is not None


def masked(token: str) -> str:
    """A token as a table shows it: enough of the ends to tell two apart, never enough to use."""
    return f"{token[:4]}…{token[-4:]}" if len(token) >= 20 else MASK


def repr_mapping(values: Mapping[str, object] | None) -> str:
    """The repr of a mapping with the values of sensitive names masked."""
    if values is None:
        return "None"
    inner = ", ".join(f"{k!r}: {MASK!r}" if sensitive(str(k)) else f"{k!r}: {v!r}" for k, v in values.items())
    return REDACTOR.text("{" + inner + "}")


def _spellings(value: str) -> set[str]:
    if len(value) > _LONGEST_ENCODED:
        return {value}
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value, quote(raw, safe=""), quote_plus(raw), quote(raw), json.dumps(value)[1:-1]}
    forms.add(json.dumps(value, ensure_ascii=False)[1:-1])
    # A secret inside a longer base64 text starts at one of three offsets; the characters that
    # depend on its neighbours are cut off, the middle is the same for any neighbour.
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode()
            start = (0, 2, 3)[offset]
            end = len(text.rstrip("=")) - (0 if (len(raw) + offset) % 3 == 0 else 1)
            if end - start >= 8:
                forms.add(text[start:end])
    return forms


def _mask_fields(text: str) -> str:
    """The text with the values of sensitive names masked, also of names within the value of a harmless one."""
    shown: list[str] = []
    done = at = inside = 0
    quoted = False
    while (key := _KEY.search(text, at)) is not None:
        at, sign = key.end(), key["sign"]
        # Within a value a name needs more than a colon: `scope=token:read` is a value, not a field.
        if key.start() < inside and "=" not in sign and (quoted or not sign[-1].isspace()):
            continue
        secret = sensitive(key["name"])
        if not secret and at <= inside:
            continue
        value = _VALUE.match(text, at)
        if value is None:
            continue
        if not secret:
            # The search goes on within it; an unquoted one after a space is prose.
            quoted = value["edge"] is not None
            inside = value.end() if quoted or not sign[-1].isspace() else at
        elif _hides(key["name"], value[0]):
            edge = value["edge"] or value["escaped"] or ""
            shown += text[done:at], edge, MASK, edge
            done = at = value.end()
    return "".join(shown) + text[done:]


def _hides(name: str, value: str) -> bool:
    """Whether what stands at a sensitive name is the secret itself."""
    if value.startswith(("{", "[")) or value in {"null", "true", "false"}:
        return False
    return name.lower() != "code" or _ERROR_CODE.fullmatch(value.strip("\"'")) is None


def _mask_pair(match: re.Match[str]) -> str:
    return f"{match[1]}={MASK}" if sensitive(match[1]) else match[0]


REDACTOR = Redactor()
