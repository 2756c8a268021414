"""Credentials in every place, cookie jars, challenges, clocks and signatures, through a real client."""

from __future__ import annotations

from typing import Any

import pytest

from forge_cli.client import HttpClient
from forge_cli.errors import AuthenticationException, ProfileError
from tests.logins import made, numbered
from tests.server import Answer, Reply, Seen, Server

AUTH = '[profiles.demo.auth]\ntype = "pipeline"\n'
USER = """
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/login" }
extract = { token = "/token", home = { pointer = "/home", optional = true } }
expires = { ttl = "1h" }
"""


def client(text: str, server: Server, **environ: str) -> HttpClient:
    return made(text, server.url, environ={"TOKEN": "env-token-1", **environ}).client()


def place(entry: str) -> str:
    return f"{AUTH}inject = [{{ {entry} }}]\n"


class TestPlaces:
    def test_json_joins_the_body_or_makes_one(self, server: Server) -> None:
        server.reply("/a", Reply())
        with client(place('in = "json", name = "key", value = "${env.TOKEN}"'), server) as http:
            http.post("/a", json_data={"x": [1]})
            http.post("/a")
            http.get("/a")
        bodies = [seen.json() if seen.body else None for seen in server.seen]
        assert bodies == [{"x": [1], "key": "env-token-1"}, {"key": "env-token-1"}, None]

    def test_a_json_value_keeps_its_type(self, server: Server) -> None:
        server.reply("/a", Reply())
        entry = place('in = "json", name = "n", value = "${vars.n}"')
        with client(f"vars = {{ n = 5 }}\n{entry}", server) as http:
            http.post("/a")
        assert server.seen[0].json() == {"n": 5}

    def test_form_joins_the_body_or_makes_one(self, server: Server) -> None:
        server.reply("/a", Reply())
        with client(place('in = "form", name = "key", value = "${env.TOKEN}"'), server) as http:
            http.post("/a", data={"x": "1"})
            http.put("/a", data=[("x", "1"), ("x", "2")])
            http.patch("/a")
        forms = [seen.form for seen in server.seen]
        assert forms == [
            [("x", "1"), ("key", "env-token-1")],
            [("x", "1"), ("x", "2"), ("key", "env-token-1")],
            [("key", "env-token-1")],
        ]

    @pytest.mark.parametrize("kind", ["json", "form"])
    @pytest.mark.parametrize("body", [{"content": b"raw"}, {"json_data": [1]}], ids=["raw", "an array"])
    def test_another_body_is_an_error_of_the_profile(self, server: Server, kind: str, body: dict[str, Any]) -> None:
        text = place(f'in = "{kind}", name = "key", value = "x"')
        with client(text, server) as http, pytest.raises(ProfileError, match="another one"):
            http.post("/a", **body)
        assert server.seen == []

    @pytest.mark.parametrize("kind", ["json", "form"])
    def test_what_the_caller_states_stays(self, server: Server, kind: str) -> None:
        server.reply("/a", Reply())
        with client(place(f'in = "{kind}", name = "key", value = "x"'), server) as http:
            if kind == "json":
                http.post("/a", json_data={"key": "own"})
            else:
                http.post("/a", data={"key": "own"})
        assert b"own" in server.seen[0].body

    def test_a_base_url_from_a_step_is_where_requests_go(self, server: Server) -> None:
        server.reply("/login", Reply(body={"token": "t-1", "home": f"{server.url}/eu/"}))
        server.reply("/eu/users", Reply())
        entries = (
            '[[profiles.demo.auth.inject]]\nin = "base_url"\nvalue = "${steps.user.home}"\n'
            '[[profiles.demo.auth.inject]]\nin = "header"\nname = "X"\nvalue = "${steps.user.token}"\n'
        )
        with client(f"{AUTH}{USER}{entries}", server) as http:
            http.get("/users")
        assert server.seen_at("/eu/users")[0].headers["X"] == "t-1"

    @pytest.mark.parametrize(
        ("condition", "sent"),
        [
            ('methods = ["POST", "put"]', ["POST /a"]),
            ('paths = ["/a"]', ["GET /a", "POST /a"]),
            ('paths = ["/b*"]', ["GET /b/c"]),
            ('hosts = ["127.0.0.*"]', ["GET /a", "POST /a", "GET /b/c"]),
            ('hosts = ["api.example.com"]', []),
        ],
    )
    def test_an_entry_counts_only_where_it_says(self, server: Server, condition: str, sent: list[str]) -> None:
        server.reply("/a", Reply())
        server.reply("/b/c", Reply())
        with client(place(f'in = "header", name = "X-Key", value = "k", {condition}'), server) as http:
            http.get("/a")
            http.post("/a")
            http.get("/b/c")
        assert [f"{seen.method} {seen.path}" for seen in server.seen if seen.headers["X-Key"]] == sent


