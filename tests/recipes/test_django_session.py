"""django-session, against a site that is as strict as Django's session and CSRF middleware."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.installed import calls, cookies, installed, later, media_type, refused, valid
from tests.server import Reply, Seen, Server

LOGIN = "/accounts/login/"
PASSWORD = "django-password-1"
FORM, POSTED = f"GET {LOGIN}", f"POST {LOGIN}"


class Site:
    """A login form, and pages for those who have a session: the CSRF cookie changes at each login."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.live: dict[str, str] = {}
        self.broken = False
        self.life: str = "; Max-Age=1209600"
        self._numbers = itertools.count(1)
        server.reply(LOGIN, self._form, method="GET", optional=True)
        server.reply(LOGIN, self._login, method="POST", optional=True)
        server.reply("/api/items/", self._items)
        server.reply("/api/me/", self._framework, optional=True)

    def _page(self, csrf: str) -> str:
        # As Django does it: the token in the form is masked, and never the same as the cookie.
        return (
            '<form method="post">'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="masked{next(self._numbers)}-{csrf}">'
            '<input name="username"><input name="password" type="password"></form>'
        )

    def _form(self, seen: Seen) -> Reply:
        csrf = cookies(seen).get("csrftoken") or f"csrf-cookie-{next(self._numbers)}"
        headers = {
            "Set-Cookie": f"csrftoken={csrf}; Path=/; Max-Age=31449600; SameSite=Lax",
            "Content-Type": "text/html",
        }
        return Reply(200, self._page(csrf), headers)

    def _login(self, seen: Seen) -> Reply:
        form, csrf = dict(seen.form), cookies(seen).get("csrftoken", "")
        if media_type(seen) != "application/x-www-form-urlencoded" or seen.headers["Referer"] != f"{self.url}{LOGIN}":
            return Reply(403, "Referer checking failed")
        if (
            not csrf
            or not form["csrfmiddlewaretoken"].startswith("masked")
            or not form["csrfmiddlewaretoken"].endswith(csrf)
        ):
            return Reply(403, "CSRF token missing or incorrect")
        if (form["username"], form["password"]) != ("ada", PASSWORD):
            return Reply(200, self._page(csrf), {"Content-Type": "text/html"})
        number = next(self._numbers)
        if not self.broken:
            self.live[f"session-cookie-{number}"] = f"csrf-cookie-{number}"
        return Reply(
            302,
            headers=[
                ("Location", form["next"]),
                ("Set-Cookie", f"csrftoken=csrf-cookie-{number}; Path=/; Max-Age=31449600; SameSite=Lax"),
                ("Set-Cookie", f"sessionid=session-cookie-{number}; HttpOnly; Path=/{self.life}; SameSite=Lax"),
            ],
        )

    def _session(self, seen: Seen) -> str | None:
        session = cookies(seen).get("sessionid", "")
        return session if session in self.live else None

    def _checked(self, seen: Seen, session: str) -> Reply:
        """CSRF: the header, the latest cookie and the Referer must fit, on what changes something."""
        sent = (seen.headers["X-CSRFToken"], seen.headers["Referer"])
        if seen.method in ("GET", "HEAD"):
            return Reply(200, {"sent": sent == (None, None)})
        csrf = self.live[session]
        fit = sent == (csrf, f"{self.url}/") and cookies(seen).get("csrftoken") == csrf
        return Reply(201 if fit else 403, {"detail": "" if fit else "CSRF Failed: CSRF token missing."})

    def _items(self, seen: Seen) -> Reply:
        session = self._session(seen)
        if session is None:
            return Reply(302, headers={"Location": f"{LOGIN}?next={seen.path}"})
        return self._checked(seen, session)

    def _framework(self, seen: Seen) -> Reply:
        session = self._session(seen)
        missing = {"detail": "Authentication credentials were not provided."}
        return Reply(403, missing) if session is None else self._checked(seen, session)


