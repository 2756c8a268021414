"""Logins by a browser at `tests.login_server`, through the profile `demo`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forge_cli.models import Deadline, TokenData
from forge_cli.profiles.build import Profile
from tests.login_server import DEVICE, PROFILE
from tests.logins import made
from tests.people import Somebody, visit
from tests.server import Server


def _auth(profile: str) -> str:
    return "[profiles.demo.auth]" + profile.partition("\n[profiles.api.auth]")[2].replace(
        "profiles.api", "profiles.demo"
    )


def profile(server: Server, person: Somebody | None, *changes: tuple[str, str]) -> Profile:
    """The profile of `login_server`; each change is a text in it and what stands there instead."""
    text = _auth(PROFILE)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return made(text, server.url, person=person)


def device_profile(server: Server, person: Somebody | None, *changes: tuple[str, str]) -> Profile:
    """The same for a login by a code on another device."""
    text = _auth(DEVICE)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return made(text, server.url, person=person)


def token(found: Profile) -> TokenData:
    """The token of its last step, obtained."""
    return found.login.pipeline.obtain(["user"], Deadline(20))["user"]


def logged_in(server: Server, *changes: tuple[str, str], browse: Callable[[str], Any] = visit) -> Somebody:
    """Who has logged in, by a browser that does `browse`."""
    person = Somebody(browse)
    found = profile(server, person, *changes)
    found.login.pipeline.clear()
    try:
        assert token(found).access_token.startswith("access-token-")
    finally:
        person.done()
    return person
