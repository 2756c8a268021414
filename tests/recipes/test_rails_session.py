"""rails-session, against a site that is as strict as Rails with Devise."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.installed import calls, cookies, installed, media_type, refused, valid
from tests.server import Reply, Seen, Server

LOGIN = "/users/sign_in"
PASSWORD = "rails-password-1"
LOGGED_IN = [f"GET {LOGIN}", f"POST {LOGIN}", "GET /home"]
HTML = {"Content-Type": "text/html; charset=utf-8"}


class Site:
    """A login form, a page, and an API: each session has a secret of its own, of which tokens are masks."""

    def __init__(self, server: Server) -> None:
        self.users: set[str] = set()
        self.refusal = 422
        self.broken = False
        self._numbers = itertools.count(1)
        server.reply(LOGIN, self._form, method="GET", optional=True)
        server.reply(LOGIN, self._login, method="POST", optional=True)
        server.reply("/home", self._home, method="GET", optional=True)
        server.reply("/items", self._items)
        server.reply("/items.json", self._json, optional=True)

    def _masked(self, session: str) -> str:
        return f"mask{next(self._numbers)}+/{session}=="

    def _session(self, seen: Seen) -> str:
        return cookies(seen).get("_app_session", "")

    def _form(self, seen: Seen) -> Reply:
        session = f"anonymous-session-{next(self._numbers)}"
        page = (
            f'<html><head><meta name="csrf-token" content="{self._masked(session)}" /></head><form>'
            f'<input type="hidden" name="authenticity_token" value="{self._masked(session)}" autocomplete="off" />'
        )
        return Reply(200, page, {**HTML, "Set-Cookie": f"_app_session={session}; path=/; HttpOnly; SameSite=Lax"})

    def _login(self, seen: Seen) -> Reply:
        form, session = dict(seen.form), self._session(seen)
        if media_type(seen) != "application/x-www-form-urlencoded" or not self._fits(
            form["authenticity_token"], session
        ):
            return Reply(422, "Can't verify CSRF token authenticity.")
        if (form["user[email]"], form["user[password]"]) != ("ada@example.com", PASSWORD):
            cookie = {"Set-Cookie": f"_app_session={session}; path=/; HttpOnly"}
            return Reply(self.refusal, "<form>Invalid Email or password.", {**HTML, **cookie})
        user = f"user-session-{next(self._numbers)}"
        if not self.broken:
            self.users.add(user)
        # A new session, so that the token of the form is good for nothing from here on.
        return Reply(303, headers={"Location": "/home", "Set-Cookie": f"_app_session={user}; path=/; HttpOnly"})

    def _fits(self, token: str | None, session: str) -> bool:
        return bool(session) and token is not None and token.startswith("mask") and token.endswith(f"+/{session}==")

    def _home(self, seen: Seen) -> Reply:
        session = self._session(seen)
        if session not in self.users and not self.broken:
            return Reply(302, headers={"Location": LOGIN})
        return Reply(200, f'<html><head><meta name="csrf-token" content="{self._masked(session)}" /></head>', HTML)

    def _items(self, seen: Seen) -> Reply:
        if self._session(seen) not in self.users:
            return Reply(302, headers={"Location": LOGIN})
        return self._checked(seen)

    def _checked(self, seen: Seen) -> Reply:
        token = seen.headers["X-CSRF-Token"]
        if seen.method == "GET":
            return Reply(200, {"token": token})
        return Reply(201) if self._fits(token, self._session(seen)) else Reply(422)

    def _json(self, seen: Seen) -> Reply:
        error = {"error": "You need to sign in or sign up before continuing."}
        return self._checked(seen) if self._session(seen) in self.users else Reply(401, error)


@pytest.fixture
def site(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    variables = {"site": server.url, "email": "ada@example.com", "login_path": LOGIN, "page": "/home"}
    installed(profile_file, "rails-session", variables, {"password": {"env": "PASSWORD"}})
    return Site(server)


def test_the_first_call_logs_in_and_the_next_uses_the_session(forge: Forge, server: Server, site: Site) -> None:
    valid(forge)
    for _ in range(2):
        result = forge("get", "/items")
        assert (result.exit_code, result.stdout.strip()) == (0, '{"token": null}')
    assert calls(server.seen) == [*LOGGED_IN, "GET /items", "GET /items"]


def test_what_changes_something_has_the_token_of_the_new_session(forge: Forge, server: Server, site: Site) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert forge(method, "/items").exit_code == 0
    assert calls(server.seen)[:4] == [*LOGGED_IN, "POST /items"]
    assert len(server.seen) == 7


@pytest.mark.parametrize("path", ["/items", "/items.json"])
def test_an_ended_session_is_renewed_and_the_request_sent_again(
    forge: Forge, server: Server, site: Site, path: str
) -> None:
    forge("get", "/items")
    site.users.clear()
    assert forge("post", path, "name=x").exit_code == 0
    assert calls(server.seen)[4:] == [f"POST {path}", *LOGGED_IN, f"POST {path}"]


def test_a_site_that_keeps_redirecting_to_its_login_is_no_success(forge: Forge, site: Site) -> None:
    site.broken = True
    result = forge("get", "/items")
    assert result.exit_code == 3
    assert "<form" not in result.stdout


@pytest.mark.parametrize("status", [200, 422])
def test_a_wrong_password_is_exit_7_and_not_shown(
    forge: Forge, site: Site, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.refusal = status
    monkeypatch.setenv("PASSWORD", "wrong-password-9")
    result = forge("get", "/items")
    refused(result, "wrong-password-9", "anonymous-session-")
    assert "Invalid Email or password" in result.stderr
    monkeypatch.setenv("PASSWORD", PASSWORD)
    assert forge("get", "/items").exit_code == 0
