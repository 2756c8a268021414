"""A10: whatever a server says about a lifetime means something, and no clock makes a token immortal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forge_cli.models import TokenData
from forge_cli.profiles.build import Profile
from forge_cli.tokens.fetch_pipeline import TokenFetchPipeline
from forge_cli.tokens.fetchers import BodyTokenFetcher
from forge_cli.tokens.manager import TokenManager
from forge_cli.tokens.providers import ClientCredentialsTokenProvider
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.logins import made
from tests.server import Reply, Server

CENTURY = 100 * 365 * 86400.0

# What `expires_in` is in the answer, as JSON; and the seconds that the token lives, None for unknown.
TABLE: list[tuple[str, str | None, float | None]] = [
    ("missing", None, None),
    ("null", "null", None),
    ("number", "3600", 3600),
    ("text", '"3600"', 3600),
    ("text of a float", '" 90.5 "', 90.5),
    ("float", "90.5", 90.5),
    ("short", "2", 2),
    ("zero", "0", 0),
    ("negative", "-5", -5),
    ("huge", "1e12", CENTURY),
    ("infinite", "1e999", CENTURY),
    ("huge integer", "9" * 400, None),
    ("not a number", "NaN", None),
    ("words", '"soon"', None),
    ("empty", '""', None),
    ("truth", "true", None),
    ("list", "[60]", None),
    ("table", '{"s": 60}', None),
]
CASES = [pytest.param(text, life, id=name) for name, text, life in TABLE]


@pytest.fixture
def token(server: Server) -> Callable[[str | None], str]:
    """Answer with this `expires_in`; give the URL."""

    def answer(text: str | None) -> str:
        said = "" if text is None else f', "expires_in": {text}'
        replies = [Reply(body=f'{{"access_token": "token-{number}"{said}}}') for number in (1, 2, 3)]
        return server.reply("/token", *replies)

    return answer


def login(url: str) -> Profile:
    text = (
        '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\nexpires = { in = "/expires_in" }\n'
    )
    return made(
        text + f'request = {{ method = "POST", url = "{url}" }}\nextract = {{ token = "/access_token" }}\n', url
    )


def by_profile(url: str) -> TokenData:
    return login(url).tokens.get_token()


def by_provider(url: str) -> TokenData:
    with ClientCredentialsTokenProvider(url, "client-1", "client-secret-1", "api") as provider:
        return TokenManager(provider).get_token()


def by_fetcher(url: str) -> TokenData:
    return TokenFetchPipeline(
        [BodyTokenFetcher("user", url.removesuffix("/token"), "/token")], InMemoryTokenStorage()
    ).execute()


@pytest.mark.parametrize("obtain", [by_profile, by_provider, by_fetcher])
@pytest.mark.parametrize(("text", "life"), CASES)
def test_every_lifetime_has_a_meaning(
    token: Callable[[str | None], str], obtain: Callable[[str], TokenData], text: str | None, life: float | None
) -> None:
    before = datetime.now(UTC)
    found = obtain(token(text)).expires_at
    if life is None:
        assert found is None
    else:
        assert found is not None
        assert (found.astimezone(UTC) - before).total_seconds() == pytest.approx(life, abs=5)


@pytest.mark.parametrize(("text", "life"), CASES)
def test_the_next_process_uses_it_exactly_when_it_is_alive(
    server: Server, token: Callable[[str | None], str], text: str | None, life: float | None
) -> None:
    url = token(text)
    first, second = by_profile(url), by_profile(url)
    alive = life is None or life > 0
    assert second.access_token == (first.access_token if alive else "token-2")
    assert len(server.seen) == (1 if alive else 2)


def test_an_answer_without_a_lifetime_is_not_for_ever_where_the_profile_says_otherwise(server: Server) -> None:
    url = server.reply("/token", Reply(body={"access_token": "token-1", "life": 0}))
    text = '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'
    text += f'request = {{ method = "POST", url = "{url}" }}\nextract = {{ token = "/access_token" }}\n'
    for expires, expected in (
        ('{ in = "/nothing", default = "60s" }', 60.0),
        ('{ ttl = "1h30m" }', 5400.0),
        ('{ in = "/life" }', 0.0),
        ('{ in = "/life", zero = "never" }', None),
        ('"never"', None),
    ):
        profile = made(f"{text}expires = {expires}\n", server.url)
        end = profile.tokens.force_refresh().expires_at
        left = None if end is None else (end - datetime.now(UTC)).total_seconds()
        assert left == (None if expected is None else pytest.approx(expected, abs=5)), expires


@pytest.mark.parametrize(
    ("jump", "renewed"),
    [
        (timedelta(minutes=-2), False),
        (timedelta(hours=-2), True),
        (timedelta(days=-4000), True),
        (timedelta(minutes=30), False),
        (timedelta(hours=2), True),
    ],
    ids=["corrected", "two hours back", "years back", "half an hour on", "two hours on"],
)
def test_a_clock_that_jumps_makes_no_token_immortal(jump: timedelta, renewed: bool) -> None:
    """A stamp in the future says that the clock was set back: how much of the life is left, nobody knows."""
    then = datetime(2026, 6, 1, tzinfo=UTC)
    issued = TokenData("token-0", expires_at=then + timedelta(hours=1), issued_at=then)
    assert issued.fresh(then + jump) is not renewed


def test_a_token_from_the_future_is_renewed_once(server: Server) -> None:
    url = server.reply("/token", Reply(body={"access_token": "token-1", "expires_in": 3600}))
    profile = login(url)
    [name] = profile.login.targets
    step = profile.login.pipeline.steps[name]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    profile.storage.set(step.key, TokenData("token-0", expires_at=tomorrow + timedelta(hours=1), issued_at=tomorrow))
    assert [by_profile(url).access_token for _ in range(2)] == ["token-1", "token-1"]
    assert len(server.seen) == 1


def test_the_table_is_what_json_says() -> None:
    """Python reads NaN and huge numbers that RFC 8259 does not promise; the cases above rely on it."""
    parsed: dict[str, Any] = {name: json.loads(text) for name, text, _ in TABLE if text is not None}
    assert parsed["infinite"] == float("inf")
    assert parsed["not a number"] != parsed["not a number"]
