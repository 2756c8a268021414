"""What is told on stderr of retries, redirects and exchanges."""

from __future__ import annotations

from typing import Any

import pytest

from forge_cli.cli.output.notices import Notices
from forge_cli.events import Foreign, Received, Redirecting, Retrying, RetryStopped, Sending, StepEvent
from forge_cli.models import Headers, PreparedRequest
from forge_cli.transport.decode import accept_encoding

SECRET = Headers({"Authorization": "Bearer abcd-1"})
SENDING = Sending(PreparedRequest("GET", "https://api.example.com/x?page=2", SECRET))
PLAIN = Sending(PreparedRequest("GET", "https://api.example.com/x", Headers({"Accept": "*/*"})))
RECEIVED = Received(200, "OK", Headers({"Content-Type": "text/plain", "Set-Cookie": "sid=abcd-1"}), "HTTP/1.1")


def told(*events: Any, verbose: int = 0, color: bool = False) -> tuple[list[str], str]:
    said: list[str] = []
    shown: list[str] = []
    notices = Notices(said.append, shown.append, verbose=verbose, color=color)
    for event in events:
        notices(event)
    return said, "".join(shown)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Retrying("503", 1, 3, 0.4), "503, retry 1 of 3 in 0.4 s (--retry 0)"),
        (Retrying("503", 3, 3, 12.345), "503, retry 3 of 3 in 12.3 s (--retry 0)"),
        (Retrying("503", 1, 3, 0.0), "503, retry 1 of 3 in 0 s (--retry 0)"),
        (
            Retrying("connection refused by a:1", 1, 3, 0.06),
            "connection refused by a:1, retry 1 of 3 in 0.1 s (--retry 0)",
        ),
        (RetryStopped("the server asks for 24 h"), "not retried: the server asks for 24 h"),
        (
            Foreign("https://other"),
            "the URL is not of this profile's origins: sent without its headers and credentials",
        ),
        (
            Redirecting(302, "https://u:abcd-1@other/?token=abcd-1", True),
            "redirected to another origin, https://u:***@other/?token=***: credentials were left out\n"
            "  to send them there, add the origin to `origins` in the profile",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_happens_is_one_notice(event: Any, text: str) -> None:
    assert told(event) == ([text], "")


def test_a_plain_redirect_is_told_only_with_vv() -> None:
    event = Redirecting(301, "https://api.example.com/y", False)
    assert told(event, verbose=1) == ([], "")
    assert told(event, verbose=2) == (["301, redirected to https://api.example.com/y"], "")


def test_what_happens_in_a_login_names_the_step() -> None:
    said, _ = told(StepEvent("app"), Retrying("503", 1, 3, 1.0), StepEvent(None), Retrying("502", 1, 3, 1.0))
    assert said == [
        "login step 'app': 503, retry 1 of 3 in 1.0 s (--retry 0)",
        "502, retry 1 of 3 in 1.0 s (--retry 0)",
    ]


def test_exchanges_are_shown_only_with_v() -> None:
    assert told(SENDING, RECEIVED) == ([], "")


def test_v_shows_heads_without_secrets() -> None:
    _, text = told(SENDING, RECEIVED, verbose=1)
    assert text == (
        "> GET /x?page=2 HTTP/1.1\n> Host: api.example.com\n> Authorization: Bearer ***\n"
        f"> Accept-Encoding: {accept_encoding()}\n"
        "< HTTP/1.1 200 OK\n< Content-Type: text/plain\n< Set-Cookie: ***\n"
    )


def test_the_login_is_shown_only_with_vv_and_is_marked() -> None:
    events = (StepEvent("app"), SENDING, StepEvent(None))
    assert told(*events, verbose=1)[1] == ""
    assert told(*events, verbose=2)[1].startswith("> [app] GET /x?page=2 HTTP/1.1\n> [app] Host")


def test_heads_are_coloured_where_that_is_wanted() -> None:
    assert "\x1b[" in told(SENDING, verbose=1, color=True)[1]


def test_it_remembers_whether_a_credential_was_sent() -> None:
    notices = Notices(print, print, verbose=0, color=False)
    notices(StepEvent("app"))
    notices(SENDING)
    notices(StepEvent(None))
    assert not notices.credential_sent
    notices(PLAIN)
    assert not notices.credential_sent
    notices(SENDING)
    assert notices.credential_sent
