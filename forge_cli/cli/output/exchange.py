"""`--format exchange`: request and response as one JSON document, secrets masked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ...models import PreparedRequest, decode_text
from ...redact import REDACTOR
from ...streaming import StreamedResponse
from .content import Content, Look, binary
from .heads import sent_fields
from .json import laid_out


def exchange(content: Content, look: Look) -> Iterator[str]:
    """The document. A body that is JSON stands in it as it came, another text as text, the rest in Base64.

    Only known secrets are masked in it: an answer may repeat the request.
    """
    text = json.dumps(content.head, ensure_ascii=True)
    body = b"".join(content.pieces)
    document = text.replace('"body": null', _body(body, content), 1) if body else text
    if look.layout or look.color:
        return laid_out((document,), color=look.color, safe=look.safe)
    return iter((document + "\n",))


def head_of(prepared: PreparedRequest, response: StreamedResponse) -> dict[str, Any]:
    """All but the body."""
    return {
        "request": {
            "method": prepared.method,
            "url": REDACTOR.url(prepared.url),
            "headers": named(sent_fields(prepared)),
        },
        "status": response.status_code,
        "reason": REDACTOR.text(response.reason),
        "headers": named(response.headers.pairs),
        "body": None,
        "elapsed_ms": round(response.elapsed_ms, 3),
        "attempts": response.attempts,
        "redirects": [{"status": hop.status_code, "url": REDACTOR.url(hop.url)} for hop in response.history],
    }


def named(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Header fields by name, masked; a repeated one has a list."""
    found: dict[str, str | list[str]] = {}
    for name, value in REDACTOR.headers(pairs):
        old = found.get(name)
        found[name] = value if old is None else [*(old if isinstance(old, list) else [old]), value]
    return found


def _body(body: bytes, content: Content) -> str:
    """The member of the document that holds the body."""
    if binary(body, content.kind, content.charset):
        return f'"body_base64": "{base64.b64encode(body).decode("ascii")}"'
    text = REDACTOR.text(decode_text(body, content.charset))
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str)
    except (ValueError, RecursionError):
        return f'"body": {json.dumps(text)}'
    return f'"body": {text.strip()}'


def _refuse(word: str) -> Any:
    raise ValueError(word)
