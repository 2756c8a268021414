"""The heads of requests and responses as HTTP/1.1 lines, redacted and safe for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from ...compiled import compiled
from ...models import Headers, PreparedRequest
from ...redact import Redactor
from ...transport.decode import accept_encoding
from .text import paint, visible_line

# What stands for a value that is not there is for people; on the wire it would be percent-encoded.
_STANDS_FOR = compiled(r"%3C(?:token%3A[A-Za-z0-9_-]+|redacted)%3E")


def request_head(prepared: PreparedRequest, color: bool, redactor: Redactor) -> str:
    """The request line and the header fields, each line with its end."""
    url = urlsplit(_readable(prepared.url, redactor))
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    method = paint(visible_line(prepared.method), "method", color)
    line = f"{method} {paint(visible_line(target), 'strong', color)} HTTP/1.1"
    fields = sent_fields(prepared)
    if "host" not in prepared.headers:
        fields.insert(0, ("Host", url.netloc.rpartition("@")[2]))
    return _text([line, *_fields(fields, color, redactor)])


def sent_fields(prepared: PreparedRequest) -> list[tuple[str, str]]:
    """The header fields with the one that the transport adds for what it can decode."""
    fields = list(prepared.headers.pairs)
    if "accept-encoding" not in prepared.headers:
        fields.append(("Accept-Encoding", accept_encoding()))
    return fields


def _readable(url: str, redactor: Redactor) -> str:
    """The URL without its secrets, and what stands for an absent one as it is."""
    place, question, query = url.partition("?")
    pairs = [_pair(pair, redactor) for pair in query.split("&")]
    return redactor.url(place) + question + "&".join(pairs)


def _pair(pair: str, redactor: Redactor) -> str:
    value = pair.partition("=")[2]
    shown = pair if _STANDS_FOR.fullmatch(value) else redactor.url(f"?{pair}")[1:]
    return placeholders_as_they_are(shown)


def placeholders_as_they_are(text: str) -> str:
    """Percent-encoded text in which ``<token:STEP>`` and ``<redacted>`` can be read."""
    return _STANDS_FOR.sub(lambda match: unquote(match[0]), text)


def response_head(version: str, status: int, reason: str, headers: Headers, color: bool, redactor: Redactor) -> str:
    """The status line and the header fields, each line with its end. `version` is as in ``HTTP/1.1``."""
    words = visible_line(redactor.text(f"{status} {reason}".rstrip()))
    line = f"{visible_line(version)} {paint(words, _style(status), color)}"
    return _text([line, *_fields(headers.pairs, color, redactor)])


def _style(status: int) -> str:
    return "good" if status < 300 else "warning" if status < 400 else "error"


def _fields(pairs: Iterable[tuple[str, str]], color: bool, redactor: Redactor) -> list[str]:
    return [
        f"{paint(visible_line(name), 'name', color)}: {visible_line(value)}" for name, value in redactor.headers(pairs)
    ]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
