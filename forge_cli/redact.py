"""Secret values, and the one redactor that every text for people passes through."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from .compiled import compiled

MASK = "***"

# A redactor lives as long as the process; a server that renews tokens all day must not grow it.
_MOST_VALUES = 1000
# What servers say is kept apart: they could drive out the secrets with it.
_MOST_HEARD = 100
# Shorter values occur in ordinary text; masking every "dev" would hide more than it protects.
_SHORTEST = 4
# No header holds a longer one; such a value is not worth ten copies in memory.
_LONGEST_ENCODED = 64 * 1024
# Bodies have the same few names again and again; a longer one is none of them.
_LONGEST_NAME = 64

_SENSITIVE_NAME = compiled(
    r"^(proxy-)?authorization$|^(set-)?cookie2?$|token|secret|passw|api[-_]?key|signature|credential"
    r"|^x-amz-security|session[-_]?id|^(x-)?auth$|assertion|private[-_]?key"
    r"|^(code|key|jwt|sid|sig|ticket|otp|pin|pwd|pw)$|^saml(request|response|art)$",
    re.IGNORECASE,
)
# An authorization code is a secret and random; the code of an error is words, and what a reader needs most.
_ERROR_CODE = compiled(r"[0-9]{1,5}|[A-Za-z]{2,}(?:[_. -][A-Za-z]+)*")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Strangers' megabytes pass these expressions: each begins where a run of its characters does, goes through it once,
# and takes nothing back.
# What looks like a token, under whatever name: a JWT (RFC 7519), or a long run of letters and digits.
_TOKEN_LIKE = compiled(
    r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]++\.[\w-]*+"
    r"|(?<![\w+/~.-])(?=[\w+/~.-]*[0-9])(?=[\w+/~.-]*[A-Za-z])[\w+/~.-]{32,}+(?:={1,2}(?![\w+/~.-]))?"
)
# What stands for a value that is not there hides nothing.
_PLACEHOLDER = compiled(r"<(token:[A-Za-z0-9_-]+|redacted)>")
# Standard names that hold one of the words above and no secret.
_HARMLESS = frozenset(
    {
        "token_type",
        "token-type",
        "x-csrf-token-required",
        "token_endpoint",
        "subject_token_type",
        "issued_token_type",
        "requested_token_type",
    }
)
# Names of a login's outputs that are credentials, beside the sensitive ones; and those that only say where or what.
_OPENS = compiled(
    r"cookie|session|verifier|ticket|(^|[_-])key$|(device|user|auth|authorization)[_-]?code", re.IGNORECASE
)
_SAYS_WHERE = compiled(r"(endpoint|ur[li]|_type)$", re.IGNORECASE)
# Fields whose value is a URL, or holds one.
_URL_FIELDS = frozenset({"location", "content-location", "refresh", "referer", "link"})
# What says something and opens nothing, under a name that is no secret's: words, a moment, a web address.
_WORDS = compiled(
    r"(?:[a-z]{1,24}|[A-Z]{1,24}|[A-Z][a-z]{1,23})(?:[_./-]+(?:[a-z]{1,24}|[A-Z]{1,24}|[A-Z][a-z]{1,23}|[0-9]{1,3}))*"
)
_MOMENT = compiled(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{4,18}(?:Z|[+-][0-9:]{2,5})?)?")
_ADDRESS = compiled(r"https?://[^\s/@?#\\]+(?:/[^\s@?#\\]*)?(?:\?(?P<query>[^\s#]*))?", re.IGNORECASE)
_NAME_OF_ARGUMENT = compiled(r"[^\s:=;@]*+(?=[\s:=;@])")
_SEGMENT = compiled(r"[^/?#&=\s<>;,]+")
# The path of a URL, and a host: of words and few digits, as no random text of this length is.
_NAMED = (
    r"(?>(?:v?[0-9]{1,4}|[a-z]{1,24}(?:[A-Z][a-z]{2,23}){0,4}[0-9]{0,2}|[A-Z][a-z]{1,23}|[A-Z]{1,24})(?=[/._-]|\Z))"
)
_PATH_OR_HOST = compiled(
    rf"(?:/{_NAMED}(?:[._-]{_NAMED})*+){{1,12}}/?"
    r"|(?:[a-z]{1,24}[0-9]{0,2}(?:-(?:[a-z]{1,24}[0-9]{0,2}|[0-9]{1,3}))*\.){1,6}[a-z]{2,24}(?::[0-9]{1,5})?"
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?"
)
# Fields about a message or a server, which no login takes a credential from.
_ABOUT = frozenset(
    {
        "accept-ranges",
        "age",
        "allow",
        "alt-svc",
        "cache-control",
        "connection",
        "content-encoding",
        "content-language",
        "content-length",
        "content-security-policy",
        "content-type",
        "date",
        "expires",
        "keep-alive",
        "last-modified",
        "permissions-policy",
        "referrer-policy",
        "retry-after",
        "server",
        "server-timing",
        "strict-transport-security",
        "transfer-encoding",
        "vary",
        "via",
        "www-authenticate",
        "x-content-type-options",
        "x-frame-options",
        "x-powered-by",
    }
)
_TRACES = compiled(r"request-?id|correlation-?id|trace|cf-ray|^access-control-|rate-?limit")
_SHORTEST_UNNAMED = 8
_SHORTEST_RUN = 16
# A parameter, also of a fragment: there the answers of some servers carry tokens.
_PAIR = compiled(r"(?<=[?&#])([^=&#?]++)=([^&#\s>]*)")
_PASSWORD = compiled(r"(?<=//)([^/@:?#]*+):[^/@?#]*+@")
_UUID = compiled(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RUN = compiled(r"(?<![\w+/~.=-])(?=[\w+/~.=-]*[0-9])(?=[\w+/~.=-]*[A-Za-z])[\w+/~.=-]{16,}")
_LINK = r"(?P<link>https?://[^\s\"'<>]+)"
_LINK_OR_TOKEN = compiled(f"{_LINK}|{_TOKEN_LIKE.pattern}")
_PROSE = compiled(f"{_LINK}|{_RUN.pattern}", re.IGNORECASE)
# A JSON text and what follows it, to tell a value from a name; the last one may be cut off.
_ANSWER = compiled(
    rf"""\"(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)(?P<colon>\s*+:)?|{_PROSE.pattern}""",
    re.DOTALL | re.IGNORECASE,
)
# A name is looked at once, from its beginning, and nothing is tried again: bodies of megabytes pass here.
_KEY = compiled(r"""(?P<quote>["']?)(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]{2,}+)(?P=quote)(?P<sign>\s*+[:=]\s*+)""")
_QUOTED = r"""(?<=")[^"\\]*+(?:\\.[^"\\]*+)*+"|(?<=')[^'\\]*+(?:\\.[^'\\]*+)*+'"""
_VALUE = compiled(rf"""(?P<edge>["'])(?:{_QUOTED})|(?P<escaped>\\")(?:[^"\\]|\\[^"])*+\\"|["']?[^\s,;&"'}}\]]+""")
# A part of a form (RFC 7578): where it ends, where its head does, and its name. An element of XML, with its name.
_BOUNDARY = compiled(r"(\r?\n--)")
_EMPTY_LINE = compiled(r"(\r?\n\r?\n)")
_PART_NAME = compiled(r";\s*+name=\"?([^\";\r\n]*+)", re.IGNORECASE)
_ELEMENT = compiled(r"""(?P<head><(?:[\w.-]+:)?(?P<name>[\w.-]++)(?:\s[^<>]*+)?>)(?P<value>[^<>]++)(?P<end></)""")


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
        self._heard: OrderedDict[str, tuple[str, ...] | None] = OrderedDict()
        self._spellings: tuple[str, ...] | None = ()
        self._lock = threading.Lock()

    def add(self, value: str | bytes | Secret | None) -> None:
        """Hide this value from now on. Empty and very short values are ignored."""
        if isinstance(value, Secret):
            value = value.reveal()
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if value is not None:
            self._keep(value, self._values, _MOST_VALUES)

    def hear(self, location: str) -> None:
        """Hide from now on the values that `header` masks in this Location, wherever they are shown."""
        for name, value in _PAIR.findall(location):
            if sensitive(name) or _RUN.search(value) is not None:
                self._keep(value, self._heard, _MOST_HEARD)
                self._keep(_unescaped(value), self._heard, _MOST_HEARD)

    def knows(self, value: str) -> bool:
        """Whether the whole value is a secret that was added."""
        return value in self._values

    def clear(self) -> None:
        """Forget every value: what is shown from now on is as if none had been known."""
        with self._lock:
            self._values.clear()
            self._heard.clear()
            self._spellings = ()

    def _keep(self, value: str, values: OrderedDict[str, tuple[str, ...] | None], most: int) -> None:
        if len(value) < _SHORTEST:
            return
        with self._lock:
            if value in values:
                values.move_to_end(value)
                return
            values[value] = None
            while len(values) > most:
                values.popitem(last=False)
            self._spellings = None

    def text(self, text: str) -> str:
        """The text with every known secret replaced by ``***``."""
        # One search for each spelling: a single pattern of them all costs more to compile than all
        # the searches of a run, and hundreds of megabytes when a process has seen many tokens.
        for spelling in self._longest_first():
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def content(self, text: str, spared: Callable[[str], bool] | None = None) -> str:
        """The text of a body of an API: known secrets and values of sensitive names replaced, and nothing else.

        What only looks like a token is most often an identifier, which its reader needs. A field whose value is
        `spared` stays.
        """
        text = self.text(text)
        if "form-data" in text:
            text = "".join(map(_mask_part, _BOUNDARY.split(text)))
        if "</" in text:
            text = _ELEMENT.sub(_mask_named, text)
        return _mask_fields(text, spared)

    def body(self, text: str) -> str:
        """The text of a body that may be a login's: as `content`, and what looks like a token is replaced too."""
        return _LINK_OR_TOKEN.sub(_mask_token, _mask_fields(self.text(text)))

    def success(self, text: str) -> str:
        """The text of a body that may hold credentials under any name, as the answer to a login does.

        Of its JSON values only words, moments, plain addresses and short texts stay; of other text what is no
        long run of letters and digits.
        """
        return _ANSWER.sub(_mask_unnamed, self.body(text))

    def header(self, name: str, value: str) -> str:
        """One header's value: masked by name, else by known values. A scheme word stays, and so does a URL's place."""
        if name.lower() in _URL_FIELDS:
            return self.text(_PAIR.sub(_mask_long_pair, self.url(value)))
        if not sensitive(name):
            return self.text(value)
        scheme, _, rest = value.partition(" ")
        if _PLACEHOLDER.fullmatch(rest or value):
            return value
        return f"{scheme} {MASK}" if rest and scheme.isalnum() and "authorization" in name.lower() else MASK

    def headers(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Header pairs, each value masked as ``header`` does."""
        return [(name, self.header(name, value)) for name, value in pairs]

    def answered(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Header pairs of an answer to a login, in which any field may be a credential."""
        return [(name, _mask_field(name, value)) for name, value in self.headers(pairs)]

    def url(self, url: str) -> str:
        """A URL without its password, with sensitive query values and known secrets masked."""
        url = _PASSWORD.sub(rf"\1:{MASK}@", url)
        url = _PAIR.sub(_mask_pair, url)
        return self.text(url)

    def _longest_first(self) -> tuple[str, ...]:
        with self._lock:
            if self._spellings is None:
                found: set[str] = set()
                for values in (self._values, self._heard):
                    for value, known in values.items():
                        if known is None:
                            values[value] = known = tuple(_spellings(value))
                        found.update(known)
                self._spellings = tuple(sorted(found, key=len, reverse=True))
            return self._spellings


def sensitive(name: str) -> bool:
    """Whether a header, query or body field of this name usually carries a secret."""
    return _sensitive(name) if len(name) <= _LONGEST_NAME else _SENSITIVE_NAME.search(name) is not None


@lru_cache(4096)
def _sensitive(name: str) -> bool:
    return name.lower() not in _HARMLESS and _SENSITIVE_NAME.search(name) is not None


def speaks(name: str, value: str) -> bool:
    """Whether a value of this name, which a login learned, says something, and is no credential by name or look."""
    credential = _SAYS_WHERE.search(name) is None and (sensitive(name) or _OPENS.search(name) is not None)
    return not credential and _looks_harmless(value)


def _looks_harmless(value: str) -> bool:
    if len(value) < _SHORTEST_UNNAMED or _WORDS.fullmatch(value) or _MOMENT.fullmatch(value):
        return True
    if _PATH_OR_HOST.fullmatch(value):
        return True
    address = _ADDRESS.fullmatch(value)
    if address is None:
        return False
    segments = value.partition("?")[0].split("/")[3:]
    pairs = [pair.partition("=") for pair in (address["query"] or "").split("&")]
    return all(
        len(segment) < _SHORTEST_RUN or _WORDS.fullmatch(segment) or _UUID.fullmatch(segment) for segment in segments
    ) and all(
        not sensitive(key) and (len(text) < _SHORTEST_UNNAMED or _WORDS.fullmatch(text)) for key, _, text in pairs
    )


def quoted(argument: str) -> str:
    """An argument as a message may quote it: of one that may hold a secret no more than the name before it."""
    name = _NAME_OF_ARGUMENT.match(argument)
    shown = argument if name is None else name[0]
    shown = shown if _looks_harmless(shown.lstrip("-")) else ""
    return repr(shown if shown == argument else f"{shown}…")


def masked(token: str) -> str:
    """A token as a table shows it: enough of the ends to tell two apart, never enough to use."""
    return f"{token[:4]}…{token[-4:]}" if len(token) >= 20 else MASK


def repr_mapping(values: Mapping[str, object] | None) -> str:
    """The repr of a mapping with the values of sensitive names masked."""
    if values is None:
        return "None"
    inner = ", ".join(f"{k!r}: {MASK!r}" if sensitive(str(k)) else f"{k!r}: {v!r}" for k, v in values.items())
    return REDACTOR.text("{" + inner + "}")


def _percent(raw: bytes, kept: bytes = b"") -> str:
    """Percent-encoded (RFC 3986, section 2.1). Not `urllib.parse`: that is a tenth of what `--version` takes."""
    return "".join(chr(byte) if byte in _UNRESERVED or byte in kept else f"%{byte:02X}" for byte in raw)


def _unescaped(text: str) -> str:
    """The value of a query, without what `_percent` does."""
    raw = text.replace("+", " ").encode("utf-8", "replace")
    return re.sub(b"%[0-9A-Fa-f]{2}", lambda match: bytes([int(match[0][1:], 16)]), raw).decode("utf-8", "replace")


def _spellings(value: str) -> set[str]:
    if len(value) > _LONGEST_ENCODED:
        return {value}
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value, _percent(raw), _percent(raw, b"/"), _percent(raw, b" ").replace(" ", "+"), json.dumps(value)[1:-1]}
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


