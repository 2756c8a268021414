"""Which challenge is taken up, when it is remembered, and when it is asked for anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from forge_cli.client import HttpClient
from forge_cli.errors import MaxRetryException, StepFailed
from forge_cli.login.challenge import Challenge
from forge_cli.login.challenges import Challenges
from tests.logins import made, numbered
from tests.server import Reply, Seen, Server

ASKED = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.token]
request = { url = "${challenge.realm}", query = { scope = "${challenge.scope ?? ''}" } }
extract = { token = "/token" }
expires = "never"
scope = "${challenge.scope ?? ''}"
"""
NO_RETRY = "retry = { strategy = 'none' }\n"


def state() -> Path:
    [path] = Path.home().glob("**/challenges.json")
    return path


def remembered() -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(state().read_text())["demo"]
    return entries


class Api:
    """An API at ``/a`` that lets in whoever has a token of this server's, and answers others with `asks`."""

    def __init__(self, server: Server, *asks: str) -> None:
        self.asks: Iterable[str] = asks
        self.url = server.url
        server.reply("/a", self._answer)

    def _answer(self, seen: Seen) -> Reply:
        if (seen.headers["Authorization"] or "").startswith("Bearer registry-token-"):
            return Reply(200)
        return Reply(401, headers=[("WWW-Authenticate", asks.replace("@", self.url)) for asks in self.asks])


def client(server: Server, text: str = ASKED) -> HttpClient:
    return made(NO_RETRY + text, server.url).client()


def get(server: Server, text: str = ASKED) -> int:
    """The status of one request, as another run would send it."""
    with client(server, text) as http:
        return http.get("/a").status_code


def asked(server: Server) -> list[str]:
    return [seen.path for seen in server.seen]


def test_a_challenge_without_what_the_steps_refer_to_leaves_the_401_as_it_is(server: Server) -> None:
    api = Api(server, 'Bearer error="x"')
    assert [get(server), get(server)] == [401, 401]
    server.reply("/token", numbered("registry"))
    api.asks = ['Bearer realm="@/token"']
    assert get(server) == 200
    assert asked(server) == ["/a", "/a", "/a", "/token", "/a"]


def test_the_challenge_that_has_what_the_steps_refer_to_is_taken(server: Server) -> None:
    Api(server, 'Basic charset="UTF-8"', 'Newauth scope="x", Bearer realm="@/token", scope="pull"')
    server.reply("/token", numbered("registry"))
    assert get(server) == 200
    assert server.seen[1].query == [("scope", "pull")]
    assert remembered() == {"GET /a": ["Bearer", {"realm": f"{server.url}/token", "scope": "pull"}]}


def test_what_no_step_uses_of_a_challenge_leads_nowhere(server: Server) -> None:
    Api(server, 'Bearer realm="@/token", error_uri="https://docs.example.com/denied"')
    server.reply("/token", numbered("registry"))
    assert get(server) == 200