JAR = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.page]
request = { url = "/login/", cookies = "web" }
extract = { token = { cookie = "csrftoken" } }
[profiles.demo.auth.steps.session]
request = { method = "POST", url = "/login/", cookies = "web", form = { csrf = "${steps.page.token}" } }
success = { status = 302, cookie = "sessionid" }
extract = { token = { cookie = "sessionid" } }
expires = { cookie = "sessionid" }
[[profiles.demo.auth.inject]]
in = "cookies"
name = "web"
[[profiles.demo.auth.inject]]
in = "header"
name = "X-CSRFToken"
value = "${cookies.web.csrftoken}"
methods = ["POST"]
[[profiles.demo.auth.invalidate]]
when = { status = 302, header = { Location = { matches = "/login" } } }
steps = ["session"]
"""


class TestJars:
    def site(self, server: Server) -> None:
        """A site with sessions: a login page, and a page that redirects there without one."""
        count = iter(range(1, 100))

        def login(seen: Seen) -> Reply:
            if seen.method == "GET":
                return Reply(200, headers={"Set-Cookie": f"csrftoken=csrf-{next(count)}; Path=/"})
            cookie = seen.headers["Cookie"] or ""
            if dict(seen.form).get("csrf") != cookie.partition("csrftoken=")[2].partition(";")[0]:
                return Reply(403)
            number = next(count)
            cookies = [f"sessionid=session-{number}; Path=/; Max-Age=3600", f"csrftoken=csrf-{number}; Path=/"]
            return Reply(302, headers=[("Location", "/"), *(("Set-Cookie", each) for each in cookies)])

        self.live = {f"session-{n}" for n in range(100)}

        def page(seen: Seen) -> Reply:
            session = (seen.headers["Cookie"] or "").partition("sessionid=")[2].partition(";")[0]
            return Reply(200) if session in self.live else Reply(302, headers={"Location": "/login/"})

        server.reply("/login/", login)
        server.reply("/page", page)

    def test_a_session_is_logged_in_kept_and_sent_with_its_newest_cookies(self, server: Server) -> None:
        self.site(server)
        for _ in range(2):  # as two runs
            with client(JAR, server) as http:
                assert http.get("/page").status_code == 200
                http.post("/page")
        assert [f"{seen.method} {seen.path}" for seen in server.seen] == [
            "GET /login/", "POST /login/", "GET /page", "POST /page", "GET /page", "POST /page"
        ]  # fmt: skip
        get, post = server.seen_at("/page")[:2]
        assert set((get.headers["Cookie"] or "").split("; ")) == {"sessionid=session-2", "csrftoken=csrf-2"}
        assert (get.headers["X-CSRFToken"], post.headers["X-CSRFToken"]) == (None, "csrf-2")

    def test_an_ended_session_that_shows_as_a_redirect_is_renewed_and_not_followed(self, server: Server) -> None:
        self.site(server)
        with client(JAR, server) as http:
            http.get("/page")
            self.live -= {"session-2"}
            response = http.get("/page")
        assert (response.status_code, response.url) == (200, f"{server.url}/page")
        assert [seen.method for seen in server.seen_at("/login/")] == ["GET", "POST", "POST"]

    def test_a_redirect_to_the_login_that_cannot_be_cured_is_the_answer(self, server: Server) -> None:
        self.site(server)
        with client(JAR, server) as http:
            http.get("/page")
            self.live.clear()
            refused = http.get("/page")
            unrepeatable = http.post("/page", content=iter([b"x"]))
        assert [response.status_code for response in (refused, unrepeatable)] == [302, 302]
        assert [seen.method for seen in server.seen_at("/login/")] == ["GET", "POST", "POST"]

    def test_the_later_of_two_steps_hands_on_the_jar(self, server: Server) -> None:
        self.site(server)
        server.reply("/home", Reply(200, headers={"Set-Cookie": "seen=1; Path=/"}))
        # It names the last step before it, and shares the jar with the one before that too.
        home = """[profiles.demo.auth.steps.home]
