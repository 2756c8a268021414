"""E: logins by a browser and by a code, from the profile to the token."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from forge_cli.errors import NeedsPerson, ProfileError, StepFailed, TimeoutException
from forge_cli.login.steps import browser as browser_step
from forge_cli.profiles.build import Profile
from tests.conftest import Forge
from tests.login_server import DEVICE, PROFILE, LoginServer, browser
from tests.logins import made
from tests.people import Somebody, parameters, shown_url, visit
from tests.server import Reply, Server

AUTH = PROFILE.partition("\n[profiles.api.auth]")[2]


def profile(server: Server, person: Somebody | None, change: Callable[[str], str] = str) -> Profile:
    """The profile of the browser login, as the one named `demo`."""
    text = change("[profiles.demo.auth]" + AUTH.replace("profiles.api", "profiles.demo"))
    return made(text, server.url, person=person)


def tokens(found: Profile) -> Any:
    return found.login.pipeline.obtain(["user"])["user"]


def logged_in(server: Server, change: Callable[[str], str] = str, browse: Callable[[str], Any] = visit) -> Somebody:
    person = Somebody(browse)
    found = profile(server, person, change)
    found.login.pipeline.clear()
    assert tokens(found).access_token.startswith("access-token-")
    person.done()
    return person


def test_state_has_128_bits_and_is_good_once(server: Server) -> None:
    LoginServer(server)
    asked = parameters(shown_url(logged_in(server)))
    assert len(base64.urlsafe_b64decode(asked["state"] + "==")) * 8 >= 128
    with pytest.raises(OSError, match="refused"):
        visit(f"{asked['redirect_uri']}?{urlencode({'code': 'x', 'state': asked['state']})}")


def test_another_state_is_not_taken(server: Server) -> None:
    LoginServer(server)

    def attacked(url: str) -> None:
        visit(f"{parameters(url)['redirect_uri']}?code=evil&state={'A' * 43}")
        visit(url)

    logged_in(server, browse=attacked)
    assert dict(server.seen_at("/token")[0].form)["code"] != "evil"


def test_pkce_s256_is_always_used_and_what_it_protects_is_checked(server: Server) -> None:
    LoginServer(server)
    assert parameters(shown_url(logged_in(server)))["code_challenge_method"] == "S256"
    with pytest.raises(StepFailed):
        logged_in(server, lambda text: text.replace("${steps.code.verifier}", "A" * 43))


@pytest.mark.parametrize("iss", ["https://evil.example", None], ids=["another", "none"])
def test_the_issuer_is_checked_when_it_is_announced(server: Server, iss: str | None) -> None:
    LoginServer(server, answer={"code": "code-1", **({} if iss is None else {"iss": iss})})
    announced = 'kind = "browser"\nissuer = "https://login.example"\niss_required = true'
    with pytest.raises(StepFailed, match="issue"):
        logged_in(server, lambda text: text.replace('kind = "browser"', announced))
    assert server.seen_at("/token") == []


@pytest.mark.parametrize("key", ["url", "pushed"])
def test_endpoints_are_https_or_on_this_machine(server: Server, key: str) -> None:
    wrong = {
        "url": lambda text: text.replace('url = "/authorize"', 'url = "http://login.example/authorize"'),
        "pushed": lambda text: text.replace(
            'kind = "browser"', 'kind = "browser"\npushed = { url = "http://a.example" }'
        ),
    }
    person = Somebody(visit)
    with pytest.raises(ProfileError, match="is not https"):
        tokens(profile(server, person, wrong[key]))
    assert (person.opened, person.told, server.seen) == ([], [], [])


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
def test_the_callback_is_at_a_random_port_of_loopback_alone(server: Server) -> None:
    LoginServer(server)
    listening: list[list[str]] = []

    def look(url: str) -> None:
        port = urlsplit(parameters(url)["redirect_uri"]).port
        rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
        listening.append([row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"])
        visit(url)

    uris = {parameters(shown_url(logged_in(server, browse=look)))["redirect_uri"] for _ in range(3)}
    assert len(uris) > 1
    assert all(re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/callback", uri) for uri in uris)
    # 127.0.0.1 as the kernel writes it, on machines that put the last byte first.
    expected = "0100007F" if sys.byteorder == "little" else "7F000001"
    assert [[address.partition(":")[0] for address in found] for found in listening] == [[expected]] * 3


def test_the_profiles_own_redirect_uri_is_used(server: Server) -> None:
    LoginServer(server)
    own = 'kind = "browser"\nredirect_uri = "http://127.0.0.1/back/here"'
    url = shown_url(logged_in(server, lambda text: text.replace('kind = "browser"', own)))
    assert urlsplit(parameters(url)["redirect_uri"]).path == "/back/here"


def test_the_page_holds_no_code_and_no_token(server: Server) -> None:
    LoginServer(server)
    pages: list[str] = []
    logged_in(server, browse=lambda url: pages.append(visit(url)))
    form = dict(server.seen_at("/token")[0].form)
    assert "You can close this page" in pages[0]
    assert form["code"] not in pages[0]
    assert "access-token" not in pages[0]


def test_the_wait_has_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser_step._LONGEST == 300
    monkeypatch.setattr(browser_step, "_LONGEST", 0.2)
    with pytest.raises(TimeoutException, match="nothing came back"):
        tokens(profile(server, Somebody(lambda url: None)))


def test_the_url_is_shown_also_when_a_browser_opens(server: Server) -> None:
    LoginServer(server)
    person = logged_in(server)
    assert shown_url(person) == person.opened[0]


def test_without_a_person_nothing_is_sent(server: Server) -> None:
    with pytest.raises(NeedsPerson, match="step 'code' needs a person") as caught:
        tokens(profile(server, None))
    assert "forge token login" in str(caught.value.hint)
    assert server.seen == []


def test_a_command_that_needs_a_person_logs_in_on_a_terminal(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    LoginServer(server)
    server.reply("/x", Reply(200, "welcome"))
    assert forge("get", "/x", env={"BROWSER": browser(tmp_path)}).exit_code == 7
    result = forge("get", "/x", tty=True, env={"BROWSER": browser(tmp_path)})
    assert (result.exit_code, "welcome" in result.stdout) == (0, True)


def test_a_refused_login_is_exit_7(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url))
    LoginServer(server, answer={"error": "access_denied", "error_description": "Ada said no"})
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert result.exit_code == 7
    assert "refused: access_denied: Ada said no" in result.stderr


def test_of_a_device_only_web_addresses_are_shown(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(DEVICE.replace("@URL@", server.url))
    codes = {"device_code": "d", "user_code": "WDJB", "verification_uri": "file:///etc/passwd", "expires_in": 60}
    server.reply("/device", Reply(200, codes))
    result = forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)})
    assert result.exit_code == 7
    assert "the page for the code is no web address" in result.stderr
    assert "passwd" not in result.stderr


def test_a_device_is_asked_every_five_seconds_and_slower_when_told_so(server: Server) -> None:
    codes = {"device_code": "d-1", "user_code": "WDJB", "verification_uri": "https://login.example", "expires_in": 27}
    server.reply("/device", Reply(200, codes))
    server.reply("/token", Reply(400, {"error": "slow_down"}), Reply(400, {"error": "authorization_pending"}))
    text = "[profiles.demo.auth]" + DEVICE.partition("\n[profiles.api.auth]")[2].replace(
        "profiles.api", "profiles.demo"
    )
    found = made(text, server.url, person=Somebody())
    slept: list[float] = []
    found._world.sleep = slept.append
    with suppress(StepFailed):
        tokens(found)
    # 5 + 10 + 10 seconds; ten more would be past its end.
    assert slept == [5, 10, 10]


def test_revoking_forgets_also_when_the_server_fails(
    server: Server, forge: Forge, profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    profile_file(PROFILE.replace("@URL@", server.url) + '[profiles.api.retry]\nstrategy = "none"\n')
    LoginServer(server)
    server.reply("/revoke", Reply(500))
    assert forge("token", "login", tty=True, env={"BROWSER": browser(tmp_path)}).exit_code == 0
    result = forge("token", "clear", "--revoke")
    assert result.exit_code == 7
    assert "may still be good" in result.stderr
    assert forge("token", "show", "--json").stdout == "[]\n"
