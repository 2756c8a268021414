from __future__ import annotations

from typing import Any

import pytest

from forge_cli.client import HttpClient
from forge_cli.errors import AuthenticationException
from forge_cli.login.hook import LoginHook
from forge_cli.models import HttpRequest, RequestContext
from tests.logins import THREE, made, numbered
from tests.server import Answer, Reply, Seen, Server

LOGIN = """
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/login" }
extract = { token = "/token" }
"""
AUTH = "[profiles.demo.auth]\ntype = "
BEARER = '[profiles.demo.auth]\ntype = "bearer"\ntoken = "${env.TOKEN}"\n'
ENVIRON = {"TOKEN": "env-token-1", "NAME": "X-Name"}


def client(text: str, server: Server, **environ: str) -> HttpClient:
    return made(text, server.url, environ={**ENVIRON, **environ}).client()


def needs_token(number: int, refusal: Reply) -> Answer:
    """Answers 200 to this token and all after it."""

    def answer(seen: Seen) -> Reply:
        given = seen.headers["Authorization"] or "-0"
        return Reply(200) if int(given.rpartition("-")[2]) >= number else refusal

    return answer


class TestInject:
    @pytest.mark.parametrize(
        ("place", "header", "expected"),
        [
            ('{ in = "header", name = "X-Key", value = "v-${env.TOKEN}" }', "X-Key", "v-env-token-1"),
            ('{ in = "header", name = "${env.NAME}", value = "x" }', "X-Name", "x"),
            ('{ in = "cookie", name = "sid", value = "${env.TOKEN}" }', "Cookie", "sid=env-token-1"),
            ('{ in = "basic", name = "ada", value = "${env.TOKEN}" }', "Authorization", "Basic YWRhOmVudi10b2tlbi0x"),
        ],
        ids=["header", "name from a template", "cookie", "basic"],
    )
    def test_a_credential_goes_in_its_place(self, server: Server, place: str, header: str, expected: str) -> None:
        server.reply("/users", Reply())
        text = f'[profiles.demo.auth]\ntype = "pipeline"\ninject = [{place}]\n'
        with client(text, server) as http:
            http.get("/users")
        assert server.seen[0].headers[header] == expected

    def test_query_parameters_replace_one_of_their_name(self, server: Server) -> None:
        server.reply("/users", Reply())
        one = '{ in = "query", name = "key", value = "first" }'
        two = '{ in = "query", name = "key", value = "${env.TOKEN}" }'
        with client(f'[profiles.demo.auth]\ntype = "pipeline"\ninject = [{one}, {two}]\n', server) as http:
            http.get("/users", params={"page": 1})
        assert server.seen[0].query == [("page", "1"), ("key", "env-token-1")]

    def test_a_later_header_replaces_an_earlier_one_in_any_case(self, server: Server) -> None:
        server.reply("/users", Reply())
        one = '{ in = "header", name = "x-key", value = "first" }'
        two = '{ in = "header", name = "X-Key", value = "second" }'
        with client(f'[profiles.demo.auth]\ntype = "pipeline"\ninject = [{one}, {two}]\n', server) as http:
            http.get("/users")
        assert server.seen[0].headers.get_all("X-Key") == ["second"]

    def test_without_inject_it_is_a_bearer_token_of_the_last_step(self, server: Server) -> None:
        server.reply("/login", numbered("user"))
        server.reply("/users", Reply())
        with client(LOGIN, server) as http:
            http.get("/users")
        assert server.seen_at("/users")[0].headers["Authorization"] == "Bearer user-token-1"

    @pytest.mark.parametrize(
        ("auth", "request_"),
        [
            (BEARER, {"headers": {"authorization": "Bearer mine"}}),
            (BEARER, {"auth": ("ada", "mine")}),
            (f'{AUTH}"basic"\nusername = "x"\npassword = "y"\n', {"auth": ("ada", "mine")}),
            (f'{AUTH}"api-key"\nkey = "x"\nin = "header"\nname = "X-Key"\n', {"headers": {"x-key": "mine"}}),
            (f'{AUTH}"api-key"\nkey = "x"\nin = "query"\nname = "key"\n', {"params": {"key": "mine"}}),
            (f'{AUTH}"api-key"\nkey = "x"\nin = "cookie"\nname = "key"\n', {"cookies": {"key": "mine"}}),
        ],
        ids=["header", "basic over bearer", "basic", "api key", "query", "cookie"],
    )
    def test_what_the_caller_states_is_left_alone(self, server: Server, auth: str, request_: Any) -> None:
        server.reply("/users", Reply(401))
        with client(auth, server) as http:
            assert http.get("/users", **request_).status_code == 401
        [seen] = server.seen
        sent = f"{seen.target} {dict(seen.headers)}"
        assert ("mine" in sent or "YWRhOm1pbmU=" in sent) and "'x'" not in sent

    def test_only_the_steps_run_that_the_remaining_places_refer_to(self, server: Server) -> None:
        server.reply("/login", numbered("user"))
        server.reply("/users", Reply())
        text = LOGIN + '[profiles.demo.auth.steps.other]\nrequest = { url = "/other" }\nextract = { token = "/t" }\n'
        for name, step in (("Authorization", "user"), ("X-Other", "other")):
            text += (
                f'[[profiles.demo.auth.inject]]\nin = "header"\nname = "{name}"\nvalue = "${{steps.{step}.token}}"\n'
            )
        with client(text, server) as http:
            http.get("/users", headers={"X-Other": "mine"})
        assert [seen.path for seen in server.seen] == ["/login", "/users"]

    @pytest.mark.parametrize(
        ("path", "sent"),
        [("/v1/health", False), ("/v1/public/a/b", False), ("/v1/healthy", True), ("/v1/users", True)],
    )
    def test_excluded_paths_get_no_credential(self, server: Server, path: str, sent: bool) -> None:
        server.reply(path, Reply(401))
        text = BEARER + 'exclude = ["/v1/health", "/v1/public/*"]\n'
        with made(text, f"{server.url}/v1", environ=ENVIRON).client() as http:
            http.get(path.removeprefix("/v1"))
            http.get(server.url + path)
        assert ["Authorization" in seen.headers for seen in server.seen] == [sent, sent]


