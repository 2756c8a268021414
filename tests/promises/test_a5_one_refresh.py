"""A5: one renewal for any number of processes, and the promised number of token requests for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge_cli.demo.api import DemoApi
from forge_cli.demo.profile import ENVIRON, PROFILE
from forge_cli.profiles.login import digest_key
from tests.conftest import Forge
from tests.crowd import SIZE, together


class Demo:
    """The demo API and a profile for it. `tokens()` is how many token requests came since it was last asked."""

    def __init__(self) -> None:
        self.api = DemoApi()
        self.url = self.api.start()
        self._before = 0

    def tokens(self) -> int:
        now = sum(count for path, count in self.api.calls.items() if path.startswith("/v1/"))
        self._before, found = now, now - self._before
        return found


EVENTS: dict[str, tuple[Callable[[DemoApi], None], int]] = {
    "nothing": (lambda api: None, 0),
    "the user token has expired": (DemoApi.expire_user, 1),
    "the app token is refused by a code in the body": (DemoApi.revoke_app, 2),
    "the device is revoked": (DemoApi.revoke_device, 3),
}


@pytest.fixture
def demo(profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    found = Demo()
    profile_file(PROFILE.replace("@URL@", found.url))
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    yield found
    found.api.stop()


def test_one_command_makes_the_promised_number_of_token_requests(forge: Forge, demo: Demo) -> None:
    assert forge("get", "/users").exit_code == 0
    assert demo.tokens() == 3
    for name, (happens, expected) in EVENTS.items():
        happens(demo.api)
        result = forge("get", "/users")
        assert (result.exit_code, demo.tokens()) == (0, expected), name
        assert '"Ada"' in result.stdout
        assert result.stderr == ""


def test_a_refused_app_token_is_replaced_within_one_command(forge: Forge, demo: Demo) -> None:
    assert forge("get", "/strict").exit_code == 0
    # Three for the login, two for the renewal, and the request itself is sent twice.
    assert (demo.tokens(), demo.api.calls["/strict"]) == (5, 2)


def test_sixteen_processes_make_no_more_of_them_than_one(demo: Demo) -> None:
    crowd = together(["get", "/users"])
    assert (crowd.codes, demo.tokens(), crowd.stderr) == ([0] * SIZE, 3, "")
    for name, (happens, expected) in EVENTS.items():
        happens(demo.api)
        crowd = together(["get", "/users"])
        assert (crowd.codes, demo.tokens(), crowd.stderr) == ([0] * SIZE, expected, ""), name


def test_processes_that_make_the_digest_key_at_once_agree_on_one(demo: Demo, own_home: Path) -> None:
    together(["get", "/users"])
    state = own_home / ".config" / "forge" / "state"
    assert (state / "digest.key").read_bytes() == digest_key({"HOME": str(own_home)})
    # With two keys there would be two sets of tokens.
    text = (own_home / ".config" / "forge" / "tokens" / "demo.toml").read_text()
    assert text.count("access_token") == 3