request = { url = "/home", cookies = "web" }
extract = { token = { cookie = "seen" } }
needs = ["session"]
"""
        with client(
            JAR.replace("[[profiles.demo.auth.inject]]", home + "[[profiles.demo.auth.inject]]", 1), server
        ) as http:
            http.get("/page")
        assert set((server.seen_at("/home")[0].headers["Cookie"] or "").split("; ")) == {
            "sessionid=session-2", "csrftoken=csrf-2"
        }  # fmt: skip

    def test_cookies_that_the_api_sets_are_kept_with_the_session(self, server: Server) -> None:
        self.site(server)
        server.reply("/set", Reply(200, headers={"Set-Cookie": "csrftoken=csrf-new; Path=/"}))
        with client(JAR, server) as http:
            http.get("/set")
        with client(JAR, server) as http:
            http.post("/page")
        assert server.seen_at("/page")[0].headers["X-CSRFToken"] == "csrf-new"
        assert len(server.seen_at("/login/")) == 2

    def test_steps_have_no_cookies_but_those_of_their_jar(self, server: Server) -> None:
        server.reply("/one", Reply(body={"token": "a"}, headers={"Set-Cookie": "stray=1; Path=/"}))
        server.reply("/two", Reply(body={"token": "b"}))
        server.reply("/a", Reply())
        text = f"""{AUTH}
[profiles.demo.auth.steps.one]
request = {{ url = "/one" }}
extract = {{ token = "/token" }}
[profiles.demo.auth.steps.two]
request = {{ url = "/two", headers = {{ X = "${{steps.one.token}}" }} }}
extract = {{ token = "/token" }}
"""
        with client(text, server) as http:
            http.get("/a")
        assert server.seen_at("/two")[0].headers["Cookie"] is None


CHALLENGED = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.token]
request = { url = "${challenge.realm}", query = { service = "${challenge.service}", scope = "${challenge.scope}" } }
extract = { token = { pointer = "/token", or = ["/access_token"] } }
expires = { in = "/expires_in", default = "60s" }
scope = "${challenge.scope}"
"""


class TestChallenges:
    def registry(self, server: Server, *images: str, realm: str | None = None) -> None:
        self.revoked: set[str] = set()
        if realm is None:
            server.reply("/token", numbered("registry"))

        def answer(seen: Seen) -> Reply:
            name = seen.path.rpartition("/")[2]
            given = (seen.headers["Authorization"] or "").removeprefix("Bearer ")
            if given.startswith("registry-token-") and given not in self.revoked:
                return Reply(200)
            asks = f'Bearer realm="{realm or server.url + "/token"}",service="reg",scope="repository:{name}:pull"'
            return Reply(401, headers={"WWW-Authenticate": asks})

        for image in images:
            server.reply(f"/v2/{image}", answer)

    def test_a_step_runs_when_it_is_asked_for_and_its_token_is_kept_for_the_scope(self, server: Server) -> None:
        self.registry(server, "a")
        with client(CHALLENGED, server) as http:
            assert http.get("/v2/a").status_code == 200
        assert [seen.path for seen in server.seen] == ["/v2/a", "/token", "/v2/a"]
        assert server.seen[1].query == [("service", "reg"), ("scope", "repository:a:pull")]
        assert server.seen[0].headers["Authorization"] is None

    def test_the_next_run_knows_what_will_be_asked(self, server: Server) -> None:
        self.registry(server, "a", "b")
        for path in ("/v2/a", "/v2/b", "/v2/a", "/v2/b"):
            with client(CHALLENGED, server) as http:
                assert http.get(path).status_code == 200
        assert [seen.path for seen in server.seen] == [
            "/v2/a", "/token", "/v2/a", "/v2/b", "/token", "/v2/b", "/v2/a", "/v2/b"
        ]  # fmt: skip

    def test_a_token_that_is_refused_is_renewed(self, server: Server) -> None:
        self.registry(server, "a")
        with client(CHALLENGED, server) as http:
            http.get("/v2/a")
            self.revoked.add("registry-token-1")
            assert http.get("/v2/a").status_code == 200
        assert len(server.seen_at("/token")) == 2

    def test_a_challenge_that_leads_elsewhere_gets_nothing(self, server: Server) -> None:
        self.registry(server, "a", realm="https://evil.example/token")
        with client(CHALLENGED, server) as http, pytest.raises(Exception, match="another origin") as caught:
            http.get("/v2/a")
        error: Any = caught.value
        assert isinstance(getattr(error, "original_exception", None) or error, AuthenticationException)
        assert "origins" in str(getattr(error, "original_exception", error).hint)