class TestRecovering:
    def run(self, server: Server, text: str, refusal: Reply, *, method: str = "GET", token: int = 2) -> int:
        """The status of one request that is refused until this token comes."""
        server.reply("/login", numbered("user"), method="POST")
        server.reply("/users", needs_token(token, refusal))
        with client(text, server) as http:
            return http.request(HttpRequest(method, "/users", json_data={} if method == "POST" else None)).status_code

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_401_leads_to_one_renewal_and_one_replay(self, server: Server, method: str) -> None:
        assert self.run(server, LOGIN, Reply(401), method=method) == 200
        assert [seen.path for seen in server.seen] == ["/login", "/users", "/login", "/users"]

    def test_a_401_that_stays_is_the_answer(self, server: Server) -> None:
        assert self.run(server, LOGIN, Reply(401), token=9) == 401
        assert [seen.path for seen in server.seen] == ["/login", "/users", "/login", "/users"]

    def test_a_body_says_it_inside_a_200(self, server: Server) -> None:
        rule = '[[profiles.demo.auth.invalidate]]\nwhen = { body = { "/error" = "EXPIRED" } }\nsteps = ["user"]\n'
        self.run(server, LOGIN + rule, Reply(200, {"error": "EXPIRED"}))
        assert [seen.path for seen in server.seen] == ["/login", "/users", "/login", "/users"]

    def test_a_body_that_is_no_json_says_nothing(self, server: Server) -> None:
        rule = '[[profiles.demo.auth.invalidate]]\nwhen = { body = { "/error" = "EXPIRED" } }\nsteps = ["user"]\n'
        self.run(server, LOGIN + rule, Reply(200, "[" * 100_000, {"Content-Type": "application/json"}))
        assert [seen.path for seen in server.seen] == ["/login", "/users"]

    def test_a_redirect_to_the_login_page_says_it_before_it_is_followed(self, server: Server) -> None:
        rule = '[[profiles.demo.auth.invalidate]]\nsteps = ["user"]\n'
        rule += 'when = { status = 302, header = { Location = { matches = "/signin" } } }\n'
        assert self.run(server, LOGIN + rule, Reply(302, headers={"Location": "/signin?next=/users"})) == 200
        assert [seen.path for seen in server.seen] == ["/login", "/users", "/login", "/users"]

    def test_it_says_it_later_in_a_chain_too(self, server: Server) -> None:
        server.reply("/start", Reply(302, headers={"Location": "/users"}))
        server.reply("/login", numbered("user"))
        server.reply("/users", needs_token(2, Reply(401)))
        with client(LOGIN, server) as http:
            assert http.get("/start").status_code == 200
        paths = ["/login", "/start", "/users", "/login", "/start", "/users"]
        assert [seen.path for seen in server.seen] == paths

    def test_the_first_rule_that_matches_counts(self, server: Server) -> None:
        rules = "[[profiles.demo.auth.invalidate]]\nwhen = { status = [401, 403] }\nsteps = []\n"
        rules += '[[profiles.demo.auth.invalidate]]\nwhen = { status = 401 }\nsteps = ["user"]\n'
        assert self.run(server, LOGIN + rules, Reply(401)) == 401
        assert len(server.seen) == 2

    def test_after_all_rules_stands_that_for_401(self, server: Server) -> None:
        rule = '[[profiles.demo.auth.invalidate]]\nwhen = { status = 403 }\nsteps = ["user"]\n'
        assert self.run(server, LOGIN + rule, Reply(401)) == 200

    def test_an_empty_list_switches_that_off(self, server: Server) -> None:
        assert self.run(server, LOGIN.replace('"pipeline"', '"pipeline"\ninvalidate = []'), Reply(401)) == 401
        assert len(server.seen) == 2

    def test_what_is_computed_from_a_secret_is_not_tried_twice(self, server: Server) -> None:
        server.reply("/users", Reply(401))
        with client(BEARER, server) as http:
            assert http.get("/users").status_code == 401
        assert len(server.seen) == 1

    def test_what_is_computed_from_a_token_is_renewed_with_it(self, server: Server) -> None:
        value = '[profiles.demo.auth.steps.header]\nkind = "value"\nvalue = "${steps.user.token}"\n'
        assert self.run(server, LOGIN + value, Reply(401)) == 200

    def test_a_credential_of_the_caller_s_own_renews_nothing(self, server: Server) -> None:
        server.reply("/users", Reply(401))
        with client(LOGIN, server) as http:
            assert http.get("/users", headers={"Authorization": "Bearer mine"}).status_code == 401
        assert [seen.path for seen in server.seen] == ["/users"]

    def test_a_stripped_credential_renews_nothing(self, server: Server, other_server: Server) -> None:
        server.reply("/login", numbered("user"))
        server.reply("/users", Reply(302, headers={"Location": other_server.reply("/users", Reply(401))}))
        with client(LOGIN, server) as http:
            assert http.get("/users").status_code == 401
        assert "Authorization" not in other_server.seen[0].headers
        assert [seen.path for seen in server.seen] == ["/login", "/users"]