def _mask_fields(text: str, spared: Callable[[str], bool] | None = None) -> str:
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
        elif _hides(key["name"], value[0]) and not (spared is not None and spared(value[0])):
            edge = value["edge"] or value["escaped"] or ""
            shown += text[done:at], edge, MASK, edge
            done = at = value.end()
    return "".join(shown) + text[done:]


def _hides(name: str, value: str) -> bool:
    """Whether what stands at a sensitive name is the secret itself."""
    if value.startswith(("{", "[")) or value in {"null", "true", "false"}:
        return False
    bare = value.strip("\"'")
    return _PLACEHOLDER.fullmatch(bare) is None and (name.lower() != "code" or _ERROR_CODE.fullmatch(bare) is None)


def _mask_part(part: str) -> str:
    """A part of a multipart body, its head first, with its content masked where its name is that of a secret."""
    blocks = _EMPTY_LINE.split(part)
    for place in range(0, len(blocks) - 2, 2):
        if any(sensitive(name) for name in _PART_NAME.findall(blocks[place])):
            return "".join(blocks[: place + 2]) + (MASK if any(blocks[place + 2 :]) else "")
    return part


def _mask_named(match: re.Match[str]) -> str:
    return match["head"] + MASK + match["end"] if sensitive(match["name"]) and match["value"] else match[0]