@pytest.fixture
def site(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    variables = {"site": server.url, "username": "ada", "login_path": LOGIN}
    installed(profile_file, "django-session", variables, {"password": {"env": "PASSWORD"}})
    return Site(server)


def test_the_first_call_logs_in_and_the_next_uses_the_session(forge: Forge, server: Server, site: Site) -> None:
    valid(forge)
    for _ in range(2):
        result = forge("get", "/api/items/")
        assert (result.exit_code, result.stdout.strip()) == (0, '{"sent": true}')
    assert calls(server.seen) == [FORM, POSTED, "GET /api/items/", "GET /api/items/"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_what_changes_something_has_the_latest_csrf_token_and_a_referer(
    forge: Forge, server: Server, site: Site, method: str
) -> None:
    assert forge("get", "/api/items/").exit_code == 0
    assert forge(method, "/api/items/").exit_code == 0
    assert server.seen[-1].headers["X-CSRFToken"] == next(iter(site.live.values()))


def test_a_csrf_cookie_that_the_site_changes_is_sent_from_then_on(forge: Forge, server: Server, site: Site) -> None:
    forge("get", "/api/items/")
    session = next(iter(site.live))
    server.reply("/rotate", Reply(200, headers={"Set-Cookie": "csrftoken=csrf-cookie-new; Path=/"}))
    forge("get", "/rotate")
    site.live[session] = "csrf-cookie-new"
    assert forge("post", "/api/items/", "name=x").exit_code == 0


def test_an_ended_session_that_shows_as_a_redirect_is_renewed_and_not_followed(
    forge: Forge, server: Server, site: Site
) -> None:
    forge("get", "/api/items/")
    site.live.clear()
    result = forge("get", "/api/items/")
    assert (result.exit_code, result.stdout.strip()) == (0, '{"sent": true}')
    assert calls(server.seen)[3:] == ["GET /api/items/", FORM, POSTED, "GET /api/items/"]


def test_a_post_is_sent_again_after_the_session_has_ended(forge: Forge, server: Server, site: Site) -> None:
    forge("get", "/api/items/")
    site.live.clear()
    assert forge("post", "/api/items/", "name=x").exit_code == 0
    assert [seen.json() for seen in server.seen_at("/api/items/")[1:]] == [{"name": "x"}] * 2


def test_a_site_that_keeps_redirecting_to_its_login_is_no_success(forge: Forge, server: Server, site: Site) -> None:
    site.broken = True
    result = forge("get", "/api/items/")
    assert result.exit_code == 3
    assert "<form" not in result.stdout
    assert calls(server.seen) == [FORM, POSTED, "GET /api/items/"] * 2


def test_an_ended_session_that_shows_as_a_403_is_renewed(forge: Forge, server: Server, site: Site) -> None:
    forge("get", "/api/items/")
    site.live.clear()
    assert forge("post", "/api/me/").exit_code == 0
    assert calls(server.seen)[3:] == ["POST /api/me/", FORM, POSTED, "POST /api/me/"]


def test_a_session_ends_with_its_cookie(forge: Forge, server: Server, site: Site) -> None:
    forge("get", "/api/items/")
    later(days=13)
    forge("get", "/api/items/")
    later(days=1, seconds=1)
    assert forge("get", "/api/items/").exit_code == 0
    assert calls(server.seen)[2:] == ["GET /api/items/", "GET /api/items/", FORM, POSTED, "GET /api/items/"]


def test_a_session_cookie_without_an_end_is_used_until_it_is_refused(forge: Forge, server: Server, site: Site) -> None:
    site.life = ""
    forge("get", "/api/items/")
    later(days=100)
    assert forge("get", "/api/items/").exit_code == 0
    assert calls(server.seen).count(POSTED) == 1


def test_a_wrong_password_is_exit_7_and_not_shown(
    forge: Forge, server: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "wrong-password-9")
    result = forge("get", "/api/items/")
    refused(result, "wrong-password-9", "csrf-cookie-")
    assert "'session'" in result.stderr and "status is 200" in result.stderr
    monkeypatch.setenv("PASSWORD", PASSWORD)
    assert forge("get", "/api/items/").exit_code == 0