def test_the_parts_of_a_rule_forget_what_they_name(server: Server) -> None:
    """A rule names the app; the user, bound to it, goes too, and with its refresh token."""
    for name in ("device", "app", "user"):
        server.reply(f"/{name}", numbered(name, expires_in=3600, refresh_token="refresh-#"))
    refusal = Reply(401, {"code": "APP"})
    server.reply("/users", needs_token(2, refusal))
    rule = '[[profiles.demo.auth.invalidate]]\nwhen = { body = { "/code" = "APP" } }\nsteps = ["app"]\n'
    with client(THREE + rule, server) as http:
        assert http.get("/users").status_code == 200
    assert [seen.path for seen in server.seen] == ["/device", "/app", "/user", "/users", "/app", "/user", "/users"]


def test_branches_join_in_what_is_there(server: Server) -> None:
    text = LOGIN + '[profiles.demo.auth.steps.join]\nkind = "value"\n'
    text += 'value = "${steps.user.session ?? steps.user.token}"\n'
    text = text.replace('{ token = "/token" }', '{ token = "/token", session = { pointer = "/s", optional = true } }')
    server.reply(
        "/login", Reply(body={"token": "user-token-1", "s": "session-1"}), Reply(body={"token": "user-token-2"})
    )
    server.reply("/users", Reply(401), Reply())
    with client(text, server) as http:
        http.get("/users")
    sent = [seen.headers["Authorization"] for seen in server.seen_at("/users")]
    assert sent == ["Bearer session-1", "Bearer user-token-2"]


class TestByHand:
    """Members that a client does not call when the hook recovers by itself."""

    def test_they_renew_and_forget(self, server: Server) -> None:
        server.reply("/login", numbered("user"))
        hook = LoginHook(made(LOGIN, server.url).login)
        assert hook.get_token().access_token == "user-token-1"
        assert hook.refresh_auth()
        assert hook.get_token().access_token == "user-token-2"
        hook.invalidate_auth()
        assert hook.get_token().access_token == "user-token-3"

    def test_a_login_without_steps_has_no_token(self, server: Server) -> None:
        hook = LoginHook(made('[profiles.demo.auth]\ntype = "none"\n', server.url).login)
        request = HttpRequest("GET", "/users")
        assert hook.before_request(request, RequestContext(request)) is request
        assert not hook.refresh_auth()
        with pytest.raises(AuthenticationException):
            hook.get_token()

    def test_a_uuid_stays_over_the_retries_of_one_request(self, server: Server) -> None:
        text = '[profiles.demo]\nretry = { base_delay = 0 }\n[profiles.demo.auth]\ntype = "pipeline"\n'
        text += 'inject = [{ in = "header", name = "X-Id", value = "${uuid}" }]\n'
        server.reply("/users", Reply(503), Reply())
        with client(text.removeprefix("[profiles.demo]\n"), server) as http:
            http.get("/users")
            http.get("/users")
        first, again, other = (seen.headers["X-Id"] for seen in server.seen)
        assert first == again != other
