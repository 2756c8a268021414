"""Credentials that travel in the clear: said once in each run, and nothing silences it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..events import Listener, Sending, StepEvent
from ..models import PreparedRequest
from ..redact import REDACTOR, sensitive
from ..registry import Registry

_HOSTS = Registry("check of a host", {"this machine": "forge_cli.login.endpoint:is_this_machine"})
"""Only plain http needs it."""
# Of a larger body, what comes first; looking for secrets takes time.
_LOOKED_AT = 64 * 1024


class InTheClear:
    """A listener that warns before the first credential leaves this machine over plain http, and passes all on."""

    def __init__(self, warn: Callable[[str], None], listener: Listener) -> None:
        self._warn = warn
        self._listener = listener
        self._in_login = False
        self._warned = False

    def __call__(self, event: Any) -> None:
        if isinstance(event, StepEvent):
            self._in_login = event.step is not None
        elif isinstance(event, Sending) and not self._warned:
            self._look(event.prepared)
        self._listener(event)

    def _look(self, prepared: PreparedRequest) -> None:
        if not travels_in_the_clear(prepared.url) or not (self._in_login or _has_credential(prepared)):
            return
        self._warned = True
        host = urlsplit(prepared.url).hostname
        self._warn(f"{host} is asked by http, not https: anybody in between can read and change this, secrets too")


def travels_in_the_clear(url: str) -> bool:
    """Whether what is sent to a URL can be read on the way."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() == "http" and not _HOSTS.load("this machine")(parts.hostname or "")


def _has_credential(prepared: PreparedRequest) -> bool:
    query = parse_qsl(urlsplit(prepared.url).query)
    if any(sensitive(name) or _known(value) for name, value in (*prepared.headers.pairs, *query)):
        return True
    if not isinstance(prepared.body, bytes):
        return False
    text = prepared.body[:_LOOKED_AT].decode("utf-8", "replace")
    return REDACTOR.body(text) != text


def _known(value: str) -> bool:
    return REDACTOR.text(value) != value
