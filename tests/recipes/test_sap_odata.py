"""sap-odata, against a service that is as strict as SAP Gateway."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.installed import basic, calls, cookies, installed, later, refused, valid
from tests.server import Reply, Seen, Server

ROOT = "/sap/opu/odata/sap/API_PARTNER"
PASSWORD = "sap-password-1"
FETCH, READ, WRITE = f"GET {ROOT}/", f"GET {ROOT}/A_Partner", f"POST {ROOT}/A_Partner"


class Gateway:
    """Sessions by cookies with names of their own, and a CSRF token for each."""

    def __init__(self, server: Server) -> None:
        self.sessions: dict[str, str] = {}
        self.forbidden = False
        self._numbers = itertools.count(1)
        server.reply(f"{ROOT}/", self._root, method="GET", optional=True)
        server.reply(f"{ROOT}/A_Partner", self._partner)

    def _session(self, seen: Seen) -> str | None:
        """The session that the cookies name: it takes both of them."""
        sent = cookies(seen)
        name = sent.get("SAP_SESSIONID_ABC_100", "")
        return name if name in self.sessions and sent.get("sap-usercontext") == "sap-client=100" else None

    def _refused(self, seen: Seen) -> Reply | None:
        if basic(seen) != ("COMM_USER", PASSWORD):
            return Reply(401, "Anmeldung fehlgeschlagen", {"WWW-Authenticate": 'Basic realm="SAP NetWeaver"'})
        return None if ("sap-client", "100") in seen.query else Reply(400, "no such client")

    def _root(self, seen: Seen) -> Reply:
        if (problem := self._refused(seen)) is not None:
            return problem
        if seen.headers["X-CSRF-Token"] != "Fetch":
            return Reply(200, {})
        number = next(self._numbers)
        session = f"sap-session-{number}"
        self.sessions[session] = f"csrf-token-{number}=="
        return Reply(
            200,
            {"d": {"EntitySets": ["A_Partner"]}},
            headers=[
                ("x-csrf-token", self.sessions[session]),
                ("Set-Cookie", f"SAP_SESSIONID_ABC_100={session}; path=/; HttpOnly"),
                ("Set-Cookie", "sap-usercontext=sap-client=100; path=/"),
            ],
        )

    def _partner(self, seen: Seen) -> Reply:
        if (problem := self._refused(seen)) is not None:
            return problem
        token = seen.headers["X-CSRF-Token"]
        if seen.method == "GET":
            return Reply(200, {"d": {"results": []}}) if token is None else Reply(400, "a token on what only reads")
        session = self._session(seen)
        if session is None or token != self.sessions[session]:
            return Reply(403, "CSRF token validation failed", {"x-csrf-token": "Required"})
        return Reply(403, {"error": {"code": "no authority"}}) if self.forbidden else Reply(201, {"d": {}})


@pytest.fixture
def gateway(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    variables = {"service": f"{server.url}{ROOT}", "client": "100", "user": "COMM_USER"}
    installed(profile_file, "sap-odata", variables, {"password": {"env": "PASSWORD"}})
    return Gateway(server)


def test_a_token_is_fetched_once_with_its_session(forge: Forge, server: Server, gateway: Gateway) -> None:
    valid(forge)
    assert forge("get", "/A_Partner").exit_code == 0
    for _ in range(2):
        assert forge("post", "/A_Partner", "Name=Ada").exit_code == 0
    assert calls(server.seen) == [FETCH, READ, WRITE, WRITE]
    assert len(gateway.sessions) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "MERGE", "DELETE"])
def test_what_changes_something_has_the_token(forge: Forge, gateway: Gateway, method: str) -> None:
    assert forge("request", method, "/A_Partner").exit_code == 0


def test_a_session_that_is_gone_is_fetched_anew_and_the_post_sent_again(
    forge: Forge, server: Server, gateway: Gateway
) -> None:
    forge("post", "/A_Partner", "Name=Ada")
    gateway.sessions.clear()
    assert forge("post", "/A_Partner", "Name=Grace").exit_code == 0
    assert calls(server.seen)[2:] == [WRITE, FETCH, WRITE]
    assert [seen.json() for seen in server.seen if seen.method == "POST"][1:] == [{"Name": "Grace"}] * 2


def test_another_403_is_not_asked_twice(forge: Forge, server: Server, gateway: Gateway) -> None:
    gateway.forbidden = True
    assert forge("post", "/A_Partner", "Name=Ada").exit_code == 4
    assert calls(server.seen) == [FETCH, WRITE]


def test_a_session_that_will_have_ended_is_fetched_anew_first(forge: Forge, server: Server, gateway: Gateway) -> None:
    forge("post", "/A_Partner", "Name=Ada")
    later(minutes=26)
    assert forge("post", "/A_Partner", "Name=Ada").exit_code == 0
    assert calls(server.seen) == [FETCH, WRITE, FETCH, WRITE]


def test_a_wrong_password_is_exit_7_and_not_shown(
    forge: Forge, server: Server, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "wrong-password-9")
    refused(forge("post", "/A_Partner", "Name=Ada"), "wrong-password-9", "Q09NTV9VU0VSOndyb25nLXBhc3N3b3JkLTk")
    monkeypatch.setenv("PASSWORD", PASSWORD)
    assert forge("post", "/A_Partner", "Name=Ada").exit_code == 0
    assert calls(server.seen) == [FETCH, FETCH, WRITE]