def test_who_needs_a_clock_goes_by_it(server: Server) -> None:
    server.reply("/time", Reply(body={"serverTime": 1_000_000_000_000}))
    server.reply("/a", Reply())
    text = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.time]
request = { url = "/time" }
extract = { token = "/serverTime" }
clock = { at = "/serverTime", unit = "ms" }
expires = { ttl = "1h" }
[[profiles.demo.auth.inject]]
in = "query"
name = "timestamp"
value = "${now | unix}"
"""
    with client(text, server) as http:
        http.get("/a")
        http.get("/a")
    stamps = [int(dict(seen.query)["timestamp"]) for seen in server.seen_at("/a")]
    assert all(999_999_999 <= stamp <= 1_000_000_060 for stamp in stamps)
    assert len(server.seen_at("/time")) == 1


def test_each_attempt_is_signed_anew_and_a_uuid_stays(server: Server) -> None:
    server.reply("/a", Reply(503), Reply(200))
    text = """
retry = { base_delay = 0 }
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.sign]
type = "template"
values = { text = "${request.method} ${request.target} ${nonce}" }
inject = [
  { in = "header", name = "X-Nonce", value = "${nonce}" },
  { in = "header", name = "X-Signature", value = "${values.text | hmac_sha256(env.TOKEN) | hex}" },
]
[[profiles.demo.auth.inject]]
in = "header"
name = "X-Id"
value = "${uuid}"
"""
    with client(text, server) as http:
        http.get("/a", params={"q": "1"})
    first, second = server.seen
    assert first.headers["X-Id"] == second.headers["X-Id"]
    assert int(first.headers["X-Nonce"] or 0) < int(second.headers["X-Nonce"] or 0)
    assert first.headers["X-Signature"] != second.headers["X-Signature"]


RENEW = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/login" }
extract = { token = "/token" }
expires = { in = "/expires_in", zero = "never" }
skew = "10s"
refresh = { request = { method = "POST", url = "/renew", headers = { X = "${self.token}" } }, renew = true }
"""


def ending(name: str, *lives: int) -> Answer:
    tokens = iter([Reply(body={"token": f"{name}-{n}", "expires_in": life}) for n, life in enumerate(lives, 1)])
    return lambda seen: next(tokens)


def test_what_must_be_renewed_alive_is_logged_in_anew_once_it_has_ended(server: Server) -> None:
    # Within the skew it still lives, and is renewed; with a life of 0 s there is nothing left to renew with.
    server.reply("/login", ending("login", 8, 3600))
    server.reply("/renew", ending("renewed", -1))
    server.reply("/a", Reply())
    with client(RENEW, server) as http:
        for _ in range(3):
            http.get("/a")
    assert [seen.path for seen in server.seen if seen.path != "/a"] == ["/login", "/renew", "/login"]


def test_what_is_refused_with_a_new_token_too_is_not_renewed_again(server: Server) -> None:
    server.reply("/login", numbered("user"))
    server.reply("/a", Reply(401))
    sign = (
        '[profiles.demo.auth.sign]\ntype = "template"\ninject = [{ in = "header", name = "N", value = "${nonce}" }]\n'
    )
    entry = '[[profiles.demo.auth.inject]]\nin = "header"\nname = "X"\nvalue = "${steps.user.token}"\n'
    with client(f"{AUTH}{USER}{sign}{entry}", server) as http:
        assert http.get("/a").status_code == 401
    assert [seen.headers["X"] for seen in server.seen_at("/a")] == ["user-token-1", "user-token-2"]
