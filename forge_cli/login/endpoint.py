"""Where a login may send what must stay secret: https, and this machine itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from urllib.parse import urlsplit

from ..errors import ProfileError, RequestBuildException, StepFailed
from .definition import RequestTable, table
from .template import UndefinedReference, parse


@table
class EndpointTable(RequestTable):
    """A request to an endpoint of OAuth, which is never sent in the clear (RFC 6749, section 3.2).

    Only shorthands make one: a step as a person writes it may well be tried on plain http.
    """

    named: str = field(metadata={"help": "what names the URL, for a message", "internal": True})


def checked_endpoint(url: str, step: str, what: str) -> str:
    """The URL. ProfileError unless it is https, or http to this machine (RFC 6749, section 3.1; RFC 8252, 7.3)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0 or parts.username is not None:
        raise ProfileError(
            f"step '{step}': {what} is no URL that a login can use", hint="write it as https://HOST/PATH"
        )
    if parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host)):
        return url
    raise ProfileError(
        f"step '{step}': {what} is not https, and what a login sends there must stay secret",
        hint="use https; plain http is for 127.0.0.1, [::1] and localhost",
    )


@contextmanager
def said_by(template: str, step: str) -> Iterator[None]:
    """An address that an answer gave, and that no login can use, is a login refused: StepFailed."""
    try:
        yield
    except UndefinedReference:
        raise
    except (ProfileError, RequestBuildException) as exc:
        if not any(reference[0] in ("steps", "self") for reference in parse(template).references):
            raise
        reason = exc.message.removeprefix(f"step '{step}': ")
        raise StepFailed(step, reason, hint="a server said so: ask whoever runs it") from None


def is_this_machine(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address."""
    return host.lower() == "localhost" or is_loopback_literal(host)


def is_loopback_literal(host: str) -> bool:
    """Whether a host is a loopback address, and not a name that something else could answer to."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