def test_an_odd_challenge_that_was_remembered_before_is_passed_over(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"))
    assert get(server) == 200
    odd = {"GET /a": ["Bearer", {"error": "x"}]}
    state().write_text(json.dumps({"demo": odd}))
    assert get(server) == 200
    assert remembered() != odd


def test_a_challenge_whose_login_failed_is_not_remembered(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", Reply(404), numbered("registry"))
    with client(server) as http, pytest.raises(MaxRetryException) as caught:
        http.get("/a")
    assert isinstance(caught.value.original_exception, StepFailed)
    assert get(server) == 200
    assert asked(server) == ["/a", "/token", "/a", "/token", "/a"]


def test_a_realm_that_has_moved_is_asked_for_anew(server: Server) -> None:
    api = Api(server, 'Bearer realm="@/old"')
    server.reply("/old", numbered("registry"), Reply(404))
    text = ASKED.replace('"never"', '{ ttl = "1s" }') + "skew = 1\n"
    assert get(server, text) == 200
    api.asks = ['Bearer realm="@/new"']
    server.reply("/new", numbered("registry"))
    assert get(server, text) == 200
    assert asked(server) == ["/a", "/old", "/a", "/old", "/a", "/new", "/a"]
    assert remembered() == {"GET /a": ["Bearer", {"realm": f"{server.url}/new"}]}


def test_a_realm_whose_server_is_gone_is_asked_for_anew(server: Server) -> None:
    api = Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"))
    text = f'origins = ["http://127.0.0.1:1"]\n{ASKED}'
    assert get(server, text) == 200
    state().write_text(
        json.dumps({"demo": {"GET /a": ["Bearer", {"realm": "http://127.0.0.1:1/token", "scope": "x"}]}})
    )
    api.asks = ['Bearer realm="@/token",scope="x"']
    assert get(server, text) == 200
    assert asked(server)[3:] == ["/a", "/token", "/a"]


def test_a_remembered_origin_that_may_not_be_told_any_more_is_asked_for_anew(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"))
    assert get(server) == 200
    state().write_text(json.dumps({"demo": {"GET /a": ["Bearer", {"realm": "https://elsewhere.example/token"}]}}))
    assert get(server) == 200


def test_a_login_that_is_refused_for_the_same_challenge_is_not_repeated(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"), Reply(403))
    text = ASKED.replace('"never"', '{ ttl = "1s" }') + "skew = 1\n"
    assert get(server, text) == 200
    with client(server, text) as http, pytest.raises(MaxRetryException) as caught:
        http.get("/a")
    failure = caught.value.original_exception
    assert isinstance(failure, StepFailed) and failure.status == 403
    assert asked(server) == ["/a", "/token", "/a", "/token", "/a"]


def test_the_failure_of_a_step_that_answers_no_challenge_asks_nothing_anew(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"))
    server.reply("/app", numbered("app"), numbered("app"), Reply(403))
    text = f"""{ASKED}
[profiles.demo.auth.steps.app]
request = {{ url = "/app" }}
extract = {{ token = "/token" }}
expires = {{ ttl = "1s" }}
skew = 1
[[profiles.demo.auth.inject]]
in = "header"
name = "X-App"
value = "${{steps.app.token}}"
[[profiles.demo.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${{steps.token.token}}"
"""
    assert get(server, text) == 200
    seen = len(server.seen)
    with client(server, text) as http, pytest.raises(MaxRetryException):
        http.get("/a")
    assert asked(server)[seen:] == ["/app"]
    assert "GET /a" in remembered()


def test_a_credential_of_the_callers_own_takes_no_challenge_up(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    with client(server) as http:
        assert http.get("/a", headers={"Authorization": "Bearer mine"}).status_code == 401
    assert asked(server) == ["/a"]


def test_nor_does_one_beside_another_credential_of_the_profile(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    text = f"""{ASKED}
[[profiles.demo.auth.inject]]
in = "header"
name = "X-Shop"
value = "acme"
[[profiles.demo.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${{steps.token.token}}"
"""
    with client(server, text) as http:
        assert http.get("/a", headers={"Authorization": "Bearer mine"}).status_code == 401
    assert asked(server) == ["/a"]
    assert server.seen[0].headers["X-Shop"] == "acme"


def test_what_is_remembered_stays_for_every_run(server: Server) -> None:
    Api(server, 'Bearer realm="@/token"')
    server.reply("/token", numbered("registry"))
    assert [get(server) for _ in range(4)] == [200] * 4
    assert asked(server) == ["/a", "/token", "/a", "/a", "/a", "/a"]


def test_where_nothing_is_required_something_that_the_steps_use_must_be_there(server: Server) -> None:
    api = Api(server, 'Basic realm="site"')
    text = ASKED.replace("${challenge.realm}", "/token")
    assert get(server, text) == 401
    api.asks = ['Basic realm="site"', 'Bearer scope="pull"']
    server.reply("/token", numbered("registry"))
    assert get(server, text) == 200
    assert asked(server) == ["/a", "/a", "/token", "/a"]


class TestMemory:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "state" / "challenges.json"

    def test_what_is_forgotten_is_forgotten_by_the_next_process_too(self, path: Path) -> None:
        memory = Challenges(path, "demo")
        one, two = Challenge("Bearer", {"realm": "1"}), Challenge("Bearer", {"realm": "2"})
        memory.remember("GET", "/a", one)
        memory.remember("GET", "/b", two)
        memory.forget("GET", "/a")
        memory.forget("GET", "/c")
        for known in (memory, Challenges(path, "demo")):
            assert known.get("GET", "/a") is None
            assert known.known() == [two]

    def test_other_logins_keep_theirs(self, path: Path) -> None:
        Challenges(path, "demo").remember("GET", "/a", Challenge("Bearer", {"realm": "1"}))
        Challenges(path, "other").remember("GET", "/a", Challenge("Bearer", {"realm": "2"}))
        Challenges(path, "demo").forget("GET", "/a")
        assert Challenges(path, "other").get("GET", "/a") == Challenge("Bearer", {"realm": "2"})

    @pytest.mark.parametrize("entry", ['["Bearer", {"realm": 5}]', '["Bearer", {"realm": null}]', '["Bearer"]', "{}"])
    def test_what_is_no_challenge_counts_as_not_there(self, path: Path, entry: str) -> None:
        path.parent.mkdir(mode=0o700)
        path.write_text(f'{{"demo": {{"GET /a": {entry}}}}}')
        path.chmod(0o600)
        assert Challenges(path, "demo").known() == []

    def test_what_cannot_be_written_is_remembered_by_this_process(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("a file where the folder should be")
        told: list[str] = []
        memory = Challenges(tmp_path / "state" / "challenges.json", "demo", notice=told.append)
        memory.remember("GET", "/a", Challenge("Bearer", {"realm": "1"}))
        assert memory.known() == [Challenge("Bearer", {"realm": "1"})]
        memory.forget("GET", "/a")
        assert memory.known() == []
        assert len(told) == 1