def _mask_pair(match: re.Match[str]) -> str:
    return f"{match[1]}={MASK}" if sensitive(match[1]) else match[0]


def _mask_long_pair(match: re.Match[str]) -> str:
    return f"{match[1]}={MASK}" if _RUN.search(match[2]) is not None else match[0]


def _mask_field(name: str, value: str) -> str:
    name = name.lower()
    if name in _URL_FIELDS:
        place, slashes, rest = value.partition("://")
        host, slash, path = rest.partition("/") if slashes else ("", "", value)
        return place * bool(slashes) + slashes + host + slash + _SEGMENT.sub(_mask_segment, path)
    if name in _ABOUT or _TRACES.search(name) is not None or _looks_harmless(value) or sensitive(name):
        return value
    return _PROSE.sub(_mask_prose, value) if re.search(r"\s", value) else MASK


def _mask_segment(match: re.Match[str]) -> str:
    text = match[0]
    long = match.start() > 0 and match.string[match.start() - 1] == "=" and not _looks_harmless(text)
    return MASK if long or (_UUID.fullmatch(text) is None and _RUN.fullmatch(text) is not None) else text


def _mask_token(match: re.Match[str]) -> str:
    if match["link"] is None:
        return MASK
    return match[0] if _looks_harmless(match[0]) else _TOKEN_LIKE.sub(MASK, match[0])


def _mask_unnamed(match: re.Match[str]) -> str:
    text = match["text"]
    if text is None:
        return _mask_prose(match)
    if match["colon"] is not None or text == MASK:
        return match[0]
    if re.search(r"\s", text) is None:
        return match[0] if _looks_harmless(text) else match[0].replace(text, MASK)
    return _PROSE.sub(_mask_prose, match[0])


def _mask_prose(match: re.Match[str]) -> str:
    if _looks_harmless(match[0]):
        return match[0]
    if match["link"] is None:
        name, sign, value = match[0].partition("=")
        return match[0] if sign and value and not sensitive(name) and _looks_harmless(value) else MASK
    place, _, path = match[0].partition("://")
    return f"{place}://{path.partition('/')[0].rpartition('@')[2].partition('?')[0].partition('#')[0]}/{MASK}"


REDACTOR = Redactor()
